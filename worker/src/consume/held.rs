//! One work item in hand: its deliveries, its notices, its stop.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use broker::{Receipt, ReplyTo};
use model::{AttemptId, BranchPath, ExecutionArn, Timestamp};
use tokio::sync::Notify;
use wire::message::WorkItem;

/// Tells attempts apart.
pub(crate) type Key = (ExecutionArn, BranchPath, AttemptId);

pub(crate) fn key_of(item: &WorkItem) -> Key {
    (item.execution.clone(), item.branch.clone(), item.attempt)
}

/// Is a delivery that one or more work items came in. It is acknowledged when the last share of it was released, and never
/// if one is dropped.
#[derive(Debug)]
struct Ticket {
    receipt: Mutex<Option<Receipt>>,
    open: std::sync::atomic::AtomicUsize,
}

/// Is one item's share of its delivery.
#[derive(Debug)]
pub(crate) struct Share(Arc<Ticket>);

impl Share {
    /// Divides a delivery into `count` shares.
    pub(crate) fn divide(receipt: Receipt, count: usize) -> impl Iterator<Item = Share> {
        let ticket = Arc::new(Ticket { receipt: Mutex::new(Some(receipt)), open: count.into() });
        std::iter::repeat_n(ticket, count).map(Share)
    }

    /// Makes the share of no delivery.
    #[cfg(test)]
    pub(crate) fn of_nothing() -> Self {
        Self(Arc::new(Ticket { receipt: Mutex::default(), open: 1.into() }))
    }

    /// Releases the share; the last one of its delivery gives the receipt to be acknowledged.
    pub(crate) fn release(self) -> Option<Receipt> {
        if self.0.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return None;
        }
        self.0.receipt.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Says why a task is no longer wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Why {
    /// The coordinator said so.
    Cancelled = 1,
    /// Its deadline passed.
    Late = 2,
    /// The worker ends, and its grace is over.
    Abandoned = 3,
}

/// Is set at most once; many may wait for it.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    why: AtomicU8,
    set: Notify,
}

impl Stop {
    pub(crate) fn set(&self, why: Why) {
        // The first reason stands.
        let _ = self.why.compare_exchange(0, why as u8, Ordering::AcqRel, Ordering::Acquire);
        self.set.notify_waiters();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.why().is_some()
    }

    fn why(&self) -> Option<Why> {
        match self.why.load(Ordering::Acquire) {
            1 => Some(Why::Cancelled),
            2 => Some(Why::Late),
            3 => Some(Why::Abandoned),
            _ => None,
        }
    }

    pub(crate) async fn wait(&self) -> Why {
        loop {
            let set = self.set.notified();
            if let Some(why) = self.why() {
                return why;
            }
            set.await;
        }
    }
}

/// Is a work item in hand, from its delivery until its report is confirmed.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) item: WorkItem,
    pub(crate) reply_to: ReplyTo,
    pub(crate) received_at: Timestamp,
    /// How often the broker delivered the message before.
    pub(crate) redeliveries: u32,
    /// The trace context of this run.
    pub(crate) traceparent: String,
    pub(crate) stop: Stop,
    /// When the handler began, in milliseconds; 0 before.
    started_at: AtomicI64,
    heartbeat_at: AtomicI64,
    is_beating: AtomicBool,
    is_reporting_hold: AtomicBool,
    is_acknowledged: AtomicBool,
    is_submitted: AtomicBool,
    shares: Mutex<Vec<Share>>,
}

impl Held {
    pub(crate) fn new(
        item: WorkItem,
        reply_to: ReplyTo,
        (received_at, redeliveries): (Timestamp, u32),
        traceparent: String,
        share: Share,
    ) -> Self {
        Self {
            item,
            reply_to,
            received_at,
            redeliveries,
            traceparent,
            stop: Stop::default(),
            started_at: AtomicI64::new(0),
            heartbeat_at: AtomicI64::new(i64::MIN),
            is_beating: AtomicBool::new(false),
            is_reporting_hold: AtomicBool::new(false),
            is_acknowledged: AtomicBool::new(false),
            is_submitted: AtomicBool::new(false),
            shares: Mutex::new(vec![share]),
        }
    }

    /// Makes the span of the work on it, for log lines. It is an error's, so that no filter takes it from the lines that remain.
    pub(crate) fn span(&self) -> tracing::Span {
        let item = &self.item;
        tracing::error_span!(
            "run", execution = %item.execution, branch = %item.branch, attempt = %item.attempt, resource = item.resource,
            trace_id = self.trace_id(),
        )
    }

    /// Gives the id of its trace.
    pub(crate) fn trace_id(&self) -> &str {
        telemetry::trace_id_of(&self.traceparent)
    }

    pub(crate) fn key(&self) -> Key {
        key_of(&self.item)
    }

    /// Adds a further delivery of the same attempt: it ends with the first one.
    pub(crate) fn attach(&self, share: Share) {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner).push(share);
    }

    /// Takes what is to be acknowledged now that the coordinator will hear of the item.
    pub(crate) fn release(&self) -> Vec<Receipt> {
        self.is_acknowledged.store(true, Ordering::Release);
        let shares = std::mem::take(&mut *self.shares.lock().unwrap_or_else(PoisonError::into_inner));
        shares.into_iter().filter_map(Share::release).collect()
    }

    /// Tells whether the broker no longer has the item.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.is_acknowledged.load(Ordering::Acquire)
    }

    /// Notes that the result comes by the task token.
    pub(crate) fn submit(&self) {
        self.is_submitted.store(true, Ordering::Release);
    }

    pub(crate) fn is_submitted(&self) -> bool {
        self.is_submitted.load(Ordering::Acquire)
    }

    pub(crate) fn start(&self, now: Timestamp) {
        self.started_at.store(now.as_millis(), Ordering::Release);
    }

    pub(crate) fn started_at(&self) -> Option<Timestamp> {
        Some(self.started_at.load(Ordering::Acquire)).filter(|millis| *millis != 0).map(Timestamp::from_millis)
    }

    /// Tells whether a heartbeat may be sent now; none may while one is on its way, or too soon after one.
    pub(crate) fn begin_heartbeat(&self, now: Timestamp, gap_millis: u64) -> bool {
        let last = Timestamp::from_millis(self.heartbeat_at.load(Ordering::Acquire));
        if now.millis_since(last) < gap_millis || self.is_beating.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.heartbeat_at.store(now.as_millis(), Ordering::Release);
        true
    }

    pub(crate) fn end_heartbeat(&self) {
        self.is_beating.store(false, Ordering::Release);
    }

    /// Tells whether a `holding` report may be sent now: not while one is on its way.
    pub(crate) fn begin_hold_report(&self) -> bool {
        !self.is_reporting_hold.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn end_hold_report(&self) {
        self.is_reporting_hold.store(false, Ordering::Release);
    }
}

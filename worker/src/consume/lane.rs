//! The reports that wait for one queue, and how fast they may leave.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use model::Timestamp;
use runtime::Runtime;
use wire::message::{Outcome, Report};

use super::held::Held;

/// How long the first repetition of a failed publish waits, doubled with each further one up to the longest.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// What the fields of a report take beside its payload, about.
const REPORT_BYTES: usize = 512;

/// Says what a report is about, beyond its outcome: what follows from its confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The last one: the item is no longer in hand.
    Last,
    /// The item may be acknowledged and is held all the same.
    Holding,
    Heartbeat,
    Started,
}

/// Is a report that waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) report: Report,
    pub(crate) subject: Subject,
    pub(crate) held: Arc<Held>,
}

/// Holds the reports for one queue. Bounded: each item in hand has at most one report of each subject.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    waiting: VecDeque<Waiting>,
    in_flight: u16,
    failures: u32,
    not_before: Option<Timestamp>,
    /// Since when the queue has not been there.
    pub(crate) unroutable_since: Option<Timestamp>,
}

/// Bounds one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    pub(crate) reports_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) publishes_max: u16,
}

impl Lane {
    pub(crate) fn push(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    /// Takes the reports of the next message, if one may leave now.
    pub(crate) fn next_batch(&mut self, limits: BatchLimits, now: Timestamp) -> Option<Vec<Waiting>> {
        let is_put_off = self.not_before.is_some_and(|at| now < at);
        if self.waiting.is_empty() || is_put_off || self.in_flight >= self.publishes_max(limits) {
            return None;
        }
        let mut bytes = 0;
        let fits = |waiting: &&Waiting| {
            bytes += size(&waiting.report);
            bytes <= limits.bytes_max
        };
        let count = self.waiting.iter().take(limits.reports_max).take_while(fits).count();
        self.in_flight += 1;
        Some(self.waiting.drain(..count.max(1)).collect())
    }

    /// While publishes fail, one at a time is tried.
    fn publishes_max(&self, limits: BatchLimits) -> u16 {
        if self.failures > 0 { 1 } else { limits.publishes_max.max(1) }
    }

    pub(crate) fn confirmed(&mut self) {
        self.in_flight -= 1;
        self.failures = 0;
        self.not_before = None;
        self.unroutable_since = None;
    }

    /// Puts a batch back to the front, to be repeated after a while.
    pub(crate) fn failed(&mut self, batch: Vec<Waiting>, runtime: &Runtime) {
        let delay = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        let millis = i64::try_from(runtime.jittered(delay).as_millis()).unwrap_or(i64::MAX);
        self.not_before = Some(runtime.now().plus_millis(millis));
        self.put_back(batch);
    }

    /// Puts a batch back to the front.
    pub(crate) fn put_back(&mut self, batch: Vec<Waiting>) {
        self.in_flight -= 1;
        for waiting in batch.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
    }

    /// Gives up on a batch.
    pub(crate) fn gave_up(&mut self) {
        self.in_flight -= 1;
    }

    /// Tries again at once: the broker is back.
    pub(crate) fn hurry(&mut self) {
        self.not_before = None;
    }

    /// Tells when the next batch may leave, if one was put off.
    pub(crate) fn not_before(&self) -> Option<Timestamp> {
        self.not_before.filter(|_| !self.waiting.is_empty() && self.in_flight == 0)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight == 0
    }
}

fn size(report: &Report) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let payload = match &report.outcome {
        Outcome::Submitted { output } | Outcome::Succeeded { output } => output.len(),
        Outcome::Failed { error, cause } => text(error) + text(cause),
        Outcome::Started | Outcome::Heartbeat | Outcome::Holding | Outcome::Unhandled | Outcome::Poisoned => 0,
    };
    REPORT_BYTES + payload
}

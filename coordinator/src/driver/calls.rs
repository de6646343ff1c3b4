//! Tasks whose resource is this service itself: the coordinator makes their calls, there is no worker in between.
//!
//! ```text
//!  commit ─► outbox ─► call ─► service (the API) ─► report committed, which drops the entry of the outbox
//! ```
//! The entry stays in the outbox until the report on the call is committed: who dies before leaves it to another coordinator, which
//! makes the call again. A nested execution that was started before is found by who started it; a task of an activity that was
//! taken is seen by others again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use asl::Resource;
use engine::{Outcome, is_of_map_run};
use model::{ExecutionArn, Timestamp};
use tracing::Instrument as _;
use wire::message::WorkItem;
use wire::record::{StarterRecord, Waits};

use super::Inner;
use super::activity::TakenTask;
use super::advance::{Ending, Trigger};
use super::backoff::Backoff;
use super::error::{Patience, Unable};
use super::local::Item;
use super::log;
use super::relay::Dispatch;
use super::service::{Call, Reply, is_poll, is_synchronous_start, own, service_of};

/// Counts the polls that go on: they have no place among the local work, which they would hold up for a minute each.
#[derive(Debug, Default)]
pub(crate) struct PollCount(AtomicUsize);

impl PollCount {
    pub(super) fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// Is one of the polls; no more when it is dropped.
struct Polling {
    inner: Arc<Inner>,
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.inner.poll_count.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Is the end of a call.
struct Made {
    outcome: Outcome,
    started: Option<ExecutionArn>,
    taken: Option<TakenTask>,
}

impl Inner {
    /// Gives the resource of a task that the coordinator runs itself; none where a pool of workers is named for it.
    pub(super) fn own_call(&self, resource: &str) -> Option<Resource> {
        let service = service_of(resource)?;
        if is_of_map_run(resource) {
            return own(resource);
        }
        own(resource).filter(|_| !self.settings.routing.names(service, resource))
    }

    /// Tells how long a call may be under way at most.
    pub(super) fn call_longest(&self, resource: &Resource) -> Duration {
        let longest = self.settings.call_longest;
        if is_synchronous_start(resource) { longest + self.settings.express.longest } else { longest }
    }

    /// Begins a call whose attempt was noted as under way.
    pub(super) fn begin_call(self: &Arc<Self>, resource: &Resource, dispatch: Dispatch) {
        if !is_poll(resource) {
            return self.proceed(Item::Call(Box::new(dispatch)));
        }
        let polling = Polling { inner: self.clone() };
        if self.poll_count.0.fetch_add(1, Ordering::Relaxed) >= self.settings.polls_running {
            self.metrics.spilled.inc();
            return self.outgoing.closed(dispatch.partition, dispatch.item.attempt);
        }
        let span = log::about_item(&dispatch.item);
        let poll = async move {
            if let Err(error) = polling.inner.call(&dispatch).await {
                tracing::error!(%error, "can't go on with a poll");
            }
        };
        self.runtime.spawn(poll.instrument(span));
    }

    /// Makes a call, and commits what came of it.
    pub(super) async fn call(self: &Arc<Self>, dispatch: &Dispatch) -> Result<(), Unable> {
        let outcome = self.call_and_report(dispatch).await;
        let (partition, attempt) = (dispatch.partition, dispatch.item.attempt);
        match &outcome {
            Ok(()) => self.outgoing.closed(partition, attempt),
            Err(_) => drop(self.outgoing.keep(partition, dispatch.key(), attempt)),
        }
        outcome
    }

    async fn call_and_report(self: &Arc<Self>, dispatch: &Dispatch) -> Result<(), Unable> {
        let item = &dispatch.item;
        let Some(resource) = own(&item.resource) else { return Ok(()) };
        let began = self.runtime.now();
        let Some(made) = self.make_call(&call_of(resource, item), item).await? else { return Ok(()) };
        let trigger = Trigger::Called { attempt: item.attempt, began, outcome: &made.outcome };
        let ending = self.advance(&item.execution, &item.branch, trigger, false, Patience::Endless).await?;
        match ending {
            Ending::Committed | Ending::Unchanged => {
                self.metrics.calls.inc();
                if let Some(taken) = made.taken {
                    taken.received();
                }
                if let Some(started) = &made.started {
                    self.is_told(started, store::PendingEffect::Started);
                }
            }
            // The task is over, or another coordinator has made the call, too.
            Ending::Stale | Ending::Leased => {
                if let Some(started) = &made.started {
                    self.settle_started(started).await?;
                }
            }
        }
        Ok(())
    }

    /// Makes a call until it is answered; nothing if its attempt is over before, or this coordinator stops.
    async fn make_call(self: &Arc<Self>, call: &Call, item: &WorkItem) -> Result<Option<Made>, Unable> {
        let mut backoff = Backoff::new(&self.settings);
        loop {
            let reply = match self.service.get() {
                _ if is_of_map_run(&item.resource) => {
                    self.start_part(call).instrument(log::of_call(&item.resource)).await
                }
                Some(service) => service.answer(call.clone()).instrument(log::of_call(&item.resource)).await,
                None => Reply::Later("there is no service".to_owned()),
            };
            match reply {
                Reply::Done { outcome, started, taken } => return Ok(Some(Made { outcome, started, taken })),
                Reply::Later(reason) => {
                    tracing::debug!(resource = %call.resource, reason, "a call is to be made again");
                }
            }
            self.back_off(&mut backoff).await;
            let is_stopping = *self.stopping.borrow();
            if is_stopping || self.dispatch_again(&item.execution, &item.branch, item.attempt).await?.is_none() {
                return Ok(None);
            }
        }
    }
}

fn call_of(resource: Resource, item: &WorkItem) -> Call {
    let task = StarterRecord {
        execution: item.execution.clone(),
        branch: item.branch.clone(),
        attempt: item.attempt,
        waits: waits(&resource),
    };
    let trace = item.traceparent.as_deref().and_then(|text| text.parse().ok());
    Call { resource, input: item.input.clone(), task, trace }
}

/// Tells how the task of a resource waits for what it started.
pub(super) fn waits(resource: &Resource) -> Waits {
    use asl::IntegrationPattern::{RequestResponse, Sync, Sync2, WaitForTaskToken};
    match resource.pattern() {
        Sync => Waits::Text,
        Sync2 => Waits::Parsed,
        RequestResponse | WaitForTaskToken => Waits::No,
    }
}

/// Tells whether an entry is so young that a live coordinator may still be at its call.
pub(super) fn is_recent(at: Timestamp, now: Timestamp, longest: Duration) -> bool {
    u128::from(now.millis_since(at)) < longest.as_millis()
}

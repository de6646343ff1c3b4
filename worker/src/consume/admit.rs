//! What becomes of a delivery when it arrives.

use std::sync::Arc;
use std::time::Duration;

use broker::{DeadLetter, Delivery, Error, Receipt, ReplyTo};
use model::failure_text::{cut_cause, cut_error};
use model::{Nonce, Timestamp};
use telemetry::{Role, TraceContext, role_span};
use tracing::{debug, error, warn};
use wire::message::{Outcome, WORK_TYPE, WorkItem, encode_items};

use super::held::{Held, Share};
use super::table::Fate;
use super::{Shared, Subject};
use crate::Failure;

/// How long a failed publish of a single message waits, doubled with each further one up to the longest.
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Gives a time of which the beginning may be another machine's clock's; none is below 0.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    Duration::from_millis(to.millis_since(from)).as_secs_f64()
}

impl Shared {
    /// Takes a delivery: each item of it is run, or else it is settled what to say about it.
    pub(super) fn admit(self: &Arc<Self>, delivery: Delivery<WorkItem>) {
        let Delivery { content, redeliveries, reply_to, queue, receipt } = delivery;
        let buried =
            |reason: String, kind, body| DeadLetter { reason, queue: queue.to_string(), kind, reply_to: None, body };
        match (content, reply_to) {
            (Ok(items), _) if items.is_empty() => self.reporter.acknowledge(vec![receipt]),
            (Ok(items), Some(reply_to)) => {
                let shares = Share::divide(receipt, items.len());
                for (item, share) in items.into_iter().zip(shares) {
                    self.admit_item(item, redeliveries, reply_to.clone(), share);
                }
            }
            (Ok(items), None) => {
                let reason = "the message names no queue to report to (property reply_to)".to_owned();
                self.bury(buried(reason, Some(WORK_TYPE.to_owned()), encode_items(&items)), receipt);
            }
            (Err(malformed), reply_to) => {
                let letter = buried(malformed.reason, malformed.kind, malformed.body);
                self.bury(DeadLetter { reply_to, ..letter }, receipt);
            }
        }
    }

    fn admit_item(self: &Arc<Self>, item: WorkItem, redeliveries: u32, reply_to: ReplyTo, share: Share) {
        let Some(held) = self.take_in_hand(item, redeliveries, reply_to, share) else { return };
        if redeliveries.saturating_add(held.item.deliveries) > self.deliveries_max {
            self.metrics.poisoned.inc();
            let _span = held.span().entered();
            warn!(redeliveries, "not run: delivered too often");
            return self.reporter.send(&held, Subject::Last, Outcome::Poisoned);
        }
        match self.registry.resolve(&held.item) {
            Ok(Some(resolved)) => {
                self.metrics.run.inc();
                self.runtime.spawn(Arc::clone(self).run(held, resolved));
            }
            Ok(None) => {
                self.metrics.unhandled.inc();
                let _span = held.span().entered();
                warn!("no handler is declared for this resource");
                self.reporter.send(&held, Subject::Last, Outcome::Unhandled);
            }
            Err(failure) => self.report_failure(&held, failure),
        }
    }

    /// Notes an item as being in hand, unless it needs nothing done.
    fn take_in_hand(&self, item: WorkItem, redeliveries: u32, reply_to: ReplyTo, share: Share) -> Option<Arc<Held>> {
        let now = self.runtime.now();
        self.metrics.queue_wait.observe(seconds_between(item.dispatched_at, now));
        let mut table = self.table();
        let (share, fate, counter) = match table.judge(&item, redeliveries, share) {
            Fate::Running => (None, "runs already", &self.metrics.duplicate),
            Fate::Done(share) => (Some(share), "was reported already", &self.metrics.duplicate),
            Fate::Cancelled(share) => (Some(share), "was cancelled", &self.metrics.unneeded_cancelled),
            Fate::New(share) if item.deadline.is_some_and(|deadline| deadline <= now) => {
                (Some(share), "is past its deadline", &self.metrics.unneeded_late)
            }
            Fate::New(share) => {
                let traceparent = self.trace(&item).to_string();
                let held = Arc::new(Held::new(item, reply_to, (now, redeliveries), traceparent, share));
                table.insert(Arc::clone(&held));
                return Some(held);
            }
        };
        counter.inc();
        let trace_id = item.traceparent.as_deref().map(telemetry::trace_id_of);
        debug!(execution = %item.execution, branch = %item.branch, attempt = %item.attempt, trace_id, fate, "not run");
        self.reporter.acknowledge(share.and_then(Share::release).into_iter().collect());
        None
    }

    /// Gives the place in the item's trace that this run has.
    fn trace(&self, item: &WorkItem) -> TraceContext {
        // Derived, so that what a handler exported for a worker that died hangs on the run that comes after.
        let span = role_span(&item.execution, &item.branch, Role::Handle, item.attempt.number);
        let parent = item.traceparent.as_deref().and_then(|text| text.parse::<TraceContext>().ok());
        match parent {
            Some(parent) => parent.at(span),
            None => {
                let Nonce(nonce) = item.attempt.nonce;
                TraceContext { trace: telemetry::trace_id(&item.execution, nonce), span, sampled: false }
            }
        }
    }

    /// Reports a failure, with no more of its texts than the coordinator would keep.
    pub(super) fn report_failure(&self, held: &Arc<Held>, failure: Failure) {
        let (mut error, mut cause) = failure.into_parts();
        error.truncate(cut_error(&error).len());
        cause.truncate(cut_cause(&cause).len());
        self.reporter.send(held, Subject::Last, Outcome::Failed { error: Some(error), cause: Some(cause) });
    }

    /// Makes a dead letter of a delivery that can't be handled.
    fn bury(self: &Arc<Self>, letter: DeadLetter, receipt: Receipt) {
        self.metrics.unreadable.inc();
        warn!(queue = letter.queue, reason = letter.reason, "a message can't be handled: making it a dead letter");
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            shared.publish(|| shared.queue.publish_dead(&letter)).await;
            shared.reporter.acknowledge(vec![receipt]);
        });
    }

    /// Publishes, over and over until it succeeds; what is too large is dropped.
    pub(super) async fn publish<F: Future<Output = Result<(), Error>>>(&self, attempt: impl Fn() -> F) {
        let mut delay = BACKOFF_FIRST;
        while let Err(error) = attempt().await {
            if matches!(error, Error::TooLarge { .. }) {
                error!(%error, "dropping a message that the broker never takes");
                return;
            }
            self.metrics.retries.inc();
            warn!(error = %error, "could not publish: repeating");
            self.runtime.sleep(self.runtime.jittered(delay)).await;
            delay = delay.saturating_mul(2).min(BACKOFF_MAX);
        }
    }
}

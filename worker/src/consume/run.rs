//! One run of a handler, from the wait for a slot to the report.

use std::pin::pin;
use std::sync::Arc;

use model::Timestamp;
use telemetry::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{Instrument as _, debug, info};
use wire::message::{Outcome, WorkItem};

use super::admit::seconds_between;
use super::held::{Held, Why};
use super::{Phase, Shared, Subject};
use crate::Context;
use crate::handlers::{Answer, Call, Form, Resolved, invoke_answer, too_large};

/// How much later than the deadline a handler is stopped from outside: those that end a process at the deadline come first.
const DEADLINE_SLACK_MILLIS: i64 = 50;

/// The notice of a start leaves when this part of the time is over: it may wait as long again in a busy queue.
const PARTS: i64 = 3;

/// Is how a run ended.
enum End {
    Answer(Answer),
    Unwanted(Why),
    /// There was no free slot in time.
    NoSlot,
}

impl From<Why> for End {
    fn from(why: Why) -> Self {
        End::Unwanted(why)
    }
}

impl Shared {
    /// Runs a handler and reports on it.
    pub(super) async fn run(self: Arc<Self>, held: Arc<Held>, resolved: Resolved) {
        let span = held.span();
        self.run_and_report(&held, resolved).instrument(span).await;
    }

    async fn run_and_report(&self, held: &Arc<Held>, resolved: Resolved) {
        let end = match self.carry_out(held, resolved).await {
            Ok(answer) => End::Answer(answer),
            Err(end) => end,
        };
        self.conclude(held, end).await;
    }

    async fn carry_out(&self, held: &Arc<Held>, resolved: Resolved) -> Result<Answer, End> {
        // The handler's own slot first, so that one whose slots are taken keeps none of the worker's from others.
        let _own = match &resolved.entry.slots {
            Some(slots) => Some(self.slot(slots, held).await?),
            None => None,
        };
        let _slot = self.slot(&self.slots, held).await?;
        let started = self.runtime.instant();
        let _running = Running::begin(&self.metrics.running);
        let answer = self.execute(held, resolved).await;
        self.metrics.run_seconds.observe(self.runtime.instant().duration_since(started).as_secs_f64());
        answer
    }

    async fn slot(&self, slots: &Arc<Semaphore>, held: &Held) -> Result<OwnedSemaphorePermit, End> {
        if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
            return Ok(slot);
        }
        let mut phase = self.phase.subscribe();
        let patience = after(held.received_at, self.config.wait_max);
        tokio::select! { biased;
            why = held.stop.wait() => Err(why.into()),
            // What waits goes back, also if a slot has come free since.
            () = async { drop(phase.wait_for(|phase| *phase == Phase::Draining).await) } => Err(End::NoSlot),
            slot = Arc::clone(slots).acquire_owned() => slot.map_err(|_| End::NoSlot),
            () = self.until(held.item.deadline) => Err(Why::Late.into()),
            () = self.runtime.sleep_until(patience) => Err(End::NoSlot),
        }
    }

    async fn execute(&self, held: &Arc<Held>, resolved: Resolved) -> Result<Answer, End> {
        let Resolved { entry, function, form, input } = resolved;
        let now = self.runtime.now();
        held.start(now);
        self.metrics.slot_wait.observe(seconds_between(held.received_at, now));
        let context = Context::new(Arc::clone(held), self.reporter.clone());
        let mut running = pin!(entry.handler.run(Call { function, input, context }));
        let mut agenda = Agenda::new(self, held, now);
        loop {
            tokio::select! { biased;
                answer = &mut running => return Ok(match form {
                    Form::Plain => self.bounded(answer),
                    Form::Invoke => invoke_answer(self.bounded(answer), &self.runtime, &held.traceparent),
                }),
                why = held.stop.wait() => return Err(why.into()),
                () = self.runtime.sleep_until(agenda.next()) => agenda.fire(self, held),
            }
        }
    }

    async fn until(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.runtime.sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// Gives the answer, or a failure in its place if it is too large for a message.
    fn bounded(&self, answer: Answer) -> Answer {
        let bytes_max = self.config.output_bytes_max;
        let bytes = match &answer {
            Answer::Output(text) | Answer::Submitted(text) => text.as_str().len(),
            Answer::Failed(failure) => failure.error().len().saturating_add(failure.cause().len()),
            Answer::PastDeadline => 0,
        };
        if bytes > bytes_max { Answer::Failed(too_large(bytes_max)) } else { answer }
    }

    async fn conclude(&self, held: &Arc<Held>, end: End) {
        match end {
            End::Answer(Answer::Output(output)) => {
                self.metrics.succeeded.inc();
                self.reporter.send(held, Subject::Last, Outcome::Succeeded { output });
            }
            End::Answer(Answer::Submitted(output)) => {
                self.metrics.submitted.inc();
                self.reporter.send(held, Subject::Last, Outcome::Submitted { output });
            }
            End::Answer(Answer::Failed(failure)) => {
                self.metrics.failed.inc();
                debug!(error = failure.error(), "a handler failed");
                self.report_failure(held, failure);
            }
            End::Answer(Answer::PastDeadline) | End::Unwanted(Why::Late) => {
                self.metrics.late.inc();
                info!("stopped a task at its deadline");
                held.stop.set(Why::Late);
                self.traces.forgotten(held, "past its deadline", self.runtime.now());
                self.forget(held);
            }
            End::Unwanted(Why::Cancelled) => {
                self.metrics.cancelled.inc();
                self.traces.forgotten(held, "cancelled", self.runtime.now());
                self.forget(held);
            }
            End::Unwanted(Why::Abandoned) if !held.is_acknowledged() => {
                self.metrics.abandoned.inc();
                self.table().remove(held);
            }
            End::Unwanted(Why::Abandoned) | End::NoSlot => self.put_back(held).await,
        }
    }

    /// Lets go of an item that needs no report.
    fn forget(&self, held: &Held) {
        self.table().remove(held);
        self.reporter.acknowledge(held.release());
    }

    /// Gives an item to the pool's queue again and lets go of it.
    async fn put_back(&self, held: &Held) {
        self.metrics.put_back.inc();
        debug!("putting a work item back");
        let deliveries = held.item.deliveries.saturating_add(held.redeliveries);
        let items = [WorkItem { deliveries, ..held.item.clone() }];
        self.publish(|| self.queue.publish_work(&self.config.pool, &held.reply_to, &items)).await;
        self.forget(held);
    }
}

/// Gives when to tell that a handler has started: in time for the first heartbeat, of which the notice takes the place, and for the
/// deadline, at which a history tells of a start as AWS's does.
fn notice_at(now: Timestamp, notice_after: settings::Interval, item: &WorkItem) -> Timestamp {
    let heartbeat =
        item.heartbeat_seconds.map(|seconds| i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX));
    let left = item.deadline.map(|deadline| deadline.millis_since(now));
    let left = left.map(|millis| i64::try_from(millis).unwrap_or(i64::MAX));
    let parts = heartbeat.into_iter().chain(left).map(|millis| now.plus_millis(millis / PARTS));
    parts.fold(after(now, notice_after), Timestamp::min)
}

fn after(at: Timestamp, interval: settings::Interval) -> Timestamp {
    at.plus_millis(i64::try_from(interval.get().as_millis()).unwrap_or(i64::MAX))
}

/// Counts a run as long as it lasts.
struct Running<'a>(&'a Gauge);

impl<'a> Running<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.add(1);
        Self(gauge)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

/// Knows what is due while a handler runs.
struct Agenda {
    /// When to tell that it started; once.
    notice: Option<Timestamp>,
    /// When to tell that the item is held; over and over.
    hold: Timestamp,
    deadline: Option<Timestamp>,
}

impl Agenda {
    fn new(shared: &Shared, held: &Held, now: Timestamp) -> Self {
        Self {
            notice: Some(notice_at(now, shared.config.notice_after, &held.item)),
            hold: after(held.received_at, shared.config.hold_max),
            deadline: held.item.deadline.map(|deadline| deadline.plus_millis(DEADLINE_SLACK_MILLIS)),
        }
    }

    fn next(&self) -> Timestamp {
        [self.notice, self.deadline].into_iter().flatten().fold(self.hold, Timestamp::min)
    }

    fn fire(&mut self, shared: &Shared, held: &Arc<Held>) {
        let now = shared.runtime.now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return held.stop.set(Why::Late);
        }
        if self.notice.is_some_and(|notice| notice <= now) {
            self.notice = None;
            shared.reporter.send(held, Subject::Started, Outcome::Started);
        }
        if self.hold <= now {
            self.hold = after(now, shared.config.hold_repeat);
            if held.begin_hold_report() {
                shared.reporter.send(held, Subject::Holding, Outcome::Holding);
            }
        }
    }
}

//! Events of the core, made from what came in.

use engine::{Callback, ChildResult, ChildrenPhase, Completion, Delivery, Event, Outcome, Phase, Timer};
use model::{AttemptId, JsonText, Timestamp};
use store::StoredBranch;
use telemetry::TraceContext;
use wire::message::{self, Report};

use super::Inner;
use super::backoff::{Backoff, persist};
use super::cache::Held;
use super::error::{Patience, Unable};
use crate::convert;

/// How many items of a Map are read at once: as many children as one commit may create.
const ITEMS_MAX: u32 = 256;

/// What the failure of a poisoned item is named, so that a definition can catch it.
const POISONED: &str = "Stepwell.Poisoned";

/// Is what makes a branch advance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trigger<'a> {
    /// A worker's report.
    Report(&'a Report),
    /// A worker that polls the activity takes the task.
    Taken {
        /// The attempt.
        attempt: AttemptId,
        /// The worker's name.
        worker: Option<&'a str>,
    },
    /// Who has the task token ends the attempt.
    Callback {
        /// The attempt.
        attempt: AttemptId,
        /// How it ended.
        callback: &'a Callback,
        /// The trace that the caller is in.
        caller: Option<TraceContext>,
    },
    /// The nested execution that the attempt waits for has ended.
    Returned {
        /// The attempt.
        attempt: AttemptId,
        /// How it ended.
        callback: &'a Callback,
    },
    /// Who has the task token says that the attempt is being worked on.
    Alive {
        /// The attempt.
        attempt: AttemptId,
    },
    /// A call of this service itself was made.
    Called {
        /// The attempt.
        attempt: AttemptId,
        /// When the call began.
        began: Timestamp,
        /// What came of it.
        outcome: &'a Outcome,
    },
    /// The broker never takes the attempt's work item.
    Refused {
        /// The attempt.
        attempt: AttemptId,
        /// How it fails.
        outcome: &'a Outcome,
    },
    /// A timer's time has come.
    Timer(Timer),
    /// It has completions to take, or its run was cut short: its record says which.
    Resume,
}

/// Is an event with what was loaded for it, or why there is none.
pub(crate) enum Prepared {
    Event {
        event: Event,
        /// The open branches that the event closes, if it closes a scope or shuts it.
        open: Vec<StoredBranch>,
    },
    /// The branch, as it is here, does not wait for such.
    Void,
    /// What was loaded shows that the branch has moved on.
    Outdated,
}

impl Inner {
    /// Makes the event.
    pub(super) async fn prepare(
        &self,
        held: &Held,
        trigger: Trigger<'_>,
        patience: Patience<'_>,
    ) -> Result<Prepared, Unable> {
        let event = match trigger {
            // No worker of a pool has what waits in the queue of an activity: `started` is for who polls it to say.
            Trigger::Report(_) if is_queued(&held.branch.phase) => return Ok(Prepared::Void),
            Trigger::Report(report) => event_of_report(report),
            Trigger::Taken { attempt, worker } => {
                let worker = worker.map(str::to_owned);
                Event::Report { attempt, started_at: None, worker, outcome: Outcome::Started }
            }
            Trigger::Callback { attempt, callback, .. } | Trigger::Returned { attempt, callback } => {
                Event::Callback { attempt, callback: callback.clone() }
            }
            Trigger::Alive { attempt } => {
                Event::Report { attempt, started_at: None, worker: None, outcome: Outcome::Heartbeat }
            }
            Trigger::Called { attempt, began, outcome } => {
                Event::Report { attempt, started_at: Some(began), worker: None, outcome: outcome.clone() }
            }
            Trigger::Refused { attempt, outcome } => {
                Event::Report { attempt, started_at: None, worker: None, outcome: outcome.clone() }
            }
            Trigger::Timer(timer) => Event::Timer { timer },
            Trigger::Resume => match &held.branch.phase {
                Phase::Ready => Event::Proceed,
                Phase::Children(children) => return self.children(held, children, patience).await,
                Phase::Task(_) | Phase::Wait { .. } | Phase::Backoff { .. } => return Ok(Prepared::Void),
            },
        };
        Ok(Prepared::Event { event, open: Vec::new() })
    }

    /// Loads what a branch has to know of its children: what completed, what comes next, and at the end the results, or else all that
    /// is to be cut off.
    async fn children(
        &self,
        held: &Held,
        children: &ChildrenPhase,
        patience: Patience<'_>,
    ) -> Result<Prepared, Unable> {
        let arn = held.known.arn();
        let scope = &children.scope;
        let items_max = if children.cutting_off { 0 } else { (children.total - children.started).min(ITEMS_MAX) };
        let join = persist!(self, patience, self.store.join(arn, scope, children.taken, children.started, items_max));
        let completions: Vec<Completion> = join.completions.into_iter().map(convert::completion_from_record).collect();
        if completions.iter().any(|completion| completion.index >= children.started) {
            return Ok(Prepared::Outdated);
        }
        let may_cut_off =
            |completion: &Completion| !matches!(completion.result, ChildResult::Succeeded { failed: false, .. });
        let (open, more_open) = if completions.iter().any(may_cut_off) {
            let most = self.settings.closed_at_once.max(1);
            let mut open = persist!(self, patience, self.store.open_branches(arn, Some(scope), most + 1));
            let over = open.len().saturating_sub(most);
            open.drain(..over);
            (open, over > 0)
        } else {
            (Vec::new(), false)
        };
        let results = if self.has_all(children, &completions) {
            match self.results(held, children, patience).await? {
                Some(results) => Some(results),
                None => return Ok(Prepared::Outdated),
            }
        } else {
            None
        };
        let branches = open.iter().map(|stored| convert::branch_from_record(stored.record.clone())).collect();
        let (scope, items) = (scope.clone(), join.items);
        let event = Event::Children { scope, completions, results, items, open: branches, more_open };
        Ok(Prepared::Event { event, open })
    }

    /// Reads the results of all children; nothing if the scope was closed in the meantime.
    async fn results(
        &self,
        held: &Held,
        children: &ChildrenPhase,
        patience: Patience<'_>,
    ) -> Result<Option<Vec<JsonText>>, Unable> {
        let arn = held.known.arn();
        let mut backoff = Backoff::new(&self.settings);
        loop {
            self.metrics.results_read.inc();
            match self.store.results(arn, &children.scope, children.total).await {
                Ok(results) => return Ok(Some(results)),
                Err(error @ store::Error::Corrupt(_)) => {
                    let now = self.find(arn, &held.branch.path, true, patience).await?;
                    if now.is_none_or(|found| found.held.revision != held.revision) {
                        return Ok(None);
                    }
                    return Err(Unable::Broken(error.to_string()));
                }
                Err(error) => self.bear(error, &mut backoff, patience).await?,
            }
        }
    }

    /// Tells whether all children have succeeded with results that are not too large together.
    fn has_all(&self, children: &ChildrenPhase, completions: &[Completion]) -> bool {
        let sizes: Option<Vec<u64>> = completions.iter().map(succeeded).collect();
        let Some(sizes) = sizes else { return false };
        let bytes = children.results_bytes + sizes.iter().sum::<u64>();
        let count = u64::from(children.succeeded) + sizes.len() as u64;
        count == u64::from(children.total) && self.settings.limits.payload_bytes_max.is_none_or(|max| bytes <= max)
    }
}

fn succeeded(completion: &Completion) -> Option<u64> {
    match completion.result {
        ChildResult::Succeeded { bytes, .. } => Some(bytes),
        ChildResult::Failed(_) => None,
    }
}

fn is_queued(phase: &Phase) -> bool {
    matches!(phase, Phase::Task(task) if task.delivery == Delivery::Queued)
}

fn event_of_report(report: &Report) -> Event {
    let outcome = match &report.outcome {
        message::Outcome::Started => Outcome::Started,
        message::Outcome::Heartbeat => Outcome::Heartbeat,
        message::Outcome::Holding => Outcome::Holding { deliveries: report.deliveries },
        message::Outcome::Unhandled => Outcome::Unhandled,
        message::Outcome::Poisoned => Outcome::Failed {
            error: Some(POISONED.to_owned()),
            cause: Some(format!(
                "The work item was delivered {} times without a report; it was put into the queue of dead letters.",
                report.deliveries
            )),
        },
        message::Outcome::Submitted { output } => Outcome::Submitted { output: output.clone() },
        message::Outcome::Succeeded { output } => Outcome::Succeeded { output: output.clone() },
        message::Outcome::Failed { error, cause } => Outcome::Failed { error: error.clone(), cause: cause.clone() },
    };
    let (attempt, started_at, worker) = (report.attempt, report.started_at, report.worker.clone());
    Event::Report { attempt, started_at, worker, outcome }
}

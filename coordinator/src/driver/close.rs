//! Ends of an execution from outside of its states: StopExecution, its time-out, a full history.

use std::sync::Arc;
use std::time::Duration;

use engine::{Closing, Moment, aborted, close_execution, close_full_history, close_too_large, timed_out};
use model::{ExecutionArn, Timestamp};
use store::{CommitOutcome, ExecutionHead, Refusal};

use super::Inner;
use super::backoff::persist;
use super::cache::Held;
use super::error::{Patience, Unable};
use super::log;

/// How long a caller of the API waits for a store that can't be reached: less than a client's own time-out.
pub(super) const CALLER_PATIENCE: Duration = Duration::from_secs(10);

/// How many branches that are cut off are looked at: for their spans, and for the executions that they wait for.
const SEEN_MAX: usize = 4_096;

/// Is what became of a wish to stop an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopOutcome {
    /// It is stopped now.
    Stopped {
        /// When it ended.
        at: Timestamp,
    },
    /// It had ended before, and stays so.
    Ended(Box<ExecutionHead>),
}

/// Says why an execution was not stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// There is no such execution.
    #[error("find the execution")]
    Missing,
    /// The store did not answer in time. The execution may have been stopped.
    #[error("reach the store: {0}")]
    Unavailable(String),
}

/// Is what became of the end of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Now(Timestamp),
    Before,
}

pub(super) enum Closed {
    Now(Timestamp),
    Before(Box<ExecutionHead>),
    Missing,
}

impl Inner {
    pub(super) async fn stop_execution(
        self: &Arc<Self>,
        execution: &ExecutionArn,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<StopOutcome, StopError> {
        let end = aborted(error, cause);
        let closing = |moment| close_execution(end.clone(), moment);
        match self.close(execution, closing, self.caller_patience()).await {
            Ok(Closed::Now(at)) => Ok(StopOutcome::Stopped { at }),
            Ok(Closed::Before(head)) => Ok(StopOutcome::Ended(head)),
            Ok(Closed::Missing) => Err(StopError::Missing),
            Err(error) => Err(StopError::Unavailable(super::error::chain(&error))),
        }
    }

    /// Ends an execution that ran longer than its definition allows.
    pub(super) async fn time_out(self: &Arc<Self>, execution: &ExecutionArn) -> Result<Ended, Unable> {
        let closing = |moment| close_execution(timed_out(), moment);
        match self.close(execution, closing, Patience::Endless).await? {
            Closed::Now(at) => Ok(Ended::Now(at)),
            Closed::Before(_) | Closed::Missing => Ok(Ended::Before),
        }
    }

    /// Ends an execution whose history has no room for the run of this branch.
    pub(super) async fn fail_full(self: &Arc<Self>, held: &Held, patience: Patience<'_>) -> Result<(), Unable> {
        let limits = self.limits_of(held.known.arn());
        let closing = |moment| close_full_history(&held.branch, moment, &limits);
        tracing::warn!("the history is full: the execution fails");
        self.close(held.known.arn(), closing, patience).await?;
        Ok(())
    }

    /// Ends an execution of which one transition of this branch writes more than the store takes at once: it would be tried for ever.
    pub(super) async fn fail_too_large(self: &Arc<Self>, held: &Held, patience: Patience<'_>) -> Result<(), Unable> {
        self.metrics.too_large.inc();
        tracing::error!("one transition writes more than the store takes at once: the execution fails");
        self.close(held.known.arn(), |moment| close_too_large(&held.branch, moment), patience).await?;
        self.stop_children(held.known.arn()).await
    }

    pub(super) fn caller_patience(&self) -> Patience<'static> {
        let millis = i64::try_from(CALLER_PATIENCE.as_millis()).unwrap_or(i64::MAX);
        Patience::Until(self.runtime.now().plus_millis(millis))
    }

    /// Ends an execution by compare-and-set of its status, whatever its branches are about: one commit, however many they are.
    pub(super) async fn close(
        self: &Arc<Self>,
        execution: &ExecutionArn,
        closing: impl Fn(Moment) -> Closing,
        patience: Patience<'_>,
    ) -> Result<Closed, Unable> {
        for tries in (0..=self.settings.refusals_max).rev() {
            let Some(head) = persist!(self, patience, self.store.execution(execution)) else {
                return Ok(Closed::Missing);
            };
            if head.end.is_some() {
                return Ok(Closed::Before(Box::new(head)));
            }
            let known = self.known(&head, patience).await?;
            log::in_trace(known.trace.trace);
            let Closing { history, end } = closing(self.moment());
            // The children of a Map Run are listed: those are stopped by `stop_children`, however many they are.
            let awaits_nested = known.awaits_nested && !execution.is_map_run();
            let open = if self.is_traced(&known) || awaits_nested {
                persist!(self, patience, self.store.open_branches(execution, None, SEEN_MAX))
            } else {
                Vec::new()
            };
            let mut plan = self.plan_end(&known, &open, history, end);
            let more_stops = if awaits_nested { self.stop_all_awaited(&mut plan, &open) } else { Vec::new() };
            if awaits_nested && tries > 0 {
                // What was seen open must still be so: what began meanwhile would have to be stopped, too.
                plan.commit.assumed_base = Some(head.last_event);
            }
            match self.commit(&plan.commit, patience).await? {
                CommitOutcome::Committed(committed) => {
                    more_stops.iter().for_each(|key| self.send(key));
                    let at = plan.commit.end.as_ref().map_or_else(|| self.runtime.now(), |(_, at)| *at);
                    self.after(plan, &committed);
                    return Ok(Closed::Now(at));
                }
                CommitOutcome::Refused(Refusal::Missing) => return Ok(Closed::Missing),
                CommitOutcome::Refused(_) => self.metrics.refused_closed.inc(),
            }
        }
        Err(Unable::Contended)
    }
}

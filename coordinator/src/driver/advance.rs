//! One event of one branch: load, run, commit; again if another coordinator was faster.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use engine::{Callback, Event, Execution, Limits, Moment, Rejected, Run, RunLimits};
use model::{BranchPath, EventId, ExecutionArn};
use store::{CommitOutcome, Refusal};

use super::Inner;
use super::cache::Held;
use super::error::{Patience, Unable};
pub(crate) use super::events::{Prepared, Trigger};
use super::find::Found;
use super::log;

/// Is how an event ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was applied.
    Committed,
    /// It is in order and changes nothing.
    Unchanged,
    /// It is void: it came late, or twice.
    Stale,
    /// Another coordinator sees to the branch, and the event is not urgent.
    Leased,
}

enum Tried {
    Ended(Ending),
    /// The branch, as it was found, does not wait for this.
    Rejected,
    /// The branch was not as it was found any more.
    Outdated,
    /// The branch was, but the history has grown.
    BaseMoved,
    /// The run writes more than the store takes at once.
    TooLarge,
    /// The run has more events than the history has room for.
    HistoryFull,
}

impl Inner {
    /// Brings an event to its end.
    pub(super) async fn advance(
        self: &Arc<Self>,
        execution: &ExecutionArn,
        path: &BranchPath,
        trigger: Trigger<'_>,
        background: bool,
        patience: Patience<'_>,
    ) -> Result<Ending, Unable> {
        let mut refusals = 0;
        let mut limits = self.limits_of(execution);
        let Some(mut found) = self.find(execution, path, false, patience).await? else { return Ok(Ending::Stale) };
        log::in_trace(found.held.known.trace.trace);
        loop {
            let reload = match self.try_once(&found, trigger, &limits, background, patience).await? {
                Tried::Ended(ending) => return Ok(ending),
                Tried::Rejected if found.is_fresh => return Ok(Ending::Stale),
                Tried::Rejected | Tried::Outdated => true,
                Tried::BaseMoved => false,
                // The store looks at the size before it looks at the revision: what was remembered may be over.
                Tried::TooLarge if !found.is_fresh => true,
                Tried::TooLarge | Tried::HistoryFull if limits.run != RunLimits::SHORTEST => {
                    limits.run = RunLimits::SHORTEST;
                    continue;
                }
                Tried::TooLarge => {
                    self.fail_too_large(&found.held, patience).await?;
                    return Ok(Ending::Committed);
                }
                Tried::HistoryFull => {
                    self.metrics.history_full.inc();
                    self.fail_full(&found.held, patience).await?;
                    return Ok(Ending::Committed);
                }
            };
            refusals += 1;
            if refusals > self.settings.refusals_max {
                return Err(Unable::Contended);
            }
            if reload {
                match self.find(execution, path, true, patience).await? {
                    Some(fresh) => found = fresh,
                    None => return Ok(Ending::Stale),
                }
            }
        }
    }

    async fn try_once(
        self: &Arc<Self>,
        found: &Found,
        trigger: Trigger<'_>,
        limits: &Limits,
        background: bool,
        patience: Patience<'_>,
    ) -> Result<Tried, Unable> {
        let held = &found.held;
        let (event, open) = match self.prepare(held, trigger, patience).await? {
            Prepared::Event { event, open } => (event, open),
            Prepared::Void => return Ok(Tried::Rejected),
            Prepared::Outdated => return Ok(Tried::Outdated),
        };
        let run = match self.run(held, event, limits, patience).await? {
            Ok(run) => run,
            Err(Rejected::Stale) => return Ok(Tried::Rejected),
            Err(Rejected::Unchanged) if found.is_fresh => return Ok(Tried::Ended(Ending::Unchanged)),
            Err(Rejected::Unchanged) => return Ok(Tried::Outdated),
            Err(rejected @ Rejected::UnknownState) => return Err(Unable::Broken(rejected.to_string())),
        };
        let plan = self.plan(held, run, &open, trigger, background);
        match self.commit(&plan.commit, patience).await? {
            CommitOutcome::Committed(committed) => {
                self.after(plan, &committed);
                Ok(Tried::Ended(Ending::Committed))
            }
            CommitOutcome::Refused(refusal) => Ok(self.refused(held, refusal)),
        }
    }

    fn refused(&self, held: &Held, refusal: Refusal) -> Tried {
        tracing::debug!(?refusal, "the commit was refused");
        match refusal {
            Refusal::TooLarge { what } => {
                tracing::warn!(what, "a run writes more than the store takes at once");
                Tried::TooLarge
            }
            Refusal::BaseMoved { base } => {
                self.metrics.refused_base.inc();
                held.known.moved_to(base);
                Tried::BaseMoved
            }
            Refusal::Stale => {
                self.metrics.refused_stale.inc();
                Tried::Outdated
            }
            Refusal::Closed | Refusal::Missing | Refusal::Exists | Refusal::Undefined => {
                self.metrics.refused_closed.inc();
                self.cache.forget(held.known.arn(), &held.branch.path);
                Tried::Ended(Ending::Stale)
            }
            Refusal::Leased { .. } => {
                self.metrics.refused_leased.inc();
                Tried::Ended(Ending::Leased)
            }
            Refusal::HistoryFull { .. } => Tried::HistoryFull,
        }
    }

    /// Runs the core, off the async threads where the payloads are large or an expression may take long.
    async fn run(
        &self,
        held: &Arc<Held>,
        event: Event,
        limits: &Limits,
        patience: Patience<'_>,
    ) -> Result<Result<Run, Rejected>, Unable> {
        let execution = self.with_missing_activities(&held.known, patience).await?;
        let base = held.known.last_event();
        let (moment, limits) = (self.moment(), *limits);
        let is_short = !held.known.definition.may_be_long;
        if is_short && payload_bytes(held, &event) <= self.settings.inline_bytes_max {
            return run_core(held, &execution, event, moment, &limits, base);
        }
        let held = held.clone();
        let run = self.runtime.blocking(move || run_core(&held, &execution, event, moment, &limits, base)).await;
        run.map_err(|stopped| Unable::Broken(stopped.to_string()))?
    }

    /// Gives the time and the seed of an event.
    pub(super) fn moment(&self) -> Moment {
        Moment { at: self.runtime.now(), seed: self.runtime.nonce() }
    }
}

/// Runs the core. A panic there is a fault of ours, and costs one branch and not the delivery of a whole batch.
fn run_core(
    held: &Held,
    execution: &Execution,
    event: Event,
    moment: Moment,
    limits: &Limits,
    base: EventId,
) -> Result<Result<Run, Rejected>, Unable> {
    let known = &held.known;
    let branch = held.branch.clone();
    let work = || engine::run(&known.definition, execution, branch, event, moment, limits, base);
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Unable::Broken("the core panicked; see standard error".to_owned()))
}

/// Estimates the bytes that a run may have to look into.
fn payload_bytes(held: &Held, event: &Event) -> usize {
    let more = match event {
        Event::Report { outcome: engine::Outcome::Succeeded { output }, .. }
        | Event::Callback { callback: Callback::Succeeded { output }, .. } => output.len(),
        Event::Children { results: Some(results), .. } => results.iter().map(model::JsonText::len).sum(),
        // A run that was cut short may be cut short again: a loop of Pass states.
        Event::Proceed => return usize::MAX,
        Event::Report { .. } | Event::Callback { .. } | Event::Children { .. } | Event::Timer { .. } => 0,
    };
    let variables: usize = held.branch.variables.iter().map(|(_, value)| value.len()).sum();
    held.branch.input.len() + variables + more
}

//! What holds of every branch and every run: used in `debug_assert!`, in tests and by the simulator.

use model::EventRef;

use crate::branch::{Branch, Delivery, Phase};
use crate::event::{Effect, Run};
use crate::outstanding::{Outstanding, outstanding, timers_of};

/// Says which invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{broken}: {detail}")]
pub struct Violation {
    /// The invariant, in words.
    pub broken: &'static str,
    /// Where it does not hold.
    pub detail: String,
}

fn ensure(holds: bool, broken: &'static str, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { broken, detail: detail() }) }
}

/// Checks a branch by itself.
///
/// # Errors
/// `Violation` names the first invariant that does not hold.
pub fn branch(branch: &Branch) -> Result<(), Violation> {
    let place = || format!("{} in {}", branch.path, branch.state);
    ensure(branch.location.len() == branch.path.scopes().len(), "a branch lies as deep as its path says", place)?;
    ensure(branch.phase == Phase::Ready || branch.entry > 0, "a branch that waits has entered a state", place)?;
    match &branch.phase {
        Phase::Ready | Phase::Wait { .. } => Ok(()),
        Phase::Backoff { .. } => ensure(branch.retry_count > 0, "a branch in back-off counts its retries", place),
        Phase::Task(task) => {
            ensure(task.attempt.number == branch.attempts, "the open attempt is the last one", place)?;
            let unhandled_once = !matches!(task.delivery, Delivery::Unhandled { times: 0, .. });
            ensure(unhandled_once, "an unhandled item was reported so", place)
        }
        Phase::Children(children) => {
            ensure(children.scope.branch == branch.path, "a branch waits for its own children", place)?;
            ensure(children.scope.entry == branch.entry, "a branch waits in the scope of its entry", place)?;
            ensure(children.succeeded <= children.started, "children start before they succeed", place)?;
            ensure(children.started <= children.total, "no more children start than there are", place)?;
            ensure(children.taken <= children.succeeded, "what was taken has succeeded", place)?;
            let running = children.started - children.succeeded;
            ensure(running <= children.concurrency, "no more children run than may at once", place)
        }
    }
}

/// Checks a run: its history, its branches, and that its effects are just what its branches imply.
///
/// # Errors
/// `Violation` names the first invariant that does not hold.
pub fn run(run: &Run) -> Result<(), Violation> {
    history(run)?;
    if let Some(driven) = &run.branch {
        branch(driven)?;
        ensure(run.joined.is_none() && run.end.is_none(), "an open branch has no end", || driven.path.to_string())?;
    }
    for child in &run.children {
        branch(child)?;
        fresh_effects(child, &run.effects)?;
    }
    run.branch.iter().try_for_each(|driven| needs_run(driven, &run.effects))?;
    let paths = || run.branch.iter().chain(&run.children).map(|branch| &branch.path);
    for effect in &run.effects {
        let known = match effect {
            Effect::ScheduleTimer { branch, .. }
            | Effect::DispatchWorkItem { branch, .. }
            | Effect::ContinueRun { branch } => paths().any(|path| path == branch),
            Effect::CancelTimer { .. } | Effect::CancelWork { .. } => true,
        };
        ensure(known, "effects are for open branches", || format!("{effect:?}"))?;
    }
    Ok(())
}

fn history(run: &Run) -> Result<(), Violation> {
    let last = run.history.len().saturating_sub(1);
    for (index, event) in run.history.iter().enumerate() {
        let backwards = match event.previous {
            EventRef::Id(_) => true,
            EventRef::New(previous) => usize::try_from(previous).is_ok_and(|previous| previous < index),
        };
        ensure(backwards, "an event follows from an older one", || format!("{index} {:?}", event.kind))?;
        let fits = !event.kind.is_terminal() || (index == last && run.end.is_some());
        ensure(fits, "the terminal event is the last, and ends the execution", || format!("{index} {:?}", event.kind))?;
    }
    let terminal = run.history.last().is_some_and(|event| event.kind.is_terminal());
    ensure(run.end.is_none() || terminal, "an execution ends with a terminal event", String::new)
}

/// Checks that a branch created by the run has all effects that it implies.
fn fresh_effects(branch: &Branch, effects: &[Effect]) -> Result<(), Violation> {
    for (timer, due) in timers_of(branch) {
        let effect = Effect::ScheduleTimer { branch: branch.path.clone(), timer, due };
        ensure(effects.contains(&effect), "a timer that is implied is set", || format!("{effect:?}"))?;
    }
    if let Outstanding::WorkItem(attempt) = outstanding(branch) {
        let effect = Effect::DispatchWorkItem { branch: branch.path.clone(), attempt };
        ensure(effects.contains(&effect), "a work item that is implied is dispatched", || format!("{effect:?}"))?;
    }
    needs_run(branch, effects)
}

fn needs_run(branch: &Branch, effects: &[Effect]) -> Result<(), Violation> {
    let effect = Effect::ContinueRun { branch: branch.path.clone() };
    let agrees = (outstanding(branch) == Outstanding::Run) == effects.contains(&effect);
    ensure(agrees, "a branch that can go on does, and no other", || format!("{effect:?}"))
}

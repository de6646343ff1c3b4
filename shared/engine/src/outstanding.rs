//! State implies effects: what must exist for a committed branch follows from the branch alone.

use model::{AttemptId, Timestamp};

use crate::branch::{Branch, Delivery, Phase};
use crate::children::can_start;
use crate::event::{Effect, Timer};
use crate::task::{heartbeat_due, redispatch_due};

/// Is what an open branch waits for; it is always exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outstanding {
    /// Nothing: it must be run (`Effect::ContinueRun`).
    Run,
    /// The work item of an attempt, which the broker or a worker must have.
    WorkItem(AttemptId),
    /// The timer that dispatches the item of an attempt again: a worker said that it holds it, or can't handle it.
    Redispatch(AttemptId),
    /// The timer that ends a wait or a back-off.
    Timer(Timer),
    /// Who has the task token of an attempt.
    Token(AttemptId),
    /// Its children.
    Children,
}

/// Says what a branch waits for.
pub fn outstanding(branch: &Branch) -> Outstanding {
    match &branch.phase {
        Phase::Ready => Outstanding::Run,
        Phase::Task(task) if task.delivery == Delivery::Waiting => Outstanding::Token(task.attempt),
        Phase::Task(task) => match redispatch_due(&task.delivery) {
            Some(_) => Outstanding::Redispatch(task.attempt),
            None => Outstanding::WorkItem(task.attempt),
        },
        Phase::Wait { .. } => Outstanding::Timer(Timer::Wait { entry: branch.entry }),
        Phase::Backoff { .. } => Outstanding::Timer(back_off(branch)),
        Phase::Children(children)
            if children.cutting_off || children.succeeded == children.total || can_start(children) =>
        {
            Outstanding::Run
        }
        Phase::Children(_) => Outstanding::Children,
    }
}

/// Lists the timers that must stand for a branch, with their instants. That of the execution is not among them.
pub fn timers_of(branch: &Branch) -> Vec<(Timer, Timestamp)> {
    match &branch.phase {
        Phase::Ready | Phase::Children(_) => Vec::new(),
        Phase::Wait { until } => vec![(Timer::Wait { entry: branch.entry }, *until)],
        Phase::Backoff { until } => vec![(back_off(branch), *until)],
        Phase::Task(task) => {
            let attempt = task.attempt.number;
            let timers = [
                (Timer::Timeout { attempt }, task.deadline),
                (Timer::Heartbeat { attempt }, heartbeat_due(task)),
                (Timer::Redispatch { attempt }, redispatch_due(&task.delivery)),
            ];
            timers.into_iter().filter_map(|(timer, due)| Some((timer, due?))).collect()
        }
    }
}

fn back_off(branch: &Branch) -> Timer {
    Timer::Backoff { entry: branch.entry, retry: branch.retry_count }
}

/// Adds to the `made` effects of a branch what follows from how its record changed: timers set and dropped, and the wish to
/// go on.
pub(crate) fn effects(before: Option<&Branch>, after: Option<&Branch>, made: Vec<Effect>) -> Vec<Effect> {
    let (old, new) = (before.map(timers_of).unwrap_or_default(), after.map(timers_of).unwrap_or_default());
    let mut effects = Vec::with_capacity(made.len() + old.len() + new.len() + 1);
    for (timer, _) in &old {
        if let Some(branch) = before.filter(|_| new.iter().all(|(other, _)| other != timer)) {
            effects.push(Effect::CancelTimer { branch: branch.path.clone(), timer: *timer });
        }
    }
    effects.extend(made.into_iter().filter(|effect| still_matters(effect, after)));
    for (timer, due) in new {
        let Some(branch) = after else { break };
        let effect = Effect::ScheduleTimer { branch: branch.path.clone(), timer, due };
        if !old.contains(&(timer, due)) && !effects.contains(&effect) {
            effects.push(effect);
        }
    }
    if let Some(branch) = after.filter(|branch| outstanding(branch) == Outstanding::Run) {
        effects.push(Effect::ContinueRun { branch: branch.path.clone() });
    }
    effects
}

/// Tells whether a dispatch or timer made on the way still belongs to what the branch has become.
fn still_matters(effect: &Effect, after: Option<&Branch>) -> bool {
    match effect {
        Effect::DispatchWorkItem { attempt, .. } => after.is_some_and(|branch| match &branch.phase {
            Phase::Task(task) => task.attempt == *attempt,
            Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_) => false,
        }),
        Effect::ScheduleTimer { timer: Timer::Execution, .. } => after.is_some(),
        Effect::ScheduleTimer { timer, .. } => {
            after.is_some_and(|branch| timers_of(branch).iter().any(|(other, _)| other == timer))
        }
        Effect::CancelTimer { .. } | Effect::CancelWork { .. } | Effect::ContinueRun { .. } => true,
    }
}

impl Delivery {
    /// Tells whether the broker, or the queue of its activity, should have the work item.
    pub fn is_with_broker(&self) -> bool {
        redispatch_due(self).is_none() && *self != Delivery::Waiting
    }
}

//! One transition of one branch: the table of what may happen in which phase.

use asl::{Definition, State, StateKind, Transition};
use model::{Details, EventId, EventKind, EventRef, JsonText};

use crate::branch::{Branch, Execution, Phase};
use crate::children::{self, Joined};
use crate::event::{Effect, Event, Leaving, Moment, NewEvent, OpenedScope, Rejected, Timer};
use crate::exit::{self, Exit};
use crate::failure::{Evaluation, Failure};
use crate::kinds::{self, state_type};
use crate::limits::Limits;
use crate::outstanding;
use crate::turn::{After, BranchEnd, Turn};
use crate::{catch, choice, fail, map, map_run, parallel, pass, retry, succeed, task, wait};

/// How much earlier than due a timer may fire by the clock of who reports it, in milliseconds. The transition then happens at
/// the time that was due; a timer that fires even earlier is set anew.
const TIMER_SLACK_MILLIS: i64 = 250;

/// Is what a transition may know beside the branch and the event.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time and the source of chance.
    pub moment: Moment,
    /// The last event committed, as far as is known.
    pub base: EventId,
    /// How many events the run has made so far.
    pub events: u32,
    /// The bounds.
    pub limits: &'a Limits,
}

/// Is what one transition of a branch comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The branch, if it is still open.
    pub branch: Option<Branch>,
    /// Its end, if it ended.
    pub end: Option<BranchEnd>,
    /// Children created, all about to enter their first state.
    pub children: Vec<Branch>,
    /// The scope opened.
    pub opened: Option<OpenedScope>,
    /// The scope closed, with every branch within.
    pub closed: Option<model::ScopeKey>,
    /// The scope shut, of whose branches only those that the event listed are closed.
    pub shut: Option<model::ScopeKey>,
    /// The history made; its events count on from those the run has made so far.
    pub history: Vec<NewEvent>,
    /// Whether the base went into a text.
    pub assumed_base: bool,
    /// What else is to be done for this branch.
    pub effects: Vec<Effect>,
}

/// Makes one transition of one branch.
///
/// # Errors
/// `Rejected` if the event changes nothing: the branch is as it was.
pub fn step(
    definition: &Definition,
    execution: &Execution,
    branch: &Branch,
    event: Event,
    context: Context<'_>,
) -> Result<Step, Rejected> {
    let mut turn = Turn::new(definition, execution, context.limits, context.moment, context.base);
    turn.first = context.events;
    let after = advance(&mut turn, branch.clone(), event)?;
    let (next, end) = match after {
        After::Open(next) => (Some(*next), None),
        After::Ended(end) => (None, Some(end)),
    };
    let effects = outstanding::effects(Some(branch), next.as_ref(), turn.yielded.effects);
    Ok(Step {
        branch: next,
        end,
        children: turn.yielded.children,
        opened: turn.yielded.opened,
        closed: turn.yielded.closed,
        shut: turn.yielded.shut,
        history: turn.history,
        assumed_base: turn.assumed,
        effects,
    })
}

/// Makes one transition. The last arm rejects all that the phase does not wait for.
pub(crate) fn advance(turn: &mut Turn<'_>, branch: Branch, event: Event) -> Result<After, Rejected> {
    let state = turn.state(&branch)?;
    match (&branch.phase, event) {
        (Phase::Ready, Event::Proceed) => Ok(enter(turn, branch, state)),
        (Phase::Task(phase), Event::Report { attempt, started_at, worker, outcome }) if phase.attempt == attempt => {
            if kinds::map(state).is_some() {
                return map_run::report(turn, branch, state, outcome);
            }
            task::report(turn, branch, state, task::Report { started_at, worker, outcome })
        }
        (Phase::Task(phase), Event::Callback { attempt, callback }) if phase.attempt == attempt => {
            if kinds::map(state).is_some() {
                return map_run::ended(turn, branch, state, callback);
            }
            task::called_back(turn, branch, state, callback)
        }
        (Phase::Task(phase), Event::Timer { timer }) if timer.attempt() == Some(phase.attempt.number) => {
            task::timer(turn, branch, state, timer)
        }
        (Phase::Wait { until }, Event::Timer { timer: Timer::Wait { entry } }) if entry == branch.entry => {
            let until = *until;
            if !is_due(turn, &branch, Timer::Wait { entry }, until) {
                return Ok(open(branch));
            }
            let result = wait::finish(turn, &branch, state, kinds::wait(state)?);
            Ok(settle(turn, branch, state, result))
        }
        (Phase::Backoff { until }, Event::Timer { timer: Timer::Backoff { entry, retry } })
            if entry == branch.entry && retry == branch.retry_count =>
        {
            let until = *until;
            if !is_due(turn, &branch, Timer::Backoff { entry, retry }, until) {
                return Ok(open(branch));
            }
            try_again(turn, branch, state)
        }
        (Phase::Children(phase), Event::Children { scope, completions, results, items, open, more_open })
            if phase.scope == scope =>
        {
            let taken = u32::try_from(completions.len()).unwrap_or(u32::MAX);
            let joined = Joined { completions, taken, results, items: &items, open, more_open };
            children::join(turn, branch, state, joined)
        }
        (Phase::Children(_), Event::Proceed) => children::join(turn, branch, state, Joined::nothing()),
        (
            Phase::Ready | Phase::Task(_) | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_),
            Event::Proceed
            | Event::Report { .. }
            | Event::Callback { .. }
            | Event::Timer { .. }
            | Event::Children { .. },
        ) => Err(Rejected::Stale),
    }
}

/// Is what a state does next, where nothing failed.
pub(crate) enum Move {
    /// It waits; its phase is set.
    Stay,
    /// It is left with an output, the event of it following from the given one.
    Leave { exit: Exit, next: Transition, previous: EventRef },
    /// It fails without Retry and Catch.
    End(Failure),
}

impl Move {
    /// Leaves the state after the branch's last event.
    pub(crate) fn leave(branch: &Branch, exit: Exit, next: &Transition) -> Self {
        Move::Leave { exit, next: next.clone(), previous: branch.last_event }
    }
}

fn enter(turn: &mut Turn<'_>, mut branch: Branch, state: &State) -> After {
    if branch.entry == 0 {
        match map::select(turn, &branch) {
            Ok(selected) => {
                branch.input = selected.unwrap_or(branch.input);
                if turn.execution.map_run.is_some() {
                    map_run::is_selected(&mut branch);
                }
            }
            Err(failure) => {
                record_evaluation(turn, &mut branch, &failure);
                return end_failed(turn, branch, state, failure);
            }
        }
    }
    branch.entry += 1;
    branch.retries.clear();
    branch.retry_count = 0;
    branch.entered_at = turn.moment.at;
    branch.before_entered = branch.last_event;
    let details = Details::StateEntered { name: state.name.to_string(), input: branch.input.clone() };
    branch.entered_event = turn.emit(branch.last_event, state_type(&state.kind).entered(), details);
    branch.last_event = branch.entered_event;
    let result = match &state.kind {
        StateKind::Pass(kind) => pass::enter(turn, &branch, state, kind),
        StateKind::Choice(kind) => choice::enter(turn, &branch, state, kind),
        StateKind::Wait(kind) => wait::enter(turn, &mut branch, state, kind),
        StateKind::Succeed(_) => succeed::enter(turn, &branch, state),
        StateKind::Fail(kind) => fail::enter(turn, &branch, state, kind),
        StateKind::Task(kind) => task::enter(turn, &mut branch, state, kind),
        StateKind::Parallel(kind) => parallel::enter(turn, &mut branch, state, kind),
        StateKind::Map(kind) => map::enter(turn, &mut branch, state, kind),
    };
    settle(turn, branch, state, result)
}

/// Begins the next try of the same state entry.
fn try_again(turn: &mut Turn<'_>, mut branch: Branch, state: &State) -> Result<After, Rejected> {
    let result = match &state.kind {
        StateKind::Task(kind) => task::enter(turn, &mut branch, state, kind),
        StateKind::Parallel(kind) => {
            turn.note_left(&branch, state, Leaving::Retried);
            branch.entry += 1;
            parallel::enter(turn, &mut branch, state, kind)
        }
        StateKind::Map(kind) => {
            turn.note_left(&branch, state, Leaving::Retried);
            branch.entry += 1;
            map::enter(turn, &mut branch, state, kind)
        }
        StateKind::Pass(_) | StateKind::Choice(_) | StateKind::Wait(_) | StateKind::Succeed(_) | StateKind::Fail(_) => {
            return Err(Rejected::UnknownState);
        }
    };
    Ok(settle(turn, branch, state, result))
}

/// Turns what a state does next into what becomes of the branch.
pub(crate) fn settle(turn: &mut Turn<'_>, branch: Branch, state: &State, result: Result<Move, Failure>) -> After {
    match result {
        Ok(Move::Stay) => open(branch),
        Ok(Move::Leave { exit, next, previous }) => {
            turn.note_left(&branch, state, Leaving::Succeeded);
            leave(turn, branch, state, exit, next, previous)
        }
        Ok(Move::End(failure)) => end_failed(turn, branch, state, failure),
        Err(failure) => fail_state(turn, branch, state, failure),
    }
}

pub(crate) fn open(branch: Branch) -> After {
    After::Open(Box::new(branch))
}

fn leave(
    turn: &mut Turn<'_>,
    mut branch: Branch,
    state: &State,
    exit: Exit,
    next: Transition,
    previous: EventRef,
) -> After {
    let Exit { output, assigned } = exit;
    exit::assign(&mut branch, &assigned);
    turn.note(|inspection| inspection.variables = Some(branch.variables.clone()));
    if let Some(kind) = state_type(&state.kind).exited() {
        let name = state.name.to_string();
        let details = Details::StateExited { name, output: output.clone(), assigned };
        branch.last_event = turn.emit(previous, kind, details);
    }
    match next {
        Transition::Next(name) => {
            branch.state = name;
            branch.input = output;
            branch.phase = Phase::Ready;
            open(branch)
        }
        Transition::End => end_succeeded(turn, &branch, output),
    }
}

/// Goes through Retry and Catch; what neither takes ends the branch.
pub(crate) fn fail_state(turn: &mut Turn<'_>, mut branch: Branch, state: &State, failure: Failure) -> After {
    record_evaluation(turn, &mut branch, &failure);
    turn.note(|inspection| inspection.failure = Some(failure.end()));
    if retry::back_off(turn, &mut branch, state, &failure) {
        return open(branch);
    }
    if !failure.terminal {
        record_failed(turn, &mut branch, state);
    }
    match catch::leave(turn, &branch, state, &failure) {
        Ok(Some((exit, next))) => {
            let previous = branch.last_event;
            turn.note_left(&branch, state, Leaving::Failed(failure.error.clone()));
            leave(turn, branch, state, exit, next, previous)
        }
        Ok(None) => {
            record_aborted(turn, &branch, state, &failure);
            end_failed(turn, branch, state, failure)
        }
        Err(failure) => {
            record_evaluation(turn, &mut branch, &failure);
            end_failed(turn, branch, state, failure)
        }
    }
}

/// Records that an expression could not be evaluated, if that is what failed.
fn record_evaluation(turn: &mut Turn<'_>, branch: &mut Branch, failure: &Failure) {
    let Some(Evaluation { state, location, after_entry }) = failure.evaluation.clone() else { return };
    let is_at_entry = branch.last_event == branch.entered_event && !after_entry;
    let previous = if is_at_entry { branch.before_entered } else { branch.last_event };
    let details = Details::EvaluationFailed {
        state,
        location,
        error: failure.error.clone().unwrap_or_default(),
        cause: failure.cause.clone().unwrap_or_default(),
    };
    branch.last_event = turn.emit(previous, EventKind::EvaluationFailed, details);
}

/// Records that a Parallel or Map failed; the other types have no such event.
fn record_failed(turn: &mut Turn<'_>, branch: &mut Branch, state: &State) {
    let kind = match &state.kind {
        StateKind::Parallel(_) => EventKind::ParallelStateFailed,
        StateKind::Map(_) => EventKind::MapStateFailed,
        StateKind::Task(_)
        | StateKind::Pass(_)
        | StateKind::Choice(_)
        | StateKind::Wait(_)
        | StateKind::Succeed(_)
        | StateKind::Fail(_) => return,
    };
    branch.last_event = turn.emit(branch.last_event, kind, Details::None);
}

/// Within a Parallel or Map, AWS also calls the Task aborted whose failure cuts off the others.
fn record_aborted(turn: &mut Turn<'_>, branch: &Branch, state: &State, failure: &Failure) {
    if !branch.path.is_root() && !failure.terminal && matches!(state.kind, StateKind::Task(_)) {
        turn.emit(branch.last_event, EventKind::TaskStateAborted, Details::None);
    }
}

fn end_succeeded(turn: &mut Turn<'_>, branch: &Branch, output: JsonText) -> After {
    if branch.path.is_root() {
        let details = Details::Output { output: output.clone() };
        turn.emit(branch.last_event, EventKind::ExecutionSucceeded, details);
    }
    After::Ended(BranchEnd {
        path: branch.path.clone(),
        last_event: branch.last_event,
        result: Ok(output),
        failed_item: false,
    })
}

fn end_failed(turn: &mut Turn<'_>, branch: Branch, state: &State, failure: Failure) -> After {
    turn.note_left(&branch, state, Leaving::Failed(failure.error.clone()));
    let failed = failure.end();
    if branch.path.is_root() {
        let details = Details::Failure { error: failure.error, cause: failure.cause };
        turn.emit(branch.last_event, EventKind::ExecutionFailed, details);
    }
    let result = Err(failed);
    After::Ended(BranchEnd { path: branch.path, last_event: branch.last_event, result, failed_item: false })
}

/// Tells whether a timer is due, and moves the moment there. One that is not is set anew.
pub(crate) fn is_due(turn: &mut Turn<'_>, branch: &Branch, timer: Timer, due: model::Timestamp) -> bool {
    if turn.moment.at.plus_millis(TIMER_SLACK_MILLIS) < due {
        let effect = Effect::ScheduleTimer { branch: branch.path.clone(), timer, due };
        turn.yielded.effects.push(effect);
        return false;
    }
    turn.moment.at = turn.moment.at.max(due);
    true
}

//! What Parallel and Map share: children are started, joined, cut off.

use asl::{Machine, Map, State, StateKind, Transition};
use model::{Details, EventKind, EventRef, JsonText, ScopeKey};

use crate::branch::{Branch, ChildrenPhase, Location, MapItem, Phase};
use crate::event::{ChildResult, Completion, OpenedScope, Rejected};
use crate::exit;
use crate::failure::Failure;
use crate::kinds;
use crate::map_run;
use crate::step::{self, Move, fail_state, settle};
use crate::turn::{After, Turn, parent_state};

/// Is a scope about to be opened.
pub(crate) struct Scope {
    pub(crate) total: u32,
    pub(crate) concurrency: u32,
    pub(crate) input: JsonText,
    pub(crate) items: Vec<JsonText>,
    /// How many items may fail.
    pub(crate) tolerated: u32,
}

/// Is what a branch learns of its children.
pub(crate) struct Joined<'a> {
    pub(crate) completions: Vec<Completion>,
    /// How many of the completions come from the join record's list.
    pub(crate) taken: u32,
    /// The results of all children, where with these completions all have succeeded.
    pub(crate) results: Option<Vec<JsonText>>,
    /// The items from the index of the next child on.
    pub(crate) items: &'a [JsonText],
    /// Open branches within the scope, where a completion is a failure.
    pub(crate) open: Vec<Branch>,
    /// Whether there are more of them.
    pub(crate) more_open: bool,
}

impl Joined<'_> {
    /// Makes what only says that the branch may go on.
    pub(crate) fn nothing() -> Self {
        Self { completions: Vec::new(), taken: 0, results: None, items: &[], open: Vec::new(), more_open: false }
    }
}

/// Opens the scope of the state just started, and starts its first children.
pub(crate) fn open(turn: &mut Turn<'_>, branch: &mut Branch, state: &State, scope: Scope) -> Result<Move, Failure> {
    let Scope { total, concurrency, input, items, tolerated } = scope;
    let key = ScopeKey { branch: branch.path.clone(), entry: branch.entry };
    let mut phase = ChildrenPhase {
        scope: key.clone(),
        total,
        started: 0,
        taken: 0,
        succeeded: 0,
        concurrency: concurrency.max(1),
        started_event: branch.last_event,
        input,
        last_child_event: branch.last_event,
        results_bytes: 0,
        cutting_off: false,
        failed: 0,
        tolerated,
    };
    if total == 0 {
        return complete(turn, branch, state, &phase, &[]);
    }
    start_more(turn, branch, state, &mut phase, &items, Vec::new());
    turn.yielded.opened = Some(OpenedScope { key, items });
    branch.phase = Phase::Children(phase);
    Ok(Move::Stay)
}

/// Takes completions and starts what may start now.
pub(crate) fn join(
    turn: &mut Turn<'_>,
    mut branch: Branch,
    state: &State,
    joined: Joined<'_>,
) -> Result<After, Rejected> {
    let Phase::Children(mut phase) = std::mem::replace(&mut branch.phase, Phase::Ready) else {
        return Err(Rejected::Stale);
    };
    let (was_started, any_new) = (phase.started, !joined.completions.is_empty());
    let mut finished = Vec::new();
    let mut completions = (0_u32..).zip(joined.completions);
    while let Some((position, completion)) = completions.next() {
        let cuts_off = cuts_off(&phase, &completion);
        let failure = match completion.result {
            ChildResult::Succeeded { bytes, failed } if !cuts_off => {
                finished.push(completion.last_event);
                phase.failed += u32::from(failed);
                succeeded(turn, state, &mut phase, completion.index, completion.last_event, bytes);
                continue;
            }
            ChildResult::Succeeded { .. } => map_run::too_many_failed(),
            ChildResult::Failed(failed) => Failure::of_child(failed),
        };
        let failed = (completion.index, completion.last_event);
        record_failure(turn, state, &phase, failed, &failure, joined.open);
        if joined.more_open {
            // The failure is taken when nothing is left to be cut off.
            phase.taken += position.min(joined.taken);
            return Ok(shut(turn, branch, phase));
        }
        if !failure.terminal {
            record_others(turn, state, completions.map(|(_, other)| other));
        }
        turn.yielded.closed = Some(phase.scope);
        branch.last_event = completion.last_event;
        return Ok(fail_state(turn, branch, state, failure));
    }
    phase.taken += joined.taken;
    if phase.succeeded == phase.total {
        if turn.exceeds(phase.results_bytes) {
            turn.yielded.closed = Some(phase.scope);
            branch.last_event = phase.last_child_event;
            let failure = Failure::output_too_large(state.name.as_str());
            return Ok(fail_state(turn, branch, state, failure));
        }
        if let Some(results) = joined.results {
            let result = complete(turn, &mut branch, state, &phase, &results);
            turn.yielded.closed = Some(phase.scope);
            return Ok(settle(turn, branch, state, result));
        }
    }
    start_more(turn, &branch, state, &mut phase, joined.items, finished);
    if !any_new && phase.started == was_started {
        return Err(Rejected::Unchanged);
    }
    branch.phase = Phase::Children(phase);
    Ok(step::open(branch))
}

/// Tells whether the end of a child is that of the scope: it failed, or it is of an item that is one too many to fail.
pub(crate) fn cuts_off(phase: &ChildrenPhase, completion: &Completion) -> bool {
    match completion.result {
        ChildResult::Succeeded { failed, .. } => failed && phase.failed >= phase.tolerated,
        ChildResult::Failed(_) => true,
    }
}

fn succeeded(
    turn: &mut Turn<'_>,
    state: &State,
    phase: &mut ChildrenPhase,
    index: u32,
    last_event: EventRef,
    bytes: u64,
) {
    phase.succeeded += 1;
    phase.results_bytes += bytes;
    phase.last_child_event = last_event;
    if kinds::map(state).is_some() {
        let details = iteration(state.name.as_str(), index);
        phase.last_child_event = turn.emit(last_event, EventKind::MapIterationSucceeded, details);
    }
}

/// Leaves the state with the array of all results.
fn complete(
    turn: &mut Turn<'_>,
    branch: &mut Branch,
    state: &State,
    phase: &ChildrenPhase,
    results: &[JsonText],
) -> Result<Move, Failure> {
    let is_map = kinds::map(state).is_some();
    let kind = if is_map { EventKind::MapStateSucceeded } else { EventKind::ParallelStateSucceeded };
    branch.last_event = turn.emit(phase.last_child_event, kind, Details::None);
    leave(turn, branch, state, phase.last_child_event, array(results))
}

pub(crate) fn leave(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    previous: EventRef,
    results: JsonText,
) -> Result<Move, Failure> {
    let exit = exit::of_state(turn, branch, state, results)?;
    let next = state.transition().cloned().unwrap_or(Transition::End);
    Ok(Move::Leave { exit, next, previous })
}

/// Ends a state that waits for its children with what TestState says that they come to.
pub(crate) fn finish(
    turn: &mut Turn<'_>,
    mut branch: Branch,
    state: &State,
    results: Result<JsonText, Failure>,
) -> After {
    branch.phase = Phase::Ready;
    let left = results.and_then(|results| leave(turn, &branch, state, branch.last_event, results));
    settle(turn, branch, state, left)
}

/// Puts texts into one array.
pub(crate) fn array(results: &[JsonText]) -> JsonText {
    let bytes = results.iter().map(|result| result.len() + 1).sum::<usize>();
    let mut text = String::with_capacity(bytes + 2);
    text.push('[');
    for (position, result) in results.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        text.push_str(result.as_str());
    }
    text.push(']');
    JsonText::trusted(text)
}

/// Starts children while there are slots, room in the run and, for a Map, items at hand. What starts in a finished child's
/// slot follows from that child's last event.
fn start_more(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    phase: &mut ChildrenPhase,
    items: &[JsonText],
    finished: Vec<EventRef>,
) {
    let mut finished = finished.into_iter();
    let mut items = items.iter();
    let mut bytes = 0;
    while can_start(phase) && turn.has_room(bytes) {
        let child = match &state.kind {
            StateKind::Map(map) => {
                let Some(value) = items.next() else { break };
                let previous = finished.next().unwrap_or(phase.last_child_event);
                start_iteration(turn, branch, map, phase, value, previous)
            }
            StateKind::Parallel(parallel) => {
                let index = usize::try_from(phase.started).unwrap_or(usize::MAX);
                let Some(machine) = parallel.branches.get(index) else { break };
                new_child(branch, phase, machine, phase.started, branch.item.clone(), phase.started_event)
            }
            StateKind::Task(_)
            | StateKind::Pass(_)
            | StateKind::Choice(_)
            | StateKind::Wait(_)
            | StateKind::Succeed(_)
            | StateKind::Fail(_) => break,
        };
        turn.room -= 1;
        bytes += child.payload_bytes();
        phase.started += 1;
        turn.yielded.children.push(child);
    }
}

/// Tells whether a child may start: one is left, and a slot is free.
///
/// Completions that are newer than the branch's record may speak of children that the record doesn't know; what comes of
/// them is refused by the guard on its revision.
pub(crate) fn can_start(phase: &ChildrenPhase) -> bool {
    !phase.cutting_off
        && phase.started < phase.total
        && phase.started.saturating_sub(phase.succeeded) < phase.concurrency
}

fn start_iteration(
    turn: &mut Turn<'_>,
    branch: &Branch,
    map: &Map,
    phase: &ChildrenPhase,
    value: &JsonText,
    previous: EventRef,
) -> Branch {
    let item = MapItem { index: phase.started, value: value.clone() };
    let details = iteration(branch.state.as_str(), item.index);
    let started = turn.emit(previous, EventKind::MapIterationStarted, details);
    let mut child = new_child(branch, phase, &map.item_processor, 0, Some(item), started);
    if map.item_selector.is_none() {
        child.input = value.clone();
    }
    child
}

/// Makes a child that is about to enter its first state. Until then it bears the entry of the state that it is a child of: an
/// iteration's input is made from that as it starts (`map::select`).
fn new_child(
    parent: &Branch,
    phase: &ChildrenPhase,
    machine: &Machine,
    index: u32,
    item: Option<MapItem>,
    previous: EventRef,
) -> Branch {
    let mut location = parent.location.clone();
    location.push(Location { state: parent.state.clone(), branch: index });
    Branch {
        path: phase.scope.child(phase.started),
        location,
        state: machine.start_at().clone(),
        entry: 0,
        attempts: 0,
        input: phase.input.clone(),
        entered_at: parent.entered_at,
        entered_event: parent.entered_event,
        before_entered: previous,
        last_event: previous,
        retries: Vec::new(),
        retry_count: parent.retry_count,
        item,
        variables: parent.variables.clone(),
        phase: Phase::Ready,
    }
}

/// Records that a child failed, and what was cut off by that. What ends the whole execution leaves no word of the states around.
fn record_failure(
    turn: &mut Turn<'_>,
    state: &State,
    phase: &ChildrenPhase,
    (index, last_event): (u32, EventRef),
    failure: &Failure,
    open: Vec<Branch>,
) {
    if failure.terminal {
        return;
    }
    if kinds::map(state).is_some() && !phase.cutting_off {
        turn.emit(last_event, EventKind::MapIterationFailed, iteration(state.name.as_str(), index));
    }
    record_cut_off(turn, open, last_event);
}

/// Records how the iterations ended that had ended, too, when the failure of another one was heard of.
fn record_others(turn: &mut Turn<'_>, state: &State, others: impl Iterator<Item = Completion>) {
    if kinds::map(state).is_none() {
        return;
    }
    for other in others {
        let kind = match other.result {
            ChildResult::Succeeded { .. } => EventKind::MapIterationSucceeded,
            ChildResult::Failed(_) => EventKind::MapIterationFailed,
        };
        turn.emit(other.last_event, kind, iteration(state.name.as_str(), other.index));
    }
}

/// Lets nothing happen within the scope any more, and asks to go on with cutting off.
fn shut(turn: &mut Turn<'_>, mut branch: Branch, mut phase: ChildrenPhase) -> After {
    turn.yielded.shut = Some(phase.scope.clone());
    phase.cutting_off = true;
    branch.phase = Phase::Children(phase);
    step::open(branch)
}

/// Records for each open branch, the innermost first, that its state and iteration were cut off.
fn record_cut_off(turn: &mut Turn<'_>, mut open: Vec<Branch>, previous: EventRef) {
    open.sort_by(|left, right| {
        let deeper_first = right.location.len().cmp(&left.location.len());
        deeper_first.then_with(|| left.path.cmp(&right.path))
    });
    for branch in &open {
        if let Some(kind) = aborted(turn, branch) {
            turn.emit(previous, kind, Details::None);
        }
        if let Some(details) = iteration_of(turn, branch) {
            turn.emit(previous, EventKind::MapIterationAborted, details);
        }
    }
}

/// Gives the event of a cut-off state; nothing if the branch is in none, or in one that can't be cut off.
fn aborted(turn: &Turn<'_>, branch: &Branch) -> Option<EventKind> {
    if branch.phase == Phase::Ready {
        return None;
    }
    match turn.state(branch).ok()?.kind {
        StateKind::Task(_) => Some(EventKind::TaskStateAborted),
        StateKind::Wait(_) => Some(EventKind::WaitStateAborted),
        StateKind::Parallel(_) => Some(EventKind::ParallelStateAborted),
        StateKind::Map(_) => Some(EventKind::MapStateAborted),
        StateKind::Pass(_) | StateKind::Choice(_) | StateKind::Succeed(_) | StateKind::Fail(_) => None,
    }
}

/// Gives the Map iteration that a branch is, if it is one.
fn iteration_of(turn: &Turn<'_>, branch: &Branch) -> Option<Details> {
    let state = parent_state(turn.definition, branch)?;
    kinds::map(state)?;
    let (_, index) = branch.path.parent_scope()?;
    Some(iteration(state.name.as_str(), index))
}

fn iteration(name: &str, index: u32) -> Details {
    Details::MapIteration { name: name.to_owned(), index: u64::from(index) }
}

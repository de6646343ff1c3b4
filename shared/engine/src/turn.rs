//! What a run gathers while its transitions are made.

use asl::{Definition, Machine, State, StateKind};
use jsonata::Stopwatch;
use model::{BranchPath, Details, EventId, EventKind, EventRef, JsonText, ScopeKey};

use crate::branch::{Branch, Execution, Location};
use crate::event::{Effect, Leaving, Left, Moment, NewEvent, OpenedScope, Rejected};
use crate::inspection::Inspection;
use crate::kinds::state_type;
use crate::limits::Limits;
use crate::map_run;
use crate::test_state::TestTurn;

/// Is the surroundings of transitions, and their yield.
pub(crate) struct Turn<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) execution: &'a Execution,
    pub(crate) limits: &'a Limits,
    pub(crate) moment: Moment,
    pub(crate) base: EventId,
    /// How many events the run had made before `history`.
    pub(crate) first: u32,
    pub(crate) history: Vec<NewEvent>,
    /// The bytes of payload in the history.
    pub(crate) bytes: u64,
    /// How many bytes of payload the run may write before it starts no more children.
    pub(crate) bytes_max: u64,
    /// The bytes of payload that the run writes beside, of what it had made before the transition.
    pub(crate) held_bytes: u64,
    /// Whether the base went into a text.
    pub(crate) assumed: bool,
    /// How many children the transition may still create.
    pub(crate) room: u32,
    pub(crate) yielded: Yield,
    /// Measures the JSONata expressions, each transition a lap.
    pub(crate) stopwatch: Stopwatch,
    /// The state entries that ended.
    pub(crate) left: Vec<Left>,
    /// What TestState has put in the place of the world, and what it wants to see.
    pub(crate) test: Option<Box<TestTurn>>,
}

/// Is what one transition yields beside the next branch and history.
#[derive(Debug, Default)]
pub(crate) struct Yield {
    pub(crate) effects: Vec<Effect>,
    pub(crate) children: Vec<Branch>,
    pub(crate) opened: Option<OpenedScope>,
    pub(crate) closed: Option<ScopeKey>,
    pub(crate) shut: Option<ScopeKey>,
}

/// Is what becomes of a branch in a transition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum After {
    Open(Box<Branch>),
    Ended(BranchEnd),
}

/// Is how a branch ended.
#[derive(Clone, Debug, PartialEq)]
pub struct BranchEnd {
    /// The branch.
    pub path: BranchPath,
    /// Its last event, which the parent's next one follows from.
    pub last_event: EventRef,
    /// The output, or the error name and cause.
    pub result: Result<JsonText, EndFailure>,
    /// Whether the output tells of an item of a Map Run that failed.
    pub failed_item: bool,
}

/// Is the failure that a branch ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndFailure {
    /// The error name, if it has one.
    pub error: Option<String>,
    /// The cause, if it has one.
    pub cause: Option<String>,
    /// Whether no state takes it, nor any state around.
    pub terminal: bool,
    /// Whether it is a missed heartbeat, which `States.HeartbeatTimeout` takes.
    pub heartbeat: bool,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(
        definition: &'a Definition,
        execution: &'a Execution,
        limits: &'a Limits,
        moment: Moment,
        base: EventId,
    ) -> Self {
        Self {
            definition,
            execution,
            limits,
            moment,
            base,
            first: 0,
            history: Vec::new(),
            bytes: 0,
            bytes_max: limits.run.bytes,
            held_bytes: 0,
            assumed: false,
            // A run that only starts children must start one.
            room: limits.run.records.saturating_sub(1).max(1),
            yielded: Yield::default(),
            stopwatch: Stopwatch::default(),
            left: Vec::new(),
            test: None,
        }
    }

    /// Notes something for TestState, if this is a test.
    pub(crate) fn note(&mut self, note: impl FnOnce(&mut Inspection)) {
        if let Some(test) = &mut self.test {
            note(&mut test.inspection);
        }
    }

    /// Gives the context object of a test, if this is one.
    pub(crate) fn test_context(&self) -> Option<JsonText> {
        self.test.as_ref().map(|test| test.context.clone())
    }

    /// Gives the context object that stands in the place of the branch's own: that of a test, or of the Map state of a Map Run.
    pub(crate) fn given_context(&self, branch: &Branch) -> Option<JsonText> {
        self.test_context().or_else(|| map_run::context(self, branch))
    }

    /// Puts a context object in the place of a test's.
    pub(crate) fn set_test_context(&mut self, context: JsonText) {
        if let Some(test) = &mut self.test {
            test.context = context;
        }
    }

    /// Adds an event at the moment.
    pub(crate) fn emit(&mut self, previous: EventRef, kind: EventKind, details: Details) -> EventRef {
        let at = self.moment.at;
        self.emit_event(NewEvent { previous, at, kind, details })
    }

    /// Adds an event of another time.
    pub(crate) fn emit_event(&mut self, event: NewEvent) -> EventRef {
        self.bytes += u64::try_from(event.details.payload_bytes()).unwrap_or(u64::MAX);
        let index = u32::try_from(self.history.len()).expect("a run's limits keep its history short");
        self.history.push(event);
        EventRef::New(self.first + index)
    }

    /// Notes that a state entry ended at the moment; a branch that never entered a state has none.
    pub(crate) fn note_left(&mut self, branch: &Branch, state: &State, leaving: Leaving) {
        if branch.entry > 0 {
            self.left.push(Left {
                branch: branch.path.clone(),
                entry: branch.entry,
                state: branch.state.clone(),
                kind: state_type(&state.kind),
                entered_at: branch.entered_at,
                at: self.moment.at,
                leaving,
            });
        }
    }

    /// Tells whether the history, as far as it is known, has no room for one more state and the end of the execution.
    pub(crate) fn history_is_nearly_full(&self) -> bool {
        const STATE_AND_END: u64 = 3;
        let made = u64::from(self.first) + u64::try_from(self.history.len()).unwrap_or(u64::MAX);
        self.limits.events_max.is_some_and(|max| self.base.0 + made + STATE_AND_END > max)
    }

    /// Gives the id of an event for a text, and notes if that depends on the base.
    pub(crate) fn print_id(&mut self, event: EventRef) -> EventId {
        if matches!(event, EventRef::New(_)) {
            self.assumed = true;
        }
        event.resolve(self.base)
    }

    /// Finds the state that the branch is in.
    pub(crate) fn state(&self, branch: &Branch) -> Result<&'a State, Rejected> {
        let machine = machine(self.definition, &branch.location)?;
        machine.state(branch.state.as_str()).map(|state| &**state).ok_or(Rejected::UnknownState)
    }

    /// Tells whether the transition may create one more child, after those that are so large together. It may create one in any case if
    /// it may create any: a run must get on.
    pub(crate) fn has_room(&self, children_bytes: u64) -> bool {
        let is_full = self.bytes + self.held_bytes + children_bytes >= self.bytes_max;
        self.room > 0 && (self.yielded.children.is_empty() || !is_full)
    }

    /// Tells whether a payload is larger than allowed, or nests too deep to be looked into.
    pub(crate) fn refuses(&self, payload: &JsonText) -> bool {
        self.exceeds(u64::try_from(payload.len()).unwrap_or(u64::MAX)) || payload.is_too_deep()
    }

    /// Tells whether a size is larger than allowed.
    pub(crate) fn exceeds(&self, bytes: u64) -> bool {
        self.limits.payload_bytes_max.is_some_and(|max| bytes > max)
    }
}

/// Finds the machine that a location leads to.
pub(crate) fn machine<'a>(definition: &'a Definition, location: &[Location]) -> Result<&'a Machine, Rejected> {
    let mut machine = &*definition.machine;
    for step in location {
        let state = machine.state(step.state.as_str()).ok_or(Rejected::UnknownState)?;
        machine = nested(&state.kind, step.branch).ok_or(Rejected::UnknownState)?;
    }
    Ok(machine)
}

/// Finds the Parallel or Map state that a branch is a child of.
pub(crate) fn parent_state<'a>(definition: &'a Definition, branch: &Branch) -> Option<&'a State> {
    let (last, around) = branch.location.split_last()?;
    machine(definition, around).ok()?.state(last.state.as_str()).map(|state| &**state)
}

/// Gives the machine of a child of a Parallel or Map state.
fn nested(kind: &StateKind, branch: u32) -> Option<&Machine> {
    match kind {
        StateKind::Parallel(parallel) => parallel.branches.get(usize::try_from(branch).ok()?).map(|machine| &**machine),
        StateKind::Map(map) => Some(&map.item_processor),
        StateKind::Task(_)
        | StateKind::Pass(_)
        | StateKind::Choice(_)
        | StateKind::Wait(_)
        | StateKind::Succeed(_)
        | StateKind::Fail(_) => None,
    }
}

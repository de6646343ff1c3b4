//! What happens to a branch, and what follows.

use asl::StateName;
use model::{
    AttemptId, BranchPath, Details, EventId, EventKind, EventRef, ExecutionEnd, JsonText, Nonce, ScopeKey, StateType,
    Timestamp,
};

use crate::branch::{Branch, Callback};
use crate::turn::EndFailure;

/// Is something that happened to a branch.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The branch goes on: it was just created, or its last run was cut short.
    Proceed,
    /// A worker reported on an attempt, or a caller by task token that it is alive.
    Report {
        /// The attempt; any but the open one is stale.
        attempt: AttemptId,
        /// When the worker began, by its clock.
        started_at: Option<Timestamp>,
        /// The worker's name.
        worker: Option<String>,
        /// What it reported.
        outcome: Outcome,
    },
    /// Who has the task token of an attempt ended it.
    Callback {
        /// The attempt; any but the open one is stale.
        attempt: AttemptId,
        /// How it ended.
        callback: Callback,
    },
    /// An instant came that the branch waited for, or feared.
    Timer {
        /// Which.
        timer: Timer,
    },
    /// Children have completed, in the order of their completion, those taken before not included.
    Children {
        /// The scope; any but the open one is stale.
        scope: ScopeKey,
        /// The new completions.
        completions: Vec<Completion>,
        /// The results of all children by index, where with these completions all have succeeded.
        results: Option<Vec<JsonText>>,
        /// The items from the index of the next child on (Map only): up to 256 of them, the engine takes what may start now
        /// and asks by `ContinueRun` for more.
        items: Vec<JsonText>,
        /// The open branches within the scope, where one of the completions is a failure: they are cut off. Either all of them,
        /// or some, none without all branches within it.
        open: Vec<Branch>,
        /// Whether more are open than those: they are cut off by later runs, and the state goes on after the last.
        more_open: bool,
    },
}

/// Is what a report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The worker has begun.
    Started,
    /// It is alive.
    Heartbeat,
    /// It acknowledged the item and holds it.
    Holding {
        /// How often the item was delivered before, as its worker counts.
        deliveries: u32,
    },
    /// It has no handler for the resource.
    Unhandled,
    /// It made its call; the result comes by the task token.
    Submitted {
        /// What the call answered.
        output: JsonText,
    },
    /// It succeeded; where the state waits for its task token, that says as much as `Submitted`.
    Succeeded {
        /// The task's result.
        output: JsonText,
    },
    /// It failed, or was delivered too often.
    Failed {
        /// The error name, if it has one.
        error: Option<String>,
        /// The cause, if it has one.
        cause: Option<String>,
    },
}

/// Is a wish of a branch to be woken. At most one of a kind stands for one entry or attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// The end of a Wait state.
    Wait {
        /// The state entry.
        entry: u32,
    },
    /// The end of a retry's back-off.
    Backoff {
        /// The state entry.
        entry: u32,
        /// The number of the retry.
        retry: u32,
    },
    /// The time-out of an attempt.
    Timeout {
        /// The attempt's number.
        attempt: u32,
    },
    /// The heartbeat of an attempt.
    Heartbeat {
        /// The attempt's number.
        attempt: u32,
    },
    /// A held or unhandled work item is dispatched anew.
    Redispatch {
        /// The attempt's number.
        attempt: u32,
    },
    /// The time-out of the execution; stands at the root.
    Execution,
}

impl Timer {
    /// Gives the number of the attempt that the timer belongs to, if it does.
    pub fn attempt(self) -> Option<u32> {
        match self {
            Timer::Timeout { attempt } | Timer::Heartbeat { attempt } | Timer::Redispatch { attempt } => Some(attempt),
            Timer::Wait { .. } | Timer::Backoff { .. } | Timer::Execution => None,
        }
    }
}

/// Is the end of a child.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The child's index.
    pub index: u32,
    /// Its last event.
    pub last_event: EventRef,
    /// How it ended.
    pub result: ChildResult,
}

/// Is how a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildResult {
    /// It succeeded with an output of so many bytes (the output itself lies in the join record).
    Succeeded {
        /// The output's size.
        bytes: u64,
        /// Whether the output tells of an item that failed: the Map Run goes on as long as it tolerates that.
        failed: bool,
    },
    /// It failed.
    Failed(EndFailure),
}

/// Is the moment of an event: all that the core may know of time and chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time of the event.
    pub at: Timestamp,
    /// What the nonces of attempts follow from; unlike the execution's own seed it is another one each time.
    pub seed: Nonce,
}

/// Is an event of the history whose id the commit settles: the run's base, plus one, plus its index in the run.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// The event that it follows from.
    pub previous: EventRef,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// What AWS tells about it.
    pub details: Details,
}

/// Is an order from the core to the shell.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Give the work item that the branch's open attempt describes to the broker.
    DispatchWorkItem {
        /// The branch.
        branch: BranchPath,
        /// The attempt.
        attempt: AttemptId,
    },
    /// Set a timer, or set it to another instant.
    ScheduleTimer {
        /// The branch.
        branch: BranchPath,
        /// Which.
        timer: Timer,
        /// When it is due.
        due: Timestamp,
    },
    /// Drop a timer.
    CancelTimer {
        /// The branch.
        branch: BranchPath,
        /// Which.
        timer: Timer,
    },
    /// Tell workers to stop what they hold of this branch (its attempt timed out).
    CancelWork {
        /// The branch.
        branch: BranchPath,
        /// The attempt.
        attempt: AttemptId,
    },
    /// Wake the branch again at once: its run was cut short.
    ContinueRun {
        /// The branch.
        branch: BranchPath,
    },
}

/// Is a state entry that a run brought to its end, for those who trace it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The branch.
    pub branch: BranchPath,
    /// The number of the state entry within the branch.
    pub entry: u32,
    /// The state.
    pub state: StateName,
    /// Its type.
    pub kind: StateType,
    /// When it was entered.
    pub entered_at: Timestamp,
    /// When it was left.
    pub at: Timestamp,
    /// How.
    pub leaving: Leaving,
}

/// Is how a state entry ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// With an output.
    Succeeded,
    /// With an error of this name, if it has one, whether or not a Catcher took it.
    Failed(Option<String>),
    /// A Parallel or Map failed and is tried again, which counts as a new entry.
    Retried,
    /// Its scope was closed.
    CutOff,
}

/// Is a scope that a run opened: the children of a Parallel or Map state.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenedScope {
    /// The scope.
    pub key: ScopeKey,
    /// All items of a Map, in order; empty for a Parallel.
    pub items: Vec<JsonText>,
}

/// Is a result that goes into a join record.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinEntry {
    /// The scope joined.
    pub scope: ScopeKey,
    /// The completion.
    pub completion: Completion,
    /// The child's output, if it succeeded.
    pub output: Option<JsonText>,
}

/// Is the output of a child that began and ended within one run of its parent.
#[derive(Clone, Debug, PartialEq)]
pub struct InlineResult {
    /// The scope.
    pub scope: ScopeKey,
    /// The child's index.
    pub index: u32,
    /// Its output.
    pub output: JsonText,
}

/// Is what a run comes to: the content of one commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The driven branch, if it is still open.
    pub branch: Option<Branch>,
    /// Children created by the run, and still open.
    pub children: Vec<Branch>,
    /// The run's history, in order.
    pub history: Vec<NewEvent>,
    /// The base that the run put into a text or payload, if it did: the commit holds only for that base.
    pub assumed_base: Option<EventId>,
    /// Scopes opened by the run whose children are not all done within it.
    pub opened: Vec<OpenedScope>,
    /// Scopes closed by the run, that were open before it: every branch within is closed with them.
    pub closed: Vec<ScopeKey>,
    /// The scope shut by the run, or before: nothing happens within it any more, and the open branches that the event listed are
    /// closed; others are left.
    pub shut: Option<ScopeKey>,
    /// The completion of the driven branch, for the join record of its parent.
    pub joined: Option<JoinEntry>,
    /// Outputs of children that began and ended within the run, in a scope that stays open after it. They go to the results only,
    /// not to the list of completions.
    pub inline_results: Vec<InlineResult>,
    /// How many completions of the branch's open scope are taken, after this run.
    pub taken: Option<(ScopeKey, u32)>,
    /// The end of the execution, if this is it.
    pub end: Option<ExecutionEnd>,
    /// What else is to be done, in order.
    pub effects: Vec<Effect>,
    /// The state entries that ended, in order.
    pub left: Vec<Left>,
}

/// Says why an event changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It speaks of an attempt, entry or scope that is over: drop it, count it.
    #[error("apply an event that is stale")]
    Stale,
    /// It is in order but tells nothing new, such as a heartbeat that nobody waits for: there is nothing to commit.
    #[error("apply an event that changes nothing")]
    Unchanged,
    /// The branch's record does not fit the definition: a fault of ours or of the store.
    #[error("find the branch's state in the definition")]
    UnknownState,
}

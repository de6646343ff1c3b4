//! The unit of state: a branch, and what surrounds it.

use std::sync::Arc;

use crate::map_run::MapRunOrder;
use asl::StateName;
use model::{AttemptId, BranchPath, EventId, EventRef, JsonText, Nonce, ScopeKey, Timestamp};

/// Is what the core knows of an execution beside its definition; the same for all its branches, and unchanging.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The execution's ARN.
    pub arn: String,
    /// The execution's name.
    pub name: String,
    /// The ARN of the state machine.
    pub state_machine_arn: String,
    /// The name of the state machine.
    pub state_machine_name: String,
    /// The role of the state machine.
    pub role_arn: String,
    /// The region of the ARN.
    pub region: String,
    /// The execution's input.
    pub input: JsonText,
    /// When it started.
    pub started_at: Timestamp,
    /// How many times it was redriven; absent of one that can't be, whose context object does not tell of it either.
    pub redrive_count: Option<u32>,
    /// What UUIDs, random numbers and jitter follow from: the same whenever the execution is replayed, and not to be guessed.
    pub seed: Nonce,
    /// The ARNs of activities that the definition names and that don't exist now: their tasks fail.
    pub missing_activities: Vec<String>,
    /// What it is to do, if it is a Map Run.
    pub map_run: Option<Arc<MapRunOrder>>,
}

/// Is the state of one branch of an execution between two of its events.
///
/// The record of a committed branch holds all that follows from it: which work item, which timers, which children must
/// exist. A closed branch has no record.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// The branch's name within the execution.
    pub path: BranchPath,
    /// Where its states are defined: for each scope around it, the outermost first, the Parallel or Map state and, for a
    /// Parallel, the index of the branch (0 for a Map).
    pub location: Vec<Location>,
    /// The state that it is in.
    pub state: StateName,
    /// Counts the branch's state entries, from 1: the state-entry id.
    pub entry: u32,
    /// Counts the branch's attempts, from 1; 0 before the first.
    pub attempts: u32,
    /// The state's raw input. Of a Map's iteration that has not entered its first state yet: what its ItemSelector looks at,
    /// if there is one.
    pub input: JsonText,
    /// When the state was entered.
    pub entered_at: Timestamp,
    /// The event that recorded the entry.
    pub entered_event: EventRef,
    /// The event before the entry (AWS hangs `EvaluationFailed` on it).
    pub before_entered: EventRef,
    /// The event that the branch's next one follows from.
    pub last_event: EventRef,
    /// For each Retrier of the state, how often it retried this entry.
    pub retries: Vec<u32>,
    /// How often this entry was retried in all (`$$.State.RetryCount`).
    pub retry_count: u32,
    /// The item of the innermost Map iteration around the branch (`$$.Map.Item`).
    pub item: Option<MapItem>,
    /// Variables in sight, in order of their names.
    pub variables: Arc<Vec<(String, JsonText)>>,
    /// What the branch does or waits for.
    pub phase: Phase,
}

/// Is one step of the way to a nested state machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// A Parallel or Map state.
    pub state: StateName,
    /// Which of a Parallel's branches; 0 for a Map.
    pub branch: u32,
}

/// Is the item of a Map iteration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapItem {
    /// Counts from 0.
    pub index: u32,
    /// The item's text.
    pub value: JsonText,
}

/// Is what a branch does or waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// It can go on at once: it is about to enter `state` (its entry is not recorded yet). A run that was cut short leaves it so.
    Ready,
    /// It waits for the report of a work item.
    Task(TaskPhase),
    /// It waits in a Wait state until the instant.
    Wait {
        /// The end of the wait.
        until: Timestamp,
    },
    /// It waits until the next attempt of the same state entry.
    Backoff {
        /// When the next attempt begins.
        until: Timestamp,
    },
    /// It waits for its children.
    Children(ChildrenPhase),
}

/// Is an open attempt of a Task state.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskPhase {
    /// The attempt that a report must name.
    pub attempt: AttemptId,
    /// The Resource as the definition names it.
    pub resource: String,
    /// The effective input: what the worker gets.
    pub payload: JsonText,
    /// The role that the state's Credentials name: who runs the task acts as it.
    pub role_arn: Option<String>,
    /// When the attempt began.
    pub scheduled_at: Timestamp,
    /// When it times out, if it does.
    pub deadline: Option<Timestamp>,
    /// How long it may take from when a worker takes it, where the clock does not run before: for an activity.
    pub timeout_seconds: Option<u64>,
    /// The longest silence between two heartbeats.
    pub heartbeat_seconds: Option<u64>,
    /// The last sign of life, by which the next heartbeat is due.
    pub heard_at: Timestamp,
    /// Whether `TaskStarted` or the like is in the history already (and when the worker started).
    pub started: bool,
    /// How the work item stands with the broker.
    pub delivery: Delivery,
    /// How often the item was given to workers before it was dispatched the last time, as far as is known. One that was given too
    /// often is taken for poison.
    pub deliveries: u32,
    /// What came by the task token before the worker reported that it had made its call: it is applied after that report.
    pub early: Option<Callback>,
}

/// Is what ends an attempt by its task token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callback {
    /// SendTaskSuccess.
    Succeeded {
        /// The task's result.
        output: JsonText,
    },
    /// SendTaskFailure.
    Failed {
        /// The error name, if it has one.
        error: Option<String>,
        /// The cause, if it has one.
        cause: Option<String>,
    },
}

impl Callback {
    fn payload_bytes(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Callback::Succeeded { output } => output.len(),
            Callback::Failed { error, cause } => optional(error) + optional(cause),
        }
    }
}

/// Is how a work item stands with the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was given to the broker, which holds it until it is acknowledged.
    Dispatched,
    /// A worker has acknowledged it and holds it; unless it says so again by then, the same attempt is dispatched anew.
    Held {
        /// When the hold runs out.
        until: Timestamp,
    },
    /// No worker has a handler for it; it is dispatched anew then.
    Unhandled {
        /// How many times that was reported in a row.
        times: u32,
        /// When it is dispatched again; [`Delivery::REDISPATCHED`] once that was done.
        until: Timestamp,
    },
    /// It waits in the queue of its activity.
    Queued,
    /// It is out of our hands: who has the task token ends the attempt.
    Waiting,
}

impl Delivery {
    /// Stands for the time of an unhandled item that was dispatched again and has no timer any more.
    pub const REDISPATCHED: Timestamp = Timestamp::from_millis(i64::MAX);
}

/// Is a Parallel or Map state that waits for its children.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildrenPhase {
    /// The scope of the children. A retry of the state opens a new one: the scope's entry number is the branch's `entry` at
    /// that time, which the retry counts up.
    pub scope: ScopeKey,
    /// How many children there are in all.
    pub total: u32,
    /// How many were started: the index of the next one.
    pub started: u32,
    /// How many completions were taken from the join record's list. A child that began and ended within a run of the
    /// parent never gets there.
    pub taken: u32,
    /// How many children have succeeded, those that never got into the join record's list included.
    pub succeeded: u32,
    /// How many at once, for a Map; at least 1.
    pub concurrency: u32,
    /// The event that the children's first events follow from: the start of the Parallel or Map state.
    pub started_event: EventRef,
    /// The effective input: what each branch of a Parallel gets, or what ItemSelector refers to (`$`).
    pub input: JsonText,
    /// The last event of the child that finished last: what success or failure of the state hangs on.
    pub last_child_event: EventRef,
    /// The summed size of the results taken, in bytes.
    pub results_bytes: u64,
    /// Whether a child failed, and the others are being cut off: more of them than one commit may close.
    pub cutting_off: bool,
    /// How many of those that have succeeded did so with the end of an item that failed (Map Runs only).
    pub failed: u32,
    /// How many items may fail.
    pub tolerated: u32,
}

impl Branch {
    /// Tells whether the branch waits for its children.
    pub fn open_scope(&self) -> Option<&ChildrenPhase> {
        match &self.phase {
            Phase::Children(children) => Some(children),
            Phase::Ready | Phase::Task(_) | Phase::Wait { .. } | Phase::Backoff { .. } => None,
        }
    }

    /// Counts the bytes of payload that its record holds. What is also its input is stored once.
    pub(crate) fn payload_bytes(&self) -> u64 {
        let beside = |text: &JsonText| if text.is_same(&self.input) { 0 } else { text.len() };
        let variables: usize = self.variables.iter().map(|(name, value)| name.len() + value.len()).sum();
        let waits_with = match &self.phase {
            Phase::Task(task) => beside(&task.payload) + task.early.as_ref().map_or(0, Callback::payload_bytes),
            Phase::Children(children) => beside(&children.input),
            Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } => 0,
        };
        let item = self.item.as_ref().map_or(0, |item| beside(&item.value));
        u64::try_from(self.input.len() + variables + waits_with + item).unwrap_or(u64::MAX)
    }

    /// Settles every reference to an event of the run whose base is now known.
    pub fn settle(&mut self, base: EventId) {
        for reference in [&mut self.entered_event, &mut self.before_entered, &mut self.last_event] {
            *reference = reference.resolved(base);
        }
        if let Phase::Children(children) = &mut self.phase {
            children.started_event = children.started_event.resolved(base);
            children.last_child_event = children.last_child_event.resolved(base);
        }
    }
}

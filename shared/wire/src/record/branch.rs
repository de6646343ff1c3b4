//! The record of an open branch.

use model::{AttemptId, BranchPath, EventId, EventRef, JsonText, ScopeKey, Timestamp};

/// Is the stored state of an open branch. It mirrors the engine's `Branch`, field by field, so that either may change alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchRecord {
    /// The branch.
    pub path: BranchPath,
    /// Where its states are defined, the outermost scope first.
    pub location: Vec<LocationRecord>,
    /// The state.
    pub state: String,
    /// The number of the state entry.
    pub entry: u32,
    /// The number of the last attempt.
    pub attempts: u32,
    /// The state's raw input.
    pub input: JsonText,
    /// When it was entered.
    pub entered_at: Timestamp,
    /// The event of the entry.
    pub entered_event: EventRef,
    /// The event before it.
    pub before_entered: EventRef,
    /// The branch's last event.
    pub last_event: EventRef,
    /// Retries by Retrier.
    pub retries: Vec<u32>,
    /// Retries in all.
    pub retry_count: u32,
    /// The Map item around the branch.
    pub item: Option<MapItemRecord>,
    /// Variables in order of their names.
    pub variables: Vec<(String, JsonText)>,
    /// What it waits for.
    pub phase: PhaseRecord,
    /// The W3C trace context that the branch's spans go on from.
    pub traceparent: Option<String>,
}

/// Is one step of the way to a nested state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationRecord {
    /// The Parallel or Map state.
    pub state: String,
    /// The index of the Parallel's branch.
    pub branch: u32,
}

/// Is a Map item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapItemRecord {
    /// Its index, from 0.
    pub index: u32,
    /// Its text.
    pub value: JsonText,
}

/// Is what a branch waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhaseRecord {
    /// Nothing.
    Ready,
    /// A report.
    Task(TaskRecord),
    /// The end of a Wait state.
    Wait {
        /// When.
        until: Timestamp,
    },
    /// The next attempt.
    Backoff {
        /// When.
        until: Timestamp,
    },
    /// Its children.
    Children(ChildrenRecord),
}

/// Is an open attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRecord {
    /// The attempt.
    pub attempt: AttemptId,
    /// The Resource.
    pub resource: String,
    /// The effective input; the text form keeps it once where it is also the branch's `input`.
    pub payload: JsonText,
    /// The role that the task is run as.
    pub role_arn: Option<String>,
    /// When the attempt began.
    pub scheduled_at: Timestamp,
    /// When it times out.
    pub deadline: Option<Timestamp>,
    /// How many seconds it may take from when a worker takes it, where the clock does not run before.
    pub timeout_seconds: Option<u64>,
    /// The longest silence.
    pub heartbeat_seconds: Option<u64>,
    /// The last sign of life.
    pub heard_at: Timestamp,
    /// Whether its start is in the history.
    pub started: bool,
    /// How the item stands with the broker.
    pub delivery: DeliveryRecord,
    /// How often it was given to workers before its last dispatch.
    pub deliveries: u32,
    /// What came by the task token before the worker's report.
    pub early: Option<CallbackRecord>,
}

/// Is what came by a task token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackRecord {
    /// A result.
    Succeeded {
        /// The result.
        output: JsonText,
    },
    /// A failure.
    Failed {
        /// The error name.
        error: Option<String>,
        /// The cause.
        cause: Option<String>,
    },
}

/// Is how a work item stands with the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryRecord {
    /// The broker holds it.
    Dispatched,
    /// A worker holds it.
    Held {
        /// Until then, unless it says so again.
        until: Timestamp,
    },
    /// No worker has a handler.
    Unhandled {
        /// How many times in a row.
        times: u32,
        /// When it is dispatched again.
        until: Timestamp,
    },
    /// It waits in the queue of its activity.
    Queued,
    /// Who has the task token ends the attempt.
    Waiting,
}

/// Is a Parallel or Map state that waits for its children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildrenRecord {
    /// The scope.
    pub scope: ScopeKey,
    /// How many children there are.
    pub total: u32,
    /// How many were started.
    pub started: u32,
    /// How many entries of the join record's list were taken.
    pub taken: u32,
    /// How many have succeeded.
    pub succeeded: u32,
    /// How many at once.
    pub concurrency: u32,
    /// The start event.
    pub started_event: EventRef,
    /// The effective input.
    pub input: JsonText,
    /// The last event of the child that finished last.
    pub last_child_event: EventRef,
    /// The summed size of the results, in bytes.
    pub results_bytes: u64,
    /// Whether a child failed, and the others are being cut off.
    pub cutting_off: bool,
    /// How many have succeeded with the end of an item that failed.
    pub failed: u32,
    /// How many items may fail.
    pub tolerated: u32,
}

impl BranchRecord {
    /// Settles every reference to an event of the commit that wrote the record, whose base is `base`.
    pub fn settle(&mut self, base: EventId) {
        for reference in [&mut self.entered_event, &mut self.before_entered, &mut self.last_event] {
            *reference = reference.resolved(base);
        }
        if let PhaseRecord::Children(children) = &mut self.phase {
            children.started_event = children.started_event.resolved(base);
            children.last_child_event = children.last_child_event.resolved(base);
        }
    }
}

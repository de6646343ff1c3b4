//! The one write of the system: a commit.

use std::sync::Arc;

use model::{
    AttemptId, BranchPath, CommitId, EventId, ExecutionArn, ExecutionEnd, ExecutionStatus, FencingToken, JsonText,
    Revision, ScopeKey, Timestamp,
};
use wire::record::{BranchRecord, CompletionRecord, ExecutionRecord, HistoryChunk};

use crate::OwnerId;

/// Is everything that one run changes: written as a whole, or not at all.
///
/// The store reads and checks first, then writes what can't fail. Repeating a commit under its id gives the first answer.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The commit's random id.
    pub id: CommitId,
    /// The execution.
    pub execution: ExecutionArn,
    /// Who commits: it becomes the owner of the lease of every branch record written, and the committer of the outbox entries.
    pub owner: OwnerId,
    /// How long the lease holds, by the store's clock.
    pub lease_millis: u32,
    /// Whether a live lease of another owner refuses the commit (background work), or is taken over (a real event).
    pub respects_lease: bool,
    /// What is committed, with its guards.
    pub subject: Subject,
    /// The base that the run assumed in a text; another one refuses the commit.
    pub assumed_base: Option<EventId>,
    /// The greatest event id that the execution may reach by this commit; nothing bounds it where absent.
    pub events_max: Option<u64>,
    /// The events, which get the ids that follow the execution's last one.
    pub history: HistoryChunk,
    /// Branches created open.
    pub children: Vec<NextBranch>,
    /// Scopes opened.
    pub opened: Vec<OpenedScope>,
    /// Scopes closed, and with them every branch within: each must be listed, at the revision seen. Or, where more branches are
    /// open than one commit may close, shut first and closed by later commits.
    pub closed: Vec<ClosedScope>,
    /// Results of children that began and ended within the run: scope, index, output.
    pub inline_results: Vec<(ScopeKey, u32, JsonText)>,
    /// The end of the subject as a child, for its parent's join record. Sets the wake flag if it is not set, and then adds the outbox
    /// entry `Wake`.
    pub joined: Option<Joined>,
    /// How many entries of the join list of the subject's own scope are taken once this is committed, counted from the scope's
    /// opening. If there are no more, the wake flag and its outbox entry are cleared.
    pub taken: Option<(ScopeKey, u32)>,
    /// Timers set, or set anew, of branches that this commit writes.
    pub timers_set: Vec<(TimerKey, Timestamp)>,
    /// Timers dropped.
    pub timers_dropped: Vec<TimerKey>,
    /// Effects that must leave once this is committed.
    pub outbox_added: Vec<OutboxKey>,
    /// Effects that need not leave any more; one that is also added stays.
    pub outbox_dropped: Vec<OutboxKey>,
    /// The end of the execution: nothing is written to it afterwards. Its timers and records go to the cleanup list. Scopes need not be
    /// listed as closed.
    pub end: Option<(ExecutionEnd, Timestamp)>,
}

/// Is what a commit is about, with what must hold for it.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A new execution, whose ARN must be free. Makes the index entry too.
    Creation {
        /// The execution.
        record: Box<ExecutionRecord>,
        /// Its root branch, unless the first run ended it.
        root: Option<Box<NextBranch>>,
    },
    /// A branch: it must be at this revision under this token, the execution running and no scope around it closed.
    Branch {
        /// The branch.
        path: BranchPath,
        /// The revision seen.
        revision: Revision,
        /// The token seen.
        token: FencingToken,
        /// What the branch becomes; nothing closes it.
        next: Option<Box<NextBranch>>,
    },
    /// The execution as a whole (StopExecution, its time-out): it must be running, whatever its branches are about.
    Execution,
}

/// Is a branch record to be written.
#[derive(Clone, Debug)]
pub struct NextBranch {
    /// The record. References to new events are settled by the reader, with the commit's base.
    pub record: BranchRecord,
    /// Its revision.
    pub revision: Revision,
    /// Its fencing token: the one before if the owner stays the same, else a new one.
    pub token: FencingToken,
}

/// Is a scope opened.
#[derive(Clone, Debug)]
pub struct OpenedScope {
    /// The scope.
    pub key: ScopeKey,
    /// All items of a Map, stored once; empty for a Parallel.
    pub items: Vec<JsonText>,
}

/// Is a scope closed.
#[derive(Clone, Debug)]
pub struct ClosedScope {
    /// The scope.
    pub key: ScopeKey,
    /// The open branches within it, at any depth, as seen: all of them or, where more are open, some, none without all that are
    /// within it.
    pub branches: Vec<(BranchPath, Revision)>,
    /// Whether more are open. Then the scope is only shut: the branches listed are closed and no commit within the scope is made
    /// any more, until a later commit closes the rest. What its join record holds stays until then.
    pub more_open: bool,
}

/// Is the end of a child.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The scope.
    pub scope: ScopeKey,
    /// The completion.
    pub completion: CompletionRecord,
    /// The output, if it succeeded.
    pub output: Option<JsonText>,
}

/// Names a timer. Its `name` tells the committer what it is for, and is unique within the branch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey {
    /// The execution.
    pub execution: ExecutionArn,
    /// The branch.
    pub branch: BranchPath,
    /// For example `timeout.3`; ASCII letters, digits, `.` and `-`.
    pub name: String,
}

/// Names an effect that has to leave.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutboxKey {
    /// The execution.
    pub execution: ExecutionArn,
    /// The effect.
    pub effect: PendingEffect,
}

/// Is an effect that has to leave; its content follows from the committed branch, but for spans.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PendingEffect {
    /// The work item of the branch's open attempt has to reach the broker.
    Dispatch(BranchPath, AttemptId),
    /// The branch goes on without waiting for anything.
    Continue(BranchPath),
    /// The branch whose scope it is has completions to take.
    Wake(ScopeKey),
    /// Spans have to reach the collector of traces: their text, which holds no semicolon.
    Export(Arc<str>),
    /// Whoever listens is to be told that the execution has this status now.
    Notify(ExecutionStatus),
    /// The execution was started by a task that waits for its end: if that task is over, the execution is to be stopped.
    Started,
    /// The execution has ended, and the task that started it has to learn how.
    Ended,
    /// A task that waited for the end of this other execution, which it started by this attempt, is over: that is to be stopped.
    Stop(ExecutionArn, AttemptId),
}

/// Is an entry of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The effect.
    pub key: OutboxKey,
    /// Who committed it.
    pub committer: OwnerId,
    /// When, by the store's clock.
    pub at: Timestamp,
}

/// Is the answer to a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// All of it is written.
    Committed(Committed),
    /// Nothing is written.
    Refused(Refusal),
}

/// Is what the store settled in a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The id of the last event before the commit's.
    pub base: EventId,
    /// The time that the commit's events were raised to where they were earlier.
    pub clamp: Timestamp,
    /// Whether this commit set the parent's wake flag: the committer wakes the parent.
    pub woke_parent: bool,
    /// Whether completions beyond those taken are there: the committer resumes the branch at once.
    pub more_completions: bool,
}

/// Says why a commit was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A branch is not at the revision or token seen, or is closed.
    Stale,
    /// The execution has ended, or a scope around the branch is closed: the event is void.
    Closed,
    /// There is no such execution.
    Missing,
    /// An execution of this name exists.
    Exists,
    /// Nothing in the partition refers to the definition of the new execution, so that it may be removed at any time: it is to be put first.
    Undefined,
    /// Events were added: the base is another than the one assumed.
    BaseMoved {
        /// The id of the last event now.
        base: EventId,
    },
    /// Another owner holds a live lease.
    Leased {
        /// Until then, by the store's clock.
        until: Timestamp,
    },
    /// It holds more than the store writes at once: it will never be made, nor will another of the same content.
    TooLarge {
        /// How much of what, and the most that may be.
        what: String,
    },
    /// The execution would pass the greatest event id allowed.
    HistoryFull {
        /// The id of the last event now.
        base: EventId,
    },
}

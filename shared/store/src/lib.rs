//! Where execution state lives: a trait, its memory twin and Redis.

mod commit;
mod store;

pub use commit::{
    ClosedScope, Commit, CommitOutcome, Committed, Joined, NextBranch, OpenedScope, OutboxEntry, OutboxKey,
    PendingEffect, Refusal, Subject, TimerKey,
};
pub use store::{
    Error, ExecutionHead, ExecutionStore, HistoryCursor, HistoryPage, HistoryQuery, Join, OwnerId, SharedStore,
    StoredBranch,
};

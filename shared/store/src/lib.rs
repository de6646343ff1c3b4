//! Where execution state lives: a trait, its twins in memory and in a file, and Redis.

mod bounds;
mod chunks;
mod commit;
mod embedded;
mod local;
mod memory;
mod redis;
mod resource;
mod rules;
mod store;
mod text;

pub use commit::{
    ClosedScope, Commit, CommitOutcome, Committed, Joined, NextBranch, OpenedScope, OutboxEntry, OutboxKey,
    PendingEffect, Refusal, Subject, TimerKey,
};
pub use embedded::{EmbeddedConfig, EmbeddedStore};
pub use local::LocalStore;
pub use memory::MemoryStore;
pub use redis::{RedisConfig, RedisMode, RedisStore};
pub use resource::{ActivityTask, ExecutionQuery, Resource, ResourceKey, ResourceKind, ResourceQuery};
pub use store::{
    Error, ExecutionHead, ExecutionStore, HistoryCursor, HistoryPage, HistoryQuery, Join, OwnerId, Retention,
    SharedStore, StoredBranch,
};

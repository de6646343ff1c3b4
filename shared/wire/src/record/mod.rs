//! What the store keeps: executions, branches, history, completions, state machines. The page is `docs/formats/records.md`.
//!
//! References to events of the commit that wrote a record are kept as [`EventRef::New`](model::EventRef): the store keeps the commit's base beside
//! the record, and the reader settles them with it. So branches of one execution commit without waiting for each
//! other's event ids.

mod branch;
mod execution;

pub use branch::{
    BranchRecord, ChildrenRecord, DeliveryRecord, LocationRecord, MapItemRecord, PhaseRecord, TaskRecord,
};
pub use execution::{
    CompletionRecord, CompletionResult, DefinitionHash, EventRecord, ExecutionRecord, HistoryChunk, StateMachineRecord,
};

//! What the store keeps: executions, branches, history, completions, state machines. The page is `docs/formats/records.md`.
//!
//! References to events of the commit that wrote a record are kept as [`EventRef::New`](model::EventRef): the store keeps the commit's base beside
//! the record, and the reader settles them with it. So branches of one execution commit without waiting for each
//! other's event ids.

mod branch;
mod branch_text;
mod compressed;
mod error;
mod execution;
mod execution_text;
mod history_text;
mod published;
mod reader;
mod spans;
#[cfg(test)]
mod tests;
mod writer;

pub use branch::{
    BranchRecord, CallbackRecord, ChildrenRecord, DeliveryRecord, LocationRecord, MapItemRecord, PhaseRecord,
    TaskRecord,
};
pub use error::RecordError;
pub use execution::{
    ActivityRecord, CompletionRecord, CompletionResult, DefinitionHash, EndRecord, EventRecord, ExecutionRecord,
    HistoryChunk, ItemsRecord, LogLevel, LoggingRecord, MapRunRecord, PublicationRecord, StarterRecord,
    StateMachineRecord, Waits,
};
pub use published::{AliasRecord, PublishedRecord, RouteRecord, VersionRecord};
pub use spans::{SpanRecord, decode_spans, encode_spans};

/// Is the version that records are written in; all versions up to it are read.
pub const VERSION: u32 = 1;

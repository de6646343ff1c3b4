//! Words and plain data of Stepwell: ids, timestamps, executions, history events, error names.
//!
//! This crate decides nothing. It holds what two or more crates must name alike; its types carry no serialised form,
//! which is the business of `wire` (stored and sent) and of the coordinator's API (AWS JSON).

mod arn;
pub mod error_name;
mod execution;
pub mod failure_text;
mod history;
mod ids;
mod json_text;
mod qualified;
mod time;
mod token;

pub use arn::{ActivityArn, ArnError, ExecutionArn, StateMachineArn, partition};
pub use execution::{ExecutionEnd, ExecutionStatus, StateMachineStatus};
pub use history::{Details, EventKind, HistoryEvent, StateType};
pub use ids::{AttemptId, BranchPath, CommitId, EventId, EventRef, FencingToken, IdError, Nonce, Revision, ScopeKey};
pub use json_text::{JsonText, NotJson};
pub use qualified::{QualifiedArn, Qualifier, is_alias_name};
pub use time::Timestamp;
pub use token::TaskToken;

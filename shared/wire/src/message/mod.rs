//! What the broker carries: work items, reports, controls, status changes. The page is `docs/formats/messages.md`.
//!
//! ```text
//!  coordinator ── work item (stepwell.work.v1, reply_to) ──► worker
//!  coordinator ◄── report (stepwell.report.v1) ────────────── worker
//!  coordinator ── control (stepwell.control.v1) ──► all workers
//!  coordinator ── status change (stepwell.notify.v1) ──► whoever listens
//! ```
//! A body is a JSON list; each element carries the attempt, a W3C `traceparent` and the delivery count.

mod decode;
mod encode;
mod error;
mod status_change;
#[cfg(test)]
mod tests;

pub use decode::{Sorted, decode_cancels, decode_items, decode_reports, sort_cancels, sort_items, sort_reports};
pub use encode::{encode_cancels, encode_items, encode_reports};
pub use error::{ElementError, FormatError};
use model::{AttemptId, BranchPath, ExecutionArn, JsonText, ScopeKey, Timestamp};
pub use status_change::{STATUS_CHANGE_TYPE, StatusChange, encode_status_change};

/// Is the AMQP `type` of a message of work items.
pub const WORK_TYPE: &str = "stepwell.work.v1";
/// Is the AMQP `type` of a message of reports.
pub const REPORT_TYPE: &str = "stepwell.report.v1";
/// Is the AMQP `type` of a control message.
pub const CONTROL_TYPE: &str = "stepwell.control.v1";

/// Asks a worker for one attempt of one Task state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkItem {
    /// The execution.
    pub execution: ExecutionArn,
    /// The branch.
    pub branch: BranchPath,
    /// The attempt that the report must name.
    pub attempt: AttemptId,
    /// The state's name.
    pub state: String,
    /// The Resource as the definition names it.
    pub resource: String,
    /// The effective input.
    pub input: JsonText,
    /// The role that the state's Credentials name.
    pub role_arn: Option<String>,
    /// When the attempt times out, if it does.
    pub deadline: Option<Timestamp>,
    /// The longest silence between two heartbeats.
    pub heartbeat_seconds: Option<u64>,
    /// The W3C trace context of the publishing span.
    pub traceparent: Option<String>,
    /// How often this attempt was given to the broker before.
    pub deliveries: u32,
    /// When it was given to the broker this time.
    pub dispatched_at: Timestamp,
}

/// Tells what became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The execution.
    pub execution: ExecutionArn,
    /// The branch.
    pub branch: BranchPath,
    /// The attempt.
    pub attempt: AttemptId,
    /// The W3C trace context of the worker's span.
    pub traceparent: Option<String>,
    /// The delivery count of the work item.
    pub deliveries: u32,
    /// The worker's name.
    pub worker: Option<String>,
    /// When the handler began, by the worker's clock.
    pub started_at: Option<Timestamp>,
    /// When the report was made, by the worker's clock.
    pub at: Timestamp,
    /// What it says.
    pub outcome: Outcome,
}

/// Is what a report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The handler began a good second ago.
    Started,
    /// The handler is alive.
    Heartbeat,
    /// The worker acknowledged the item and holds it; it repeats this while it does.
    Holding,
    /// The worker has no handler for the resource.
    Unhandled,
    /// The item was delivered too often: it may be what kills workers. It was not run.
    Poisoned,
    /// The handler made its call; the result comes by the task token.
    Submitted {
        /// What the call answered.
        output: JsonText,
    },
    /// The handler's result. Where the state waits for its task token, it is what the call answered.
    Succeeded {
        /// The result.
        output: JsonText,
    },
    /// The handler's failure.
    Failed {
        /// The error name, if it gave one.
        error: Option<String>,
        /// The cause, if it gave one.
        cause: Option<String>,
    },
}

impl Outcome {
    /// Names the outcome as the field `outcome` does.
    pub const fn kind(&self) -> &'static str {
        match self {
            Outcome::Started => "started",
            Outcome::Heartbeat => "heartbeat",
            Outcome::Holding => "holding",
            Outcome::Unhandled => "unhandled",
            Outcome::Poisoned => "poisoned",
            Outcome::Submitted { .. } => "submitted",
            Outcome::Succeeded { .. } => "succeeded",
            Outcome::Failed { .. } => "failed",
        }
    }
}

/// Tells all workers to stop what they hold, and to drop what they meet later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// The execution.
    pub execution: ExecutionArn,
    /// What of it.
    pub of: Cancelled,
}

/// Is what a cancel ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// All of the execution.
    Execution,
    /// All branches within a scope.
    Scope(ScopeKey),
    /// One attempt.
    Attempt(BranchPath, AttemptId),
}

impl Cancelled {
    /// Names what is cancelled as the field `cancel` does.
    pub const fn kind(&self) -> &'static str {
        match self {
            Cancelled::Execution => "execution",
            Cancelled::Scope(_) => "scope",
            Cancelled::Attempt(..) => "attempt",
        }
    }
}

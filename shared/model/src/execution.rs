//! What is publicly known of an execution.

use crate::JsonText;

/// Is the status of an execution, by AWS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExecutionStatus {
    /// Open.
    Running,
    /// Ended with an output.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended because it ran longer than its definition allows.
    TimedOut,
    /// Ended by StopExecution.
    Aborted,
}

impl ExecutionStatus {
    /// Gives AWS's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            ExecutionStatus::Running => "RUNNING",
            ExecutionStatus::Succeeded => "SUCCEEDED",
            ExecutionStatus::Failed => "FAILED",
            ExecutionStatus::TimedOut => "TIMED_OUT",
            ExecutionStatus::Aborted => "ABORTED",
        }
    }

    /// Reads AWS's name.
    pub fn from_name(name: &str) -> Option<Self> {
        use ExecutionStatus::{Aborted, Failed, Running, Succeeded, TimedOut};
        [Running, Succeeded, Failed, TimedOut, Aborted].into_iter().find(|status| status.as_str() == name)
    }
}

/// Is how an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionEnd {
    /// The status, never `Running`.
    pub status: ExecutionStatus,
    /// The output of a success.
    pub output: Option<JsonText>,
    /// The error of another end, where it has one.
    pub error: Option<String>,
    /// The cause of another end, where it has one.
    pub cause: Option<String>,
}

/// Is the status of a state machine, by AWS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateMachineStatus {
    /// Takes executions.
    Active,
    /// Is deleted as soon as its last execution has ended.
    Deleting,
}

impl StateMachineStatus {
    /// Gives AWS's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            StateMachineStatus::Active => "ACTIVE",
            StateMachineStatus::Deleting => "DELETING",
        }
    }
}

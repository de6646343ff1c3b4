//! The public history of an execution.

use crate::{EventId, JsonText, Timestamp};

/// Is one entry of an execution's history, its ids settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEvent {
    /// Counts from 1 without a gap.
    pub id: EventId,
    /// The event that this one follows from: older than `id`, or 0.
    pub previous: EventId,
    /// When it happened; never earlier than that of an older event.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// What AWS tells about it.
    pub details: Details,
}

/// Is what AWS tells about an event, by shape: many kinds of event share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Details {
    /// Nothing: the event has no details object.
    None,
    /// The start of the execution.
    ExecutionStarted {
        /// The execution's input.
        input: JsonText,
        /// The role of the state machine.
        role_arn: String,
    },
    /// A result without a word on where it is from: of the execution, a direct Lambda function, an activity.
    Output {
        /// The result.
        output: JsonText,
    },
    /// An error without a word on where it is from.
    Failure {
        /// The error name.
        error: Option<String>,
        /// The cause.
        cause: Option<String>,
    },
    /// A state was entered.
    StateEntered {
        /// The state.
        name: String,
        /// Its raw input.
        input: JsonText,
    },
    /// A state was left.
    StateExited {
        /// The state.
        name: String,
        /// Its output.
        output: JsonText,
        /// Variables assigned on leaving it, in order of their names, each value as JSON text.
        assigned: Vec<(String, JsonText)>,
    },
    /// A direct Lambda function or an activity was scheduled.
    Scheduled {
        /// The ARN of the function or activity.
        resource: String,
        /// The input.
        input: JsonText,
        /// The time-out, where the state sets one.
        timeout_seconds: Option<u64>,
        /// The heartbeat, where the state sets one.
        heartbeat_seconds: Option<u64>,
        /// The role that the task is run with, where the state's Credentials name one.
        credentials: Option<String>,
    },
    /// An activity was taken by a worker.
    WorkerStarted {
        /// The worker's name, where it gave one.
        worker: Option<String>,
    },
    /// A service integration was scheduled.
    TaskScheduled {
        /// For example `lambda`.
        resource_type: String,
        /// For example `invoke`.
        resource: String,
        /// The region of the call.
        region: String,
        /// The parameters as JSON text.
        parameters: JsonText,
        /// The time-out, where the state sets one.
        timeout_seconds: Option<u64>,
        /// The heartbeat, where the state sets one.
        heartbeat_seconds: Option<u64>,
        /// The role that the task is run with, where the state's Credentials name one.
        credentials: Option<String>,
    },
    /// A service integration was started.
    TaskStarted {
        /// For example `lambda`.
        resource_type: String,
        /// For example `invoke`.
        resource: String,
    },
    /// A service integration was submitted or succeeded.
    TaskOutput {
        /// For example `lambda`.
        resource_type: String,
        /// For example `invoke`.
        resource: String,
        /// The answer.
        output: JsonText,
    },
    /// A service integration failed or timed out.
    TaskFailure {
        /// For example `lambda`.
        resource_type: String,
        /// For example `invoke`.
        resource: String,
        /// The error name.
        error: Option<String>,
        /// The cause.
        cause: Option<String>,
    },
    /// A Map Run began.
    MapRunStarted {
        /// Its ARN.
        arn: String,
    },
    /// A Map state began.
    MapStarted {
        /// The number of items.
        length: u64,
    },
    /// An iteration of a Map state began or ended.
    MapIteration {
        /// The Map state.
        name: String,
        /// The index of the item, from 0.
        index: u64,
    },
    /// An expression could not be evaluated.
    EvaluationFailed {
        /// The state.
        state: String,
        /// The field, for example `Output/result`.
        location: Option<String>,
        /// The error name.
        error: String,
        /// The cause.
        cause: String,
    },
}

impl Details {
    /// Counts the bytes of the payloads, errors and causes in it.
    pub fn payload_bytes(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Details::None | Details::WorkerStarted { .. } | Details::TaskStarted { .. } => 0,
            Details::MapRunStarted { .. } | Details::MapStarted { .. } | Details::MapIteration { .. } => 0,
            Details::ExecutionStarted { input, .. }
            | Details::StateEntered { input, .. }
            | Details::Scheduled { input, .. }
            | Details::TaskScheduled { parameters: input, .. } => input.len(),
            Details::Output { output } | Details::TaskOutput { output, .. } => output.len(),
            Details::StateExited { output, assigned, .. } => {
                output.len() + assigned.iter().map(|(_, value)| value.len()).sum::<usize>()
            }
            Details::Failure { error, cause } | Details::TaskFailure { error, cause, .. } => {
                optional(error) + optional(cause)
            }
            Details::EvaluationFailed { cause, .. } => cause.len(),
        }
    }
}

/// Is the type of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StateType {
    /// Branches on its input.
    Choice,
    /// Ends the execution with an error.
    Fail,
    /// Runs its processor for each item.
    Map,
    /// Runs its branches at once.
    Parallel,
    /// Passes its input on.
    Pass,
    /// Ends the execution or branch.
    Succeed,
    /// Has work done.
    Task,
    /// Waits.
    Wait,
}

impl StateType {
    /// Gives the name in a definition.
    pub const fn as_str(self) -> &'static str {
        match self {
            StateType::Choice => "Choice",
            StateType::Fail => "Fail",
            StateType::Map => "Map",
            StateType::Parallel => "Parallel",
            StateType::Pass => "Pass",
            StateType::Succeed => "Succeed",
            StateType::Task => "Task",
            StateType::Wait => "Wait",
        }
    }

    /// Gives the kind of event that records the entry of such a state.
    pub const fn entered(self) -> EventKind {
        match self {
            StateType::Choice => EventKind::ChoiceStateEntered,
            StateType::Fail => EventKind::FailStateEntered,
            StateType::Map => EventKind::MapStateEntered,
            StateType::Parallel => EventKind::ParallelStateEntered,
            StateType::Pass => EventKind::PassStateEntered,
            StateType::Succeed => EventKind::SucceedStateEntered,
            StateType::Task => EventKind::TaskStateEntered,
            StateType::Wait => EventKind::WaitStateEntered,
        }
    }

    /// Gives the kind of event that records that such a state was left; a Fail state never is.
    pub const fn exited(self) -> Option<EventKind> {
        match self {
            StateType::Choice => Some(EventKind::ChoiceStateExited),
            StateType::Fail => None,
            StateType::Map => Some(EventKind::MapStateExited),
            StateType::Parallel => Some(EventKind::ParallelStateExited),
            StateType::Pass => Some(EventKind::PassStateExited),
            StateType::Succeed => Some(EventKind::SucceedStateExited),
            StateType::Task => Some(EventKind::TaskStateExited),
            StateType::Wait => Some(EventKind::WaitStateExited),
        }
    }
}

macro_rules! event_kinds {
    ($($name:ident),+ $(,)?) => {
        /// Is the type of a history event, by AWS's names.
        /// Source: the shape `HistoryEventType` of the Step Functions API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "AWS's names say it")]
        pub enum EventKind { $($name),+ }

        impl EventKind {
            /// Lists all kinds.
            pub const ALL: &[EventKind] = &[$(EventKind::$name),+];

            /// Gives AWS's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(EventKind::$name => stringify!($name)),+ }
            }

            /// Reads AWS's name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(EventKind::$name),)+ _ => None }
            }
        }
    };
}

event_kinds! {
    ActivityFailed, ActivityScheduled, ActivityScheduleFailed, ActivityStarted, ActivitySucceeded, ActivityTimedOut,
    ChoiceStateEntered, ChoiceStateExited, EvaluationFailed, ExecutionAborted, ExecutionFailed, ExecutionRedriven,
    ExecutionStarted, ExecutionSucceeded, ExecutionTimedOut, FailStateEntered, LambdaFunctionFailed,
    LambdaFunctionScheduled, LambdaFunctionScheduleFailed, LambdaFunctionStarted, LambdaFunctionStartFailed,
    LambdaFunctionSucceeded, LambdaFunctionTimedOut, MapIterationAborted, MapIterationFailed, MapIterationStarted,
    MapIterationSucceeded, MapRunAborted, MapRunFailed, MapRunRedriven, MapRunStarted, MapRunSucceeded, MapStateAborted,
    MapStateEntered, MapStateExited, MapStateFailed, MapStateStarted, MapStateSucceeded, ParallelStateAborted,
    ParallelStateEntered, ParallelStateExited, ParallelStateFailed, ParallelStateStarted, ParallelStateSucceeded,
    PassStateEntered, PassStateExited, SucceedStateEntered, SucceedStateExited, TaskFailed, TaskScheduled, TaskStarted,
    TaskStartFailed, TaskStateAborted, TaskStateEntered, TaskStateExited, TaskSubmitFailed, TaskSubmitted, TaskSucceeded,
    TaskTimedOut, WaitStateAborted, WaitStateEntered, WaitStateExited,
}

impl EventKind {
    /// Tells whether the event ends the execution: there is exactly one such, the last.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            EventKind::ExecutionSucceeded
                | EventKind::ExecutionFailed
                | EventKind::ExecutionAborted
                | EventKind::ExecutionTimedOut
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_printed() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_name(kind.as_str()), Some(*kind));
        }
    }
}

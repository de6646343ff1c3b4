//! Ends of an execution that come from outside of its states: StopExecution, its time-out, its history's limit.

use model::{Details, EventKind, EventRef, ExecutionEnd, ExecutionStatus, error_name};

use crate::branch::Branch;
use crate::event::{Moment, NewEvent};
use crate::failure::Failure;
use crate::limits::Limits;

/// Is the content of the commit that ends an execution from outside of its states. Work and timers need no word: they go with the
/// execution.
#[derive(Clone, Debug, PartialEq)]
pub struct Closing {
    /// The last event.
    pub history: Vec<NewEvent>,
    /// The end.
    pub end: ExecutionEnd,
}

/// Ends an execution as a whole, for StopExecution and its time-out: AWS records one event, which follows from none.
pub fn close_execution(end: ExecutionEnd, moment: Moment) -> Closing {
    close(end, moment, EventRef::NONE)
}

/// Ends an execution whose history is full: the last event that it holds says so, and follows from the last event of
/// `branch`, whose run did not fit in.
pub fn close_full_history(branch: &Branch, moment: Moment, limits: &Limits) -> Closing {
    let cause = format!(
        "The execution reached the maximum number of history events ({}).",
        limits.events_max.unwrap_or_default()
    );
    let end = ExecutionEnd {
        status: ExecutionStatus::Failed,
        output: None,
        error: Some(error_name::RUNTIME.to_owned()),
        cause: Some(cause),
    };
    close(end, moment, branch.last_event)
}

/// Ends an execution of which one transition of `branch` writes more than the store takes at once, in the words that AWS has for data
/// that are too large. The event follows from the last one of `branch`.
pub fn close_too_large(branch: &Branch, moment: Moment) -> Closing {
    let Failure { error, cause, .. } = Failure::output_too_large(branch.state.as_str());
    let end = ExecutionEnd { status: ExecutionStatus::Failed, output: None, error, cause };
    close(end, moment, branch.last_event)
}

/// Gives the end of an execution that ran longer than its definition allows. AWS tells the error in the history only.
pub fn timed_out() -> ExecutionEnd {
    ExecutionEnd { status: ExecutionStatus::TimedOut, output: None, error: None, cause: None }
}

/// Gives the end of an execution that was stopped.
pub fn aborted(error: Option<String>, cause: Option<String>) -> ExecutionEnd {
    ExecutionEnd { status: ExecutionStatus::Aborted, output: None, error, cause }
}

fn close(end: ExecutionEnd, moment: Moment, previous: EventRef) -> Closing {
    let (error, cause) = (end.error.clone(), end.cause.clone());
    let (kind, details) = match end.status {
        ExecutionStatus::Aborted => (EventKind::ExecutionAborted, Details::Failure { error, cause }),
        ExecutionStatus::TimedOut => {
            let error = error.or_else(|| Some(error_name::TIMEOUT.to_owned()));
            (EventKind::ExecutionTimedOut, Details::Failure { error, cause })
        }
        ExecutionStatus::Failed | ExecutionStatus::Running => {
            (EventKind::ExecutionFailed, Details::Failure { error, cause })
        }
        ExecutionStatus::Succeeded => {
            let output = end.output.clone().unwrap_or_else(|| model::JsonText::trusted("null"));
            (EventKind::ExecutionSucceeded, Details::Output { output })
        }
    };
    Closing { history: vec![NewEvent { previous, at: moment.at, kind, details }], end }
}

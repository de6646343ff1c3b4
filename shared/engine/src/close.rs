//! Ends of an execution that come from outside of its states: StopExecution, its time-out, its history's limit.

use model::{Details, EventKind, EventRef, ExecutionEnd, ExecutionStatus, error_name};

use crate::branch::{Branch, Phase};
use crate::event::{Effect, Moment, NewEvent};
use crate::limits::Limits;

/// Is the content of the commit that ends an execution from outside of its states.
#[derive(Clone, Debug, PartialEq)]
pub struct Closing {
    /// The last events.
    pub history: Vec<NewEvent>,
    /// The end.
    pub end: ExecutionEnd,
    /// What is to be stopped: the work of all open attempts. Timers need no word, they go with the execution.
    pub effects: Vec<Effect>,
}

/// Ends an execution as a whole, for StopExecution and its time-out: AWS records one event, which follows from none.
///
/// `open` are its open branches.
pub fn close_execution(open: &[Branch], end: ExecutionEnd, moment: Moment) -> Closing {
    close(open, end, moment, EventRef::NONE)
}

/// Ends an execution whose history is full: the last event that it holds says so, and follows from the last event of
/// `branch`, whose run did not fit in.
pub fn close_full_history(branch: &Branch, open: &[Branch], moment: Moment, limits: &Limits) -> Closing {
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
    close(open, end, moment, branch.last_event)
}

/// Gives the end of an execution that ran longer than its definition allows. AWS tells the error in the history only.
pub fn timed_out() -> ExecutionEnd {
    ExecutionEnd { status: ExecutionStatus::TimedOut, output: None, error: None, cause: None }
}

/// Gives the end of an execution that was stopped.
pub fn aborted(error: Option<String>, cause: Option<String>) -> ExecutionEnd {
    ExecutionEnd { status: ExecutionStatus::Aborted, output: None, error, cause }
}

fn close(open: &[Branch], end: ExecutionEnd, moment: Moment, previous: EventRef) -> Closing {
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
    let history = vec![NewEvent { previous, at: moment.at, kind, details }];
    Closing { history, end, effects: open.iter().filter_map(cancel).collect() }
}

fn cancel(branch: &Branch) -> Option<Effect> {
    match &branch.phase {
        Phase::Task(task) => Some(Effect::CancelWork { branch: branch.path.clone(), attempt: task.attempt }),
        Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_) => None,
    }
}

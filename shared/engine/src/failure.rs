//! The failure of a state, on its way through Retry and Catch.

use asl::{PathError, QueryError, TemplateError};
use jsonpath::Path;
use model::failure_text::{cut_cause, cut_error};
use model::{JsonText, error_name};

use crate::branch::Branch;
use crate::turn::{EndFailure, Turn};

/// Is the failure of a state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
    /// Whether no Retrier and no Catcher takes it and it ends the execution without a word from the states around.
    pub(crate) terminal: bool,
    /// Whether `States.HeartbeatTimeout` matches it beside its own name.
    pub(crate) heartbeat: bool,
    /// What `EvaluationFailed` tells before the failure takes its way, if it is to.
    pub(crate) evaluation: Option<Evaluation>,
}

/// Is what `EvaluationFailed` tells beside the failure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evaluation {
    /// The state.
    pub(crate) state: String,
    /// The field.
    pub(crate) location: Option<String>,
    /// Whether the event follows from the last one of the state even if that is its entry; AWS hangs it on the event before
    /// else.
    pub(crate) after_entry: bool,
}

impl Failure {
    /// Makes a failure as a handler or a Fail state names it, each text cut to what AWS allows.
    ///
    /// `States.Runtime` is terminal wherever it comes from.
    pub(crate) fn new(error: Option<String>, cause: Option<String>) -> Self {
        let (error, cause) = (shortened(error, cut_error), shortened(cause, cut_cause));
        let terminal = error.as_deref() == Some(error_name::RUNTIME);
        Self { error, cause, terminal, heartbeat: false, evaluation: None }
    }

    /// Makes the failure that a child has ended with.
    pub(crate) fn of_child(failed: EndFailure) -> Self {
        let EndFailure { error, cause, terminal, heartbeat } = failed;
        let failure = Self::new(error, cause);
        Self { terminal: terminal || failure.terminal, heartbeat, ..failure }
    }

    /// Gives what a branch ends with.
    pub(crate) fn end(&self) -> EndFailure {
        let Self { error, cause, terminal, heartbeat, evaluation: _ } = self.clone();
        EndFailure { error, cause, terminal, heartbeat }
    }

    /// Makes the failure of a task that took too long. AWS gives no cause, and one name for both reasons.
    pub(crate) fn timeout(heartbeat: bool) -> Self {
        Self { heartbeat, ..Self::new(Some(error_name::TIMEOUT.to_owned()), None) }
    }

    /// Makes the failure of a state that can't be run as its definition says.
    pub(crate) fn runtime(turn: &mut Turn<'_>, branch: &Branch, message: &str) -> Self {
        Self::evaluation(turn, branch, error_name::RUNTIME, message)
    }

    /// Makes the failure of a state in AWS's words, which tell where the state was entered.
    pub(crate) fn evaluation(turn: &mut Turn<'_>, branch: &Branch, error: &str, message: &str) -> Self {
        // TestState gives the bare message: there is no execution to speak of.
        if turn.test.is_some() {
            return Self::new(Some(error.to_owned()), Some(message.to_owned()));
        }
        let entered = turn.print_id(branch.entered_event);
        let cause = format!(
            "An error occurred while executing the state '{}' (entered at the event id #{entered}). {message}",
            branch.state
        );
        Self::new(Some(error.to_owned()), Some(cause))
    }

    /// Makes the failure of a JSONata expression.
    pub(crate) fn query(turn: &mut Turn<'_>, branch: &Branch, error: &QueryError) -> Self {
        if error.too_large {
            return Self::output_too_large(branch.state.as_str());
        }
        Self::evaluated(turn, branch, Some(&error.location), &error.message)
    }

    /// Makes the failure of a JSONata field, which `EvaluationFailed` records.
    pub(crate) fn evaluated(turn: &mut Turn<'_>, branch: &Branch, location: Option<&str>, message: &str) -> Self {
        let failure = Self::evaluation(turn, branch, error_name::QUERY_EVALUATION_ERROR, message);
        let state = branch.state.to_string();
        let evaluation = Evaluation { state, location: location.map(str::to_owned), after_entry: false };
        Self { evaluation: Some(evaluation), ..failure }
    }

    /// Lets `EvaluationFailed` follow from the state's entry.
    pub(crate) fn after_entry(mut self) -> Self {
        if let Some(evaluation) = &mut self.evaluation {
            evaluation.after_entry = true;
        }
        self
    }

    /// Makes the failure of a reference path that leads nowhere in a payload, of which `step` is the first part that does not fit.
    /// AWS does not tell the state.
    pub(crate) fn conflict(path: &Path, step: &str, payload: &JsonText) -> Self {
        let payload = jsonpath::compact(payload.as_str());
        let what =
            if payload.starts_with(['{', '[']) { format!("step \"{step}\"") } else { format!("ReferencePath {path}") };
        let cause = format!("Unable to apply {what} to input {payload}");
        Self::new(Some(error_name::REFERENCE_PATH_CONFLICT.to_owned()), Some(cause))
    }

    pub(crate) fn path(turn: &mut Turn<'_>, branch: &Branch, error: &PathError) -> Self {
        Self::runtime(turn, branch, &error.to_string())
    }

    pub(crate) fn template(turn: &mut Turn<'_>, branch: &Branch, error: &TemplateError) -> Self {
        match error {
            TemplateError::TooLarge => Self::output_too_large(branch.state.as_str()),
            TemplateError::Missing { .. } | TemplateError::Unreadable(_) | TemplateError::Intrinsic(_) => {
                Self::evaluation(turn, branch, error.error_name(), &error.to_string())
            }
        }
    }

    /// Makes the failure of a task whose result is too large; `States.ALL` takes it.
    pub(crate) fn too_large(name: &str) -> Self {
        let cause = format!(
            "The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        Self::new(Some(error_name::DATA_LIMIT_EXCEEDED.to_owned()), Some(cause))
    }

    /// Makes the failure of a state whose output is too large; nothing takes it.
    pub(crate) fn output_too_large(name: &str) -> Self {
        Self { terminal: true, ..Self::too_large(name) }
    }
}

fn shortened(text: Option<String>, cut: fn(&str) -> &str) -> Option<String> {
    text.map(|mut text| {
        text.truncate(cut(&text).len());
        text
    })
}

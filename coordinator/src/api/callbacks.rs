//! SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat.

use engine::Callback;
use model::failure_text::{CAUSE_CHARS_MAX, ERROR_CHARS_MAX};
use model::{JsonText, TaskToken};
use serde_json::json;

use super::Api;
use super::answer::Answer;
use super::caller::Caller;
use super::checks::Checks;
use super::error::{ApiError, ErrorCode};
use super::members::Members;
use crate::driver::{CallbackError, CallbackOutcome};

impl Api {
    /// Answers SendTaskSuccess.
    pub(super) async fn send_task_success(&self, mut members: Members, caller: &Caller) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let token = token_member(&mut members, &mut checks)?;
        let output = members.text("output")?;
        checks.required("output", output.as_ref());
        checks.payload("output", output.as_deref(), self.settings().payload_bytes_max);
        checks.finish()?;
        let output = output.unwrap_or_default();
        let output = JsonText::parse(&output).map_err(|fault| {
            let reason = asl::explain_json(&output).unwrap_or_else(|| fault.to_string());
            ApiError::quoting(ErrorCode::InvalidOutput, "Invalid Output", reason)
        })?;
        let token = read(&token)?;
        answer(self.driver_of(&token.execution)?.call_back(&token, &Callback::Succeeded { output }, caller.trace).await)
    }

    /// Answers SendTaskFailure.
    pub(super) async fn send_task_failure(&self, mut members: Members, caller: &Caller) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let token = token_member(&mut members, &mut checks)?;
        let (error, cause) = (members.text("error")?, members.text("cause")?);
        checks.secret_length("error", error.as_deref(), 0, ERROR_CHARS_MAX);
        checks.secret_length("cause", cause.as_deref(), 0, CAUSE_CHARS_MAX);
        checks.finish()?;
        let token = read(&token)?;
        answer(
            self.driver_of(&token.execution)?.call_back(&token, &Callback::Failed { error, cause }, caller.trace).await,
        )
    }

    /// Answers SendTaskHeartbeat.
    pub(super) async fn send_task_heartbeat(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let token = token_member(&mut members, &mut checks)?;
        checks.finish()?;
        let token = read(&token)?;
        answer(self.driver_of(&token.execution)?.keep_alive(&token).await)
    }
}

fn token_member(members: &mut Members, checks: &mut Checks) -> Result<String, ApiError> {
    let token = members.text("taskToken")?;
    checks.required("taskToken", token.as_ref());
    checks.length("taskToken", token.as_deref(), 1, 2_048);
    Ok(token.unwrap_or_default())
}

fn read(token: &str) -> Result<TaskToken, ApiError> {
    TaskToken::parse(token).ok_or_else(|| ApiError::quoting(ErrorCode::InvalidToken, "Invalid Token", "Invalid token"))
}

fn answer(outcome: Result<CallbackOutcome, CallbackError>) -> Result<Answer, ApiError> {
    match outcome {
        Ok(CallbackOutcome::Taken) => Answer::render(&json!({})),
        Ok(CallbackOutcome::Ended) => {
            let what = "Provided task does not exist anymore";
            Err(ApiError::quoting(ErrorCode::TaskTimedOut, "Task Timed Out", what))
        }
        Ok(CallbackOutcome::Missing) => {
            let what = "Provided task does not exist";
            Err(ApiError::quoting(ErrorCode::TaskDoesNotExist, "Task Does Not Exist", what))
        }
        Err(CallbackError::Unavailable(reason)) => Err(store::Error::Unavailable(reason).into()),
        Err(CallbackError::Broken(reason)) => {
            tracing::error!(%reason, "a callback can't be applied");
            Err(ApiError::new(ErrorCode::InternalFailure, "The callback met a defect of Stepwell; see its log."))
        }
    }
}

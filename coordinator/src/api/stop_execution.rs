//! StopExecution: ends an execution as ABORTED.

use model::failure_text::{CAUSE_CHARS_MAX, ERROR_CHARS_MAX};
use serde_json::json;

use super::answer::{Answer, seconds};
use super::arn::execution_arn;
use super::checks::Checks;
use super::error::ApiError;
use super::members::Members;
use super::{Api, concerns};
use crate::driver::{StopError, StopOutcome};

impl Api {
    /// Answers StopExecution. An execution that has ended stays as it is, and the answer tells when it ended.
    pub(super) async fn stop_execution(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("executionArn")?;
        let error = members.text("error")?;
        let cause = members.text("cause")?;
        checks.required("executionArn", arn.as_ref());
        checks.length("executionArn", arn.as_deref(), 1, 256);
        checks.secret_length("error", error.as_deref(), 0, ERROR_CHARS_MAX);
        checks.secret_length("cause", cause.as_deref(), 0, CAUSE_CHARS_MAX);
        checks.finish()?;
        let arn = execution_arn(&arn.unwrap_or_default())?;
        concerns(&arn);
        let at = match self.driver()?.stop_execution(&arn, error, cause).await {
            Ok(StopOutcome::Stopped { at }) => at,
            Ok(StopOutcome::Ended(head)) => head.end.as_ref().map_or_else(|| self.runtime().now(), |(_, at)| *at),
            Err(StopError::Missing) => return Err(super::execution_does_not_exist(&arn)),
            Err(StopError::Unavailable(reason)) => return Err(store::Error::Unavailable(reason).into()),
        };
        tracing::info!("execution stopped");
        Answer::render(&json!({ "stopDate": seconds(at) }))
    }
}

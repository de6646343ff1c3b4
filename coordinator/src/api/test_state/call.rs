//! The call of a tested task without mock: an execution of its own with that one task, which no state machine lists.

use std::time::Duration;

use engine::Outcome;
use model::{ExecutionEnd, ExecutionStatus, JsonText, StateMachineStatus};
use serde_json::json;
use wire::record::StateMachineRecord;

use super::super::Api;
use super::super::caller::Caller;
use super::super::error::ApiError;
use super::defect;
use crate::definitions::hash_of;
use crate::driver::{StartOutcome, StartRequest};

/// How often the end of the call is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Api {
    /// Has a worker run a task, and waits for what it comes to; `None` if it takes longer than a test may.
    pub(super) async fn call(
        &self,
        caller: &Caller,
        resource: &str,
        payload: JsonText,
        timeout_seconds: Option<u64>,
    ) -> Result<Option<Outcome>, ApiError> {
        let request = StartRequest {
            trace: caller.trace,
            trace_header: caller.trace_header.clone(),
            ..StartRequest::new(self.machine(caller, resource, timeout_seconds), self.runtime().uuid(), payload)
        };
        let arn = match self.driver()?.start_execution(request).await? {
            StartOutcome::Started { arn, .. } => arn,
            StartOutcome::Exists(_) => return Err(defect("a random name was taken")),
        };
        let late = self.runtime().instant() + Duration::from_millis(engine::TEST_MILLIS_MAX);
        while self.runtime().instant() < late {
            let head = self.execution(&arn).await?;
            if let Some((end, _)) = head.end {
                return Ok(outcome(end));
            }
            self.runtime().sleep(LOOK_EVERY).await;
        }
        // It would end by itself about now; whether it does is for the log.
        if let Err(error) = self.driver()?.stop_execution(&arn, None, None).await {
            tracing::warn!(%error, "the call of a test that took too long could not be stopped");
        }
        Ok(None)
    }

    fn machine(&self, caller: &Caller, resource: &str, timeout_seconds: Option<u64>) -> StateMachineRecord {
        let mut task = json!({ "Type": "Task", "Resource": resource, "End": true });
        if let Some(seconds) = timeout_seconds {
            task["TimeoutSeconds"] = json!(seconds);
        }
        let definition = json!({
            "StartAt": "Call",
            "States": { "Call": task },
            "TimeoutSeconds": engine::TEST_MILLIS_MAX.div_ceil(1_000),
        });
        let definition = definition.to_string();
        StateMachineRecord {
            arn: caller.state_machine(&self.runtime().uuid()),
            hash: hash_of(&definition),
            definition: definition.into(),
            role_arn: String::new(),
            kind: "STANDARD".to_owned(),
            status: StateMachineStatus::Active,
            created_at: self.runtime().now(),
            revision_id: None,
            updated_at: None,
            tags: Vec::new(),
            logging: None,
            tracing: None,
            encryption: None,
            publication: None,
        }
    }
}

fn outcome(end: ExecutionEnd) -> Option<Outcome> {
    match (end.status, end.output) {
        (ExecutionStatus::TimedOut, _) => None,
        (ExecutionStatus::Succeeded, Some(output)) => Some(Outcome::Succeeded { output }),
        _ => Some(Outcome::Failed { error: end.error, cause: end.cause }),
    }
}

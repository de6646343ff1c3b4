//! StartSyncExecution: runs an execution of a state machine of type EXPRESS, and answers with its end.

use serde_json::{Map, Value, json};

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::qualified_arn;
use super::caller::Caller;
use super::error::ApiError;
use super::members::Members;
use super::start_execution::{Input, not_of_this_type};
use crate::driver::{Finished, StartRequest};

/// AWS bills the time of an execution in steps of so many milliseconds.
const BILLED_MILLIS: u64 = 100;
/// AWS bills memory in steps of so many MB; an execution here takes less than one.
const BILLED_MB: u64 = 64;

impl Api {
    /// Answers StartSyncExecution, with success however the execution ended.
    pub(super) async fn start_sync_execution(&self, members: Members, caller: &Caller) -> Result<Answer, ApiError> {
        let input = Input::read_synchronous(members, self.settings().payload_bytes_max)?;
        let of = qualified_arn(&input.arn)?;
        if !self.named(&of).await?.machine.is_express() {
            return Err(not_of_this_type());
        }
        let with_data = input.with_data;
        let request = self.start_request(input, self.resolve(&of).await?, caller)?;
        // A repeated call of a task runs it again: the execution of the first one is gone with its coordinator.
        let request = StartRequest { run: None, ..request };
        let finished = self.synchronous()?.run_execution(request).await?;
        tracing::debug!("execution ended");
        Answer::render(&view(&finished, with_data))
    }
}

fn view(finished: &Finished, with_data: bool) -> Value {
    let Finished { record, end, at } = finished;
    let mut view = Map::new();
    let mut set = |name: &str, value: Value| view.insert(name.to_owned(), value);
    set("executionArn", record.arn.as_str().into());
    set("stateMachineArn", record.state_machine.as_str().into());
    set("name", record.arn.name().into());
    set("startDate", seconds(record.started_at).into());
    set("stopDate", seconds(*at).into());
    set("status", end.status.as_str().into());
    for (name, text) in [("error", &end.error), ("cause", &end.cause)] {
        if let Some(text) = text.as_ref().filter(|_| with_data) {
            set(name, text.as_str().into());
        }
    }
    for (name, details, payload) in
        [("input", "inputDetails", Some(&record.input)), ("output", "outputDetails", end.output.as_ref())]
    {
        let Some(payload) = payload else { continue };
        if with_data {
            set(name, payload.as_str().into());
        }
        set(details, json!({ "included": with_data }));
    }
    if let Some(header) = &record.trace_header {
        set("traceHeader", header.as_str().into());
    }
    let billed = at.millis_since(record.started_at).div_ceil(BILLED_MILLIS).max(1) * BILLED_MILLIS;
    set("billingDetails", json!({ "billedMemoryUsedInMB": BILLED_MB, "billedDurationInMilliseconds": billed }));
    Value::Object(view)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{ExecutionEnd, ExecutionStatus, JsonText};

    use super::*;
    use crate::api::tests::fixture::execution_record;

    fn shown(status: ExecutionStatus, millis: i64, with_data: bool) -> Value {
        let record = execution_record("arn:aws:states:r:1:express:M:e:0a1b");
        let is_success = status == ExecutionStatus::Succeeded;
        let end = ExecutionEnd {
            status,
            output: is_success.then(|| JsonText::trusted("[ 1 ]")),
            error: (!is_success).then(|| "E".to_owned()),
            cause: None,
        };
        let at = record.started_at.plus_millis(millis);
        view(&Finished { record: Arc::new(record), end, at }, with_data)
    }

    #[test]
    fn an_end_is_shown_with_what_it_would_cost() {
        let expect = json!({
            "executionArn": "arn:aws:states:r:1:express:M:e:0a1b",
            "stateMachineArn": "arn:aws:states:r:1:stateMachine:M",
            "name": "e",
            "startDate": 1_700_000_000.12,
            "stopDate": 1_700_000_000.221,
            "status": "SUCCEEDED",
            "input": "{\"a\": 1.0}",
            "inputDetails": { "included": true },
            "output": "[ 1 ]",
            "outputDetails": { "included": true },
            "billingDetails": { "billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 200 },
        });
        assert_eq!(shown(ExecutionStatus::Succeeded, 101, true), expect);
        let billed = |millis| shown(ExecutionStatus::Succeeded, millis, true)["billingDetails"].clone();
        for (millis, expect) in [(0, 100), (1, 100), (100, 100), (101, 200)] {
            assert_eq!(billed(millis)["billedDurationInMilliseconds"], json!(expect), "{millis}");
        }
    }

    #[test]
    fn a_failure_has_no_output_and_metadata_have_no_payloads() {
        let failed = shown(ExecutionStatus::Failed, 1, true);
        assert_eq!((&failed["status"], &failed["error"]), (&json!("FAILED"), &json!("E")));
        assert!(
            failed.get("output").is_none() && failed.get("outputDetails").is_none() && failed.get("cause").is_none()
        );
        let bare = shown(ExecutionStatus::Succeeded, 1, false);
        assert!(bare.get("input").is_none() && bare.get("output").is_none());
        assert_eq!(
            (&bare["inputDetails"], &bare["outputDetails"]),
            (&json!({ "included": false }), &json!({ "included": false }))
        );
        assert!(shown(ExecutionStatus::Failed, 1, false).get("error").is_none());
    }
}

//! How events of a history look in AWS JSON.

use model::{Details, EventKind, HistoryEvent, JsonText};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;
use wire::record::ExecutionRecord;

use super::answer::seconds;
use super::describe_execution::qualified_members;

/// Renders an event.
pub(crate) struct EventView<'a> {
    /// The execution, whose start shows what it was started by.
    pub(crate) execution: &'a ExecutionRecord,
    /// The event.
    pub(crate) event: &'a HistoryEvent,
    /// Whether inputs, outputs and the like are shown.
    pub(crate) with_data: bool,
}

impl Serialize for EventView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &seconds(event.at))?;
        map.serialize_entry("type", event.kind.as_str())?;
        map.serialize_entry("id", &event.id.0)?;
        map.serialize_entry("previousEventId", &event.previous.0)?;
        if let (Some(key), true) = (details_key(event.kind), event.details != Details::None) {
            map.serialize_entry(key, &self.details())?;
        }
        map.end()
    }
}

impl<'a> EventView<'a> {
    /// Gives what renders the details alone.
    pub(super) fn details(&self) -> DetailsView<'a> {
        DetailsView { execution: self.execution, details: &self.event.details, with_data: self.with_data }
    }
}

/// Renders the details of an event.
pub(super) struct DetailsView<'a> {
    execution: &'a ExecutionRecord,
    details: &'a Details,
    with_data: bool,
}

impl Serialize for DetailsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (map, execution) = (serializer.serialize_map(None)?, self.execution);
        let mut members = Members { map, execution, with_data: self.with_data };
        members.details(self.details)?;
        members.map.end()
    }
}

struct Members<'a, M> {
    map: M,
    execution: &'a ExecutionRecord,
    with_data: bool,
}

impl<M: SerializeMap> Members<'_, M> {
    fn details(&mut self, details: &Details) -> Result<(), M::Error> {
        match details {
            Details::None => Ok(()),
            Details::ExecutionStarted { input, role_arn } => {
                self.input(input)?;
                self.map.serialize_entry("roleArn", role_arn)?;
                for (name, arn) in qualified_members(self.execution) {
                    self.map.serialize_entry(name, &arn.to_string())?;
                }
                Ok(())
            }
            Details::Output { output } => self.output(output),
            Details::Failure { error, cause } => self.failure(error.as_deref(), cause.as_deref()),
            Details::StateEntered { name, input } => {
                self.map.serialize_entry("name", name)?;
                self.input(input)
            }
            Details::StateExited { name, output, assigned } => {
                self.map.serialize_entry("name", name)?;
                self.output(output)?;
                self.assigned(assigned)
            }
            Details::Scheduled { resource, input, timeout_seconds, heartbeat_seconds, credentials } => {
                self.map.serialize_entry("resource", resource)?;
                self.input(input)?;
                self.credentials(credentials.as_deref())?;
                self.bounds(*timeout_seconds, *heartbeat_seconds)
            }
            Details::WorkerStarted { worker } => self.optional("workerName", worker.as_deref()),
            Details::TaskScheduled {
                resource_type,
                resource,
                region,
                parameters,
                timeout_seconds,
                heartbeat_seconds,
                credentials,
            } => {
                self.integration(resource_type, resource)?;
                self.map.serialize_entry("region", region)?;
                // AWS shows them even where it shows no data.
                self.map.serialize_entry("parameters", parameters.as_str())?;
                self.credentials(credentials.as_deref())?;
                self.bounds(*timeout_seconds, *heartbeat_seconds)
            }
            Details::TaskStarted { resource_type, resource } => self.integration(resource_type, resource),
            Details::TaskOutput { resource_type, resource, output } => {
                self.integration(resource_type, resource)?;
                self.output(output)
            }
            Details::TaskFailure { resource_type, resource, error, cause } => {
                self.integration(resource_type, resource)?;
                self.failure(error.as_deref(), cause.as_deref())
            }
            Details::MapRunStarted { arn } => self.map.serialize_entry("mapRunArn", arn),
            Details::MapStarted { length } => self.map.serialize_entry("length", length),
            Details::MapIteration { name, index } => {
                self.map.serialize_entry("name", name)?;
                self.map.serialize_entry("index", index)
            }
            Details::EvaluationFailed { state, location, error, cause } => {
                self.failure(Some(error), Some(cause))?;
                self.optional("location", location.as_deref())?;
                self.map.serialize_entry("state", state)
            }
        }
    }

    fn input(&mut self, input: &JsonText) -> Result<(), M::Error> {
        self.data("input", input.as_str())?;
        self.data("inputDetails", &json!({ "truncated": false }))
    }

    fn output(&mut self, output: &JsonText) -> Result<(), M::Error> {
        self.data("output", output.as_str())?;
        self.data("outputDetails", &json!({ "truncated": false }))
    }

    fn credentials(&mut self, role_arn: Option<&str>) -> Result<(), M::Error> {
        match role_arn {
            Some(role_arn) => self.map.serialize_entry("taskCredentials", &json!({ "roleArn": role_arn })),
            None => Ok(()),
        }
    }

    fn assigned(&mut self, assigned: &[(String, JsonText)]) -> Result<(), M::Error> {
        if assigned.is_empty() {
            return Ok(());
        }
        self.data("assignedVariables", &VariablesView(assigned))?;
        self.data("assignedVariablesDetails", &json!({ "truncated": false }))
    }

    fn integration(&mut self, resource_type: &str, resource: &str) -> Result<(), M::Error> {
        self.map.serialize_entry("resourceType", resource_type)?;
        self.map.serialize_entry("resource", resource)
    }

    fn failure(&mut self, error: Option<&str>, cause: Option<&str>) -> Result<(), M::Error> {
        self.optional("error", error)?;
        self.optional("cause", cause)
    }

    fn bounds(&mut self, timeout: Option<u64>, heartbeat: Option<u64>) -> Result<(), M::Error> {
        if let Some(seconds) = timeout {
            self.map.serialize_entry("timeoutInSeconds", &seconds)?;
        }
        if let Some(seconds) = heartbeat {
            self.map.serialize_entry("heartbeatInSeconds", &seconds)?;
        }
        Ok(())
    }

    fn data(&mut self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<(), M::Error> {
        if self.with_data { self.map.serialize_entry(key, value) } else { Ok(()) }
    }

    fn optional(&mut self, key: &str, text: Option<&str>) -> Result<(), M::Error> {
        text.map_or(Ok(()), |text| self.map.serialize_entry(key, text))
    }
}

struct VariablesView<'a>(&'a [(String, JsonText)]);

impl Serialize for VariablesView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value.as_str())))
    }
}

/// Gives the member that holds the details of events of a kind; nothing for kinds that never have any.
fn details_key(kind: EventKind) -> Option<&'static str> {
    use EventKind as Kind;
    let key = match kind {
        Kind::ActivityFailed => "activityFailedEventDetails",
        Kind::ActivityScheduled => "activityScheduledEventDetails",
        Kind::ActivityScheduleFailed => "activityScheduleFailedEventDetails",
        Kind::ActivityStarted => "activityStartedEventDetails",
        Kind::ActivitySucceeded => "activitySucceededEventDetails",
        Kind::ActivityTimedOut => "activityTimedOutEventDetails",
        Kind::EvaluationFailed => "evaluationFailedEventDetails",
        Kind::ExecutionAborted => "executionAbortedEventDetails",
        Kind::ExecutionFailed => "executionFailedEventDetails",
        Kind::ExecutionRedriven => "executionRedrivenEventDetails",
        Kind::ExecutionStarted => "executionStartedEventDetails",
        Kind::ExecutionSucceeded => "executionSucceededEventDetails",
        Kind::ExecutionTimedOut => "executionTimedOutEventDetails",
        Kind::LambdaFunctionFailed => "lambdaFunctionFailedEventDetails",
        Kind::LambdaFunctionScheduled => "lambdaFunctionScheduledEventDetails",
        Kind::LambdaFunctionScheduleFailed => "lambdaFunctionScheduleFailedEventDetails",
        Kind::LambdaFunctionStartFailed => "lambdaFunctionStartFailedEventDetails",
        Kind::LambdaFunctionSucceeded => "lambdaFunctionSucceededEventDetails",
        Kind::LambdaFunctionTimedOut => "lambdaFunctionTimedOutEventDetails",
        Kind::MapIterationAborted => "mapIterationAbortedEventDetails",
        Kind::MapIterationFailed => "mapIterationFailedEventDetails",
        Kind::MapIterationStarted => "mapIterationStartedEventDetails",
        Kind::MapIterationSucceeded => "mapIterationSucceededEventDetails",
        Kind::MapRunFailed => "mapRunFailedEventDetails",
        Kind::MapRunRedriven => "mapRunRedrivenEventDetails",
        Kind::MapRunStarted => "mapRunStartedEventDetails",
        Kind::MapStateStarted => "mapStateStartedEventDetails",
        Kind::TaskFailed => "taskFailedEventDetails",
        Kind::TaskScheduled => "taskScheduledEventDetails",
        Kind::TaskStarted => "taskStartedEventDetails",
        Kind::TaskStartFailed => "taskStartFailedEventDetails",
        Kind::TaskSubmitFailed => "taskSubmitFailedEventDetails",
        Kind::TaskSubmitted => "taskSubmittedEventDetails",
        Kind::TaskSucceeded => "taskSucceededEventDetails",
        Kind::TaskTimedOut => "taskTimedOutEventDetails",
        Kind::ChoiceStateEntered
        | Kind::FailStateEntered
        | Kind::MapStateEntered
        | Kind::ParallelStateEntered
        | Kind::PassStateEntered
        | Kind::SucceedStateEntered
        | Kind::TaskStateEntered
        | Kind::WaitStateEntered => "stateEnteredEventDetails",
        Kind::ChoiceStateExited
        | Kind::MapStateExited
        | Kind::ParallelStateExited
        | Kind::PassStateExited
        | Kind::SucceedStateExited
        | Kind::TaskStateExited
        | Kind::WaitStateExited => "stateExitedEventDetails",
        Kind::LambdaFunctionStarted
        | Kind::MapRunAborted
        | Kind::MapRunSucceeded
        | Kind::MapStateAborted
        | Kind::MapStateFailed
        | Kind::MapStateSucceeded
        | Kind::ParallelStateAborted
        | Kind::ParallelStateFailed
        | Kind::ParallelStateStarted
        | Kind::ParallelStateSucceeded
        | Kind::TaskStateAborted
        | Kind::WaitStateAborted => return None,
    };
    Some(key)
}

#[cfg(test)]
mod tests {
    use model::{EventId, Timestamp};
    use serde_json::Value;

    use super::*;
    use crate::api::tests::fixture::execution_record;

    fn text(json: &str) -> JsonText {
        JsonText::parse(json).expect("is JSON")
    }

    const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:M:e";

    fn render(kind: EventKind, details: Details, with_data: bool) -> Value {
        let at = Timestamp::from_millis(1_700_000_000_123);
        let event = HistoryEvent { id: EventId(3), previous: EventId(2), at, kind, details };
        let execution = execution_record(EXECUTION);
        serde_json::to_value(EventView { execution: &execution, event: &event, with_data }).expect("renders")
    }

    fn check(kind: EventKind, details: Details, key: &str, expect: Value) {
        let found = render(kind, details, true);
        assert_eq!(found.get(key), Some(&expect), "{found}");
        assert_eq!(found.as_object().map(serde_json::Map::len), Some(5), "{found}");
    }

    #[test]
    fn an_event_without_details_has_no_details_member() {
        let expect =
            json!({ "timestamp": 1700000000.123, "type": "LambdaFunctionStarted", "id": 3, "previousEventId": 2 });
        assert_eq!(render(EventKind::LambdaFunctionStarted, Details::None, true), expect);
        assert_eq!(
            render(EventKind::TaskStateAborted, Details::None, true).as_object().map(serde_json::Map::len),
            Some(4)
        );
    }

    #[test]
    fn each_shape_has_its_members() {
        let details = Details::ExecutionStarted { input: text("{\"a\": 1.0}"), role_arn: "role".to_owned() };
        let expect = json!({ "input": "{\"a\": 1.0}", "inputDetails": { "truncated": false }, "roleArn": "role" });
        check(EventKind::ExecutionStarted, details, "executionStartedEventDetails", expect);

        let details = Details::StateExited {
            name: "S".to_owned(),
            output: text("1"),
            assigned: vec![("x".to_owned(), text("[1]"))],
        };
        let expect = json!({
            "name": "S", "output": "1", "outputDetails": { "truncated": false },
            "assignedVariables": { "x": "[1]" }, "assignedVariablesDetails": { "truncated": false },
        });
        check(EventKind::PassStateExited, details, "stateExitedEventDetails", expect);

        let details = Details::Scheduled {
            resource: "arn".to_owned(),
            input: text("{}"),
            timeout_seconds: Some(5),
            heartbeat_seconds: None,
            credentials: None,
        };
        let expect = json!({
            "resource": "arn", "input": "{}", "inputDetails": { "truncated": false }, "timeoutInSeconds": 5,
        });
        check(EventKind::LambdaFunctionScheduled, details, "lambdaFunctionScheduledEventDetails", expect);

        let details = Details::TaskScheduled {
            resource_type: "lambda".to_owned(),
            resource: "invoke".to_owned(),
            region: "us-east-1".to_owned(),
            parameters: text("{\"FunctionName\":\"f\"}"),
            timeout_seconds: None,
            heartbeat_seconds: Some(1),
            credentials: Some("role".to_owned()),
        };
        let expect = json!({
            "resourceType": "lambda", "resource": "invoke", "region": "us-east-1",
            "parameters": "{\"FunctionName\":\"f\"}", "heartbeatInSeconds": 1,
            "taskCredentials": { "roleArn": "role" },
        });
        check(EventKind::TaskScheduled, details, "taskScheduledEventDetails", expect);

        let details = Details::Failure { error: None, cause: None };
        check(EventKind::ExecutionFailed, details, "executionFailedEventDetails", json!({}));
        let details = Details::WorkerStarted { worker: None };
        check(EventKind::ActivityStarted, details, "activityStartedEventDetails", json!({}));
        let details = Details::MapIteration { name: "M".to_owned(), index: 0 };
        check(
            EventKind::MapIterationStarted,
            details,
            "mapIterationStartedEventDetails",
            json!({ "name": "M", "index": 0 }),
        );
        let details = Details::MapStarted { length: 2 };
        check(EventKind::MapStateStarted, details, "mapStateStartedEventDetails", json!({ "length": 2 }));
        let details = Details::EvaluationFailed {
            state: "S".to_owned(),
            location: None,
            error: "E".to_owned(),
            cause: "C".to_owned(),
        };
        let expect = json!({ "error": "E", "cause": "C", "state": "S" });
        check(EventKind::EvaluationFailed, details, "evaluationFailedEventDetails", expect);
        let details = Details::TaskFailure {
            resource_type: "lambda".to_owned(),
            resource: "invoke".to_owned(),
            error: Some("States.Timeout".to_owned()),
            cause: None,
        };
        let expect = json!({ "resourceType": "lambda", "resource": "invoke", "error": "States.Timeout" });
        check(EventKind::TaskTimedOut, details, "taskTimedOutEventDetails", expect);
    }

    #[test]
    fn data_can_be_left_out() {
        let details = Details::StateEntered { name: "S".to_owned(), input: text("{}") };
        let found = render(EventKind::TaskStateEntered, details, false);
        assert_eq!(found.get("stateEnteredEventDetails"), Some(&json!({ "name": "S" })));
    }

    #[test]
    fn keys_follow_from_the_kind() {
        for kind in EventKind::ALL {
            let Some(key) = details_key(*kind) else { continue };
            let name = kind.as_str();
            let state = key == "stateEnteredEventDetails" && name.ends_with("StateEntered")
                || key == "stateExitedEventDetails" && name.ends_with("StateExited");
            let (first, rest) = name.split_at(1);
            assert!(state || key == format!("{}{rest}EventDetails", first.to_lowercase()), "{name}: {key}");
        }
    }
}

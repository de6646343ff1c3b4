//! Holds mocked results against what the state or the called service could give.

use asl::{ResourceKind, StateKind};
use model::JsonText;
use serde_json::Value;

use super::super::error::ApiError;
use super::input::{Validation, refuse};

/// What services answer, a line each, made by `shapes.py` beside it.
const SHAPES: &str = include_str!("shapes.json");

/// Refuses a result that the state could not have.
pub(crate) fn check(result: &JsonText, kind: &StateKind, validation: Validation) -> Result<(), ApiError> {
    let value = result.to_value().unwrap_or_default();
    match kind {
        StateKind::Parallel(parallel) => match value.as_array() {
            None => refuse("Mocked result must be an array."),
            Some(results) if results.len() != parallel.branches.len() => {
                refuse("Mocked result must contain the same number of items as number of Parallel branches.")
            }
            Some(_) => Ok(()),
        },
        StateKind::Map(map) if map.writes_results => {
            if value.is_object() {
                Ok(())
            } else {
                refuse("Mocked result must be a JSON object.")
            }
        }
        StateKind::Map(_) => {
            if value.is_array() {
                Ok(())
            } else {
                refuse("Mocked result must be an array.")
            }
        }
        StateKind::Task(task) => match (validation, task.resource.kind()) {
            (Validation::None, _) => Ok(()),
            (validation, kind) => check_answer(&value, kind, validation),
        },
        StateKind::Pass(_) | StateKind::Choice(_) | StateKind::Wait(_) | StateKind::Succeed(_) | StateKind::Fail(_) => {
            Ok(())
        }
    }
}

fn check_answer(value: &Value, kind: &ResourceKind, validation: Validation) -> Result<(), ApiError> {
    let (service, action) = match kind {
        ResourceKind::Service { service, action, pattern: asl::IntegrationPattern::RequestResponse } => {
            (sdk_name(service), &**action)
        }
        ResourceKind::SdkService { service, action, pattern: asl::IntegrationPattern::RequestResponse } => {
            (&**service, &**action)
        }
        ResourceKind::LambdaInvoke { pattern: asl::IntegrationPattern::RequestResponse } => ("lambda", "invoke"),
        ResourceKind::LambdaInvoke { .. }
        | ResourceKind::Service { .. }
        | ResourceKind::SdkService { .. }
        | ResourceKind::LambdaFunction { .. }
        | ResourceKind::Activity { .. }
        | ResourceKind::Other => return Ok(()),
    };
    let Some(service) = shapes_of(service) else { return Ok(()) };
    let shape = &service["operations"][action];
    if shape.is_null() {
        return Ok(());
    }
    let model = Model { shapes: &service["shapes"], strict: validation == Validation::Strict };
    match model.fault("", value, shape) {
        None => Ok(()),
        Some(fault) => refuse(format!("Mock result schema validation error: {fault}")),
    }
}

fn sdk_name(service: &str) -> &str {
    match service {
        "emr-containers" => "emrcontainers",
        "emr-serverless" => "emrserverless",
        "events" => "eventbridge",
        "states" => "sfn",
        other => other,
    }
}

fn shapes_of(service: &str) -> Option<Value> {
    let shapes = SHAPES.lines().find_map(|line| line.strip_prefix('"')?.strip_prefix(service)?.strip_prefix("\":"))?;
    serde_json::from_str(shapes.trim_end_matches(',')).ok()
}

struct Model<'a> {
    shapes: &'a Value,
    strict: bool,
}

impl Model<'_> {
    /// Says what is wrong with a value, named after the field that it is in.
    fn fault(&self, field: &str, value: &Value, shape: &Value) -> Option<String> {
        match shape {
            Value::String(name) => match name.as_str() {
                "d" => None,
                "s" => expect(value.is_string(), field, "a string"),
                "n" => expect(value.is_number(), field, "a number"),
                "b" => expect(value.is_boolean(), field, "a boolean"),
                name => self.structure_fault(field, value, &self.shapes[name]),
            },
            Value::Array(parts) => match parts.first().and_then(Value::as_str) {
                Some("l") => match value.as_array() {
                    None => expect(false, field, "an array"),
                    Some(elements) => elements.iter().find_map(|element| self.fault(field, element, &parts[1])),
                },
                Some("m") => match value.as_object() {
                    None => expect(false, field, "an object"),
                    Some(members) => members.values().find_map(|member| self.fault(field, member, &parts[1])),
                },
                _ if !value.is_string() => expect(false, field, "a string"),
                _ => (!parts[1..].contains(value)).then(|| format!("Field '{field}' is not an expected value")),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        }
    }

    fn structure_fault(&self, field: &str, value: &Value, shape: &Value) -> Option<String> {
        let Some(members) = value.as_object() else { return expect(false, field, "an object") };
        if self.strict {
            let required = shape["r"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let missing = required.into_iter().find(|name| !members.contains_key(*name));
            if let Some(missing) = missing {
                return Some(format!("Required field '{missing}' is missing"));
            }
        }
        members.iter().find_map(|(name, member)| self.fault(name, member, &shape["f"][name]))
    }
}

fn expect(fits: bool, field: &str, kind: &str) -> Option<String> {
    (!fits).then(|| {
        if field.is_empty() { format!("Result must be {kind}") } else { format!("Field '{field}' must be {kind}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resource: &str, result: &str, validation: Validation, expect: Option<&str>) {
        let resource = asl::Resource::parse(resource).expect("is an ARN");
        let value = serde_json::from_str(result).expect("is JSON");
        let found = check_answer(&value, resource.kind(), validation).err().map(|error| error.message);
        let expect = expect.map(|text| format!("Mock result schema validation error: {text}"));
        assert_eq!(found, expect, "{result}");
    }

    #[test]
    fn each_service_has_a_line_of_its_own() {
        let all: serde_json::Map<String, Value> = serde_json::from_str(SHAPES).expect("is an object");
        for (service, shapes) in &all {
            assert_eq!(shapes_of(service).as_ref(), Some(shapes), "{service}");
        }
    }

    #[test]
    fn results_are_held_against_the_model() {
        let s3 = "arn:aws:states:::aws-sdk:s3:getObject";
        check(
            s3,
            r#"{"StorageClass": "Straw"}"#,
            Validation::Present,
            Some("Field 'StorageClass' is not an expected value"),
        );
        check(s3, r#"{"ContentLength": "9"}"#, Validation::Strict, Some("Field 'ContentLength' must be a number"));
        check(s3, r#"{"Anything": 1}"#, Validation::Strict, None);
        let start = "arn:aws:states:::states:startExecution";
        check(start, "{}", Validation::Strict, Some("Required field 'ExecutionArn' is missing"));
        check(start, "{}", Validation::Present, None);
        check(
            start,
            r#"{"ExecutionArn": "a", "StartDate": 5}"#,
            Validation::Strict,
            Some("Field 'StartDate' must be a string"),
        );
        let put = "arn:aws:states:::events:putEvents";
        check(put, r#"{"Entries": "x"}"#, Validation::Strict, Some("Field 'Entries' must be an array"));
        check(
            put,
            r#"{"Entries": [{}, {"EventId": []}]}"#,
            Validation::Strict,
            Some("Field 'EventId' must be a string"),
        );
        check("arn:aws:states:::lambda:invoke", r#"{"Payload": {"any": 1}}"#, Validation::Strict, None);
        let run = "arn:aws:states:::glue:startJobRun";
        check(run, r#"{"JobRunId": 1}"#, Validation::Strict, Some("Field 'JobRunId' must be a string"));
        let batch = "arn:aws:states:::batch:submitJob";
        check(batch, r#"{"JobName": "n"}"#, Validation::Strict, Some("Required field 'JobId' is missing"));
        let serverless = "arn:aws:states:::emr-serverless:startJobRun";
        check(serverless, "{}", Validation::Strict, Some("Required field 'ApplicationId' is missing"));
        check("arn:aws:states:::elasticmapreduce:addStep", "5", Validation::Strict, None);
        check("arn:aws:states:::ours:do", "5", Validation::Strict, None);
    }
}

//! Bad input of TestState, and ARNs that name no resource.

use serde_json::{Value, json};

use super::bad::{broken, check, null};
use super::fixture::{MACHINE, ROLE};

const STATE: &str = r#"{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{},"End":true}"#;

#[tokio::test(start_paused = true)]
async fn test_state() {
    let with = |name: &str, value: Value| {
        let mut request = json!({ "definition": STATE, "mock": { "result": "{}" } });
        request[name] = value;
        request
    };
    let (long, larger) = ("x".repeat(32_769), "x".repeat(262_145));
    let longer = |field: &str, most: u32| {
        format!("Value at '{field}' failed to satisfy constraint: Member must have length less than or equal to {most}")
    };
    let bytes = |field: &str| {
        broken(&format!(
            "Value at '{field}' failed to satisfy constraint: Member must have size less than or equal to 262144 bytes in UTF-8 encoding"
        ))
    };
    let validation = "ValidationException";
    let one = "A test mock should have only one of the following fields: [result, errorOutput].";
    check(
        "TestState",
        &[
            (with("roleArn", json!("x")), "InvalidArn", "Invalid Role Arn: 'x'".to_owned()),
            (with("stateName", json!(long)), validation, broken(&longer("stateName", 80))),
            (
                with("mock", json!({ "errorOutput": { "error": "x".repeat(257), "cause": long } })),
                validation,
                format!(
                    "2 validation errors detected: {}; {}",
                    longer("mock.errorOutput.error", 256),
                    longer("mock.errorOutput.cause", 32_768)
                ),
            ),
            (with("mock", json!({ "errorOutput": { "cause": "c" } })), validation, null("mock.errorOutput.error")),
            (with("mock", json!({ "errorOutput": { "error": "e" }, "result": "1" })), validation, one.to_owned()),
            (with("mock", json!({})), validation, one.to_owned()),
            (with("mock", json!({ "result": larger })), validation, bytes("mock.result")),
            (with("variables", json!(larger)), validation, bytes("variables")),
            (with("context", json!(larger)), validation, bytes("context")),
            (
                json!({ "definition": STATE, "context": "{}" }),
                validation,
                "TestState does not support Context when a mock is not specified.".to_owned(),
            ),
            (
                with("stateConfiguration", json!({ "mapItemReaderData": larger })),
                validation,
                bytes("stateConfiguration.mapItemReaderData"),
            ),
            (
                with("stateConfiguration", json!({ "errorCausedByState": "x".repeat(81) })),
                validation,
                broken(&longer("stateConfiguration.errorCausedByState", 80)),
            ),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn arns_of_maps() {
    let label = format!("{MACHINE}:S/Label");
    let of_a_map = format!("State machine ARN must not refer to a Distributed Map state. Received: {label}");
    for operation in ["StartExecution", "UpdateStateMachine", "DeleteStateMachine", "DescribeStateMachine"] {
        let request = json!({ "stateMachineArn": label, "roleArn": ROLE });
        check(operation, &[(request, "ValidationException", of_a_map.clone())]).await;
    }
}

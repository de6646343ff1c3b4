//! State machines of type EXPRESS: what is refused, what takes long, and what comes by a token.

use broker::WorkQueue as _;
use futures::future::join;
use model::TaskToken;
use serde_json::{Value, json};
use wire::message::{Outcome, Report};

use super::bad::broken;
use super::fixture::{Fixture, MACHINE, PASS, TASK};

async fn refused(fixture: &Fixture, operation: &str, request: &Value, code: &str, message: &str) {
    let reply = fixture.call(operation, request).await;
    assert_eq!((reply.error(), reply.body["message"].as_str()), (code, Some(message)), "{operation} {request}");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_as_of_other_starts() {
    let fixture = Fixture::new();
    let arn = fixture.create_of_type("X", PASS, "EXPRESS").await;
    let with = |member: &str, value: Value| {
        let mut request = json!({ "stateMachineArn": arn });
        request[member] = value;
        request
    };
    for operation in ["StartExecution", "StartSyncExecution"] {
        let check = |request: Value, code: &'static str, message: String| {
            let fixture = &fixture;
            async move { refused(fixture, operation, &request, code, &message).await }
        };
        check(with("name", json!("a/b")), "InvalidName", "Invalid Name: 'a/b'".to_owned()).await;
        check(with("input", json!("")), "InvalidExecutionInput", "Invalid execution input.".to_owned()).await;
        let version = format!("{arn}:7");
        let missing = format!("State Machine Does Not Exist: '{version}'");
        check(json!({ "stateMachineArn": version }), "StateMachineDoesNotExist", missing).await;
        let of_a_map = format!("{arn}/Label");
        let message = format!("State machine ARN must not refer to a Distributed Map state. Received: {of_a_map}");
        check(json!({ "stateMachineArn": of_a_map }), "ValidationException", message).await;
    }
    let included = "Value 'X' at 'includedData' failed to satisfy constraint: Member must satisfy enum value set: [ALL_DATA, METADATA_ONLY]";
    refused(
        &fixture,
        "StartSyncExecution",
        &with("includedData", json!("X")),
        "ValidationException",
        &broken(included),
    )
    .await;
    // StartExecution does not know it.
    assert_eq!(fixture.call("StartExecution", &with("includedData", json!("X"))).await.status, 200);
    let type_message = "This operation is not supported by this type of state machine";
    refused(
        &fixture,
        "ListExecutions",
        &json!({ "stateMachineArn": arn }),
        "StateMachineTypeNotSupported",
        type_message,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_being_deleted_starts_nothing() {
    let fixture = Fixture::new();
    let arn = fixture.create_of_type("X", TASK, "EXPRESS").await;
    assert_eq!(fixture.call("StartExecution", &json!({ "stateMachineArn": arn })).await.status, 200);
    assert_eq!(fixture.call("DeleteStateMachine", &json!({ "stateMachineArn": arn })).await.status, 200);
    let message = format!("State Machine is being deleted: '{arn}'");
    let request = json!({ "stateMachineArn": arn });
    let codes = [fixture.call("StartSyncExecution", &request).await, fixture.call("StartExecution", &request).await];
    for reply in codes {
        let code = reply.error();
        let is_told =
            code == "StateMachineDoesNotExist" || (code == "StateMachineDeleting" && reply.body["message"] == message);
        assert!(is_told, "{}", reply.body);
    }
    // What ran is stopped, so that it can go.
    for _ in 0..100 {
        fixture.runtime.sleep(std::time::Duration::from_millis(100)).await;
        if fixture.call("DescribeStateMachine", &request).await.error() == "StateMachineDoesNotExist" {
            return;
        }
    }
    panic!("it is still there");
}

#[tokio::test(start_paused = true)]
async fn an_answer_takes_longer_than_other_requests_may() {
    let fixture = Fixture::new();
    fixture.drivers.start();
    let wait = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":290,"End":true}}}"#;
    let arn = fixture.create_of_type("X", wait, "EXPRESS").await;
    let reply = fixture.call("StartSyncExecution", &json!({ "stateMachineArn": arn })).await;
    assert_eq!((reply.status, reply.body["status"].as_str()), (200, Some("SUCCEEDED")), "{}", reply.body);
    assert_eq!(reply.body["billingDetails"]["billedDurationInMilliseconds"], json!(290_000));
    let arn = fixture.create_of_type("Y", TASK, "EXPRESS").await;
    let reply = fixture.call("StartSyncExecution", &json!({ "stateMachineArn": arn })).await;
    assert_eq!((reply.status, reply.body["status"].as_str()), (200, Some("TIMED_OUT")), "{}", reply.body);
    assert!(reply.body.get("error").is_none() && reply.body.get("output").is_none(), "{}", reply.body);
}

#[tokio::test(start_paused = true)]
async fn a_callee_reports_by_its_token_to_an_execution_in_memory() {
    let fixture = Fixture::new();
    fixture.drivers.start();
    let arn = fixture.create_of_type("X", TASK, "EXPRESS").await;
    let (broker, api) = (fixture.broker.clone(), fixture.api.clone());
    let now = fixture.runtime.now();
    let callee = async move {
        let delivery = broker.consume_work("default", 1).next().await.expect("comes");
        let item = delivery.content.expect("can be read").remove(0);
        let report = Report {
            execution: item.execution.clone(),
            branch: item.branch.clone(),
            attempt: item.attempt,
            traceparent: None,
            deliveries: 0,
            worker: None,
            started_at: None,
            at: now,
            outcome: Outcome::Submitted { output: model::JsonText::trusted("{}") },
        };
        let reply_to = delivery.reply_to.expect("says where reports go");
        broker.publish_reports(&reply_to, &[report]).await.expect("is taken");
        let token = TaskToken::render(item.execution.as_str(), &item.branch, item.attempt);
        let request = json!({ "taskToken": token, "output": "[ 7 ]" });
        super::fixture::post_to(&api, "SendTaskSuccess", request.to_string()).await
    };
    let request = json!({ "stateMachineArn": arn });
    let (reply, told) = join(fixture.call("StartSyncExecution", &request), callee).await;
    assert_eq!((reply.body["status"].as_str(), reply.body["output"].as_str()), (Some("SUCCEEDED"), Some("[ 7 ]")));
    assert_eq!(told.status, 200);
    assert!(
        reply.body["executionArn"]
            .as_str()
            .is_some_and(|arn| arn.starts_with(&MACHINE.replace("stateMachine", "express:X:")))
    );
}

//! A store that is away, slow or full, and headers of answers.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures::stream;
use model::{AttemptId, BranchPath, Nonce, TaskToken, Timestamp};
use runtime::Runtime;
use serde_json::{Value, json};
use telemetry::Registry;

use super::fixture::{Fixture, MACHINE, PASS, ROLE};
use crate::api::answer::Answer;
use crate::api::operation::TABLE;
use crate::api::{Api, ApiSettings};

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_gives_503() {
    let fixture = Fixture::new();
    let machine = fixture.create("S", PASS).await;
    fixture.store.set_connected(false);
    let answered = TABLE.iter().filter_map(|(name, operation)| operation.map(|_| *name));
    for operation in answered.filter(|name| !WITHOUT_STORE.contains(name)) {
        let reply = fixture.call(operation, &request(operation, &machine)).await;
        assert_eq!((reply.status, reply.error()), (503, "ServiceUnavailable"), "{operation}");
        assert!(reply.headers.contains_key("retry-after"), "{operation}");
    }
    let wrong = fixture.call("StartExecution", &json!({ "stateMachineArn": "x" })).await;
    assert_eq!((wrong.status, wrong.error()), (400, "InvalidArn"), "what is wrong anyway is told all the same");
    fixture.store.set_connected(true);
    assert_eq!(fixture.call("StartExecution", &json!({ "stateMachineArn": machine })).await.status, 200);
}

/// Operations that don't look into the store.
const WITHOUT_STORE: &[&str] = &["ValidateStateMachineDefinition"];

/// Gives a request that is right for an operation.
fn request(operation: &str, machine: &str) -> Value {
    let execution = machine.replace("stateMachine", "execution") + ":e";
    let activity = machine.replace("stateMachine", "activity");
    let (version, alias) = (format!("{machine}:1"), format!("{machine}:PROD"));
    let routes = json!([{ "stateMachineVersionArn": version, "weight": 100 }]);
    let token = TaskToken::render(&execution, &BranchPath::root(), AttemptId { number: 1, nonce: Nonce(1) });
    match operation {
        "CreateActivity" => json!({ "name": "B" }),
        "CreateStateMachine" => json!({ "name": "T", "definition": PASS, "roleArn": ROLE }),
        "CreateStateMachineAlias" => json!({ "name": "PROD", "routingConfiguration": routes }),
        "DeleteActivity" | "DescribeActivity" | "GetActivityTask" => json!({ "activityArn": activity }),
        "DeleteStateMachineAlias" | "DescribeStateMachineAlias" => json!({ "stateMachineAliasArn": alias }),
        "UpdateStateMachineAlias" => json!({ "stateMachineAliasArn": alias, "routingConfiguration": routes }),
        "DeleteStateMachineVersion" => json!({ "stateMachineVersionArn": version }),
        "DescribeExecution"
        | "DescribeStateMachineForExecution"
        | "GetExecutionHistory"
        | "ListMapRuns"
        | "StopExecution" => {
            json!({ "executionArn": execution })
        }
        "DescribeMapRun" => json!({ "mapRunArn": machine.replace("stateMachine", "mapRun") + "/L:0ab" }),
        "ListActivities" | "ListStateMachines" => json!({}),
        "ListTagsForResource" => json!({ "resourceArn": machine }),
        "SendTaskFailure" | "SendTaskHeartbeat" => json!({ "taskToken": token }),
        "SendTaskSuccess" => json!({ "taskToken": token, "output": "{}" }),
        "TagResource" => json!({ "resourceArn": machine, "tags": [{ "key": "k", "value": "v" }] }),
        "TestState" => {
            json!({ "definition": json!({ "Type": "Task", "Resource": LAMBDA, "End": true }).to_string(), "roleArn": ROLE })
        }
        "UntagResource" => json!({ "resourceArn": machine, "tagKeys": ["k"] }),
        "UpdateStateMachine" => json!({ "stateMachineArn": machine, "definition": PASS }),
        "DeleteStateMachine"
        | "DescribeStateMachine"
        | "ListExecutions"
        | "ListStateMachineAliases"
        | "ListStateMachineVersions"
        | "PublishStateMachineVersion"
        | "StartExecution"
        | "StartSyncExecution" => {
            json!({ "stateMachineArn": machine })
        }
        other => panic!("what is a request of {other}?"),
    }
}

const LAMBDA: &str = "arn:aws:lambda:us-east-1:123456789012:function:F";

#[tokio::test(start_paused = true)]
async fn above_the_high_water_mark_nothing_starts_and_what_is_open_goes_on() {
    let fixture = Fixture::new();
    fixture.driver.start();
    let wait = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":30,"Next":"S"},"S":{"Type":"Succeed"}}}"#;
    let machine = fixture.create("S", wait).await;
    let open = fixture.call("StartExecution", &json!({ "stateMachineArn": machine })).await;
    assert_eq!(open.status, 200);
    fixture.store.set_over_high_water(true);
    fixture.runtime.sleep(Duration::from_secs(3)).await;
    let refused = fixture.call("StartExecution", &json!({ "stateMachineArn": machine })).await;
    assert_eq!((refused.status, refused.error()), (400, "ThrottlingException"), "{}", refused.body);
    assert!(refused.body["message"].as_str().is_some_and(|message| message.contains("redis.high_water")));
    fixture.runtime.sleep(Duration::from_secs(30)).await;
    let ended = fixture.call("DescribeExecution", &json!({ "executionArn": open.body["executionArn"] })).await;
    assert_eq!(ended.body["status"], "SUCCEEDED");
    fixture.store.set_over_high_water(false);
    fixture.runtime.sleep(Duration::from_secs(3)).await;
    assert_eq!(fixture.call("StartExecution", &json!({ "stateMachineArn": machine })).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_api_without_a_store_gives_503() {
    let runtime = Runtime::simulated(1, Timestamp::default());
    let api = Api::new(runtime, ApiSettings::default(), &Registry::new());
    let request = Request::post("/")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "AWSStepFunctions.DescribeStateMachine")
        .body(Body::from(json!({ "stateMachineArn": format!("{MACHINE}:S") }).to_string()))
        .expect("is a request");
    assert_eq!(api.answer(request).await.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_cut_off_in_time() {
    let fixture = Fixture::with(ApiSettings { request_timeout: Duration::from_secs(3), ..ApiSettings::default() });
    let begun = stream::once(async { Ok::<Bytes, std::io::Error>(Bytes::from_static(b"{\"name\":")) });
    let endless = futures::StreamExt::chain(begun, stream::pending());
    let reply = fixture.post("CreateStateMachine", Body::from_stream(endless)).await;
    assert_eq!((reply.status, reply.error()), (503, "ServiceUnavailable"));
}

#[tokio::test(start_paused = true)]
async fn every_answer_says_what_it_is() {
    let fixture = Fixture::new();
    let reply = fixture.call("DescribeStateMachine", &json!({ "stateMachineArn": "x" })).await;
    assert_eq!(reply.headers["content-type"], "application/x-amz-json-1.0");
    assert_eq!(reply.headers["x-amzn-errortype"], "InvalidArn");
    assert_eq!(reply.headers["x-amzn-requestid"].len(), 36);
    let request = Request::post("/")
        .header("content-type", "application/x-amz-json-1.1; charset=utf-8")
        .header("x-amz-target", "AWSStepFunctions.DescribeStateMachine")
        .body(Body::from("{}"))
        .expect("is a request");
    assert_eq!(fixture.send(request).await.headers["content-type"], "application/x-amz-json-1.1");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_answer() {
    let fixture = Fixture::new();
    let outcome = fixture.api.guard::<Answer>(Duration::ZERO, async { panic!("a defect") }).await;
    assert_eq!(outcome.expect_err("is caught").code.status(), 500);
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_by_operation_and_outcome() {
    let fixture = Fixture::new();
    fixture.create("S", PASS).await;
    fixture.call("DescribeStateMachine", &json!({})).await;
    let request = Request::get("/x").body(Body::empty()).expect("is a request");
    fixture.send(request).await;
    let text = fixture.api.inner.metrics.text();
    for line in [
        "api_requests_total{operation=\"CreateStateMachine\",outcome=\"OK\"} 1",
        "api_requests_total{operation=\"DescribeStateMachine\",outcome=\"ValidationException\"} 1",
        "api_requests_total{operation=\"-\",outcome=\"UnknownOperationException\"} 1",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

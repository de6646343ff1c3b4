//! What the API shows of Map Runs and their child executions.

use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::Fixture;

/// A Map in distributed mode of which one item may fail, and each that is negative does.
const MAP: &str = r#"{"StartAt":"M","States":{"M":{"Type":"Map","Label":"L","MaxConcurrency":2,"ToleratedFailureCount":1,"ItemProcessor":{
    "ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"C","States":{
        "C":{"Type":"Choice","Choices":[{"Variable":"$","NumericLessThan":0,"Next":"F"}],"Default":"S"},
        "F":{"Type":"Fail","Error":"Negative"},"S":{"Type":"Succeed"}}},"End":true}}}"#;

async fn answer(fixture: &Fixture, operation: &str, request: &Value) -> Value {
    let reply = fixture.call(operation, request).await;
    assert_eq!(reply.status, 200, "{operation}: {}", reply.body);
    reply.body
}

/// Runs the Map over items to its end; gives the ARN of the execution.
async fn run(fixture: &Fixture, input: &str) -> String {
    fixture.driver.start();
    let machine = fixture.create("M", MAP).await;
    let request = json!({ "stateMachineArn": machine, "name": "e", "input": input });
    let arn = answer(fixture, "StartExecution", &request).await["executionArn"].as_str().expect("is named").to_owned();
    for _ in 0..6_000 {
        let shown = answer(fixture, "DescribeExecution", &json!({ "executionArn": arn })).await;
        if shown["status"] != json!("RUNNING") {
            return arn;
        }
        fixture.runtime.sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not end");
}

fn with(counts: &[(&str, u64)]) -> Value {
    let names = ["aborted", "failed", "pending", "resultsWritten", "running", "succeeded", "timedOut", "total"];
    let mut all: Value =
        names.iter().map(|name| ((*name).to_owned(), json!(0))).collect::<serde_json::Map<_, _>>().into();
    for (name, count) in counts {
        all[*name] = json!(count);
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_map_run_is_listed_and_described() {
    let fixture = Fixture::new();
    let arn = run(&fixture, "[1,-2,3]").await;
    let listed = answer(&fixture, "ListMapRuns", &json!({ "executionArn": arn })).await;
    let run = &listed["mapRuns"][0];
    let name = run["mapRunArn"].as_str().expect("is named");
    assert!(name.starts_with("arn:aws:states:eu-west-1:123456789012:mapRun:M/L:"), "{name}");
    assert_eq!(run["executionArn"], json!(arn));
    assert_eq!(run["stateMachineArn"], json!("arn:aws:states:eu-west-1:123456789012:stateMachine:M/L"));
    assert!(run["startDate"].is_number() && run["stopDate"].is_number() && listed["nextToken"].is_null());
    let described = answer(&fixture, "DescribeMapRun", &json!({ "mapRunArn": name })).await;
    let counts = with(&[("failed", 1), ("resultsWritten", 3), ("succeeded", 2), ("total", 3)]);
    assert_eq!((&described["itemCounts"], &described["executionCounts"]), (&counts, &counts));
    assert_eq!((&described["status"], &described["executionArn"]), (&json!("SUCCEEDED"), &json!(arn)));
    assert_eq!((&described["maxConcurrency"], &described["toleratedFailureCount"]), (&json!(2), &json!(1)));
    assert_eq!(described["toleratedFailurePercentage"], json!(0.0));
}

#[tokio::test(start_paused = true)]
async fn children_are_listed_by_their_map_run_and_described() {
    let fixture = Fixture::new();
    let arn = run(&fixture, "[1,-2,3]").await;
    let listed = answer(&fixture, "ListMapRuns", &json!({ "executionArn": arn })).await;
    let run = listed["mapRuns"][0]["mapRunArn"].clone();
    let of = |more: Value| {
        let mut request = json!({ "mapRunArn": run });
        request.as_object_mut().expect("is an object").extend(more.as_object().expect("is an object").clone());
        request
    };
    let first = answer(&fixture, "ListExecutions", &of(json!({ "maxResults": 2 }))).await;
    let next = of(json!({ "maxResults": 2, "nextToken": first["nextToken"] }));
    let second = answer(&fixture, "ListExecutions", &next).await;
    let count = |page: &Value| page["executions"].as_array().map(Vec::len);
    assert_eq!((count(&first), count(&second)), (Some(2), Some(1)));
    assert_eq!((&first["executions"][0]["mapRunArn"], &first["executions"][0]["itemCount"]), (&run, &json!(1)));
    let failed = answer(&fixture, "ListExecutions", &of(json!({ "statusFilter": "FAILED" }))).await;
    let child = failed["executions"][0]["executionArn"].as_str().expect("is named");
    assert!(child.starts_with("arn:aws:states:eu-west-1:123456789012:execution:M/L:"), "{child}");
    let described = answer(&fixture, "DescribeExecution", &json!({ "executionArn": child })).await;
    assert_eq!((&described["mapRunArn"], &described["error"]), (&run, &json!("Negative")));
    assert_eq!(described["stateMachineArn"], json!("arn:aws:states:eu-west-1:123456789012:stateMachine:M/L"));
    let machine = answer(&fixture, "DescribeStateMachineForExecution", &json!({ "executionArn": child })).await;
    assert_eq!((&machine["mapRunArn"], &machine["label"], &machine["name"]), (&run, &json!("L"), &json!("M")));
    assert_eq!(machine["definition"], json!(MAP));
    let pending = answer(&fixture, "ListExecutions", &of(json!({ "statusFilter": "PENDING_REDRIVE" }))).await;
    assert_eq!(count(&pending), Some(0));
    let own = json!({ "stateMachineArn": format!("{}:M", super::fixture::MACHINE) });
    assert_eq!(count(&answer(&fixture, "ListExecutions", &own).await), Some(1), "children are not listed with others");
}

#[tokio::test(start_paused = true)]
async fn a_failed_map_run_shows_what_it_left() {
    let fixture = Fixture::new();
    let arn = run(&fixture, "[-1,-2,3,4,5,6]").await;
    let shown = answer(&fixture, "DescribeExecution", &json!({ "executionArn": arn })).await;
    assert_eq!(shown["error"], json!("States.ExceedToleratedFailureThreshold"));
    let listed = answer(&fixture, "ListMapRuns", &json!({ "executionArn": arn })).await;
    let request = json!({ "mapRunArn": listed["mapRuns"][0]["mapRunArn"] });
    let described = answer(&fixture, "DescribeMapRun", &request).await;
    let counts = &described["itemCounts"];
    assert_eq!((&described["status"], &counts["failed"], &counts["total"]), (&json!("FAILED"), &json!(2), &json!(6)));
    assert_eq!((&counts["running"], &counts["pending"], &counts["resultsWritten"]), (&json!(0), &json!(0), &json!(0)));
}

#[tokio::test(start_paused = true)]
async fn a_map_run_is_no_execution_to_others() {
    let fixture = Fixture::new();
    let arn = run(&fixture, "[]").await;
    let listed = answer(&fixture, "ListMapRuns", &json!({ "executionArn": arn })).await;
    let run = &listed["mapRuns"][0]["mapRunArn"];
    for operation in ["DescribeExecution", "GetExecutionHistory", "StopExecution", "ListMapRuns"] {
        let reply = fixture.call(operation, &json!({ "executionArn": run })).await;
        let message = reply.body["message"].as_str().unwrap_or_default();
        let expect = "Invalid Arn: 'Resource type not valid in this context: mapRun'";
        assert_eq!((reply.status, reply.error(), message), (400, "InvalidArn", expect), "{operation}");
    }
    let none = run.as_str().expect("is a text").to_owned() + "0";
    let reply = fixture.call("DescribeMapRun", &json!({ "mapRunArn": none })).await;
    assert_eq!((reply.status, reply.error()), (400, "ResourceNotFound"));
    let missing = json!({ "executionArn": format!("{arn}0") });
    assert_eq!(fixture.call("ListMapRuns", &missing).await.error(), "ExecutionDoesNotExist");
}

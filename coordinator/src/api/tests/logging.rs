//! What is logged of executions, by their state machine.

use model::ExecutionArn;
use serde_json::{Value, json};
use store::ExecutionStore as _;
use wire::record::{LogLevel, LoggingRecord};

use super::fixture::{Fixture, MACHINE, PASS, ROLE};

fn configuration(level: &str, with_data: bool) -> Value {
    let group = json!({ "logGroupArn": "arn:aws:logs:eu-west-1:123456789012:log-group:G:*" });
    json!({ "level": level, "includeExecutionData": with_data, "destinations": [{ "cloudWatchLogsLogGroup": group }] })
}

#[tokio::test(start_paused = true)]
async fn an_execution_is_logged_as_its_state_machine_said_at_the_start() {
    let fixture = Fixture::new();
    let request = json!({
        "name": "S", "definition": PASS, "roleArn": ROLE, "loggingConfiguration": configuration("ALL", true),
    });
    assert_eq!(fixture.call("CreateStateMachine", &request).await.status, 200);
    let machine = format!("{MACHINE}:S");
    let start = async |name: &str| {
        let reply = fixture.call("StartExecution", &json!({ "stateMachineArn": machine, "name": name })).await;
        ExecutionArn::parse(reply.body["executionArn"].as_str().expect("has started")).expect("is an ARN")
    };
    let update = async |configuration: Value| {
        let request = json!({ "stateMachineArn": machine, "loggingConfiguration": configuration });
        assert_eq!(fixture.call("UpdateStateMachine", &request).await.status, 200);
    };
    let logged = async |arn: &ExecutionArn| {
        fixture.store.execution(arn).await.expect("the store answers").expect("is there").record.logging
    };
    let first = start("first").await;
    update(json!({ "level": "OFF" })).await;
    let second = start("second").await;
    update(configuration("ERROR", false)).await;
    let third = start("third").await;
    assert_eq!(logged(&first).await, Some(LoggingRecord { level: LogLevel::All, with_data: true }));
    assert_eq!(logged(&second).await, None);
    assert_eq!(logged(&third).await, Some(LoggingRecord { level: LogLevel::Error, with_data: false }));
}

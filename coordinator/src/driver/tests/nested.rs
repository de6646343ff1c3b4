//! Tasks that call this service itself: nested executions, and the calls of its API.

use engine::Phase;
use model::{ExecutionArn, ExecutionStatus, HistoryEvent};
use serde_json::{Value, json};
use store::{ExecutionStore, ResourceKey};
use wire::record::{PublishedRecord, VersionRecord};

use super::orders::TASK;
use super::traces::{spans_of, traced};
use super::world::{Node, World, kinds, success};
use crate::driver::DriverSettings;

fn child_task() -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}}"#)
}

/// A machine of one task that starts an execution of the machine `C`.
fn parent(pattern: &str, more: &Value) -> String {
    let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:C";
    let mut task = json!({
        "Type": "Task",
        "Resource": format!("arn:aws:states:::states:startExecution{pattern}"),
        "Parameters": { "StateMachineArn": arn, "Input.$": "$" },
        "End": true,
    });
    for (name, value) in more.as_object().expect("is an object") {
        task[name] = value.clone();
    }
    json!({ "StartAt": "N", "States": { "N": task } }).to_string()
}

/// Lists the executions of the machine `C`.
async fn children(world: &World) -> Vec<ExecutionArn> {
    children_of(world, "C").await
}

async fn children_of(world: &World, machine: &str) -> Vec<ExecutionArn> {
    let machine = model::StateMachineArn::new("us-east-1", "123456789012", machine);
    let mut found = Vec::new();
    for partition in 0..world.store.partitions() {
        let query =
            store::ExecutionQuery { listed_under: machine.as_str().into(), status: None, after: None, limit: 1_000 };
        let listed = world.store.list_executions(partition, &query).await.expect("the store answers");
        found.extend(listed.into_iter().map(|(_, arn)| arn));
    }
    found
}

async fn status(world: &World, arn: &ExecutionArn) -> ExecutionStatus {
    let head = world.store.execution(arn).await.expect("the store answers").expect("is there");
    head.end.map_or(ExecutionStatus::Running, |(end, _)| end.status)
}

/// Waits until all of one machine are stopped.
async fn until_stopped(world: &World, machine: &str, count: usize) {
    world
        .until("what was waited for is stopped", async || {
            let mut stopped = 0;
            for arn in children_of(world, machine).await {
                stopped += usize::from(status(world, &arn).await == ExecutionStatus::Aborted);
            }
            stopped == count
        })
        .await;
}

fn failure(history: &[HistoryEvent]) -> (String, String) {
    let found = history.iter().find_map(|event| {
        let model::Details::TaskFailure { error, cause, .. } = &event.details else { return None };
        Some((error.clone().unwrap_or_default(), cause.clone().unwrap_or_default()))
    });
    found.expect("the task failed")
}

#[tokio::test(start_paused = true)]
async fn a_task_waits_for_a_nested_execution_of_any_length() {
    let world = World::new();
    let node = world.started("a");
    let wait = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 900, "End": true}}}"#;
    world.machine_named("C", wait).await;
    let arn = world.start(&node, &parent(".sync:2", &json!({})), "e", r#"{"a" : 1}"#).await;
    world.pass(60).await;
    let history = world.history(&arn).await;
    let begun = ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted"];
    assert_eq!(kinds(&history), begun);
    assert_eq!(world.store_outbox().await, 0, "nothing but the record waits");
    let nested = children(&world).await.remove(0);
    world.runtime.sleep(std::time::Duration::from_secs(900)).await;
    let output: Value = serde_json::from_str(&world.succeeded(&arn).await).expect("is JSON");
    assert_eq!(output["ExecutionArn"], json!(nested.as_str()));
    assert_eq!((&output["Status"], &output["Output"]), (&json!("SUCCEEDED"), &json!({ "a": 1 })));
    let ended = ["TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"];
    assert_eq!(kinds(&world.history(&arn).await)[5..], ended);
}

#[tokio::test(start_paused = true)]
async fn a_nested_execution_of_a_version_is_stopped_with_its_task() {
    let world = World::new();
    let node = world.started("a");
    let wait = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 900, "End": true}}}"#;
    let machine = world.machine_named("C", wait).await;
    let versions = vec![VersionRecord::of(&machine, 1, None, machine.created_at)];
    let published = PublishedRecord { versions, ..PublishedRecord::of(&machine) };
    assert!(world.store.publish(&machine.arn, None, &published).await.expect("the store answers").is_some());
    let parameters = json!({ "Parameters": { "StateMachineArn": format!("{}:1", machine.arn) } });
    let arn = world.start(&node, &parent(".sync", &parameters), "e", "1").await;
    world.until("the nested execution runs", async || children(&world).await.len() == 1).await;
    let nested = children(&world).await.remove(0);
    let head = world.store.execution(&nested).await.expect("the store answers").expect("is there");
    assert_eq!(head.record.version, Some(1));
    node.driver.stop_execution(&arn, None, None).await.expect("stops");
    until_stopped(&world, "C", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_nested_execution_that_ends_at_once_is_told_all_the_same() {
    let world = World::new();
    let node = world.started("a");
    world.machine_named("C", r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": 7, "End": true}}}"#).await;
    let arn = world.start(&node, &parent(".sync", &json!({})), "e", "1").await;
    let output: Value = serde_json::from_str(&world.succeeded(&arn).await).expect("is JSON");
    assert_eq!((&output["Input"], &output["Output"]), (&json!("1"), &json!("7")));
    world.until("the outbox is cleared", async || world.store_outbox().await == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_nested_execution_that_fails_fails_its_task() {
    let world = World::new();
    let node = world.started("a");
    let fail = r#"{"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "C"}}}"#;
    world.machine_named("C", fail).await;
    let arn = world.start(&node, &parent(".sync:2", &json!({})), "e", "1").await;
    let (head, history) = world.ended(&arn).await;
    let (error, cause) = failure(&history);
    let cause: Value = serde_json::from_str(&cause).expect("is JSON");
    assert_eq!(error, "States.TaskFailed");
    assert_eq!((&cause["Status"], &cause["Error"], &cause["Cause"]), (&json!("FAILED"), &json!("E"), &json!("C")));
    assert_eq!(head.end.map(|(end, _)| end.status), Some(ExecutionStatus::Failed));
}

#[tokio::test(start_paused = true)]
async fn refused_calls_fail_in_the_words_of_aws() {
    let world = World::new();
    let node = world.started("a");
    let arn = world.start(&node, &parent("", &json!({})), "none", "1").await;
    let (error, cause) = failure(&world.ended(&arn).await.1);
    assert_eq!(error, "StepFunctions.StateMachineDoesNotExistException");
    let said = "State Machine Does Not Exist: 'arn:aws:states:us-east-1:123456789012:stateMachine:C' (Service: AWSStepFunctions; ";
    assert!(cause.starts_with(said), "{cause}");
    let pass = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;
    let machine = world.machine_named("C", pass).await;
    world.start_of(&node, machine.clone(), "taken", "1").await;
    let parameters = json!({ "StateMachineArn": machine.arn.as_str(), "Name": "taken", "Input": 1 });
    let definition = parent("", &json!({ "Parameters": parameters }));
    let parent = world.machine_named("Other", &definition).await;
    let arn = world.start_of(&node, parent, "e", "1").await;
    assert_eq!(failure(&world.ended(&arn).await.1).0, "StepFunctions.ExecutionAlreadyExistsException");
}

#[tokio::test(start_paused = true)]
async fn a_task_goes_on_at_once_that_does_not_wait() {
    let world = World::new();
    let node = world.started("a");
    world.machine_named("C", &child_task()).await;
    let arn = world.start(&node, &parent("", &json!({})), "e", "1").await;
    let output: Value = serde_json::from_str(&world.succeeded(&arn).await).expect("is JSON");
    let nested = children(&world).await.remove(0);
    assert_eq!(output["ExecutionArn"], json!(nested.as_str()));
    assert_eq!(status(&world, &nested).await, ExecutionStatus::Running);
    node.driver.stop_execution(&nested, None, None).await.expect("stops");
    let head = world.store.execution(&nested).await.expect("answers").expect("is there");
    let of = world.store.execution(&arn).await.expect("answers").expect("is there");
    let trace = |text: &str| text.split('-').nth(1).map(str::to_owned);
    assert_eq!(trace(&head.record.traceparent), trace(&of.record.traceparent), "one trace");
}

#[tokio::test(start_paused = true)]
async fn a_nested_execution_hands_the_task_token_back() {
    let world = World::new();
    let node = world.started("a");
    let child = json!({ "StartAt": "S", "States": { "S": {
        "Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:sendTaskSuccess", "End": true,
        "Parameters": { "TaskToken.$": "$.token", "Output": { "done": true } },
    } } });
    world.machine_named("C", &child.to_string()).await;
    let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:C";
    let parameters = json!({ "StateMachineArn": arn, "Input": { "token.$": "$$.Task.Token" } });
    let definition = parent(".waitForTaskToken", &json!({ "Parameters": parameters }));
    let arn = world.start(&node, &definition, "e", "1").await;
    assert_eq!(world.succeeded(&arn).await, "{\"done\":true}");
    assert!(kinds(&world.history(&arn).await).contains(&"TaskSubmitted"));
    world.succeeded(&children(&world).await.remove(0)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_execution_stops_what_it_waits_for_at_any_depth() {
    let world = World::new();
    let (one, other) = (world.started("a"), world.started("b"));
    let wait = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 999999, "End": true}}}"#;
    world.machine_named("G", wait).await;
    let child = parent(".sync", &json!({})).replace("stateMachine:C", "stateMachine:G");
    world.machine_named("C", &child).await;
    let arn = world.start(&one, &parent(".sync:2", &json!({})), "e", "1").await;
    world.until("it is nested", async || children_of(&world, "G").await.len() == 1).await;
    world.pass(1).await;
    other.driver.stop_execution(&arn, None, None).await.expect("stops");
    until_stopped(&world, "C", 1).await;
    until_stopped(&world, "G", 1).await;
    world.until("the outbox is cleared", async || world.store_outbox().await == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_time_out_and_a_scope_that_closes_stop_what_is_waited_for() {
    let world = World::new();
    let node = world.started("a");
    let wait = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 999999, "End": true}}}"#;
    world.machine_named("C", wait).await;
    let arn = world.start(&node, &parent(".sync", &json!({ "TimeoutSeconds": 5 })), "e", "1").await;
    let (_, history) = world.ended(&arn).await;
    assert!(kinds(&history).contains(&"TaskTimedOut"), "{history:#?}");
    until_stopped(&world, "C", 1).await;

    let nested: Value = serde_json::from_str(&parent(".sync", &json!({}))).expect("is JSON");
    let fails = json!({ "StartAt": "W", "States": {
        "W": { "Type": "Wait", "Seconds": 3, "Next": "F" }, "F": { "Type": "Fail", "Error": "E" } } });
    let both =
        json!({ "StartAt": "P", "States": { "P": { "Type": "Parallel", "Branches": [nested, fails], "End": true } } });
    let machine = world.machine_named("Both", &both.to_string()).await;
    let arn = world.start_of(&node, machine, "e", "1").await;
    world.ended(&arn).await;
    until_stopped(&world, "C", 2).await;
    world.until("the outbox is cleared", async || world.store_outbox().await == 0).await;
}

#[tokio::test(start_paused = true)]
async fn another_coordinator_makes_the_calls_of_a_dead_one() {
    let world = World::new();
    let worker = world.worker(|item, _| success(item));
    world.machine_named("C", &child_task()).await;
    // Its loops never run, and it dies before its first call.
    let dead = world.node("dead", DriverSettings::default());
    let arn = world.start(&dead, &parent(".sync", &json!({})), "e", "1").await;
    dead.runtime.kill();
    let _alive = world.started("alive");
    world.succeeded(&arn).await;
    assert_eq!((children(&world).await.len(), worker.seen().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn coordinators_die_at_each_moment_of_a_nested_execution() {
    let world = World::new();
    let worker = world.echo(20);
    world.machine_named("C", &child_task()).await;
    let mut arns = Vec::new();
    let mut alive = world.started("0");
    for moment in 0..24_u64 {
        let machine = world.machine(&parent(".sync", &json!({}))).await;
        arns.push(world.start_of(&alive, machine, &format!("e{moment}"), &moment.to_string()).await);
        let next = world.started(&format!("{}", moment + 1));
        world.runtime.sleep(std::time::Duration::from_millis(moment)).await;
        alive.runtime.kill();
        alive = next;
    }
    for arn in &arns {
        world.succeeded(arn).await;
    }
    let nested = children(&world).await;
    assert_eq!(nested.len(), arns.len(), "each was started once");
    assert!(worker.seen().len() >= arns.len());
    world.until("the outbox is cleared", async || world.store_outbox().await == 0).await;
    let _keep: &Node = &alive;
}

const ACTIVITY: &str = "arn:aws:states:us-east-1:123456789012:activity:dig";

/// Takes one task of an activity, made by itself, and ends it.
fn consumer() -> String {
    let task = |action: &str, parameters: Value, next: &str| {
        json!({
            "Type": "Task",
            "Resource": format!("arn:aws:states:::aws-sdk:sfn:{action}"),
            "Parameters": parameters,
            "ResultPath": format!("$.{action}"),
            "Next": next,
        })
    };
    json!({ "StartAt": "Make", "States": {
        "Make": task("createActivity", json!({ "Name": "dig" }), "Take"),
        "Take": task("getActivityTask", json!({ "ActivityArn.$": "$.createActivity.ActivityArn", "WorkerName": "w" }), "Any"),
        "Any": { "Type": "Choice", "Default": "Take",
            "Choices": [{ "Variable": "$.getActivityTask.TaskToken", "IsPresent": true, "Next": "End" }] },
        "End": task("sendTaskSuccess", json!({
            "TaskToken.$": "$.getActivityTask.TaskToken", "Output.$": "$.getActivityTask.Input" }), "Done"),
        "Done": { "Type": "Succeed" },
    } })
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn polls_of_tasks_hold_up_nothing_else() {
    let world = World::new();
    let settings = DriverSettings { local_running: 1, local_waiting: 4, ..DriverSettings::default() };
    let node = world.node("a", settings);
    node.driver.start();
    let consumers = world.machine_named("Consumers", &consumer()).await;
    let mut polling = Vec::new();
    for index in 0..4 {
        polling.push(world.start_of(&node, consumers.clone(), &format!("e{index}"), "{}").await);
    }
    let key = ResourceKey { kind: store::ResourceKind::Activity, arn: ACTIVITY.into() };
    world.until("it is made", async || world.store.resource(&key).await.expect("answers").is_some()).await;
    world.pass(70).await;
    let wait = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": true}}}"#;
    world.succeeded(&world.start_of(&node, world.machine_named("W", wait).await, "e", "1").await).await;
    let digs = json!({ "StartAt": "T", "States": { "T": { "Type": "Task", "Resource": ACTIVITY, "End": true } } });
    let digs = world.machine_named("Digs", &digs.to_string()).await;
    for index in 0..4 {
        let arn = world.start_of(&node, digs.clone(), &format!("e{index}"), &format!("[{index}]")).await;
        assert_eq!(world.succeeded(&arn).await, format!("[{index}]"));
        let shown = world.history(&arn).await;
        assert!(kinds(&shown).contains(&"ActivityStarted"), "{shown:#?}");
    }
    for arn in polling {
        world.succeeded(&arn).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_taken_by_a_poll_of_a_dead_coordinator_is_seen_again() {
    let world = World::new();
    let consumers = world.machine_named("Consumers", &consumer()).await;
    let digs = json!({ "StartAt": "T", "States": { "T": { "Type": "Task", "Resource": ACTIVITY, "End": true } } });
    let digs = world.machine_named("Digs", &digs.to_string()).await;
    let mut alive = world.started("0");
    for moment in 0..8_u64 {
        let consumer = world.start_of(&alive, consumers.clone(), &format!("e{moment}"), "{}").await;
        world
            .until("it polls", async || {
                let loaded = world.store.load(&consumer, &model::BranchPath::root()).await.expect("answers");
                let branch = loaded
                    .and_then(|(_, branch)| branch)
                    .map(|stored| crate::convert::branch_from_record(stored.record));
                branch.is_some_and(|branch| branch.state.as_str() == "Take" && matches!(branch.phase, Phase::Task(_)))
            })
            .await;
        let arn = world.start_of(&alive, digs.clone(), &format!("e{moment}"), "[1]").await;
        let next = world.started(&format!("{}", moment + 1));
        world.runtime.sleep(std::time::Duration::from_millis(moment)).await;
        alive.runtime.kill();
        alive = next;
        assert_eq!(world.succeeded(&arn).await, "[1]");
        world.succeeded(&consumer).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_nested_execution_is_in_the_trace_of_its_task() {
    let world = World::new();
    let (node, kept) = traced(&world, "a");
    node.driver.start();
    world.machine_named("C", r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#).await;
    let arn = world.start(&node, &parent(".sync", &json!({})), "e", "1").await;
    world.succeeded(&arn).await;
    world
        .until("all is exported", async || spans_of(&kept).iter().filter(|span| span.parent.is_none()).count() == 1)
        .await;
    let spans = spans_of(&kept);
    let named =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"));
    let nested = named("execution C");
    let request = spans.iter().find(|span| Some(span.context.span) == nested.parent).expect("was asked for");
    assert_eq!(request.parent, Some(named("call states:startExecution.sync").context.span));
    assert_eq!(named("call states:startExecution.sync").parent, Some(named("N").context.span));
    assert!(spans.iter().all(|span| span.context.trace == nested.context.trace), "one trace: {spans:#?}");
    // Its own span tells when it ended.
    assert!(spans.iter().all(|span| span.name != "callback"), "{spans:#?}");
}

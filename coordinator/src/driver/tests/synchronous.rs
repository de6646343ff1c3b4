//! Synchronous executions: in memory, told to whoever waits, bounded, and gone soon.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use model::{ExecutionArn, ExecutionStatus, JsonText};
use serde_json::{Value, json};
use store::ExecutionStore as _;
use wire::record::StateMachineRecord;

use super::orders::TASK;
use super::world::{Act, Node, World, failure, success};
use crate::driver::{DriverSettings, ExpressSettings, Finished, StartError, StartRequest};

const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;

fn task() -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}}"#)
}

fn request(machine: &StateMachineRecord) -> StartRequest {
    StartRequest::new(machine.clone(), "o", JsonText::trusted(r#"{"a" : 1}"#))
}

async fn run(world: &World, node: &Node, definition: &str) -> Finished {
    let machine = world.express("X", definition).await;
    node.synchronous.run_execution(request(&machine)).await.expect("it runs")
}

async fn is_in_memory(node: &Node, arn: &ExecutionArn) -> bool {
    node.synchronous.inner.store.execution(arn).await.expect("memory answers").is_some()
}

#[tokio::test(start_paused = true)]
async fn its_end_is_told_to_whoever_waits_and_nothing_of_it_is_stored() {
    let world = World::new();
    let nodes =
        [world.started_whole("a", DriverSettings::default()), world.started_whole("b", DriverSettings::default())];
    let changes = world.broker.bind_status_changes("#");
    let worker = world.echo(250);
    let definition = format!(
        r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "Next": "M"}}, "M": {{"Type": "Parallel", "ResultSelector": {{"r.$": "$"}}, "End": true,
        "Branches": [{{"StartAt": "B", "States": {{"B": {{{TASK}, "End": true}}}}}}, {{"StartAt": "C", "States": {{"C": {{"Type": "Wait", "Seconds": 1, "End": true}}}}}}]}}}}}}"#
    );
    let began = world.runtime.now();
    let Finished { record, end, at } = run(&world, &nodes[1], &definition).await;
    assert_eq!(end.status, ExecutionStatus::Succeeded, "{end:?}");
    assert_eq!(end.output.expect("has one").to_string(), r#"{"r":[{"a":1},{"a":1}]}"#);
    let took = at.millis_since(record.started_at);
    assert!((1_250..1_400).contains(&took) && world.runtime.now().millis_since(began) < took + 50, "{took} ms");
    assert_eq!(worker.seen().len(), 2);
    assert!(world.store.execution(&record.arn).await.expect("the store answers").is_none());
    assert_eq!(world.store_outbox().await, 0);
    assert!(world.broker.take_status_changes(changes).is_empty());
    assert_eq!(nodes[0].driver.metrics().deliveries.get(), 0, "reports come back to the one that waits");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_an_end_like_any_other() {
    let world = World::new();
    let node = world.started_whole("a", DriverSettings::default());
    let _worker = world.worker(|_, _| failure("Bad"));
    let end = run(&world, &node, &task()).await.end;
    assert_eq!((end.status, end.error.as_deref(), end.output), (ExecutionStatus::Failed, Some("Bad"), None));
}

#[tokio::test(start_paused = true)]
async fn it_is_timed_out_after_five_minutes_or_what_its_definition_says() {
    let world = World::new();
    let node = world.started_whole("a", DriverSettings::default());
    let _worker = world.worker(|_, _| Act::Lose);
    for (name, definition, millis) in
        [("X", task(), 300_000), ("Y", task().replacen('{', r#"{"TimeoutSeconds": 7, "#, 1), 7_000)]
    {
        let machine = world.express(name, &definition).await;
        let Finished { record, end, at } = node.synchronous.run_execution(request(&machine)).await.expect("it runs");
        assert_eq!(end.status, ExecutionStatus::TimedOut, "{name}");
        let took = at.millis_since(record.started_at);
        assert!((millis..millis + 100).contains(&took), "{name}: {took} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_run_at_once_than_may() {
    let world = World::new();
    let express = ExpressSettings { synchronous_max: 2, ..ExpressSettings::default() };
    let node = world.started_whole("a", DriverSettings { express, ..DriverSettings::default() });
    let _worker = world.echo(1_000);
    let machine = world.express("X", &task()).await;
    let results = join_all((0..3).map(|_| node.synchronous.run_execution(request(&machine)))).await;
    let busy = |result: &Result<Finished, StartError>| matches!(result, Err(StartError::Busy(2)));
    assert_eq!(results.iter().filter(|result| busy(result)).count(), 1);
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2);
    assert_eq!((node.synchronous.running(), node.synchronous.metrics().synchronous.get()), (0, 0));
    assert!(node.synchronous.run_execution(request(&machine)).await.is_ok(), "an end makes room");
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_and_counts_when_its_caller_is_gone() {
    let world = World::new();
    let express = ExpressSettings { synchronous_max: 1, ..ExpressSettings::default() };
    let node = world.started_whole("a", DriverSettings { express, ..DriverSettings::default() });
    let worker = world.echo(5_000);
    let machine = world.express("X", &task()).await;
    let gone = tokio::time::timeout(Duration::from_secs(1), node.synchronous.run_execution(request(&machine))).await;
    assert!(gone.is_err(), "the caller goes away");
    assert_eq!(node.synchronous.running(), 1);
    assert!(matches!(node.synchronous.run_execution(request(&machine)).await, Err(StartError::Busy(1))));
    world.until("it has ended", async || node.synchronous.running() == 0).await;
    assert_eq!((worker.seen().len(), node.synchronous.metrics().executions_succeeded.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_is_told_and_counts_no_more() {
    let world = World::new();
    let node = world.started_whole("a", DriverSettings::default());
    let machine = world.express("X", "{}").await;
    let told = node.synchronous.run_execution(request(&machine)).await;
    assert!(matches!(told, Err(StartError::Definition(_))), "{told:?}");
    assert_eq!(node.synchronous.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_is_gone_within_seconds_however_much_it_is() {
    let world = World::new();
    let node = world.started_whole("a", DriverSettings::default());
    let machine = world.express("X", PASS).await;
    let mut arns = Vec::new();
    for _ in 0..40 {
        let finished = join_all((0..200).map(|_| node.synchronous.run_execution(request(&machine)))).await;
        arns.extend(finished.into_iter().map(|finished| finished.expect("it runs").record.arn.clone()));
        world.runtime.sleep(Duration::from_millis(50)).await;
    }
    assert!(is_in_memory(&node, arns.last().expect("there are some")).await);
    world.pass(4).await;
    for arn in &arns {
        assert!(!is_in_memory(&node, arn).await, "{arn} is still there");
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_lost_goes_out_again() {
    let world = World::new();
    let node = world.started_whole("a", DriverSettings::default());
    let worker = world.worker(|item, before| if before == 0 { Act::Lose } else { success(item) });
    let Finished { record, end, at } = run(&world, &node, &task()).await;
    assert_eq!(end.status, ExecutionStatus::Succeeded);
    let took = at.millis_since(record.started_at);
    assert!((30_000..45_000).contains(&took) && worker.seen().len() == 2, "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn it_waits_for_a_broker_that_is_away() {
    let world = World::new();
    let node = world.started_whole("a", DriverSettings::default());
    let _worker = world.worker(|item, _| success(item));
    world.broker.set_connected(false);
    let machine = world.express("X", &task()).await;
    let driver = node.synchronous.clone();
    let mut waiting = std::pin::pin!(driver.run_execution(request(&machine)));
    let early = tokio::time::timeout(Duration::from_secs(20), &mut waiting).await;
    assert!(early.is_err(), "it waits");
    world.broker.set_connected(true);
    let finished = waiting.await.expect("it runs");
    assert_eq!(finished.end.status, ExecutionStatus::Succeeded);
}

fn nested(resource: &str) -> String {
    let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:X";
    let task = json!({ "Type": "Task", "Resource": resource, "End": true, "Parameters": { "StateMachineArn": arn, "Input.$": "$" } });
    json!({ "StartAt": "N", "States": { "N": task } }).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_task_waits_for_one_and_nobody_runs_it_twice() {
    let world = World::new();
    let nodes =
        [world.started_whole("a", DriverSettings::default()), world.started_whole("b", DriverSettings::default())];
    let worker = world.worker(|item, _| success(item));
    // Longer than any other call may be under way.
    let definition = format!(
        r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "Next": "W"}}, "W": {{"Type": "Wait", "Seconds": 250, "End": true}}}}}}"#
    );
    world.express("X", &definition).await;
    let arns = [
        world.start(&nodes[0], &nested("arn:aws:states:::aws-sdk:sfn:startSyncExecution"), "e", "[7]").await,
        world.start(&nodes[1], &nested("arn:aws:states:::aws-sdk:sfn:startSyncExecution"), "f", "[7]").await,
    ];
    for arn in &arns {
        let output: Value = serde_json::from_str(&world.succeeded(arn).await).expect("is JSON");
        assert_eq!(
            (&output["Status"], &output["Output"], &output["Input"]),
            (&json!("SUCCEEDED"), &json!("[7]"), &json!("[7]"))
        );
        assert_eq!(output["BillingDetails"]["BilledMemoryUsedInMB"], json!(64));
        assert!(output["StartDate"].as_str().is_some_and(|date| date.ends_with('Z')), "{output}");
    }
    assert_eq!(worker.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_task_starts_one_and_can_t_wait_for_it_otherwise() {
    let world = World::new();
    let node = Arc::new(world.started_whole("a", DriverSettings::default()));
    world.express("X", PASS).await;
    let arn = world.start(&node, &nested("arn:aws:states:::states:startExecution"), "e", "[7]").await;
    let output: Value = serde_json::from_str(&world.succeeded(&arn).await).expect("is JSON");
    let started = ExecutionArn::parse(output["ExecutionArn"].as_str().expect("is a text")).expect("is an ARN");
    assert!(started.is_express() && started.state_machine().name() == "X", "{started}");
    let machine = world.machine_named("Sync", &nested("arn:aws:states:::states:startExecution.sync:2")).await;
    let arn = world.start_of(&node, machine, "e", "[7]").await;
    let (head, _) = world.ended(&arn).await;
    let (end, _) = head.end.expect("it ends");
    assert_eq!(end.error.as_deref(), Some("StepFunctions.StateMachineTypeNotSupportedException"), "{end:?}");
    assert!(
        end.cause
            .is_some_and(|cause| cause.starts_with("This operation is not supported by this type of state machine"))
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_starts_another_never_waits_for_its_own_place() {
    let world = World::new();
    let settings = DriverSettings {
        express: ExpressSettings { synchronous_max: 1, ..ExpressSettings::default() },
        ..DriverSettings::default()
    };
    let node = world.started_whole("a", settings);
    let machine = world.express("X", &nested("arn:aws:states:::aws-sdk:sfn:startSyncExecution")).await;
    let Finished { record, end, at } = node.synchronous.run_execution(request(&machine)).await.expect("it runs");
    assert_eq!(end.error.as_deref(), Some("Sfn.SfnException"), "{end:?}");
    assert!(end.cause.is_some_and(|cause| cause.starts_with("Rate exceeded")));
    assert!(at.millis_since(record.started_at) < 10_000);
}

#[tokio::test(start_paused = true)]
async fn scopes_that_end_are_cleaned_up_as_fast_as_they_come() {
    let world = World::new();
    let node = world.started_whole("a", DriverSettings::default());
    let branch = json!({ "StartAt": "W", "States": { "W": { "Type": "Wait", "Seconds": 1, "End": true } } });
    let parallel = json!({ "Type": "Parallel", "Branches": [branch, branch], "End": true });
    let map = json!({ "Type": "Map", "MaxConcurrency": 40, "End": true, "ItemsPath": "$.items",
        "ItemProcessor": { "StartAt": "P", "States": { "P": parallel } } });
    let definition = json!({ "StartAt": "M", "States": { "M": map } }).to_string();
    let machine = world.express("X", &definition).await;
    let input = JsonText::parse(&json!({ "items": vec![0; 40] }).to_string()).expect("is JSON");
    let asked = (0..200).map(|_| {
        let request = StartRequest::new(machine.clone(), "o", input.clone());
        node.synchronous.run_execution(request)
    });
    let ended: Vec<Finished> = join_all(asked).await.into_iter().map(|run| run.expect("it runs")).collect();
    world.pass(5).await;
    for finished in &ended {
        assert!(!is_in_memory(&node, &finished.record.arn).await, "8,200 scopes have ended, and so did it");
    }
}

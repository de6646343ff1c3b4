//! Asynchronous executions of state machines of type EXPRESS: as durable as others, short, and soon forgotten.

use std::time::Duration;

use engine::Limits;
use model::{ExecutionArn, ExecutionEnd, ExecutionStatus, JsonText};
use serde_json::Value;
use store::ExecutionStore as _;

use super::orders::TASK;
use super::world::{Act, Node, World, success};
use crate::driver::{DriverSettings, StartOutcome, StartRequest};

fn task() -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}}"#)
}

/// A chain of so many states, which leave two events each.
fn chain(states: usize) -> String {
    let state = |index: usize| {
        let next =
            if index + 1 < states { format!(r#""Next": "S{}""#, index + 1) } else { r#""End": true"#.to_owned() };
        format!(r#""S{index}": {{"Type": "Pass", {next}}}"#)
    };
    let states: Vec<String> = (0..states).map(state).collect();
    format!(r#"{{"StartAt": "S0", "States": {{{}}}}}"#, states.join(", "))
}

async fn end(world: &World, arn: &ExecutionArn) -> ExecutionEnd {
    let mut end = None;
    world
        .until("the execution ends", async || {
            let head = world.store.execution(arn).await.expect("the store answers").expect("is there");
            end = head.end.map(|(end, _)| end);
            end.is_some()
        })
        .await;
    end.expect("was waited for")
}

async fn start(world: &World, node: &Node, definition: &str, name: &str) -> ExecutionArn {
    let machine = world.express("X", definition).await;
    world.start_of(node, machine, name, r#"{"a" : 1}"#).await
}

#[tokio::test(start_paused = true)]
async fn each_start_is_an_execution_of_its_own_that_nobody_is_told_of() {
    let world = World::new();
    let node = world.started("a");
    let changes = world.broker.bind_status_changes("#");
    let worker = world.worker(|item, _| success(item));
    let (one, other) = (start(&world, &node, &task(), "o").await, start(&world, &node, &task(), "o").await);
    assert!(one != other && one.is_express() && one.name() == "o" && other.name() == "o", "{one} {other}");
    for arn in [&one, &other] {
        assert_eq!(end(&world, arn).await.output, Some(JsonText::trusted(r#"{"a" : 1}"#)));
    }
    assert_eq!(worker.seen().len(), 2);
    world.pass(10).await;
    assert!(world.broker.take_status_changes(changes).is_empty());
    assert_eq!(world.store_outbox().await, 0);
}

#[tokio::test(start_paused = true)]
async fn another_coordinator_goes_on_with_those_of_a_dead_one() {
    let world = World::new();
    let (dying, _other) = (world.started("a"), world.started("b"));
    let arn = start(&world, &dying, &task(), "o").await;
    dying.runtime.kill();
    let _worker = world.worker(|item, _| success(item));
    assert_eq!(end(&world, &arn).await.status, ExecutionStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn one_is_timed_out_after_five_minutes_or_what_its_definition_says() {
    let world = World::new();
    let node = world.started("a");
    let _worker = world.worker(|_, _| Act::Lose);
    let took = async |definition: &str| {
        let began = world.runtime.now();
        let arn = start(&world, &node, definition, "o").await;
        assert_eq!(end(&world, &arn).await.status, ExecutionStatus::TimedOut);
        world.runtime.now().millis_since(began)
    };
    assert!((300_000..302_000).contains(&took(&task()).await));
    let world_of = task().replacen('{', r#"{"TimeoutSeconds": 7, "#, 1);
    let machine = world.express("Y", &world_of).await;
    let began = world.runtime.now();
    let arn = world.start_of(&node, machine, "o", "1").await;
    assert_eq!(end(&world, &arn).await.status, ExecutionStatus::TimedOut);
    assert!((7_000..9_000).contains(&world.runtime.now().millis_since(began)));
}

#[tokio::test(start_paused = true)]
async fn its_history_has_no_limit() {
    let world = World::new();
    let limits = Limits { events_max: Some(50), ..Limits::default() };
    let node = world.node("a", DriverSettings { limits, ..DriverSettings::default() });
    node.driver.start();
    let arn = world.start(&node, &chain(40), "o", "1").await;
    assert_eq!(end(&world, &arn).await.status, ExecutionStatus::Failed, "a standard one has");
    let arn = start(&world, &node, &chain(40), "o").await;
    assert_eq!(end(&world, &arn).await.status, ExecutionStatus::Succeeded);
    let head = world.store.execution(&arn).await.expect("the store answers").expect("is there");
    assert_eq!(head.last_event.0, 82);
    assert!(world.history(&arn).await.is_empty(), "nobody can ask for it");
}

#[tokio::test(start_paused = true)]
async fn one_that_has_ended_is_soon_removed() {
    let world = World::new();
    let node = world.started("a");
    let standard = world.start(&node, &chain(1), "o", "1").await;
    let arn = start(&world, &node, &chain(1), "o").await;
    end(&world, &arn).await;
    world.pass(25).await;
    assert!(world.store.execution(&arn).await.expect("the store answers").is_some());
    world.pass(20).await;
    assert!(world.store.execution(&arn).await.expect("the store answers").is_none());
    assert!(world.store.execution(&standard).await.expect("the store answers").is_some());
}

#[tokio::test(start_paused = true)]
async fn the_context_object_tells_of_no_redrives_but_of_their_count() {
    let world = World::new();
    let node = world.started_whole("a", DriverSettings::default());
    let pass =
        r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"e.$": "$$.Execution"}, "End": true}}}"#;
    let arn = start(&world, &node, pass, "o").await;
    let output = |end: ExecutionEnd| -> Value { end.output.expect("has one").to_value().expect("is JSON") };
    let asynchronous = output(end(&world, &arn).await);
    assert_eq!((&asynchronous["e"]["RedriveCount"], &asynchronous["e"]["Id"]), (&0.into(), &arn.as_str().into()));
    let machine = world.express("X", pass).await;
    let request = StartRequest::new(machine, "o", JsonText::trusted("{}"));
    let synchronous = output(node.synchronous.run_execution(request).await.expect("ends").end);
    assert_eq!((synchronous["e"].get("RedriveCount"), &synchronous["e"]["Name"]), (None, &"o".into()));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_repeated_for_a_task_finds_what_it_started() {
    let world = World::new();
    let node = world.started("a");
    let machine = world.express("X", &task()).await;
    let request =
        StartRequest { run: Some("0a1b".to_owned()), ..StartRequest::new(machine, "o", JsonText::trusted("1")) };
    let first = node.driver.start_execution(request.clone()).await.expect("starts");
    let StartOutcome::Started { arn, .. } = first else { panic!("{first:?}") };
    let StartOutcome::Exists(head) = node.driver.start_execution(request).await.expect("is answered") else {
        panic!("it started twice")
    };
    assert_eq!(head.record.arn, arn);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_finds_those_that_run() {
    let world = World::new();
    let settings = DriverSettings { retention: Duration::from_secs(1), ..DriverSettings::default() };
    let node = world.node("a", settings);
    node.driver.start();
    let arn = start(&world, &node, &task(), "o").await;
    let stopped = node.driver.stop_execution(&arn, None, None).await;
    assert!(stopped.is_ok(), "{stopped:?}");
    assert_eq!(end(&world, &arn).await.status, ExecutionStatus::Aborted);
}

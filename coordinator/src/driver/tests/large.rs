//! Large payloads and wide states: each commit fits, and what can't fit fails the execution and not its coordinator.

use std::sync::atomic::{AtomicUsize, Ordering};

use model::{BranchPath, EventKind, ExecutionStatus, HistoryEvent};
use serde_json::{Value, json};
use wire::message::Outcome;

use super::world::{Act, Node, World, kinds, report_on};
use crate::driver::DriverSettings;
use crate::driver::advance::{Ending, Trigger};
use crate::driver::error::Patience;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const LAMBDA: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

fn text(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

/// Makes a task that takes all of its input and leaves next to nothing behind.
fn task(seconds: u64) -> Value {
    json!({ "Type": "Task", "Resource": LAMBDA, "ResultSelector": {}, "TimeoutSeconds": seconds, "End": true })
}

fn parallel(branches: usize) -> Value {
    let branch = |index| {
        let name = format!("T{index}");
        json!({ "StartAt": name, "States": { (name): task(60) } })
    };
    let branches: Vec<Value> = (0..branches).map(branch).collect();
    json!({ "Type": "Parallel", "Branches": branches, "ResultSelector": {}, "End": true })
}

/// Sets so many variables to the input, and goes on with `then`, which gets `{}`.
fn assigning(count: usize, then: &Value) -> Value {
    let mut states = json!({ "Then": then, "Small": { "Type": "Pass", "Parameters": {}, "Next": "Then" } });
    for index in 0..count {
        let next = if index + 1 == count { "Small".to_owned() } else { format!("A{}", index + 1) };
        let values = json!({ (format!("v{index}.$")): "$" });
        states[format!("A{index}")] = json!({ "Type": "Pass", "Assign": values, "Next": next });
    }
    json!({ "StartAt": "A0", "States": states })
}

/// Runs on two coordinators and a worker that answers `{}`: it must succeed.
async fn check(definition: &Value, input: &str, limits: engine::Limits) -> Vec<HistoryEvent> {
    let world = World::new();
    let nodes = ["a", "b"].map(|name| world.node(name, DriverSettings { limits, ..DriverSettings::default() }));
    nodes.iter().for_each(|node| node.driver.start());
    let [one, _] = &nodes;
    let worker = world.worker(|_, _| Act::Report(vec![Outcome::Succeeded { output: model::JsonText::trusted("{}") }]));
    let arn = world.start(one, &definition.to_string(), "o", input).await;
    assert_eq!(world.succeeded(&arn).await, "{}");
    for node in &nodes {
        let metrics = node.driver.metrics();
        assert_eq!((metrics.dead_letters.get(), metrics.too_large.get()), (0, 0));
    }
    assert!(worker.seen().iter().all(|item| item.deliveries <= 1));
    world.history(&arn).await
}

fn count(history: &[HistoryEvent], kind: &EventKind) -> usize {
    history.iter().filter(|event| event.kind == *kind).count()
}

#[tokio::test(start_paused = true)]
async fn parallels_of_large_inputs_run_through() {
    for (branches, bytes) in [(16, 256 * KIB), (40, 105 * KIB), (250, KIB)] {
        let definition = json!({ "StartAt": "P", "States": { "P": parallel(branches) } });
        let history = check(&definition, &text(bytes), engine::Limits::default()).await;
        assert_eq!(count(&history, &EventKind::LambdaFunctionSucceeded), branches);
    }
}

#[tokio::test(start_paused = true)]
async fn a_map_of_large_selected_items_runs_through() {
    let definition = json!({ "StartAt": "M", "States": { "M": {
        "Type": "Map", "ItemsPath": "$.items", "ItemSelector": { "all.$": "$.text", "item.$": "$$.Map.Item.Value" },
        "ItemProcessor": { "StartAt": "T", "States": { "T": task(60) } }, "ResultSelector": {}, "End": true
    } } });
    let items: Vec<usize> = (0..40).collect();
    let input = json!({ "items": items, "text": "x".repeat(100 * KIB) }).to_string();
    let history = check(&definition, &input, engine::Limits::default()).await;
    assert_eq!(count(&history, &EventKind::MapIterationSucceeded), 40);
}

#[tokio::test(start_paused = true)]
async fn wide_states_with_large_variables_run_through() {
    for (variables, branches) in [(1, 25), (51, 3)] {
        let definition = assigning(variables, &parallel(branches));
        let history = check(&definition, &text(200 * KIB), engine::Limits::default()).await;
        assert_eq!(count(&history, &EventKind::LambdaFunctionSucceeded), branches);
    }
}

#[tokio::test(start_paused = true)]
async fn very_many_items_are_no_hindrance() {
    let definition = json!({ "StartAt": "M", "States": { "M": {
        "Type": "Map", "End": true,
        "ItemProcessor": { "StartAt": "I", "States": { "I": { "Type": "Pass", "End": true } } }
    } } });
    let mut settings = DriverSettings::default();
    settings.limits.events_max = Some(2_000);
    let world = World::new();
    let node = world.node("a", settings);
    node.driver.start();
    let arn = world.start(&node, &definition.to_string(), "o", &json!(vec![1; 60_000]).to_string()).await;
    let (head, history) = world.ended(&arn).await;
    let (end, _) = head.end.expect("was waited for");
    assert!(end.cause.is_some_and(|cause| cause.contains("(2000)")), "it comes as far as its history allows");
    assert!(count(&history, &EventKind::MapIterationSucceeded) > 300);
}

/// Lets payloads be larger than the settings allow.
fn boundless() -> DriverSettings {
    let mut settings = DriverSettings::default();
    settings.limits.payload_bytes_max = None;
    settings
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_too_large_is_cut_short() {
    // The first run would write the input for the execution, its first event, the root and a child.
    let mut settings = boundless();
    settings.limits.run.bytes = u64::MAX;
    let world = World::new();
    let node = world.node("a", settings);
    node.driver.start();
    let states = json!({ "A": { "Type": "Pass", "Parameters": { "a.$": "States.Format('{}{}', $, $)" }, "Next": "P" }, "P": parallel(2) });
    world.worker(|_, _| Act::Report(vec![Outcome::Succeeded { output: model::JsonText::trusted("{}") }]));
    let arn = world.start(&node, &json!({ "StartAt": "A", "States": states }).to_string(), "o", &text(5 * MIB)).await;
    assert_eq!(world.history(&arn).await.len(), 1);
    assert_eq!(world.succeeded(&arn).await, "{}");
    assert_eq!(node.driver.metrics().too_large.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_can_never_be_committed_fails_the_execution() {
    let world = World::new();
    world.broker.set_body_bytes_max(64 * MIB);
    let node = world.node("a", boundless());
    node.driver.start();
    let worker = world.worker(|_, _| {
        let output = model::JsonText::trusted(text(40 * MIB));
        Act::Report(vec![Outcome::Succeeded { output }])
    });
    let definition = json!({ "StartAt": "T", "States": { "T": { "Type": "Task", "Resource": LAMBDA, "End": true,
        "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "No" }] }, "No": { "Type": "Succeed" } } });
    let arn = world.start(&node, &definition.to_string(), "o", "{}").await;
    let (head, history) = world.ended(&arn).await;
    let (end, _) = head.end.expect("was waited for");
    assert_eq!((end.status, end.error.as_deref()), (ExecutionStatus::Failed, Some("States.DataLimitExceeded")));
    let cause = "The state/task 'T' returned a result with a size exceeding the maximum number of bytes service limit.";
    assert_eq!(end.cause.as_deref(), Some(cause));
    assert_eq!(kinds(&history), ["ExecutionStarted", "TaskStateEntered", "LambdaFunctionScheduled", "ExecutionFailed"]);
    world.pass(120).await;
    let metrics = node.driver.metrics();
    assert_eq!((metrics.too_large.get(), metrics.dead_letters.get(), worker.seen().len()), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_late_report_that_is_too_large_fails_nothing() {
    // One coordinator remembers that the first task is open; another has applied its report.
    let world = World::new();
    let [one, other] = ["a", "b"].map(|name| world.node(name, boundless()));
    one.driver.start();
    let worker = world.worker(|_, _| Act::Lose);
    let task = |next: &Value| json!({ "Type": "Task", "Resource": LAMBDA, "TimeoutSeconds": 9_000, "Next": next });
    let states = json!({ "T": task(&json!("U")), "U": task(&json!("S")), "S": { "Type": "Succeed" } });
    let arn = world.start(&one, &json!({ "StartAt": "T", "States": states }).to_string(), "o", "{}").await;
    world.until("the first item is out", async || worker.seen().len() == 1).await;
    let report = async |node: &Node, item: usize, bytes: usize| {
        let output = model::JsonText::trusted(text(bytes));
        let report = report_on(&worker.seen()[item], Outcome::Succeeded { output }, world.runtime.now());
        let trigger = Trigger::Report(&report);
        let inner = &node.driver.inner;
        inner.advance(&arn, &BranchPath::root(), trigger, false, Patience::Endless).await.expect("the store is there")
    };
    assert_eq!(report(&other, 0, 10).await, Ending::Committed);
    assert_eq!(report(&one, 0, 40 * MIB).await, Ending::Stale);
    world.until("the second item is out", async || worker.seen().len() == 2).await;
    assert_eq!(report(&one, 1, 10).await, Ending::Committed);
    assert_eq!(world.succeeded(&arn).await, text(10));
    assert_eq!(one.driver.metrics().too_large.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wake_that_can_never_be_committed_fails_the_execution() {
    // Each result fits into a commit, and both together don't.
    let world = World::new();
    world.broker.set_body_bytes_max(64 * MIB);
    let node = world.node("a", boundless());
    node.driver.start();
    let told = AtomicUsize::new(0);
    world.worker(move |_, _| {
        let of = if told.fetch_add(1, Ordering::Relaxed) == 0 { "a" } else { "b" };
        let output = model::JsonText::trusted(format!("\"{}\"", of.repeat(17 * MIB)));
        Act::Report(vec![Outcome::Succeeded { output }])
    });
    let branch = |name: &str| json!({ "StartAt": name, "States": { (name): { "Type": "Task", "Resource": LAMBDA, "End": true } } });
    let wide = json!({ "Type": "Parallel", "Branches": [branch("A"), branch("B")], "End": true });
    let arn = world.start(&node, &json!({ "StartAt": "P", "States": { "P": wide } }).to_string(), "o", "{}").await;
    let (head, _) = world.ended(&arn).await;
    let (end, _) = head.end.expect("was waited for");
    assert_eq!((end.status, end.error.as_deref()), (ExecutionStatus::Failed, Some("States.DataLimitExceeded")));
    assert!(end.cause.is_some_and(|cause| cause.contains("'P'")));
    assert_eq!(node.driver.metrics().too_large.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn results_that_are_too_large_together_are_not_read() {
    let wide = |branches: usize| {
        let mut wide = parallel(branches);
        for (index, branch) in wide["Branches"].as_array_mut().expect("is a list").iter_mut().enumerate() {
            branch["States"][format!("T{index}")]["ResultSelector"] = json!({ "text.$": "$" });
        }
        json!({ "StartAt": "P", "States": { "P": wide } }).to_string()
    };
    let world = World::new();
    let node = world.started("a");
    let output = model::JsonText::trusted(text(100 * KIB));
    world.worker(move |_, _| Act::Report(vec![Outcome::Succeeded { output: output.clone() }]));
    let fits = world.start_of(&node, world.machine_named("Two", &wide(2)).await, "o", "{}").await;
    assert_eq!(world.succeeded(&fits).await, "{}");
    let read = node.driver.metrics().results_read.get();
    assert_eq!(read, 1);
    let large = world.start_of(&node, world.machine_named("Three", &wide(3)).await, "o", "{}").await;
    let (head, _) = world.ended(&large).await;
    let (end, _) = head.end.expect("was waited for");
    assert_eq!((end.status, end.error.as_deref()), (ExecutionStatus::Failed, Some("States.DataLimitExceeded")));
    assert_eq!(node.driver.metrics().results_read.get(), read, "what is too large together is known from its sizes");
}

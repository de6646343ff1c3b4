//! Work items that are larger than the broker takes.

use model::{EventKind, ExecutionStatus};
use serde_json::json;

use super::orders::TASK;
use super::world::{World, kinds, success};
use crate::driver::{DEFAULT_POOL, DriverSettings, Routing};

const BODY_BYTES_MAX: usize = 5_000;

fn one_task() -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}}"#)
}

fn large() -> String {
    format!("\"{}\"", "x".repeat(2 * BODY_BYTES_MAX))
}

#[tokio::test(start_paused = true)]
async fn an_item_that_the_broker_never_takes_fails_its_task_and_no_other() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|item, _| success(item));
    world.broker.set_body_bytes_max(BODY_BYTES_MAX);
    let fails = world.start(&node, &one_task(), "fails", &large()).await;
    let small = world.start(&node, &one_task(), "small", "1").await;
    let error = "States.DataLimitExceeded";
    let retry = json!([{ "ErrorEquals": [error], "IntervalSeconds": 1, "MaxAttempts": 1 }]);
    let catch = json!([{ "ErrorEquals": [error], "Next": "P" }]);
    let caught = format!(
        r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "Retry": {retry}, "Catch": {catch}, "End": true}},
            "P": {{"Type": "Pass", "InputPath": "$.Error", "End": true}}}}}}"#
    );
    let caught = world.start(&node, &caught, "caught", &large()).await;

    assert_eq!(world.succeeded(&small).await, "1");
    assert_eq!(world.succeeded(&caught).await, format!("\"{error}\""));
    let (head, history) = world.ended(&fails).await;
    let (end, _) = head.end.expect("was waited for");
    assert_eq!((end.status, end.error.as_deref()), (ExecutionStatus::Failed, Some(error)));
    let cause = end.cause.expect("says how large it was");
    let expect = format!(" bytes, and the broker takes at most {BODY_BYTES_MAX} (max_message_size).");
    assert!(cause.starts_with("The work item is a message of 10") && cause.ends_with(&expect), "{cause}");
    let tail = ["LambdaFunctionStarted", "LambdaFunctionFailed", "ExecutionFailed"];
    assert!(kinds(&history).ends_with(&tail), "{history:#?}");
    let failures = world.history(&caught).await;
    assert_eq!(failures.iter().filter(|event| event.kind == EventKind::LambdaFunctionFailed).count(), 2);

    assert_eq!(worker.seen().len(), 1);
    assert_eq!(node.driver.metrics().dispatches_refused.get(), 3);
    world.until("the outbox is empty", async || world.store_outbox().await == 0).await;
    assert!(node.driver.is_idle());
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_never_takes_holds_up_no_repair() {
    let world = World::new();
    let node = world.started("a");
    let mut small = Vec::new();
    let large = world.start(&node, &one_task(), "large", &large()).await;
    for index in 0..10 {
        small.push(world.start(&node, &one_task(), &format!("o-{index}"), "1").await);
    }
    world.pass(20).await;
    // It comes back without its data, and takes less than before.
    world.broker.set_body_bytes_max(BODY_BYTES_MAX);
    world.broker.lose_data();
    world.pass(5).await;
    let worker = world.worker(|item, _| success(item));
    for arn in &small {
        assert_eq!(world.succeeded(arn).await, "1");
    }
    let (head, _) = world.ended(&large).await;
    let error = head.end.and_then(|(end, _)| end.error);
    assert_eq!(error.as_deref(), Some("States.DataLimitExceeded"));
    assert_eq!(worker.seen().len(), 10, "each item went out once");
    assert_eq!(node.driver.metrics().repairs.get(), 11, "the repair was made once");
}

#[tokio::test(start_paused = true)]
async fn items_that_are_too_large_together_go_one_a_message() {
    let world = World::new();
    let routing = Routing::new(Vec::new(), vec![(DEFAULT_POOL.to_owned(), 8)]);
    let node = world.node("a", DriverSettings { routing, ..DriverSettings::default() });
    node.driver.start();
    let worker = world.worker(|item, _| success(item));
    world.broker.set_body_bytes_max(BODY_BYTES_MAX);
    let definition = format!(
        r#"{{"StartAt": "M", "States": {{"M": {{"Type": "Map", "End": true, "ItemProcessor": {{
            "StartAt": "T", "States": {{"T": {{{TASK}, "End": true}}}}}}}}}}}}"#
    );
    let input = json!(vec!["x".repeat(BODY_BYTES_MAX / 2); 8]).to_string();
    let arn = world.start(&node, &definition, "o", &input).await;
    assert_eq!(world.succeeded(&arn).await, input);
    assert_eq!(worker.seen().len(), 8);
    let metrics = node.driver.metrics();
    assert_eq!((metrics.dispatch_messages.get(), metrics.dispatches_refused.get()), (8, 0));
}

//! Ends from outside: StopExecution and time-outs.

use broker::WorkQueue;
use model::ExecutionStatus;
use store::ExecutionStore;
use wire::message::Outcome;

use super::orders::TASK;
use super::world::{Act, World, kinds, report_on};
use crate::driver::{DriverSettings, StopError, StopOutcome};

fn two_branches() -> String {
    format!(
        r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Parallel", "End": true, "Branches": [
            {{"StartAt": "T", "States": {{"T": {{{TASK}, "TimeoutSeconds": 600, "End": true}}}}}},
            {{"StartAt": "W", "States": {{"W": {{"Type": "Wait", "Seconds": 100, "End": true}}}}}}]}}}}}}"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_stopped_execution_stays_stopped() {
    let world = World::new();
    let nodes = [world.started("a"), world.started("b")];
    let [one, other] = &nodes;
    let mut cancels = world.broker.consume_cancels();
    let worker = world.worker(|_, _| Act::Lose);
    let arn = world.start(one, &two_branches(), "o", "1").await;
    world.until("the item is out", async || worker.seen().len() == 1).await;
    let stopped = other.driver.stop_execution(&arn, Some("E".to_owned()), Some("C".to_owned())).await;
    let Ok(StopOutcome::Stopped { at }) = stopped else { panic!("{stopped:?}") };
    let (head, history) = world.ended(&arn).await;
    let (end, ended_at) = head.end.expect("has ended");
    assert_eq!(
        (end.status, end.error.as_deref(), end.cause.as_deref()),
        (ExecutionStatus::Aborted, Some("E"), Some("C"))
    );
    assert_eq!(at, ended_at);
    let cancel = cancels.next().await.expect("a cancel came").content.expect("can be read");
    assert_eq!(cancel.first().map(|cancel| cancel.of.kind()), Some("execution"));
    let item = worker.seen().remove(0);
    let report = report_on(&item, Outcome::Succeeded { output: item.input.clone() }, world.runtime.now());
    world.broker.publish_reports(&world.broker.reply_to(0), &[report]).await.expect("the broker is there");
    world.pass(200).await;
    assert_eq!(kinds(&world.history(&arn).await), kinds(&history));
    let stale: u64 = nodes.iter().map(|node| node.driver.metrics().stale_reports.get()).sum();
    assert_eq!(stale, 1);
    let again = one.driver.stop_execution(&arn, None, None).await;
    assert!(matches!(again, Ok(StopOutcome::Ended(_))), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_cannot_be_stopped() {
    let world = World::new();
    let node = world.started("a");
    let arn = model::StateMachineArn::new("us-east-1", "123456789012", "M").execution("none");
    let stopped = node.driver.stop_execution(&arn, None, None).await;
    assert!(matches!(stopped, Err(StopError::Missing)), "{stopped:?}");
}

#[tokio::test(start_paused = true)]
async fn a_busy_execution_can_be_stopped() {
    let world = World::new();
    let node = world.started("a");
    world.echo(1);
    let definition = format!(
        r#"{{"StartAt": "M", "States": {{"M": {{"Type": "Map", "End": true, "ItemProcessor": {{"StartAt": "A", "States": {{
            "A": {{{TASK}, "Next": "B"}}, "B": {{{TASK}, "Next": "C"}}, "C": {{{TASK}, "End": true}}}}}}}}}}}}"#
    );
    let items: Vec<String> = (0..500).map(|item: u32| item.to_string()).collect();
    let arn = world.start(&node, &definition, "o", &format!("[{}]", items.join(","))).await;
    world.until("it is in full swing", async || node.driver.metrics().commits.get() > 200).await;
    let stopped = node.driver.stop_execution(&arn, None, None).await;
    assert!(matches!(stopped, Ok(StopOutcome::Stopped { .. })), "{stopped:?}");
    world.ended(&arn).await;
    world
        .until("nothing is left over", async || {
            let partition = arn.partition(4);
            let outbox = world.store.outbox(partition, 0).await.expect("the store answers").0;
            let late = world.runtime.now().plus_millis(10_000_000);
            let timers = world.store.due_timers(partition, late, 10).await.expect("the store answers");
            let open = world.store.open_branches(&arn, None, usize::MAX).await.expect("the store answers");
            outbox.is_empty() && timers.is_empty() && open.is_empty()
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_execution_times_out() {
    let world = World::new();
    let node = world.started("a");
    let definition =
        r#"{"StartAt": "W", "TimeoutSeconds": 10, "States": {"W": {"Type": "Wait", "Seconds": 100, "End": true}}}"#;
    let arn = world.start(&node, definition, "o", "1").await;
    let (head, _) = world.ended(&arn).await;
    let (end, at) = head.end.expect("has ended");
    assert_eq!(end.status, ExecutionStatus::TimedOut);
    assert!((10_000..10_200).contains(&at.millis_since(head.record.started_at)));
    assert_eq!(node.driver.metrics().executions_timed_out.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_ends_in_time_leaves_no_timer() {
    let world = World::new();
    let node = world.started("a");
    world.echo(5);
    let definition = format!(
        r#"{{"StartAt": "A", "TimeoutSeconds": 10, "States": {{"A": {{{TASK}, "TimeoutSeconds": 7, "End": true}}}}}}"#
    );
    let arn = world.start(&node, &definition, "o", "1").await;
    assert_eq!(world.succeeded(&arn).await, "1");
    world.pass(20).await;
    let metrics = node.driver.metrics();
    assert_eq!((metrics.timers_fired.get(), metrics.timers_stale.get()), (0, 0));
}

/// A Parallel of many branches that wait, and one task.
fn many_branches(count: usize) -> String {
    let wait = |index: usize| {
        format!(
            r#"{{"StartAt": "W{index}", "States": {{"W{index}": {{"Type": "Wait", "Seconds": 100000, "End": true}}}}}}"#
        )
    };
    let branches = (0..count).map(wait).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Parallel", "End": true, "Branches": [
            {{"StartAt": "T", "States": {{"T": {{{TASK}, "End": true}}}}}}, {branches}]}}}}}}"#
    )
}

#[tokio::test(start_paused = true)]
async fn an_execution_of_very_many_branches_is_stopped() {
    let world = World::new();
    let node = world.started("a");
    world.worker(|_, _| Act::Lose);
    let arn = world.start(&node, &many_branches(4_500), "o", "1").await;
    let open = async || world.store.open_branches(&arn, None, usize::MAX).await.expect("the store answers").len();
    world.until("all wait", async || open().await == 4_502).await;
    let stopped = node.driver.stop_execution(&arn, None, None).await;
    assert!(matches!(stopped, Ok(StopOutcome::Stopped { .. })), "{stopped:?}");
    world.ended(&arn).await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_child_cuts_off_very_many_others() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|_, _| Act::Lose);
    let arn = world.start(&node, &many_branches(600), "o", "1").await;
    let open = async || world.store.open_branches(&arn, None, usize::MAX).await.expect("the store answers").len();
    world.until("all wait", async || worker.seen().len() == 1 && open().await == 602).await;
    let commits = node.driver.metrics().commits.get();
    let report = report_on(&worker.seen().remove(0), boom(), world.runtime.now());
    let reply_to = world.broker.reply_to(arn.partition(4));
    world.broker.publish_reports(&reply_to, &[report]).await.expect("the broker is there");
    let (head, history) = world.ended(&arn).await;
    assert_eq!(head.end.expect("has ended").0.status, ExecutionStatus::Failed);
    let aborted = kinds(&history).iter().filter(|kind| **kind == "WaitStateAborted").count();
    assert_eq!(aborted, 600);
    // The report, two commits that shut and close, and the last with the end.
    assert_eq!(node.driver.metrics().commits.get() - commits, 4);
}

#[tokio::test(start_paused = true)]
async fn cutting_off_goes_on_after_a_crash() {
    let world = World::new();
    let settings = DriverSettings { closed_at_once: 1, ..DriverSettings::default() };
    let dying = world.node("a", settings.clone());
    dying.driver.start();
    let worker = world.worker(|_, _| Act::Lose);
    let arn = world.start(&dying, &many_branches(300), "o", "1").await;
    let open = async || world.store.open_branches(&arn, None, usize::MAX).await.expect("the store answers").len();
    world.until("all wait", async || worker.seen().len() == 1 && open().await == 302).await;
    let report = report_on(&worker.seen().remove(0), boom(), world.runtime.now());
    let reply_to = world.broker.reply_to(arn.partition(4));
    world.broker.publish_reports(&reply_to, &[report]).await.expect("the broker is there");
    while open().await > 200 {
        tokio::task::yield_now().await;
    }
    dying.runtime.kill();
    let left = open().await;
    assert!(left > 2, "{left} are open");
    let other = world.node("b", settings);
    other.driver.start();
    let (head, history) = world.ended(&arn).await;
    assert_eq!(head.end.expect("has ended").0.status, ExecutionStatus::Failed);
    let aborted = kinds(&history).iter().filter(|kind| **kind == "WaitStateAborted").count();
    assert_eq!(aborted, 300);
}

fn boom() -> Outcome {
    Outcome::Failed { error: Some("Boom".to_owned()), cause: None }
}

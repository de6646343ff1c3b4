//! Reports as they come: twice, late, in batches, malformed, of every kind.

use broker::WorkQueue;
use model::EventKind;
use store::ExecutionStore;
use wire::message::{Outcome, encode_reports};

use super::orders::TASK;
use super::world::{Act, World, failure, kinds, report_on, success};

fn one_task() -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}}"#)
}

fn two_tasks() -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "Next": "B"}}, "B": {{{TASK}, "End": true}}}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_report_counts_once() {
    let world = World::new();
    let nodes = [world.started("a"), world.started("b")];
    let [one, _] = &nodes;
    world.worker(|item, _| {
        let outcome = Outcome::Succeeded { output: item.input.clone() };
        Act::Report(vec![outcome.clone(), outcome.clone(), outcome])
    });
    let arn = world.start(one, &two_tasks(), "o", "1").await;
    assert_eq!(world.succeeded(&arn).await, "1");
    world
        .until("all reports are consumed", async || {
            nodes.iter().map(|node| node.driver.metrics().stale_reports.get()).sum::<u64>() == 4
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_report_of_a_timed_out_attempt_is_stale() {
    let world = World::new();
    let node = world.started("a");
    let cancels = world.broker.consume_cancels();
    let worker = world.worker(|item, _| if item.attempt.number == 1 { Act::Lose } else { success(item) });
    let definition = format!(
        r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "TimeoutSeconds": 5, "Retry": [{{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1}}], "End": true}}}}}}"#
    );
    let arn = world.start(&node, &definition, "o", "1").await;
    world.until("the second attempt began", async || worker.seen().len() == 2).await;
    let seen = worker.seen();
    let first = seen.first().expect("was seen");
    assert!(first.deadline.is_some_and(|deadline| deadline.millis_since(first.dispatched_at) == 5_000));
    let late = report_on(first, Outcome::Succeeded { output: first.input.clone() }, world.runtime.now());
    let reply_to = world.broker.reply_to(arn.partition(4));
    world.broker.publish_reports(&reply_to, &[late]).await.expect("the broker is there");
    assert_eq!(world.succeeded(&arn).await, "1");
    world.until("the late report is dropped", async || node.driver.metrics().stale_reports.get() == 1).await;
    let mut cancels = cancels;
    let cancel = cancels.next().await.expect("a cancel came").content.expect("can be read");
    assert_eq!(cancel.first().map(|cancel| cancel.of.kind()), Some("attempt"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_holds_reports_of_many_branches_in_their_order() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|_, _| Act::Lose);
    let mut arns = Vec::new();
    for index in 0..20 {
        arns.push(world.start(&node, &one_task(), &format!("o-{index}"), "1").await);
    }
    world.until("all items are out", async || worker.seen().len() == 20).await;
    let now = world.runtime.now();
    let mut reports = Vec::new();
    for outcome in [Outcome::Started, Outcome::Succeeded { output: model::JsonText::trusted("2") }] {
        reports.extend(worker.seen().iter().map(|item| report_on(item, outcome.clone(), now)));
    }
    world.broker.publish_reports(&world.broker.reply_to(0), &reports).await.expect("the broker is there");
    for arn in &arns {
        assert_eq!(world.succeeded(arn).await, "2");
    }
    assert_eq!(node.driver.metrics().deliveries.get(), 1);
    assert_eq!(node.driver.metrics().stale_reports.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_item_without_handler_goes_out_again() {
    let world = World::new();
    let node = world.started("a");
    let worker =
        world.worker(|item, before| if before < 3 { Act::Report(vec![Outcome::Unhandled]) } else { success(item) });
    let started = world.runtime.now();
    let arn = world.start(&node, &one_task(), "o", "1").await;
    assert_eq!(world.succeeded(&arn).await, "1");
    assert!(world.runtime.now().millis_since(started) >= 7_000, "after 1, 2 and 4 s");
    let seen = worker.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|item| item.deliveries == 0), "no worker was harmed");
    assert_eq!(node.driver.metrics().unhandled.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_held_item_goes_out_again_when_its_worker_falls_silent() {
    let world = World::new();
    let node = world.started("a");
    let worker =
        world.worker(|item, before| if before == 0 { Act::Report(vec![Outcome::Holding]) } else { success(item) });
    let started = world.runtime.now();
    let arn = world.start(&node, &one_task(), "o", "1").await;
    assert_eq!(world.succeeded(&arn).await, "1");
    assert!((30_000..31_000).contains(&world.runtime.now().millis_since(started)));
    let deliveries: Vec<u32> = worker.seen().iter().map(|item| item.deliveries).collect();
    assert_eq!(deliveries, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn deliveries_are_counted_beyond_the_death_of_a_coordinator() {
    let world = World::new();
    let first = world.started("a");
    let worker = world.worker(|_, _| Act::Report(vec![Outcome::Holding]));
    let arn = world.start(&first, &one_task(), "o", "1").await;
    world.until("it was held three times", async || worker.seen().len() == 3).await;
    first.runtime.kill();
    let second = world.started("b");
    world.until("it was held five times", async || worker.seen().len() == 5).await;
    second.runtime.kill();
    world.started("c");
    world.until("it was held seven times", async || worker.seen().len() == 7).await;
    let deliveries: Vec<u32> = worker.seen().iter().map(|item| item.deliveries).collect();
    assert_eq!(deliveries, [0, 1, 2, 3, 4, 5, 6]);
    assert!(world.store.execution(&arn).await.expect("reads").is_some_and(|head| head.end.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_item_fails_its_task_and_is_kept() {
    let world = World::new();
    let node = world.started("a");
    world.worker(|_, _| Act::Report(vec![Outcome::Poisoned]));
    let definition = format!(
        r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "Catch": [{{"ErrorEquals": ["Stepwell.Poisoned"], "Next": "B"}}], "End": true}}, "B": {{"Type": "Pass", "Result": "caught", "End": true}}}}}}"#
    );
    let arn = world.start(&node, &definition, "o", "{}").await;
    assert_eq!(world.succeeded(&arn).await, "\"caught\"");
    let letters = world.broker.dead_letters();
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(letter.queue, "stepwell.work.default");
    assert!(String::from_utf8_lossy(&letter.body).contains(arn.as_str()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_goes_to_the_dead_letters_and_harms_no_other() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|_, _| Act::Lose);
    let arn = world.start(&node, &one_task(), "o", "1").await;
    world.until("the item is out", async || worker.seen().len() == 1).await;
    let seen = worker.seen();
    let item = seen.first().expect("was seen");
    let report = report_on(item, Outcome::Succeeded { output: item.input.clone() }, world.runtime.now());
    let good = String::from_utf8(encode_reports(&[report])).expect("is UTF-8");
    let body = good.replacen('[', "[{\"execution\": 7},", 1);
    let queue = world.broker.reply_to(0).to_string();
    let kind = Some(wire::message::REPORT_TYPE);
    for body in ["not JSON", "{}", body.as_str()] {
        world.broker.publish_raw(&queue, kind, body.as_bytes()).expect("the queue is there");
    }
    assert_eq!(world.succeeded(&arn).await, "1");
    world.until("all are buried", async || world.broker.dead_letters().len() == 3).await;
    assert!(world.broker.dead_letters().iter().all(|letter| !letter.reason.is_empty()));
    world.until("all are acknowledged", async || node.driver.is_idle()).await;
}

#[tokio::test(start_paused = true)]
async fn a_report_on_what_never_was_is_dropped() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|_, _| Act::Lose);
    let arn = world.start(&node, &one_task(), "o", "1").await;
    world.until("the item is out", async || worker.seen().len() == 1).await;
    let mut item = worker.seen().remove(0);
    item.execution = arn.state_machine().execution("other");
    let report = report_on(&item, Outcome::Heartbeat, world.runtime.now());
    world.broker.publish_reports(&world.broker.reply_to(0), &[report]).await.expect("the broker is there");
    world.until("it is dropped", async || node.driver.metrics().stale_reports.get() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_a_task_alive() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|_, _| Act::Lose);
    let definition =
        format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "HeartbeatSeconds": 10, "End": true}}}}}}"#);
    let arn = world.start(&node, &definition, "o", "1").await;
    world.until("the item is out", async || worker.seen().len() == 1).await;
    let seen = worker.seen();
    let item = seen.first().expect("was seen");
    for _ in 0..5 {
        world.pass(8).await;
        let report = report_on(item, Outcome::Heartbeat, world.runtime.now());
        world.broker.publish_reports(&world.broker.reply_to(0), &[report]).await.expect("the broker is there");
    }
    let (head, history) = world.ended(&arn).await;
    let took = head.end.map(|(_, at)| at.millis_since(head.record.started_at));
    assert!(took.is_some_and(|took| (50_000..51_000).contains(&took)), "{took:?}");
    assert!(history.iter().any(|event| event.kind == EventKind::LambdaFunctionTimedOut), "{:?}", kinds(&history));
}

#[tokio::test(start_paused = true)]
async fn a_missed_heartbeat_keeps_its_name_beyond_the_states_around() {
    let world = World::new();
    let node = world.started("a");
    world.worker(|_, _| Act::Lose);
    let inner = format!(
        r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Parallel", "End": true, "Branches": [
            {{"StartAt": "T", "States": {{"T": {{{TASK}, "TimeoutSeconds": 60, "HeartbeatSeconds": 5, "End": true}}}}}}]}}}}}}"#
    );
    let definition = format!(
        r#"{{"StartAt": "M", "States": {{
            "M": {{"Type": "Map", "ItemProcessor": {inner}, "End": true,
                "Catch": [{{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "C"}}]}},
            "C": {{"Type": "Pass", "InputPath": "$.Error", "End": true}}}}}}"#
    );
    let arn = world.start(&node, &definition, "o", "[1, 2]").await;
    assert_eq!(world.succeeded(&arn).await, "\"States.Timeout\"");
}

#[tokio::test(start_paused = true)]
async fn a_failure_ends_the_execution_with_its_error() {
    let world = World::new();
    let node = world.started("a");
    world.worker(|_, _| failure("Broken"));
    let arn = world.start(&node, &one_task(), "o", "1").await;
    let (head, _) = world.ended(&arn).await;
    let (end, _) = head.end.expect("has ended");
    assert_eq!(end.error.as_deref(), Some("Broken"));
    assert_eq!(node.driver.metrics().executions_failed.get(), 1);
}

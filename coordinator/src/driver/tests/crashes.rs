//! Coordinators that die at the worst moment, and others that go on.

use super::orders::TASK;
use super::world::{Act, Node, World, success};
use crate::driver::DriverSettings;

fn one_task() -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn another_coordinator_publishes_what_a_dead_one_committed() {
    let world = World::new();
    // Its loops never run: it commits, and dies before it publishes.
    let dead = world.node("dead", DriverSettings::default());
    let arn = world.start(&dead, &one_task(), "o", "1").await;
    dead.runtime.kill();
    let worker = world.worker(|item, _| success(item));
    let alive = world.started("alive");
    assert_eq!(world.succeeded(&arn).await, "1");
    assert_eq!(worker.seen().len(), 1);
    let metrics = alive.driver.metrics();
    // The item, and that the execution has started.
    assert_eq!(metrics.reissued.get() + metrics.repairs.get(), 2);
    assert_eq!(metrics.take_overs.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_coordinator_fires_the_timers_of_a_dead_one() {
    let world = World::new();
    let dead = world.started("dead");
    let definition = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}}"#;
    let arn = world.start(&dead, definition, "o", "1").await;
    world.pass(5).await;
    let alive = world.started("alive");
    world.pass(5).await;
    dead.runtime.kill();
    world.succeeded(&arn).await;
    let took = world.runtime.now().millis_since(crate::driver::tests::world::EPOCH);
    assert!((60_000..62_000).contains(&took), "took {took} ms");
    assert_eq!(alive.driver.metrics().timers_fired.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_coordinator_wakes_the_parents_of_a_dead_one() {
    let world = World::new();
    let definition = format!(
        r#"{{"StartAt": "M", "States": {{"M": {{"Type": "Map", "MaxConcurrency": 3, "End": true, "ItemProcessor": {{"StartAt": "T", "States": {{"T": {{{TASK}, "End": true}}}}}}}}}}}}"#
    );
    let first = world.started("0");
    let worker = world.echo(30);
    let arn = world.start(&first, &definition, "o", "[0,1,2,3,4,5,6,7,8,9]").await;
    let mut old = first;
    // Each dies after a few of the children are done, whatever it is at.
    for generation in 1..6_usize {
        let next = world.started(&generation.to_string());
        world.until("some more are done", async || worker.seen().len() >= generation * 2).await;
        old.runtime.kill();
        old = next;
    }
    assert_eq!(world.succeeded(&arn).await, "[0,1,2,3,4,5,6,7,8,9]");
}

#[tokio::test(start_paused = true)]
async fn a_continuation_survives_its_coordinator() {
    let world = World::new();
    let dead = world.node("dead", DriverSettings::default());
    let definition = r#"{"StartAt": "Add", "States": {
        "Add": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "Enough"},
        "Enough": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 1500, "Next": "Add"}], "Default": "Done"},
        "Done": {"Type": "Succeed"}}}"#;
    let arn = world.start(&dead, definition, "o", "{\"n\": 0}").await;
    dead.runtime.kill();
    world.started("alive");
    assert_eq!(world.succeeded(&arn).await, "{\"n\":1500}");
}

#[tokio::test(start_paused = true)]
async fn a_report_never_waits_for_a_lease() {
    let world = World::new();
    let settings = DriverSettings { lease: std::time::Duration::from_secs(3_600), ..DriverSettings::default() };
    let dead = world.node("dead", settings);
    dead.driver.start();
    let worker = world.worker(|_, _| Act::Lose);
    let arn = world.start(&dead, &one_task(), "o", "1").await;
    world.until("the item is out", async || worker.seen().len() == 1).await;
    dead.runtime.kill();
    let alive = world.started("alive");
    let item = worker.seen().remove(0);
    let outcome = wire::message::Outcome::Succeeded { output: item.input.clone() };
    let report = super::world::report_on(&item, outcome, world.runtime.now());
    let reply_to = broker::WorkQueue::reply_to(&world.broker, arn.partition(4));
    broker::WorkQueue::publish_reports(&world.broker, &reply_to, &[report]).await.expect("the broker is there");
    let before = world.runtime.now();
    assert_eq!(world.succeeded(&arn).await, "1");
    assert!(world.runtime.now().millis_since(before) < 1_000);
    assert_eq!(alive.driver.metrics().take_overs.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_coordinator_leaves_nothing_to_issue_again() {
    let world = World::new();
    let stopped = world.started("stopped");
    let worker = world.worker(|_, _| Act::Lose);
    world.start(&stopped, &one_task(), "o", "1").await;
    world.until("the item is out", async || worker.seen().len() == 1).await;
    stopped.driver.stop();
    world.until("nothing is in hand", async || stopped.driver.is_idle()).await;
    stopped.runtime.kill();
    let next = world.started("next");
    world.pass(20).await;
    assert_eq!(worker.seen().len(), 1);
    assert_eq!(next.driver.metrics().reissued.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_joins_gets_its_share_of_the_sweeps() {
    let world = World::new();
    let first = world.started("a");
    let swept = |node: &Node| node.driver.swept_partitions();
    world.until("the first one sweeps all", async || swept(&first).len() == 4).await;
    let second = world.started("b");
    world.until("they share", async || swept(&first).len() == 2 && swept(&second).len() == 2).await;
    let third = world.started("c");
    let all = || [swept(&first), swept(&second), swept(&third)];
    world.until("the third one has some", async || !all()[2].is_empty()).await;
    for _ in 0..20 {
        world.pass(1).await;
        let mut partitions = all().concat();
        partitions.sort_unstable();
        assert_eq!(partitions, [0, 1, 2, 3], "each is swept by one: {:?}", all());
        assert!(all().iter().all(|swept| (1..=2).contains(&swept.len())), "{:?}", all());
    }
    second.runtime.kill();
    third.runtime.kill();
    world.until("what dead ones swept is taken over", async || swept(&first).len() == 4).await;
}

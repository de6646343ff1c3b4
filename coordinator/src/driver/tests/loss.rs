//! A broker that loses what it was given.

use broker::WorkQueue;
use runtime::Runtime;

use super::orders::TASK;
use super::world::{Act, World, success};

fn chain() -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "Next": "B"}}, "B": {{{TASK}, "End": true}}}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_lost_its_data_gets_every_item_again() {
    let world = World::new();
    let nodes = [world.started("a"), world.started("b")];
    let [one, other] = &nodes;
    let mut arns = Vec::new();
    for index in 0..30 {
        arns.push(world.start(one, &chain(), &format!("o-{index}"), "1").await);
    }
    world.pass(20).await;
    world.broker.lose_data();
    world.pass(5).await;
    let worker = world.worker(|item, _| success(item));
    for arn in &arns {
        assert_eq!(world.succeeded(arn).await, "1");
    }
    assert_eq!(worker.seen().len(), 60, "each item went out once");
    let repairs = one.driver.metrics().repairs.get() + other.driver.metrics().repairs.get();
    assert_eq!(repairs, 30);
}

#[tokio::test(start_paused = true)]
async fn a_single_lost_item_goes_out_again() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|item, before| if before < 2 { Act::Lose } else { success(item) });
    let started = world.runtime.now();
    let definition = format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}}"#);
    let arn = world.start(&node, &definition, "o", "1").await;
    assert_eq!(world.succeeded(&arn).await, "1");
    let took = world.runtime.now().millis_since(started);
    assert!((90_000..120_000).contains(&took), "30 s, then 60 s: {took} ms");
    let deliveries: Vec<u32> = worker.seen().iter().map(|item| item.deliveries).collect();
    assert_eq!(deliveries, [0, 0, 0], "what never arrived was not delivered");
    assert_eq!(node.driver.metrics().repairs.get(), 2);
}

/// Seconds until an item is published again that was lost, whose queue is seen empty so many seconds after its dispatch.
async fn lost_after(seconds_until_empty: u64) -> u64 {
    let world = World::new();
    let node = world.started("a");
    let worker = Runtime::simulated(97, world.runtime.now());
    let queue = world.broker.handle(worker.clone());
    let definition = format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}}"#);
    let started = world.runtime.now();
    world.start(&node, &definition, "o", "1").await;
    world.pass(seconds_until_empty).await;
    // It goes, and nobody hears of it again.
    let mut consumer = queue.consume_work("default", 1);
    consumer.next().await.expect("is there").receipt.ack().await;
    consumer.next().await.expect("comes again");
    world.runtime.now().millis_since(started) / 1_000
}

#[tokio::test(start_paused = true)]
async fn an_item_is_lost_when_it_is_old_and_its_queue_was_empty_well_after_its_dispatch() {
    // Looks are five seconds apart, more or less.
    let at_once = lost_after(0).await;
    assert!((30..=37).contains(&at_once), "not before 30 s: {at_once}");
    let late = lost_after(100).await;
    assert!((100..=107).contains(&late), "not while its queue is not seen empty: {late}");
}

#[tokio::test(start_paused = true)]
async fn a_started_item_is_not_lost() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|_, _| Act::Report(vec![wire::message::Outcome::Started]));
    let definition = format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}}"#);
    world.start(&node, &definition, "o", "1").await;
    world.pass(300).await;
    assert_eq!(worker.seen().len(), 1);
}

//! Store or broker away, and back.

use std::time::Duration;

use super::orders::TASK;
use super::world::{World, success};
use crate::driver::backoff::Backoff;
use crate::driver::error::{Patience, Unable};
use crate::driver::{DriverSettings, StartError, StartRequest};

fn chain() -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "Next": "B"}}, "B": {{{TASK}, "End": true}}}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn executions_start_while_the_broker_is_away() {
    let world = World::new();
    let nodes = [world.started("a"), world.started("b")];
    let worker = world.worker(|item, _| success(item));
    world.pass(1).await;
    world.broker.set_connected(false);
    let mut arns = Vec::new();
    for index in 0..50 {
        let node = nodes.get(index % 2).expect("there are two");
        arns.push(world.start(node, &chain(), &format!("o-{index}"), "1").await);
    }
    world.pass(120).await;
    assert!(worker.seen().is_empty());
    world.broker.set_connected(true);
    let before = world.runtime.now();
    for arn in &arns {
        assert_eq!(world.succeeded(arn).await, "1");
    }
    assert!(world.runtime.now().millis_since(before) < 10_000);
    assert_eq!(worker.seen().len(), 100, "each item went out once");
}

#[tokio::test(start_paused = true)]
async fn the_broker_comes_and_goes() {
    let world = World::new();
    let node = world.started("a");
    world.echo(40);
    let mut arns = Vec::new();
    for index in 0..20 {
        arns.push(world.start(&node, &chain(), &format!("o-{index}"), "1").await);
        world.runtime.sleep(Duration::from_millis(30)).await;
        world.broker.set_connected(index % 3 == 0);
    }
    world.broker.set_connected(true);
    for arn in &arns {
        assert_eq!(world.succeeded(arn).await, "1");
    }
}

#[tokio::test(start_paused = true)]
async fn events_wait_for_the_store() {
    let world = World::new();
    let node = world.started("a");
    world.echo(100);
    let mut arns = Vec::new();
    for index in 0..20 {
        arns.push(world.start(&node, &chain(), &format!("o-{index}"), "1").await);
    }
    world.runtime.sleep(Duration::from_millis(50)).await;
    world.store.set_connected(false);
    world.pass(60).await;
    let machine = {
        world.store.set_connected(true);
        let machine = world.machine(&chain()).await;
        world.store.set_connected(false);
        machine
    };
    let input = model::JsonText::trusted("1");
    let request = StartRequest::new(machine, "late", input);
    let refused = node.driver.start_execution(request).await;
    assert!(matches!(refused, Err(StartError::Unavailable(_))), "{refused:?}");
    world.store.set_connected(true);
    let before = world.runtime.now();
    for arn in &arns {
        assert_eq!(world.succeeded(arn).await, "1");
    }
    assert!(world.runtime.now().millis_since(before) < 15_000);
    assert_eq!(node.driver.metrics().stale_reports.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_store_takes_no_new_executions() {
    let world = World::new();
    let node = world.started("a");
    let machine = world.machine(&chain()).await;
    world.store.set_over_high_water(true);
    world.pass(3).await;
    let input = model::JsonText::trusted("1");
    let request = StartRequest::new(machine, "o", input);
    let refused = node.driver.start_execution(request.clone()).await;
    assert!(matches!(refused, Err(StartError::Throttled)), "{refused:?}");
    world.store.set_over_high_water(false);
    world.pass(3).await;
    assert!(node.driver.start_execution(request).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_a_live_coordinator_forgot_is_issued_after_the_grace() {
    let world = World::new();
    // It has no room for what can't leave at once.
    let forgetful = world.node("forgetful", DriverSettings { relay_pending: 0, ..DriverSettings::default() });
    forgetful.driver.start();
    let worker = world.worker(|item, _| success(item));
    world.pass(1).await;
    world.broker.set_connected(false);
    let arn = world.start(&forgetful, &chain(), "o", "1").await;
    world.pass(60).await;
    assert_eq!(forgetful.driver.metrics().reissued.get(), 0, "none while the broker is away");
    world.broker.set_connected(true);
    let before = world.runtime.now();
    world.until("the item is out", async || !worker.seen().is_empty()).await;
    let took = world.runtime.now().millis_since(before);
    assert!((5_000..9_000).contains(&took), "after the grace of 5 s: {took} ms");
    assert_eq!(world.succeeded(&arn).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_caller_does_not_wait_for_room() {
    let world = World::new();
    let node = world.started("a");
    let inner = &node.driver.inner;
    let mut backoff = Backoff::new(&inner.settings);
    let patience = Patience::Until(world.runtime.now().plus_millis(60_000));
    let full = || store::Error::Full("no space left".to_owned());
    let before = world.runtime.now();
    let refused = inner.bear(full(), &mut backoff, patience).await;
    assert!(matches!(refused, Err(Unable::Store(store::Error::Full(_)))), "{refused:?}");
    assert_eq!(world.runtime.now(), before, "at once");
    // What nobody waits for is tried again, as is a store that can't be reached.
    assert!(inner.bear(full(), &mut backoff, Patience::Endless).await.is_ok());
    assert!(inner.bear(store::Error::Unavailable("away".to_owned()), &mut backoff, patience).await.is_ok());
    assert!(world.runtime.now() > before);
}

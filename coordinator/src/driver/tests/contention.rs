//! Commits that are refused again and again, because other coordinators are always faster.

use broker::WorkQueue;
use wire::message::{Outcome, Report};

use super::orders::TASK;
use super::world::{Act, World, report_on};
use crate::driver::DriverSettings;

fn one_task() -> String {
    format!(r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}}"#)
}

fn reports(world: &World, items: &[wire::message::WorkItem]) -> Vec<Report> {
    let now = world.runtime.now();
    items.iter().map(|item| report_on(item, Outcome::Succeeded { output: item.input.clone() }, now)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_refused_commit_is_tried_eight_times_more_and_then_its_delivery_is_held() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|_, _| Act::Lose);
    let arn = world.start(&node, &one_task(), "o", "1").await;
    world.until("the item is out", async || worker.seen().len() == 1).await;
    let report = reports(&world, &worker.seen());
    let (refused, held) = (|| node.driver.metrics().refused_stale.get(), || node.driver.metrics().held.get());
    // Eight refusals are borne in place.
    assert_eq!(DriverSettings::default().refusals_max, 8);
    world.store.contend(&arn, 8 + 9 + 9);
    world.broker.publish_reports(&world.broker.reply_to(arn.partition(4)), &report).await.expect("is there");
    world.until("it is held", async || held() == 1).await;
    assert_eq!(refused(), 9);
    let before = world.runtime.now();
    world.until("it is held again", async || held() == 2).await;
    assert_eq!(refused(), 18);
    assert!(world.runtime.now().millis_since(before) >= 20, "after a pause");
    assert_eq!(world.succeeded(&arn).await, "1");
    assert_eq!((refused(), held()), (26, 2), "the last eight were borne");
    assert_eq!(node.driver.metrics().deliveries.get(), 1, "it was never given back to the broker");
}

#[tokio::test(start_paused = true)]
async fn a_contended_report_of_a_batch_is_set_aside() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|_, _| Act::Lose);
    let mut arns = Vec::new();
    for index in 0..20 {
        arns.push(world.start(&node, &one_task(), &format!("o-{index}"), "1").await);
    }
    world.until("all items are out", async || worker.seen().len() == 20).await;
    let batch = reports(&world, &worker.seen());
    world.store.contend(&arns[7], 9);
    world.broker.publish_reports(&world.broker.reply_to(0), &batch).await.expect("is there");
    for arn in &arns {
        assert_eq!(world.succeeded(arn).await, "1");
    }
    let metrics = node.driver.metrics();
    assert_eq!((metrics.set_aside.get(), metrics.deliveries.get(), metrics.reports.get()), (1, 2, 21));
    assert_eq!((metrics.held.get(), metrics.stale_reports.get()), (0, 0));
    world.until("both are acknowledged", async || node.driver.is_idle()).await;
}

//! Changes of executions' status, told to whoever listens.

use std::collections::{BTreeMap, BTreeSet};

use model::ExecutionArn;
use serde_json::Value;
use store::ExecutionStore as _;

use super::orders::TASK;
use super::world::{Act, World, failure, success};
use crate::driver::DriverSettings;

/// Is one queue that is bound to status changes, and all that it was ever told.
struct Listener {
    queue: usize,
    told: Vec<(String, Value)>,
}

impl Listener {
    fn on(world: &World, pattern: &str) -> Self {
        Self { queue: world.broker.bind_status_changes(pattern), told: Vec::new() }
    }

    fn listen(&mut self, world: &World) {
        for (topic, body) in world.broker.take_status_changes(self.queue) {
            self.told.push((topic, serde_json::from_slice(&body).expect("is JSON")));
        }
    }

    /// Waits until all these were told of an execution; gives the envelopes by status.
    async fn told(&mut self, world: &World, arn: &ExecutionArn, statuses: &[&str]) -> BTreeMap<String, Value> {
        let mut told = BTreeMap::new();
        world
            .until("all is told", async || {
                self.listen(world);
                for (_, envelope) in &self.told {
                    let detail = &envelope["detail"];
                    if detail["executionArn"] == arn.as_str() {
                        told.insert(detail["status"].as_str().expect("is a text").to_owned(), envelope.clone());
                    }
                }
                statuses.iter().all(|status| told.contains_key(*status))
            })
            .await;
        assert_eq!(told.len(), statuses.len(), "{told:#?}");
        told
    }
}

fn one_task() -> String {
    format!(r#"{{"StartAt": "A", "TimeoutSeconds": 100, "States": {{"A": {{{TASK}, "End": true}}}}}}"#)
}

const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;

#[tokio::test(start_paused = true)]
async fn what_the_broker_never_takes_is_told_to_nobody() {
    let world = World::new();
    let node = world.started("a");
    let mut all = Listener::on(&world, "#");
    world.broker.set_body_bytes_max(100);
    let arn = world.start(&node, PASS, "o", "1").await;
    assert_eq!(world.succeeded(&arn).await, "1");
    world.until("the outbox is empty", async || world.store_outbox().await == 0).await;
    world.broker.set_body_bytes_max(100_000);
    world.pass(600).await;
    all.listen(&world);
    assert!(all.told.is_empty() && node.driver.is_idle());
}

#[tokio::test(start_paused = true)]
async fn every_start_and_end_is_told_once() {
    let world = World::new();
    let node = world.started("a");
    let mut all = Listener::on(&world, "#");
    let mut aborted = Listener::on(&world, "ABORTED.us-east-1.123456789012.M");
    world.worker(|item, _| match item.input.as_str() {
        "\"fail\"" => failure("Stock.Empty"),
        "\"lose\"" | "\"stop\"" => Act::Lose,
        _ => success(item),
    });
    let mut arns = BTreeMap::new();
    for (input, end) in [("1", "SUCCEEDED"), ("\"fail\"", "FAILED"), ("\"lose\"", "TIMED_OUT"), ("\"stop\"", "ABORTED")]
    {
        arns.insert(end, world.start(&node, &one_task(), end, input).await);
    }
    world.pass(5).await;
    let stop = node.driver.stop_execution(&arns["ABORTED"], Some("Mind.Changed".to_owned()), None).await;
    stop.expect("the store answers");
    for (end, arn) in &arns {
        let (head, _) = world.ended(arn).await;
        let told = all.told(&world, arn, &["RUNNING", end]).await;
        let (started, ended) = (&told["RUNNING"]["detail"], &told[*end]["detail"]);
        assert_eq!(started["stopDate"], Value::Null);
        assert_eq!(started["startDate"], head.record.started_at.as_millis());
        assert_eq!(ended["startDate"], started["startDate"]);
        let (end, at) = head.end.expect("has ended");
        assert_eq!(ended["stopDate"], at.as_millis());
        assert_eq!(ended["input"], head.record.input.as_str());
        assert_eq!(ended["output"], end.output.as_ref().map_or(Value::Null, |output| output.as_str().into()));
        assert_eq!(ended["error"], end.error.map_or(Value::Null, Value::from));
    }
    assert_eq!(all.told.len(), 8, "each is told once");
    aborted.listen(&world);
    let told: Vec<&Value> = aborted.told.iter().map(|(_, envelope)| &envelope["detail"]["error"]).collect();
    assert_eq!(told, ["Mind.Changed"]);
    let ids: BTreeSet<&str> = all.told.iter().filter_map(|(_, envelope)| envelope["id"].as_str()).collect();
    assert_eq!(ids.len(), 8);
    world.until("nothing waits any more", async || world.store_outbox().await == 0).await;
    assert_eq!(node.driver.metrics().status_changes.get(), 8);
}

#[tokio::test(start_paused = true)]
async fn another_coordinator_tells_what_a_dead_one_committed() {
    let world = World::new();
    let mut listener = Listener::on(&world, "#");
    // Its loops never run: it commits, and dies before it publishes.
    let dead = world.node("dead", DriverSettings::default());
    let arn = world.start(&dead, PASS, "o", "1").await;
    dead.runtime.kill();
    listener.listen(&world);
    assert!(listener.told.is_empty());
    world.started("alive");
    let told = listener.told(&world, &arn, &["RUNNING", "SUCCEEDED"]).await;
    assert_eq!(told["SUCCEEDED"]["detail"]["output"], "1");
    world.until("nothing waits any more", async || world.store_outbox().await == 0).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_told_twice_has_one_id() {
    let world = World::new();
    let mut listener = Listener::on(&world, "#");
    let dying = world.started("dying");
    let arn = world.start(&dying, PASS, "o", "1").await;
    let first = listener.told(&world, &arn, &["RUNNING", "SUCCEEDED"]).await;
    // It dies before it has cleared the outbox.
    dying.runtime.kill();
    assert_eq!(world.store_outbox().await, 2);
    world.started("alive");
    world
        .until("it is told again", async || {
            listener.listen(&world);
            listener.told.len() == 4
        })
        .await;
    assert_eq!(listener.told(&world, &arn, &["RUNNING", "SUCCEEDED"]).await, first);
}

#[tokio::test(start_paused = true)]
async fn status_changes_wait_for_the_broker() {
    let world = World::new();
    let nodes = [world.started("a"), world.started("b")];
    let mut listener = Listener::on(&world, "#");
    world.pass(1).await;
    world.broker.set_connected(false);
    let mut arns = Vec::new();
    for index in 0..50 {
        arns.push(world.start(&nodes[index % 2], PASS, &format!("o-{index}"), "1").await);
    }
    world.pass(60).await;
    assert_eq!(world.store_outbox().await, 100);
    world.broker.set_connected(true);
    for arn in &arns {
        listener.told(&world, arn, &["RUNNING", "SUCCEEDED"]).await;
    }
    world.until("nothing waits any more", async || world.store_outbox().await == 0).await;
    assert_eq!(listener.told.len(), 100, "each is told once");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_where_that_is_turned_off() {
    let world = World::new();
    // What another coordinator still had to tell is dropped.
    let telling = world.node("telling", DriverSettings::default());
    world.start(&telling, PASS, "before", "1").await;
    telling.runtime.kill();
    let mut listener = Listener::on(&world, "#");
    let node = world.node("quiet", DriverSettings { notify: false, ..DriverSettings::default() });
    let arn = world.start(&node, PASS, "o", "1").await;
    node.driver.start();
    world.succeeded(&arn).await;
    world.until("nothing waits any more", async || world.store_outbox().await == 0).await;
    listener.listen(&world);
    assert!(listener.told.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_end_is_told_at_the_time_that_the_store_keeps() {
    let world = World::new();
    let ahead = world.node_ahead("ahead", DriverSettings::default(), 10_000);
    let node = world.node("a", DriverSettings::default());
    let mut all = Listener::on(&world, "#");
    let wait = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 500, "End": true}}}"#;
    let arn = world.start(&ahead, wait, "o", "1").await;
    ahead.runtime.kill();
    node.driver.start();
    node.driver.stop_execution(&arn, None, None).await.expect("stops it");
    let told = all.told(&world, &arn, &["ABORTED"]).await;
    let (_, at) = world.store.execution(&arn).await.expect("reads").expect("is there").end.expect("has ended");
    assert_eq!(told["ABORTED"]["detail"]["stopDate"], at.as_millis());
}

//! How many work items one message carries.

use super::orders::TASK;
use super::world::World;
use crate::driver::{DEFAULT_POOL, DriverSettings, Routing};

/// Runs a Map of thirty tasks; gives the work items and the messages that carried them.
async fn items_and_messages(settings: DriverSettings) -> (u64, u64) {
    let world = World::new();
    let node = world.node("a", settings);
    node.driver.start();
    world.echo(1);
    let definition = format!(
        r#"{{"StartAt": "M", "States": {{"M": {{"Type": "Map", "End": true, "ItemProcessor": {{"StartAt": "T", "States": {{"T": {{{TASK}, "End": true}}}}}}}}}}}}"#
    );
    let input = serde_json::to_string(&(0..30).collect::<Vec<_>>()).expect("is JSON");
    let arn = world.start(&node, &definition, "o", &input).await;
    assert_eq!(world.succeeded(&arn).await, input);
    let metrics = node.driver.metrics();
    (metrics.dispatches.get(), metrics.dispatch_messages.get())
}

#[tokio::test(start_paused = true)]
async fn items_go_one_a_message_unless_their_pool_takes_more() {
    assert_eq!(items_and_messages(DriverSettings::default()).await, (30, 30));
    let routing = Routing::new(Vec::new(), vec![(DEFAULT_POOL.to_owned(), 8)]);
    let (items, messages) = items_and_messages(DriverSettings { routing, ..DriverSettings::default() }).await;
    assert!(items == 30 && (4..15).contains(&messages), "{items} items in {messages} messages");
}

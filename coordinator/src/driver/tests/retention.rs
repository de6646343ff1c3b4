//! How long ended executions are kept.

use std::time::Duration;

use store::ExecutionStore;
use wire::record::{DefinitionHash, StateMachineRecord};

use super::world::World;
use crate::driver::DriverSettings;

const PASS: &str = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;

async fn ended_bytes(world: &World) -> u64 {
    let mut bytes = 0;
    for partition in 0..world.store.partitions() {
        bytes += world.store.ended_bytes(partition).await.expect("the store answers");
    }
    bytes
}

#[tokio::test(start_paused = true)]
async fn ended_executions_are_kept_for_the_period() {
    let world = World::new();
    let settings = DriverSettings { retention: Duration::from_secs(60), ..DriverSettings::default() };
    let node = world.node("a", settings);
    node.driver.start();
    let arn = world.start(&node, PASS, "o", "1").await;
    world.succeeded(&arn).await;
    world.pass(40).await;
    assert!(world.store.execution(&arn).await.expect("the store answers").is_some());
    world.until("it is gone", async || world.store.execution(&arn).await.expect("answers").is_none()).await;
    assert_eq!(ended_bytes(&world).await, 0);
}

#[tokio::test(start_paused = true)]
async fn ended_executions_are_kept_up_to_so_many_bytes() {
    let world = World::new();
    let settings = DriverSettings { retention_bytes: Some(40_000), ..DriverSettings::default() };
    let nodes = [world.node("a", settings.clone()), world.node("b", settings)];
    nodes.iter().for_each(|node| node.driver.start());
    let mut arns = Vec::new();
    for index in 0..200 {
        world.pass(1).await;
        arns.push(world.start(&nodes[index % 2], PASS, &format!("o-{index}"), "1").await);
    }
    world.pass(30).await;
    let bytes = ended_bytes(&world).await;
    assert!((20_000..=40_000).contains(&bytes), "{bytes} bytes are kept");
    let mut kept = Vec::new();
    for (index, arn) in arns.iter().enumerate() {
        if world.store.execution(arn).await.expect("the store answers").is_some() {
            kept.push(index);
        }
    }
    let oldest = kept.first().copied().unwrap_or_default();
    assert!(kept.len() > 10 && kept.contains(&199) && oldest + 2 * kept.len() > 200, "those that ended last: {kept:?}");
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_nothing_refers_to_is_removed() {
    let world = World::new();
    let settings = DriverSettings { retention: Duration::from_secs(3_600), ..DriverSettings::default() };
    let node = world.node("a", settings);
    node.driver.start();
    let arn = world.start(&node, PASS, "o", "1").await;
    world.succeeded(&arn).await;
    let (first, revision) = world.store.state_machine_at(&arn.state_machine()).await.expect("answers").expect("exists");
    let next = StateMachineRecord { hash: DefinitionHash("next".into()), ..first.clone() };
    assert!(world.store.replace_state_machine(revision, &next).await.expect("answers"));
    let has = async |hash| world.store.definition(hash).await.expect("answers").is_some();
    world.pass(3_300).await;
    assert!(has(&first.hash).await && world.store.execution(&arn).await.expect("answers").is_some());
    world.until("the execution is gone", async || world.store.execution(&arn).await.expect("answers").is_none()).await;
    assert!(has(&first.hash).await, "it is kept for a while");
    world.until("its definition is gone, too", async || !has(&first.hash).await).await;
    assert!(has(&next.hash).await);
}

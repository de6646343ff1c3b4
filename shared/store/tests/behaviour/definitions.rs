//! Definitions: kept as long as something refers to them, and removed afterwards.

use std::sync::Arc;

use model::{Revision, StateMachineStatus};
use runtime::{Runtime, Task};
use store::{CommitOutcome, Refusal, ResourceKey, Retention, SharedStore, Subject};
use wire::record::{DefinitionHash, PublishedRecord, StateMachineRecord, VersionRecord};

use crate::fixture::*;

crate::on_all_stores!(
    a_definition_is_kept_as_long_as_something_refers_to_it,
    what_is_published_keeps_its_definitions,
    what_refers_to_a_removed_definition_is_refused,
    definitions_that_were_put_for_nothing_are_removed_in_batches,
    no_definition_is_missing_while_others_are_removed,
);

fn hash(name: &str) -> DefinitionHash {
    DefinitionHash(name.into())
}

fn record(definition: &str) -> StateMachineRecord {
    StateMachineRecord {
        arn: machine(),
        definition: format!("the text of {definition}").into(),
        hash: hash(definition),
        role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
        kind: "STANDARD".to_owned(),
        status: StateMachineStatus::Active,
        created_at: at(0),
        revision_id: None,
        updated_at: None,
        tags: Vec::new(),
        logging: None,
        tracing: None,
        encryption: None,
        publication: None,
    }
}

/// An execution of a definition.
fn execution_of(name: &str, definition: &str) -> (Seen, store::Commit) {
    let seen = Seen::root(name);
    let mut creation = seen.creation();
    if let Subject::Creation { record, .. } = &mut creation.subject {
        record.definition = hash(definition);
    }
    (seen, creation)
}

/// Cleans up everywhere: executions that ended over a second ago, definitions that nothing refers to for so long.
async fn clean_all(store: &SharedStore, unused_millis: u64) {
    for partition in 0..store.partitions() {
        let retention = Retention { millis: 1_000, bytes: None, express_millis: 1_000, unused_millis };
        while store.clean_up(partition, &retention).await.expect("cleans") {}
    }
}

async fn revision(stage: &Stage) -> Revision {
    stage.store.state_machine_at(&machine()).await.expect("reads").expect("is there").1
}

async fn a_definition_is_kept_as_long_as_something_refers_to_it(stage: Stage) {
    let has = async |names: [&str; 2]| {
        clean_all(&stage.store, 0).await;
        [stage.has_definition(&hash(names[0])).await, stage.has_definition(&hash(names[1])).await]
    };
    assert_eq!(stage.store.create_state_machine(&record("A")).await.expect("creates"), None);
    let (root, creation) = execution_of("e", "A");
    stage.store.put_definition(partition(&root.arn), &hash("A"), "the text of A").await.expect("puts");
    stage.made(&creation).await;
    let tagged = StateMachineRecord { tags: vec![("a".to_owned(), "b".to_owned())], ..record("A") };
    assert!(stage.store.replace_state_machine(revision(&stage).await, &tagged).await.expect("replaces"));
    assert_eq!(has(["A", "B"]).await, [true, false]);
    assert!(stage.store.replace_state_machine(revision(&stage).await, &record("B")).await.expect("replaces"));
    assert!(!stage.store.replace_state_machine(Revision::first(nonce()), &record("A")).await.expect("does not"));
    // The execution pins it.
    assert_eq!(has(["A", "B"]).await, [true, true]);
    assert_eq!(stage.store.state_machine(&machine()).await.expect("reads"), Some(record("B")));
    stage.made(&root.end()).await;
    assert!(stage.has_definition(&hash("A")).await, "an ended execution pins it, too");
    // Retention removes the execution, and then it.
    assert_eq!(has(["A", "B"]).await, [false, true]);
    let key = ResourceKey::state_machine(&machine());
    assert!(stage.store.replace_resource(&key, revision(&stage).await, None).await.expect("removes"));
    assert_eq!(has(["A", "B"]).await, [false, false]);
    // All of it may be anew.
    assert_eq!(stage.store.create_state_machine(&record("A")).await.expect("creates"), None);
    assert_eq!(has(["A", "B"]).await, [true, false]);
    assert_eq!(stage.store.definition(&hash("A")).await.expect("reads").as_deref(), Some("the text of A"));
}

async fn what_is_published_keeps_its_definitions(stage: Stage) {
    let has = async || {
        clean_all(&stage.store, 0).await;
        [stage.has_definition(&hash("A")).await, stage.has_definition(&hash("B")).await]
    };
    let publish = async |seen: Option<Revision>, definitions: &[&str]| {
        let versions =
            (1..).zip(definitions).map(|(number, name)| VersionRecord::of(&record(name), number, None, at(1)));
        let next = PublishedRecord { versions: versions.collect(), ..PublishedRecord::of(&record("A")) };
        stage.store.publish(&machine(), seen, &next).await.map(|written| written.is_some())
    };
    let published = async || stage.store.published(&machine()).await.expect("reads").expect("is there");
    assert_eq!(stage.store.published(&machine()).await.expect("reads"), None);
    assert_eq!(stage.store.create_state_machine(&record("A")).await.expect("creates"), None);
    assert!(publish(None, &["A"]).await.expect("publishes"));
    assert!(!publish(None, &["A"]).await.expect("does not"), "something is published");
    let key = ResourceKey::state_machine(&machine());
    stage.store.put_definition(key.partition(stage.store.partitions()), &hash("0"), "0").await.expect("puts");
    publish(Some(published().await.1), &["0", "A", "B"]).await.expect_err("B is nowhere");
    clean_all(&stage.store, 0).await;
    assert!(!stage.has_definition(&hash("0")).await, "what was refused counted nothing");
    assert!(stage.store.replace_state_machine(revision(&stage).await, &record("B")).await.expect("replaces"));
    assert_eq!(has().await, [true, true], "the version has A");
    let first = published().await.1;
    assert!(publish(Some(first), &["A", "B", "A"]).await.expect("publishes"));
    assert!(!publish(Some(first), &[]).await.expect("does not"), "it was published anew");
    assert!(stage.store.replace_resource(&key, revision(&stage).await, None).await.expect("removes"));
    assert_eq!(has().await, [true, true]);
    let (record, seen) = published().await;
    assert_eq!(record.versions.iter().map(|version| version.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(publish(Some(seen), &["B"]).await.expect("publishes"));
    assert_eq!(has().await, [false, true]);
    let key = ResourceKey::published(&machine());
    assert!(stage.store.replace_resource(&key, published().await.1, None).await.expect("removes"));
    assert_eq!(has().await, [false, false]);
}

async fn what_refers_to_a_removed_definition_is_refused(stage: Stage) {
    let (root, creation) = execution_of("e", "A");
    assert_eq!(stage.refused(&creation).await, Refusal::Undefined);
    let put = async || stage.store.put_definition(partition(&root.arn), &hash("A"), "a").await.expect("puts");
    put().await;
    clean_all(&stage.store, 60_000).await;
    assert!(stage.has_definition(&hash("A")).await, "it is young");
    clean_all(&stage.store, 0).await;
    assert!(!stage.has_definition(&hash("A")).await);
    assert_eq!(stage.refused(&creation).await, Refusal::Undefined);
    put().await;
    let first = stage.made(&creation).await;
    clean_all(&stage.store, 0).await;
    assert!(stage.has_definition(&hash("A")).await);
    assert_eq!(stage.made(&creation).await, first, "repeated, it gets its first answer");
    stage.made(&root.end()).await;
    clean_all(&stage.store, 0).await;
    clean_all(&stage.store, 0).await;
    assert!(!stage.has_definition(&hash("A")).await, "the repetition did not count twice");
}

async fn definitions_that_were_put_for_nothing_are_removed_in_batches(stage: Stage) {
    let names: Vec<String> = (0..10).map(|index| format!("D{index}")).collect();
    for name in &names {
        stage.store.put_definition(1, &hash(name), name).await.expect("puts");
    }
    let retention = Retention { millis: 1_000, bytes: None, express_millis: 1_000, unused_millis: 0 };
    assert!(stage.store.clean_up(1, &retention).await.expect("cleans"), "there are more");
    let left = async || {
        let mut left = 0;
        for name in &names {
            left += usize::from(stage.has_definition(&hash(name)).await);
        }
        left
    };
    assert!((1..10).contains(&left().await));
    clean_all(&stage.store, 0).await;
    assert_eq!(left().await, 0);
}

async fn no_definition_is_missing_while_others_are_removed(stage: Stage) {
    let stage = Arc::new(stage);
    let removal = |store: SharedStore| async move {
        loop {
            clean_all(&store, 0).await;
            tokio::task::yield_now().await;
        }
    };
    let runtime = Runtime::system();
    let removals = [0, 1].map(|_| runtime.spawn(removal(stage.store.clone())));
    let mut made = 0;
    for round in 0..60 {
        let (root, creation) = execution_of(&format!("e-{round}"), "A");
        for _ in 0..500 {
            stage.store.put_definition(partition(&root.arn), &hash("A"), "a").await.expect("puts");
            if let CommitOutcome::Committed(_) = stage.commit(&creation).await {
                made += 1;
                assert!(stage.has_definition(&hash("A")).await, "it is missing in round {round}");
                stage.made(&root.end()).await;
                break;
            }
        }
    }
    assert!(made > 50, "{made} were made");
    removals.iter().for_each(Task::abort);
}

//! What closed branches leave behind: a commit does not remove it, the cleanup does, a bounded part at a time.

use runtime::Runtime;
use store::{OpenedScope, PendingEffect, RedisConfig, RedisStore, Retention};
use support::{RedisOptions, RedisServer};

use crate::fixture::*;

const CHILDREN: u32 = 100;
const KEEP: Retention =
    Retention { millis: 1_000_000, bytes: None, express_millis: 1_000_000, unused_millis: 1_000_000 };

#[tokio::test]
async fn timers_of_a_closed_scope_stay_until_they_are_cleaned_up_in_parts() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("starts");
    let config = RedisConfig { url: server.url(), partitions: PARTITIONS, ..RedisConfig::default() };
    let store = RedisStore::open(config.clone(), Runtime::system()).await.expect("opens");
    let stage = Stage::on(store, &config);
    let root = stage.created("e").await;
    let next = root.next();
    let children: Vec<Seen> = (0..CHILDREN).map(|index| root.child(index)).collect();
    let mut fork = root.commit(Some(next.waiting_for(CHILDREN)));
    fork.opened.push(OpenedScope { key: root.scope(), items: Vec::new() });
    fork.children = children.iter().map(Seen::branch).collect();
    fork.timers_set = children.iter().map(|child| (child.timer("timeout.1"), at(60_000))).collect();
    fork.timers_set.push((next.timer("timeout.9"), at(60_000)));
    stage.made(&fork).await;
    let effect = |child: &Seen| child.effect(PendingEffect::Continue(child.path.clone()));
    for child in &children {
        let mut commit = child.advance().1;
        commit.outbox_added = vec![effect(child)];
        stage.made(&commit).await;
    }
    let open: Vec<Seen> = stage
        .store
        .open_branches(&root.arn, Some(&root.scope()), usize::MAX)
        .await
        .expect("reads")
        .into_iter()
        .map(|stored| Seen { path: stored.record.path, revision: stored.revision, ..root.clone() })
        .collect();
    let (last, mut close) = next.advance();
    close.closed.push(root.close(&open.iter().collect::<Vec<_>>()));
    stage.made(&close).await;
    assert_eq!(stage.timers(&root.arn).await.len(), 101);
    assert_eq!(stage.outbox(&root.arn).await.len(), 100);
    assert!(stage.store.clean_up(partition(&root.arn), &KEEP).await.expect("cleans"));
    assert_eq!(stage.timers(&root.arn).await.len(), 101 - 64);
    assert_eq!(stage.outbox(&root.arn).await.len(), 100 - 64);
    stage.clean_up_for(&root.arn, &KEEP).await;
    assert_eq!(stage.timers(&root.arn).await, ["r timeout.9"]);
    assert_eq!(stage.outbox(&root.arn).await, Vec::<PendingEffect>::new());
    stage.made(&last.end()).await;
    assert_eq!(stage.timers(&root.arn).await, Vec::<String>::new());
}

//! Scripts on a server that forgot them, or that is full.

use runtime::Runtime;
use store::{Commit, Error, ExecutionStore, RedisConfig, RedisStore, Retention};
use support::{RedisOptions, RedisServer};

use crate::fixture::*;

#[tokio::test]
async fn scripts_that_were_forgotten_are_told_again() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("starts");
    let config = RedisConfig { url: server.url(), partitions: PARTITIONS, ..RedisConfig::default() };
    let store = RedisStore::open(config, Runtime::system()).await.expect("opens");
    define(&store).await;
    let mut seen = Seen::root("e");
    store.commit(&seen.creation()).await.expect("is made");
    for _ in 0..3 {
        server.command(&["SCRIPT", "FLUSH"]).await.expect("flushes");
        let (next, commit) = seen.advance();
        let outcome = store.commit(&commit).await.expect("is made");
        assert!(matches!(outcome, store::CommitOutcome::Committed(_)));
        assert!(store.hold_sweep(0, &owner("c;1"), 1_000).await.expect("answers"));
        store
            .clean_up(0, &Retention { millis: 1_000, bytes: None, express_millis: 1_000, unused_millis: 0 })
            .await
            .expect("cleans");
        store.drop_timers(0, &[(seen.timer("a"), at(0))]).await.expect("drops");
        seen = next;
    }
    // A commit that the server runs late, after its client gave up, has run all the same.
    let (_, commit) = seen.advance();
    let first = store.commit(&commit).await.expect("is made");
    server.command(&["SCRIPT", "FLUSH"]).await.expect("flushes");
    assert_eq!(store.commit(&commit).await.expect("is repeated"), first);
}

#[tokio::test]
async fn a_full_server_refuses_a_commit_before_its_first_write() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("starts");
    let config = RedisConfig { url: server.url(), partitions: PARTITIONS, ..RedisConfig::default() };
    let store = RedisStore::open(config.clone(), Runtime::system()).await.expect("opens");
    define(&store).await;
    let root = Seen::root("e");
    store.commit(&root.creation()).await.expect("is made");
    let children: Vec<Seen> = (0..2).map(|index| root.child(index)).collect();
    let forked = root.next();
    let mut fork = root.commit(Some(forked.waiting_for(2)));
    fork.opened.push(store::OpenedScope { key: root.scope(), items: Vec::new() });
    fork.children = children.iter().map(Seen::branch).collect();
    fork.timers_set = children.iter().map(|child| (child.timer("timeout.1"), at(10))).collect();
    store.commit(&fork).await.expect("is made");
    server.command(&["CONFIG", "SET", "maxmemory", "1mb"]).await.expect("sets");
    let stage = Stage::on(store, &config);
    let before = stage.dump().await;
    let mut with_all = forked.commit(Some(forked.next().branch()));
    with_all.closed.push(root.close(&[&children[0], &children[1]]));
    with_all.timers_set = vec![(forked.timer("wait.2"), at(20))];
    with_all.outbox_added = vec![forked.next().dispatch()];
    let commits: [Commit; 5] = [
        Seen::root("f").creation(),
        children[0].advance().1,
        children[1].join(Some("1")),
        with_all.clone(),
        forked.end(),
    ];
    for commit in &commits {
        let error = stage.store.commit(commit).await.expect_err("there is no room");
        assert!(matches!(error, Error::Full(_)), "{error}");
        assert_eq!(stage.dump().await, before);
    }
    // Signs of life, leases and cleaning go on: they must not depend on room.
    stage.store.announce(&owner("c;1"), 60_000).await.expect("announces");
    assert!(stage.store.hold_sweep(0, &owner("c;1"), 60_000).await.expect("answers"));
    stage
        .store
        .clean_up(0, &Retention { millis: 1_000, bytes: None, express_millis: 1_000, unused_millis: 0 })
        .await
        .expect("cleans");
    server.command(&["CONFIG", "SET", "maxmemory", "0"]).await.expect("sets");
    stage.made(&with_all).await;
}

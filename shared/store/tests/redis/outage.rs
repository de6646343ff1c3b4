//! Redis goes away and comes back; nobody restarts the client.

use std::time::Duration;

use runtime::Runtime;
use store::{CommitOutcome, Error, ExecutionStore, RedisConfig, RedisMode, RedisStore};
use support::{RedisCluster, RedisOptions, RedisServer, eventually, eventually_some};

use crate::fixture::*;

const LONG: Duration = Duration::from_secs(60);

async fn open(server: &RedisServer) -> RedisStore {
    let config = RedisConfig {
        url: server.url(),
        partitions: PARTITIONS,
        response_timeout_millis: 500,
        connections: 2,
        ..RedisConfig::default()
    };
    let store = RedisStore::open(config, Runtime::system()).await.expect("opens");
    define(&store).await;
    store
}

/// Makes a commit as a driver does: again under its id until there is an answer.
async fn insist(store: &RedisStore, commit: &store::Commit) -> CommitOutcome {
    let attempt = || async { store.commit(commit).await.ok() };
    eventually_some(LONG, attempt, "the commit has an answer").await.expect("has an answer")
}

#[tokio::test]
async fn a_restart_is_survived() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("starts");
    let store = open(&server).await;
    let mut connection = store.connection();
    let mut seen = Seen::root("e");
    store.commit(&seen.creation()).await.expect("is made");
    for round in 0..3_u64 {
        server.kill().await.expect("kills");
        connection.wait_for(|connected| !connected).await.expect("is seen");
        let (next, commit) = seen.advance();
        assert!(matches!(store.commit(&commit).await, Err(Error::Unavailable(_))));
        assert!(matches!(store.execution(&seen.arn).await, Err(Error::Unavailable(_))));
        server.start_again().await.expect("starts");
        connection.wait_for(|connected| *connected).await.expect("comes back");
        let CommitOutcome::Committed(made) = insist(&store, &commit).await else { panic!("is refused") };
        assert_eq!(made.base.0, round + 1);
        seen = next;
    }
    let (head, branch) = store.load(&seen.arn, &seen.path).await.expect("reads").expect("exists");
    assert_eq!((head.last_event.0, branch.expect("is open").revision), (4, seen.revision));
}

#[tokio::test]
async fn a_commit_without_answer_is_made_once() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("starts");
    let store = open(&server).await;
    let root = Seen::root("e");
    store.commit(&root.creation()).await.expect("is made");
    let (next, commit) = root.advance();
    server.freeze().expect("freezes");
    // Redis has the command in its buffer, and will run it when it can.
    assert!(matches!(store.commit(&commit).await, Err(Error::Unavailable(_))));
    let mut connection = store.connection();
    connection.wait_for(|connected| !connected).await.expect("is seen");
    server.thaw().expect("thaws");
    let CommitOutcome::Committed(made) = insist(&store, &commit).await else { panic!("is refused") };
    assert_eq!(made.base.0, 1);
    let (head, branch) = store.load(&root.arn, &root.path).await.expect("reads").expect("exists");
    assert_eq!((head.last_event.0, branch.expect("is open").revision), (2, next.revision));
}

#[tokio::test]
async fn an_outage_of_one_node_leaves_the_others() {
    let cluster = RedisCluster::start(3).await.expect("starts");
    for node in cluster.nodes() {
        node.command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).await.expect("sets");
    }
    let config = RedisConfig {
        url: cluster.urls().join(","),
        mode: RedisMode::Cluster,
        partitions: 64,
        response_timeout_millis: 1_000,
        ..RedisConfig::default()
    };
    let store = RedisStore::open(config, Runtime::system()).await.expect("opens");
    define(&store).await;
    let roots: Vec<Seen> = (0..60).map(|index| Seen::root(&format!("e{index}"))).collect();
    for root in &roots {
        store.commit(&root.creation()).await.expect("is made");
    }
    let mut connection = store.connection();
    cluster.nodes()[1].kill().await.expect("kills");
    connection.wait_for(|connected| !connected).await.expect("is seen");
    let advances: Vec<_> = roots.iter().map(Seen::advance).collect();
    let answers = futures::future::join_all(advances.iter().map(|(_, commit)| store.commit(commit))).await;
    let made = answers.iter().filter(|answer| matches!(answer, Ok(CommitOutcome::Committed(_)))).count();
    let lost = answers.iter().filter(|answer| matches!(answer, Err(Error::Unavailable(_)))).count();
    assert_eq!(made + lost, 60);
    assert!(made > 10 && lost > 5, "{made} made, {lost} lost");
    cluster.nodes()[1].start_again().await.expect("starts");
    for (next, commit) in &advances {
        assert!(matches!(insist(&store, commit).await, CommitOutcome::Committed(_)));
        let head = store.execution(&next.arn).await.expect("reads").expect("exists");
        assert_eq!(head.last_event.0, 2);
    }
    let is_up = || async { *connection.borrow() };
    eventually(LONG, is_up, "the cluster is whole").await.expect("is whole");
}

async fn set(server: &RedisServer, field: &str, value: &str) {
    server.command(&["HSET", "stepwell:meta", field, value]).await.expect("writes");
}

#[tokio::test]
async fn another_store_than_before_is_not_gone_on_with() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("starts");
    let store = open(&server).await;
    let root = Seen::root("e");
    store.commit(&root.creation()).await.expect("is made");
    let mut connection = store.connection();
    // Under a connection that stays.
    let incarnation = store.incarnation();
    set(&server, "incarnation", "another").await;
    connection.wait_for(|connected| !connected).await.expect("is seen");
    assert!(matches!(store.commit(&root.advance().1).await, Err(Error::Unavailable(_))));
    server.restart().await.expect("restarts");
    set(&server, "incarnation", &incarnation).await;
    connection.wait_for(|connected| *connected).await.expect("comes back");
    // Emptied, and never begun anew by itself.
    server.command(&["FLUSHALL"]).await.expect("flushes");
    connection.wait_for(|connected| !connected).await.expect("is seen");
    let second = RedisStore::open(
        RedisConfig { url: server.url(), partitions: PARTITIONS, ..RedisConfig::default() },
        Runtime::system(),
    );
    assert_ne!(second.await.expect("begins a new store").incarnation(), incarnation);
    assert!(matches!(store.commit(&root.advance().1).await, Err(Error::Unavailable(_))));
    set(&server, "incarnation", &incarnation).await;
    connection.wait_for(|connected| *connected).await.expect("comes back");
    assert_eq!(store.execution(&root.arn).await.expect("reads"), None);
}

#[tokio::test]
async fn a_server_that_became_unfit_is_not_gone_on_with() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("starts");
    let store = open(&server).await;
    let mut connection = store.connection();
    server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await.expect("sets");
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]).await.expect("kills");
    connection.wait_for(|connected| !connected).await.expect("is seen");
    // It is tried again several times meanwhile.
    let is_refused = || async { matches!(store.time().await, Err(Error::Unavailable(_))) };
    for _ in 0..20 {
        assert!(is_refused().await);
        tokio::task::yield_now().await;
    }
    server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await.expect("sets");
    connection.wait_for(|connected| *connected).await.expect("comes back");
}

#[tokio::test]
async fn a_node_that_lost_its_data_is_seen() {
    let cluster = RedisCluster::start(3).await.expect("starts");
    let config = RedisConfig {
        url: cluster.urls().join(","),
        mode: RedisMode::Cluster,
        partitions: 16,
        response_timeout_millis: 1_000,
        ..RedisConfig::default()
    };
    let store = RedisStore::open(config.clone(), Runtime::system()).await.expect("opens");
    let mut connection = store.connection();
    let mut lost = None;
    for node in cluster.nodes() {
        // Not the one that tells the store's name.
        if node.command(&["KEYS", "stepwell:meta"]).await.is_ok_and(|keys| !keys.contains("meta")) {
            lost = Some(node);
        }
    }
    lost.expect("the others have partitions").command(&["FLUSHALL"]).await.expect("flushes");
    connection.wait_for(|connected| !connected).await.expect("is seen");
    let refused = RedisStore::open(config.clone(), Runtime::system()).await;
    let Err(Error::Unfit(text)) = refused else { panic!("was opened") };
    assert!(text.contains("lost the partition") && text.contains("redis.allow_volatile = true"), "{text}");
    let borne = RedisConfig { allow_volatile: true, ..config };
    RedisStore::open(borne, Runtime::system()).await.expect("goes on without what is lost");
    connection.wait_for(|connected| *connected).await.expect("comes back");
}

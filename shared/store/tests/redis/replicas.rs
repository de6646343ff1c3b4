//! Replicas that must have a commit, and a master that Sentinel names.

use std::time::Duration;

use runtime::Runtime;
use store::{CommitOutcome, Error, ExecutionStore, RedisConfig, RedisMode, RedisStore};
use support::{DataDir, ProcessGroup, RedisCluster, RedisOptions, RedisServer, eventually, eventually_some, free_port};
use wire::record::DefinitionHash;

use crate::fixture::*;

const LONG: Duration = Duration::from_secs(60);

fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

async fn replica_of(master: &RedisServer) -> RedisServer {
    let extra =
        vec![setting("replicaof", &format!("127.0.0.1 {}", master.port())), setting("repl-diskless-sync-delay", "0")];
    let replica = RedisServer::start(RedisOptions { extra, ..RedisOptions::default() }).await.expect("starts");
    let is_linked = || async {
        let info = replica.command(&["INFO", "replication"]).await.unwrap_or_default();
        info.contains("master_link_status:up")
    };
    eventually(LONG, is_linked, "the replica is linked").await.expect("is linked");
    replica
}

async fn master() -> RedisServer {
    let extra = vec![setting("repl-diskless-sync-delay", "0")];
    RedisServer::start(RedisOptions { extra, ..RedisOptions::default() }).await.expect("starts")
}

#[tokio::test]
async fn a_commit_is_reported_once_replicas_have_it() {
    let master = master().await;
    let config =
        RedisConfig { url: master.url(), replicas_min: 1, replicas_timeout_millis: 2_000, ..RedisConfig::default() };
    let refused = RedisStore::open(config.clone(), Runtime::system()).await;
    let Err(Error::Unfit(text)) = refused else { panic!("was opened") };
    assert!(text.contains("`min-replicas-to-write 0`") && text.contains("set `min-replicas-to-write 1`"), "{text}");
    let replica = replica_of(&master).await;
    master.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await.expect("sets");
    let opened = || async { RedisStore::open(config.clone(), Runtime::system()).await.ok() };
    let store = eventually_some(LONG, opened, "the master sees its replica").await.expect("opens");
    define(&store).await;
    let roots: Vec<Seen> = (0..50).map(|index| Seen::root(&format!("e{index}"))).collect();
    let creations: Vec<_> = roots.iter().map(Seen::creation).collect();
    let answers = futures::future::join_all(creations.iter().map(|commit| store.commit(commit))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(CommitOutcome::Committed(_)))));
    let count = |info: &str| info.lines().filter(|line| line.contains(":e:")).count();
    assert_eq!(count(&replica.command(&["KEYS", "*:e:*"]).await.expect("lists")), 50);

    replica.freeze().expect("freezes");
    let (_, commit) = roots[0].advance();
    let error = store.commit(&commit).await.expect_err("no replica has it");
    assert!(matches!(&error, Error::Unavailable(_)), "{error}");
    replica.thaw().expect("thaws");
    let attempt = || async { store.commit(&commit).await.ok() };
    let outcome = eventually_some(LONG, attempt, "the replica has it").await.expect("has it");
    let CommitOutcome::Committed(made) = outcome else { panic!("is refused") };
    assert_eq!(made.base.0, 1);
}

/// A sentinel that watches a master under the name `orders`.
fn sentinel(port: u16, master: &RedisServer, folder: &DataDir) -> ProcessGroup {
    let lines = [
        format!("port {port}"),
        "bind 127.0.0.1".to_owned(),
        format!("sentinel monitor orders 127.0.0.1 {} 1", master.port()),
        "sentinel down-after-milliseconds orders 500".to_owned(),
        "sentinel failover-timeout orders 3000".to_owned(),
    ];
    std::fs::write(folder.file("sentinel.conf"), lines.join("\n") + "\n").expect("writes");
    let log = std::fs::File::create(folder.file("sentinel.log")).expect("is made");
    let mut command = std::process::Command::new("redis-server");
    command.args(["sentinel.conf", "--sentinel"]).current_dir(folder.path()).stdout(log);
    ProcessGroup::spawn(&mut command, None).expect("starts")
}

#[tokio::test]
async fn the_master_that_sentinel_names_is_followed() {
    let master = master().await;
    let replica = replica_of(&master).await;
    let (port, folder) = (free_port(), DataDir::new("sentinel").expect("is made"));
    let _sentinel = sentinel(port, &master, &folder);
    let config = RedisConfig {
        url: format!("redis://127.0.0.1:{port}"),
        mode: RedisMode::Sentinel,
        sentinel_master: "orders".to_owned(),
        ..RedisConfig::default()
    };
    let store = RedisStore::open_patiently(config, Runtime::system()).await.expect("opens");
    define(&store).await;
    let root = Seen::root("e");
    store.commit(&root.creation()).await.expect("is made");
    let knows_replica = || async {
        let ask = ["-p", &port.to_string(), "SENTINEL", "replicas", "orders"];
        let answer = std::process::Command::new("redis-cli").args(ask).output().expect("redis-cli is there");
        String::from_utf8_lossy(&answer.stdout).contains(&replica.port().to_string())
    };
    eventually(LONG, knows_replica, "the sentinel knows the replica").await.expect("knows it");
    let has_it = || async { replica.command(&["KEYS", "*:e:*"]).await.is_ok_and(|keys| keys.contains(":e:")) };
    eventually(LONG, has_it, "the replica has the execution").await.expect("has it");
    master.kill().await.expect("kills");
    let (_, commit) = root.advance();
    let attempt = || async { store.commit(&commit).await.ok() };
    let outcome = eventually_some(LONG, attempt, "the replica is the master").await.expect("is the master");
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    assert_eq!(replica.command(&["ROLE"]).await.expect("tells").lines().next(), Some("master"));
}

#[tokio::test]
async fn no_commit_that_a_replica_has_is_lost_in_a_failover() {
    let master = master().await;
    let replica = replica_of(&master).await;
    for server in [&master, &replica] {
        server.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await.expect("sets");
    }
    let (port, folder) = (free_port(), DataDir::new("sentinel").expect("is made"));
    let _sentinel = sentinel(port, &master, &folder);
    let config = RedisConfig {
        url: format!("redis://127.0.0.1:{port}"),
        mode: RedisMode::Sentinel,
        sentinel_master: "orders".to_owned(),
        replicas_min: 1,
        response_timeout_millis: 1_000,
        ..RedisConfig::default()
    };
    let opened = || async { RedisStore::open(config.clone(), Runtime::system()).await.ok() };
    let store = eventually_some(LONG, opened, "the master sees its replica").await.expect("opens");
    define(&store).await;
    let knows_replica = || async {
        let ask = ["-p", &port.to_string(), "SENTINEL", "replicas", "orders"];
        let answer = std::process::Command::new("redis-cli").args(ask).output().expect("redis-cli is there");
        String::from_utf8_lossy(&answer.stdout).contains(&replica.port().to_string())
    };
    eventually(LONG, knows_replica, "the sentinel knows the replica").await.expect("knows it");
    let roots: Vec<Seen> = (0..40).map(|index| Seen::root(&format!("e{index}"))).collect();
    for root in &roots {
        store.commit(&root.creation()).await.expect("is made");
    }
    master.kill().await.expect("kills");
    let is_master = || async { replica.command(&["ROLE"]).await.is_ok_and(|role| role.starts_with("master")) };
    eventually(LONG, is_master, "the replica is the master").await.expect("is the master");
    // Alone it takes no write, until another replica is there.
    let (_, commit) = roots[0].advance();
    assert!(store.commit(&commit).await.is_err());
    let _second = replica_of(&replica).await;
    let attempt = || async { store.commit(&commit).await.ok() };
    let outcome = eventually_some(LONG, attempt, "a replica has it").await.expect("has it");
    assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
    for root in &roots {
        assert!(store.execution(&root.arn).await.expect("reads").is_some(), "{} is lost", root.arn);
    }
}

/// A cluster whose masters take no write without a replica, and how a store uses it.
async fn replicated_cluster() -> (RedisCluster, RedisConfig) {
    let cluster = RedisCluster::start_with_replicas(3).await.expect("starts");
    for node in cluster.nodes() {
        node.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]).await.expect("sets");
    }
    let config = RedisConfig {
        url: cluster.urls().join(","),
        mode: RedisMode::Cluster,
        partitions: 12,
        replicas_min: 1,
        replicas_timeout_millis: 900,
        response_timeout_millis: 1_000,
        ..RedisConfig::default()
    };
    (cluster, config)
}

async fn is_replica(node: &RedisServer) -> bool {
    node.command(&["ROLE"]).await.is_ok_and(|role| role.starts_with("slave"))
}

async fn keys_of(node: &RedisServer, pattern: &str) -> Vec<String> {
    let keys = node.command(&["KEYS", pattern]).await.expect("lists");
    keys.lines().map(str::to_owned).filter(|key| !key.is_empty()).collect()
}

async fn replicas_of(cluster: &RedisCluster) -> Vec<&RedisServer> {
    let mut replicas = Vec::new();
    for node in cluster.nodes() {
        if is_replica(node).await {
            replicas.push(node);
        }
    }
    assert_eq!(replicas.len(), 3);
    replicas
}

async fn opened(config: &RedisConfig) -> RedisStore {
    let opened = || async { RedisStore::open(config.clone(), Runtime::system()).await.ok() };
    eventually_some(LONG, opened, "all masters see their replicas").await.expect("opens")
}

#[tokio::test]
async fn in_a_cluster_a_commit_is_reported_once_replicas_have_it() {
    let (cluster, config) = replicated_cluster().await;
    let store = opened(&config).await;
    define(&store).await;
    let roots: Vec<Seen> = (0..60).map(|index| Seen::root(&format!("e{index}"))).collect();
    let creations: Vec<_> = roots.iter().map(Seen::creation).collect();
    let answers = futures::future::join_all(creations.iter().map(|commit| store.commit(commit))).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(CommitOutcome::Committed(_)))), "{answers:?}");
    let replicas = replicas_of(&cluster).await;
    let mut count = 0;
    for replica in &replicas {
        count += keys_of(replica, "*:e:*").await.len();
    }
    assert_eq!(count, 60);

    // Without its replica a master's commits are not reported, and those of the others are.
    let frozen = keys_of(replicas[0], "*:e:*").await;
    replicas[0].freeze().expect("freezes");
    let is_frozen = |seen: &Seen| frozen.iter().any(|key| key.ends_with(&format!(":e:{}", seen.arn)));
    let advances: Vec<_> = roots.iter().map(Seen::advance).collect();
    let answers = futures::future::join_all(advances.iter().map(|(_, commit)| store.commit(commit))).await;
    for (seen, answer) in roots.iter().zip(&answers) {
        assert_eq!(answer.is_err(), is_frozen(seen), "{}: {answer:?}", seen.arn);
    }
    // Nor are definitions, which lie elsewhere than what refers to them.
    let healthy = roots.iter().find(|seen| !is_frozen(seen)).expect("others have replicas");
    let mut reported = Vec::new();
    for index in 0..30 {
        let hash = DefinitionHash(format!("hash{index}").into());
        let put = store.put_definition(healthy.arn.partition(12), &hash, "{}").await;
        if put.is_ok() {
            reported.push(format!("stepwell:d:{hash}"));
        }
    }
    let mut copied = Vec::new();
    for replica in &replicas[1..] {
        copied.extend(keys_of(replica, "stepwell:d:hash*").await);
    }
    assert!((5..30).contains(&reported.len()), "{} are reported", reported.len());
    assert!(reported.iter().all(|key| copied.contains(key)), "{reported:?} {copied:?}");

    replicas[0].thaw().expect("thaws");
    for (_, commit) in &advances {
        let attempt = || async { store.commit(commit).await.ok() };
        let outcome = eventually_some(LONG, attempt, "the replica has it").await.expect("has it");
        let CommitOutcome::Committed(made) = outcome else { panic!("is refused") };
        assert_eq!(made.base.0, 1);
    }
}

#[tokio::test]
async fn in_a_cluster_no_commit_that_a_replica_has_is_lost_in_a_failover() {
    let (cluster, config) = replicated_cluster().await;
    let store = opened(&config).await;
    define(&store).await;
    let roots: Vec<Seen> = (0..40).map(|index| Seen::root(&format!("e{index}"))).collect();
    for root in &roots {
        store.commit(&root.creation()).await.expect("is made");
    }
    let replicas = replicas_of(&cluster).await;
    let port_of = async |replica: &RedisServer| {
        let role = replica.command(&["ROLE"]).await.expect("tells");
        role.lines().nth(2).and_then(|port| port.trim().parse::<u16>().ok()).expect("names its master")
    };
    let port = port_of(replicas[0]).await;
    let master = cluster.nodes().iter().find(|node| node.port() == port).expect("is one of them");
    master.kill().await.expect("kills");
    let is_master = || async { replicas[0].command(&["ROLE"]).await.is_ok_and(|role| role.starts_with("master")) };
    eventually(LONG, is_master, "the replica is the master").await.expect("is the master");
    // The old one comes back as its replica: until then nothing that the new one takes is reported.
    master.start_again().await.expect("starts");
    for root in &roots {
        let (_, commit) = root.advance();
        let attempt = || async { store.commit(&commit).await.ok() };
        let outcome = eventually_some(LONG, attempt, "a replica has it").await.expect("has it");
        assert!(matches!(outcome, CommitOutcome::Committed(_)), "{outcome:?}");
        assert!(store.execution(&root.arn).await.expect("reads").is_some(), "{} is lost", root.arn);
    }
    let fresh = opened(&config).await;
    assert!(fresh.definition(&definition()).await.expect("reads").is_some());
}

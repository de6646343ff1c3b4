//! Replicas that must have a commit, and a master that Sentinel names.

use std::time::Duration;

use runtime::Runtime;
use store::{CommitOutcome, Error, ExecutionStore, RedisConfig, RedisMode, RedisStore};
use support::{DataDir, ProcessGroup, RedisOptions, RedisServer, eventually, eventually_some, free_port};

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
        RedisConfig { url: master.url(), replicas_min: 1, replicas_timeout_millis: 300, ..RedisConfig::default() };
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

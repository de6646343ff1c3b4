//! The private servers keep what they were given over a restart, and end with us.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use support::{
    DataDir, ProcessGroup, RabbitServer, RedisCluster, RedisOptions, RedisServer, eventually, free_port, shared_rabbit,
    shared_redis, unique_name,
};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn redis_keeps_its_data_over_kill_and_stop() -> Result<()> {
    let redis = RedisServer::start(RedisOptions::default()).await?;
    redis.command(&["SET", "order", "12345"]).await?;
    let first = redis.pid().context("it runs")?;

    redis.restart().await?;
    assert_ne!(redis.pid(), Some(first));
    assert_eq!(redis.command(&["GET", "order"]).await?, "12345");

    redis.stop().await?;
    assert_eq!(redis.pid(), None);
    assert!(redis.command(&["GET", "order"]).await.is_err());
    redis.start_again().await?;
    assert_eq!(redis.command(&["GET", "order"]).await?, "12345");
    Ok(())
}

#[tokio::test]
async fn redis_takes_its_options() -> Result<()> {
    let options = RedisOptions {
        append_only: false,
        max_memory_bytes: Some(64 << 20),
        max_memory_policy: "allkeys-lru".to_owned(),
        ..RedisOptions::default()
    };
    let redis = RedisServer::start(options).await?;
    for (name, value) in [
        ("appendonly", "no"),
        ("appendfsync", "always"),
        ("maxmemory", "67108864"),
        ("maxmemory-policy", "allkeys-lru"),
        ("bind", "127.0.0.1"),
    ] {
        assert_eq!(redis.command(&["CONFIG", "GET", name]).await?, format!("{name}\n{value}"));
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_redis_option_is_explained_by_the_log() -> Result<()> {
    let options = RedisOptions { max_memory_policy: "hope".to_owned(), ..RedisOptions::default() };
    let error = RedisServer::start(options).await.err().context("it must not start")?;
    let text = format!("{error:#}");
    ensure!(text.contains("maxmemory-policy hope") && text.contains("ended with"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_redis_cluster_spreads_its_slots() -> Result<()> {
    let cluster = RedisCluster::start(3).await?;
    assert_eq!(cluster.urls().len(), 3);
    let mut answers = HashSet::new();
    for node in cluster.nodes() {
        let answer = node.command(&["SET", "{p17}order", "12345"]).await;
        answers.insert(answer.map_err(|error| error.to_string().contains("MOVED")));
    }
    assert_eq!(answers, HashSet::from([Ok("OK".to_owned()), Err(true)]));

    cluster.nodes()[0].restart().await?;
    let is_ok = || async {
        cluster.nodes()[0].command(&["CLUSTER", "INFO"]).await.is_ok_and(|info| info.contains("cluster_state:ok"))
    };
    eventually(SOON, is_ok, "the restarted node sees the cluster").await
}

#[tokio::test]
async fn rabbit_keeps_its_data_over_kill_and_stop() -> Result<()> {
    let rabbit = RabbitServer::start().await?;
    let url = rabbit.vhost("orders").await?;
    assert!(url.ends_with("/orders"), "{url}");

    rabbit.restart().await?;
    assert!(rabbit.control(&["list_vhosts"]).await?.contains("orders"));

    rabbit.stop().await?;
    assert_eq!(rabbit.pid(), None);
    assert!(rabbit.control(&["list_vhosts"]).await.is_err());
    rabbit.start_again().await?;
    assert!(rabbit.control(&["list_vhosts"]).await?.contains("orders"));

    assert!(rabbit.wipe().await.is_err());
    rabbit.kill().await?;
    rabbit.wipe().await?;
    rabbit.start_again().await?;
    assert!(!rabbit.control(&["list_vhosts"]).await?.contains("orders"));
    Ok(())
}

#[tokio::test]
async fn shared_servers_are_one_and_names_are_many() -> Result<()> {
    let (redis, again) = tokio::try_join!(shared_redis(), shared_redis())?;
    assert_eq!(redis.url(), again.url());
    assert_ne!(redis.fresh_database(), again.fresh_database());
    let rabbit = shared_rabbit().await?;
    assert_ne!(rabbit.fresh_vhost().await?, rabbit.fresh_vhost().await?);
    Ok(())
}

#[test]
fn names_and_ports_are_given_once() {
    let names: HashSet<String> = (0..1_000).map(|_| unique_name("order")).collect();
    let ports: HashSet<u16> = (0..100).map(|_| free_port()).collect();
    assert_eq!((names.len(), ports.len()), (1_000, 100));
}

#[tokio::test]
async fn a_dropped_group_is_gone_with_its_children() -> Result<()> {
    let data = DataDir::new("group")?;
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 1000 & echo $! > child; wait"]).current_dir(data.path());
    let group = ProcessGroup::spawn(&mut command, None)?;
    let child = child_of(&data).await?;
    assert!(is_alive(&child));
    drop(group);
    eventually(SOON, || async { !is_alive(&child) }, "the child is gone").await
}

#[tokio::test]
async fn a_group_ends_with_a_killed_starter_and_its_folder_too() -> Result<()> {
    let outer = DataDir::new("starter")?;
    let inner = DataDir::new("starter-data")?;
    // The starter is this very test executable, running the helper below, so that its death drops nothing.
    let mut starter = Command::new(std::env::current_exe()?)
        .args(["--exact", "starter_of_a_group", "--nocapture"])
        .env("SUPPORT_STARTER_OUTER", outer.path())
        .env("SUPPORT_STARTER_INNER", inner.path())
        .spawn()?;
    let child = child_of(&outer).await?;
    assert!(is_alive(&child));
    starter.kill()?;
    starter.wait()?;
    eventually(SOON, || async { !is_alive(&child) }, "the child is gone").await?;
    eventually(SOON, || async { !inner.path().exists() }, "the folder is gone").await
}

/// Runs only as a child of the test above; passes at once otherwise.
#[test]
fn starter_of_a_group() -> Result<()> {
    let variable = |name| std::env::var_os(name);
    let (Some(outer), Some(inner)) = (variable("SUPPORT_STARTER_OUTER"), variable("SUPPORT_STARTER_INNER")) else {
        return Ok(());
    };
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 1000 & echo $! > child; wait"]).current_dir(outer);
    let mut group = ProcessGroup::spawn(&mut command, Some(Path::new(&inner)))?;
    group.wait(SOON)?;
    Ok(())
}

async fn child_of(data: &DataDir) -> Result<String> {
    let path = data.file("child");
    let read = || async {
        let text = std::fs::read_to_string(&path).ok()?;
        text.ends_with('\n').then(|| text.trim().to_owned())
    };
    support::eventually_some(SOON, read, "the child's id is written").await
}

/// A zombie that nobody reaps counts as gone.
fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}

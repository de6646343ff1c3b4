//! Servers that are away at start: the programs come up, say so, and go on when the servers appear.

use anyhow::{Result, ensure};
use e2e::{Cluster, Handlers, Member, PATIENCE, Plan, Servers, check_history, note, task_of};
use serde_json::json;
use support::eventually;

use crate::servers;

#[tokio::test]
async fn servers_that_are_away_at_start_are_waited_for() -> Result<()> {
    let (servers, _turn) = servers().await?;
    tokio::try_join!(servers.redis.stop(), servers.rabbit.stop())?;
    let handlers = Handlers::good(1)?;
    let plan = Plan { coordinators: 2, workers: 1, handlers: handlers.file() };
    let cluster = Cluster::launch(&servers, &plan).await?;
    cluster.finish(appear(&cluster, &servers).await)
}

async fn appear(cluster: &Cluster, servers: &Servers) -> Result<()> {
    let api = cluster.api();
    let pids = pids(cluster);
    for coordinator in &cluster.coordinators {
        says_unready(coordinator, &["redis", "amqp"]).await?;
    }
    says_unready(&cluster.workers[0], &["amqp"]).await?;
    let refused = api.try_call("CreateStateMachine", &machine()).await?;
    ensure!(refused.status == 503 && refused.error() == "ServiceUnavailable", "{refused:?}");

    servers.redis.start_again().await?;
    let arn = api.create("away", &task_of("Echo", &json!({}))).await?;
    let execution = api.start(&arn, "early", &json!({ "early": true })).await?;
    ensure!(api.status(&execution).await? == "RUNNING", "it ended without a broker");

    servers.rabbit.start_again().await?;
    cluster.ready().await?;
    let seen = api.ended(&execution, "SUCCEEDED").await?;
    ensure!(seen["output"] == "{\"early\":true}", "{seen}");
    check_history(&api.history(&execution).await?)?;
    ensure!(pids == self::pids(cluster), "a program was started again");
    note("started without Redis and RabbitMQ; an execution started without RabbitMQ SUCCEEDED after it came");
    Ok(())
}

/// Waits until it is up and not ready, and has named what it can't reach and the setting, in /readyz or its log.
async fn says_unready(member: &Member, what: &[&str]) -> Result<()> {
    let unready = || async { member.readiness().await.is_ok_and(|answer| answer.status == 503) };
    eventually(PATIENCE, unready, "it says that it is not ready").await?;
    let said = || async { what.iter().all(|what| member.output().contains(&format!("{what}.url"))) };
    eventually(PATIENCE, said, &format!("its log names the settings of {what:?}")).await?;
    ensure!(member.is_running()?, "it has ended");
    Ok(())
}

fn machine() -> serde_json::Value {
    json!({
        "name": "refused",
        "definition": task_of("Echo", &json!({})).to_string(),
        "roleArn": "arn:aws:iam::123456789012:role/r",
    })
}

fn pids(cluster: &Cluster) -> Vec<u32> {
    cluster.coordinators.iter().chain(&cluster.workers).map(Member::pid).collect()
}

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
        says(coordinator, 503, "redis.url").await?;
    }
    says(&cluster.workers[0], 503, "amqp.url").await?;
    let refused = api.try_call("CreateStateMachine", &machine()).await?;
    ensure!(refused.status == 503 && refused.error() == "ServiceUnavailable", "{refused:?}");

    servers.redis.start_again().await?;
    let arn = api.create("away", &task_of("Echo", &json!({}))).await?;
    for coordinator in &cluster.coordinators {
        says(coordinator, 200, "amqp.url").await?;
    }
    let execution = api.start(&arn, "early", &json!({ "early": true })).await?;
    ensure!(api.status(&execution).await? == "RUNNING", "it ended without a broker");

    servers.rabbit.start_again().await?;
    cluster.ready().await?;
    let seen = api.ended(&execution, "SUCCEEDED").await?;
    ensure!(seen["output"] == "{\"early\": true}", "{seen}");
    check_history(&api.history(&execution).await?)?;
    ensure!(pids == self::pids(cluster), "a program was started again");
    note("started without Redis and RabbitMQ; an execution started without RabbitMQ SUCCEEDED after it came");
    Ok(())
}

/// Waits until /readyz gives the status, and both it and the log name the setting of what can't be reached.
async fn says(member: &Member, status: u16, setting: &str) -> Result<()> {
    let said = || async {
        member.readiness().await.is_ok_and(|answer| answer.status == status && answer.body.contains(setting))
            && member.output().contains(setting)
    };
    eventually(PATIENCE, said, &format!("/readyz gives {status} and names {setting}")).await?;
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

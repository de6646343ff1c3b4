//! A server is killed in the middle of 100 orders: all end SUCCEEDED, and nothing acknowledged is lost.

use anyhow::{Context, Result, ensure};
use e2e::{Cluster, Handlers, Member, Orders, PATIENCE, Plan, Servers, note, now};
use support::eventually;

use crate::servers;

const ORDERS: usize = 100;

#[derive(Clone, Copy, Debug)]
enum Outage {
    RedisKilled,
    RabbitKilled,
    RabbitEmptied,
    /// It hangs until everyone has noticed.
    RedisFrozen,
    RabbitFrozen,
    /// Both servers and all processes are killed at once.
    PowerCut,
}

#[tokio::test]
async fn redis_is_killed_in_the_middle_of_100_orders() -> Result<()> {
    survives(Outage::RedisKilled).await
}

#[tokio::test]
async fn rabbitmq_is_killed_in_the_middle_of_100_orders() -> Result<()> {
    survives(Outage::RabbitKilled).await
}

#[tokio::test]
async fn rabbitmq_comes_back_empty_in_the_middle_of_100_orders() -> Result<()> {
    survives(Outage::RabbitEmptied).await
}

#[tokio::test]
async fn redis_hangs_in_the_middle_of_100_orders() -> Result<()> {
    survives(Outage::RedisFrozen).await
}

#[tokio::test]
async fn rabbitmq_hangs_in_the_middle_of_100_orders() -> Result<()> {
    survives(Outage::RabbitFrozen).await
}

#[tokio::test]
async fn everything_is_killed_in_the_middle_of_100_orders() -> Result<()> {
    survives(Outage::PowerCut).await
}

async fn survives(outage: Outage) -> Result<()> {
    let (servers, _turn) = servers().await?;
    let handlers = Handlers::good(200)?;
    let plan = Plan { coordinators: 2, workers: 2, handlers: handlers.file() };
    let mut cluster = Cluster::start(&servers, &plan).await?;
    let ran = run_orders(&mut cluster, &servers, outage).await;
    cluster.finish(ran.with_context(|| format!("--- rabbitmq\n{}", servers.rabbit.log_tail())))
}

/// The outage comes while orders are still being started, and others are in all of their states. An order before that
/// takes over a second: RabbitMQ 3.10.8 was seen to come back from SIGKILL without a leader for a quorum queue that had
/// been declared just before, without any part of Stepwell.
async fn run_orders(cluster: &mut Cluster, servers: &Servers, outage: Outage) -> Result<()> {
    let orders = Orders::new(cluster.api(), ORDERS).await?;
    orders.warm_up().await?;
    let trouble = async {
        orders.acknowledged(ORDERS / 2).await?;
        let begun = now();
        bring(outage, cluster, servers).await?;
        Ok(begun)
    };
    let ((), begun) = tokio::try_join!(orders.start(), trouble)?;
    let running = orders.all_succeeded().await?.running_at(begun);
    ensure!(running >= ORDERS / 5, "only {running} orders were running at the outage");
    let mut counts = Vec::new();
    for name in ["driver_outbox_reissued_total", "driver_reconciler_repairs_total", "driver_redispatches_total"] {
        let mut sum = 0.0;
        for coordinator in &cluster.coordinators {
            ensure!(coordinator.is_running()?, "a coordinator has ended");
            sum += coordinator.metric(name, "").await?;
        }
        counts.push((name, sum));
    }
    note(&format!("{outage:?} with {running} of {ORDERS} orders running: all SUCCEEDED; {counts:?}"));
    Ok(())
}

async fn bring(outage: Outage, cluster: &mut Cluster, servers: &Servers) -> Result<()> {
    match outage {
        Outage::RedisKilled => servers.redis.restart().await,
        Outage::RabbitKilled => servers.rabbit.restart().await,
        Outage::RabbitEmptied => {
            servers.rabbit.kill().await?;
            servers.rabbit.start_empty().await
        }
        Outage::RedisFrozen => {
            servers.redis.freeze()?;
            noticed(&cluster.coordinators, "redis.url").await?;
            servers.redis.thaw()
        }
        Outage::RabbitFrozen => {
            servers.rabbit.freeze()?;
            noticed(cluster.coordinators.iter().chain(&cluster.workers), "amqp.url").await?;
            servers.rabbit.thaw()
        }
        Outage::PowerCut => power_cut(cluster, servers).await,
    }
}

async fn noticed(members: impl IntoIterator<Item = &Member>, setting: &str) -> Result<()> {
    for member in members {
        let says = || async { member.readiness().await.is_ok_and(|answer| answer.body.contains(setting)) };
        eventually(PATIENCE, says, &format!("/readyz names {setting}")).await?;
    }
    Ok(())
}

async fn power_cut(cluster: &mut Cluster, servers: &Servers) -> Result<()> {
    cluster.coordinators.iter().chain(&cluster.workers).for_each(Member::kill9);
    tokio::try_join!(servers.redis.restart(), servers.rabbit.restart())?;
    cluster.coordinators.iter_mut().chain(&mut cluster.workers).try_for_each(Member::start_again)
}

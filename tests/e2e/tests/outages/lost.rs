//! A server is killed in the middle of 100 orders: all end SUCCEEDED, and nothing acknowledged is lost.

use anyhow::{Result, ensure};
use e2e::{Cluster, Handlers, Orders, Plan, Servers, note};

use crate::servers;

const ORDERS: usize = 100;

#[derive(Clone, Copy, Debug)]
enum Outage {
    RedisKilled,
    RabbitKilled,
    RabbitEmptied,
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

async fn survives(outage: Outage) -> Result<()> {
    let (servers, _turn) = servers().await?;
    let handlers = Handlers::good(50)?;
    let plan = Plan { coordinators: 2, workers: 2, handlers: handlers.file() };
    let cluster = Cluster::start(&servers, &plan).await?;
    cluster.finish(run_orders(&cluster, &servers, outage).await)
}

/// The outage comes while orders are still being started, and others are in all of their states.
async fn run_orders(cluster: &Cluster, servers: &Servers, outage: Outage) -> Result<()> {
    let orders = Orders::new(cluster.api(), ORDERS).await?;
    let trouble = async {
        orders.acknowledged(ORDERS / 2).await?;
        bring(outage, servers).await?;
        orders.running().await
    };
    let ((), running) = tokio::try_join!(orders.start(), trouble)?;
    ensure!(running > 0, "all orders had ended before the outage");
    orders.all_succeeded().await?;
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

async fn bring(outage: Outage, servers: &Servers) -> Result<()> {
    match outage {
        Outage::RedisKilled => servers.redis.restart().await,
        Outage::RabbitKilled => servers.rabbit.restart().await,
        Outage::RabbitEmptied => {
            servers.rabbit.kill().await?;
            servers.rabbit.wipe().await?;
            servers.rabbit.start_again().await
        }
    }
}

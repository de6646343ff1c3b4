//! A server is killed in the middle of 100 orders: all end SUCCEEDED, and nothing acknowledged is lost.

use anyhow::{Context, Result, ensure};
use e2e::{Cluster, Handlers, Orders, Plan, Servers, note, now};

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
    let handlers = Handlers::good(200)?;
    let plan = Plan { coordinators: 2, workers: 2, handlers: handlers.file() };
    let cluster = Cluster::start(&servers, &plan).await?;
    let ran = run_orders(&cluster, &servers, outage).await;
    cluster.finish(ran.with_context(|| format!("--- rabbitmq\n{}", servers.rabbit.log_tail())))
}

/// The outage comes while orders are still being started, and others are in all of their states. An order before that
/// takes over a second: RabbitMQ 3.10 notes a new quorum queue on disk half a second late, and one that is killed before
/// comes back with a queue that never has a leader again.
async fn run_orders(cluster: &Cluster, servers: &Servers, outage: Outage) -> Result<()> {
    let orders = Orders::new(cluster.api(), ORDERS).await?;
    orders.warm_up().await?;
    let trouble = async {
        orders.acknowledged(ORDERS / 2).await?;
        let begun = now();
        bring(outage, servers).await?;
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

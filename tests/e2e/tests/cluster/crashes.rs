//! kill -9 in the middle of 500 running orders.

use anyhow::{Result, ensure};
use e2e::{Cluster, Handlers, Orders, Plan, Servers, note};

const ORDERS: usize = 500;

#[tokio::test]
async fn coordinators_are_killed_in_the_middle_of_500_orders() -> Result<()> {
    let handlers = Handlers::good(50)?;
    let mut cluster = cluster(&handlers).await?;
    let ran = kill_coordinators(&mut cluster).await;
    cluster.finish(ran)
}

/// The first dies while orders are being started and comes back; the second dies while they run, and stays away.
async fn kill_coordinators(cluster: &mut Cluster) -> Result<()> {
    let orders = Orders::new(cluster.api(), ORDERS).await?;
    let trouble = async {
        orders.acknowledged(ORDERS / 2).await?;
        cluster.coordinators[0].kill9();
        cluster.coordinators[0].start_again()?;
        orders.acknowledged(ORDERS).await?;
        cluster.coordinators[0].ready().await?;
        orders.first_ended(50).await?;
        cluster.coordinators[1].kill9();
        orders.running().await
    };
    let ((), running) = tokio::try_join!(orders.start(), trouble)?;
    ensure!(running > 0, "all orders had ended before the second kill");
    orders.all_succeeded().await?;
    let take_overs = cluster.coordinators[0].metric("driver_lease_take_overs_total", "").await?;
    let reissued = cluster.coordinators[0].metric("driver_outbox_reissued_total", "").await?;
    note(&format!(
        "coordinators killed with {running} of {ORDERS} orders running: all SUCCEEDED, {take_overs} branches taken over, \
         {reissued} effects issued again"
    ));
    Ok(())
}

#[tokio::test]
async fn workers_are_killed_in_the_middle_of_500_orders() -> Result<()> {
    let handlers = Handlers::good(50)?;
    let mut cluster = cluster(&handlers).await?;
    let ran = kill_workers(&mut cluster).await;
    cluster.finish(ran)
}

async fn kill_workers(cluster: &mut Cluster) -> Result<()> {
    let orders = Orders::new(cluster.api(), ORDERS).await?;
    let trouble = async {
        orders.acknowledged(ORDERS / 2).await?;
        cluster.workers[0].kill9();
        cluster.workers[0].start_again()?;
        cluster.workers[0].ready().await?;
        orders.first_ended(50).await?;
        cluster.workers[1].kill9();
        let running = orders.running().await?;
        cluster.workers[1].start_again()?;
        Ok(running)
    };
    let ((), running) = tokio::try_join!(orders.start(), trouble)?;
    ensure!(running > 0, "all orders had ended before the second kill");
    orders.all_succeeded().await?;
    let stale = cluster.coordinators[0].metric("driver_stale_reports_total", "").await?
        + cluster.coordinators[1].metric("driver_stale_reports_total", "").await?;
    note(&format!("workers killed with {running} of {ORDERS} orders running: all SUCCEEDED, {stale} stale reports"));
    Ok(())
}

async fn cluster(handlers: &Handlers) -> Result<Cluster> {
    let servers = Servers::shared().await?;
    Cluster::start(&servers, &Plan { coordinators: 2, workers: 2, handlers: handlers.file() }).await
}

//! kill -9 in the middle of 500 running orders.

use anyhow::{Result, ensure};
use e2e::{Cluster, Handlers, Orders, Plan, Servers, Spans, note, now};

const ORDERS: usize = 500;

#[tokio::test]
async fn coordinators_are_killed_in_the_middle_of_500_orders() -> Result<()> {
    let handlers = Handlers::good(200)?;
    let mut cluster = cluster(&handlers).await?;
    let ran = kill_coordinators(&mut cluster).await;
    cluster.finish(ran)
}

/// The first dies in the midst of the starts and comes back; then the second dies, and stays away.
async fn kill_coordinators(cluster: &mut Cluster) -> Result<()> {
    let orders = Orders::new(cluster.api(), ORDERS).await?;
    let trouble = async {
        orders.acknowledged(ORDERS / 2).await?;
        cluster.coordinators[0].kill9();
        let first = now();
        cluster.coordinators[0].start_again()?;
        cluster.coordinators[0].ready().await?;
        orders.acknowledged(ORDERS * 4 / 5).await?;
        cluster.coordinators[1].kill9();
        Ok([first, now()])
    };
    let ((), kills) = tokio::try_join!(orders.start(), trouble)?;
    let running = ran_at(&orders.all_succeeded().await?, kills)?;
    let take_overs = cluster.coordinators[0].metric("driver_lease_take_overs_total", "").await?;
    let reissued = cluster.coordinators[0].metric("driver_outbox_reissued_total", "").await?;
    note(&format!(
        "coordinators killed with {running:?} of {ORDERS} orders running: all SUCCEEDED, {take_overs} branches taken over, \
         {reissued} effects issued again"
    ));
    Ok(())
}

#[tokio::test]
async fn workers_are_killed_in_the_middle_of_500_orders() -> Result<()> {
    let handlers = Handlers::good(200)?;
    let mut cluster = cluster(&handlers).await?;
    let ran = kill_workers(&mut cluster).await;
    cluster.finish(ran)
}

/// One after the other dies and comes back.
async fn kill_workers(cluster: &mut Cluster) -> Result<()> {
    let orders = Orders::new(cluster.api(), ORDERS).await?;
    let trouble = async {
        orders.acknowledged(ORDERS / 2).await?;
        cluster.workers[0].kill9();
        let first = now();
        cluster.workers[0].start_again()?;
        cluster.workers[0].ready().await?;
        orders.acknowledged(ORDERS * 4 / 5).await?;
        cluster.workers[1].kill9();
        let second = now();
        cluster.workers[1].start_again()?;
        Ok([first, second])
    };
    let ((), kills) = tokio::try_join!(orders.start(), trouble)?;
    let running = ran_at(&orders.all_succeeded().await?, kills)?;
    let stale = cluster.coordinators[0].metric("driver_stale_reports_total", "").await?
        + cluster.coordinators[1].metric("driver_stale_reports_total", "").await?;
    note(&format!("workers killed with {running:?} of {ORDERS} orders running: all SUCCEEDED, {stale} stale reports"));
    Ok(())
}

fn ran_at(spans: &Spans, kills: [f64; 2]) -> Result<[usize; 2]> {
    let running = kills.map(|at| spans.running_at(at));
    ensure!(running.iter().all(|count| *count >= ORDERS / 20), "a kill came too late: {running:?} orders were running");
    Ok(running)
}

async fn cluster(handlers: &Handlers) -> Result<Cluster> {
    let servers = Servers::shared().await?;
    Cluster::start(&servers, &Plan { coordinators: 2, workers: 2, handlers: handlers.file() }).await
}

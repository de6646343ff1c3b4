//! kill -9 in the middle of 500 running orders, and what else may happen to a process: SIGTERM, and a long pause.

use anyhow::{Result, ensure};
use e2e::{Cluster, Handlers, Notices, Orders, PATIENCE, Plan, Servers, Spans, note, now};
use support::eventually;

const ORDERS: usize = 500;
/// Enough for what is not about numbers.
const FEWER: usize = 200;

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
    let notices = Notices::bind(cluster, "#").await?;
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
    let told = notices.all_told(ORDERS, "SUCCEEDED").await?;
    note(&format!(
        "coordinators killed with {running:?} of {ORDERS} orders running: all SUCCEEDED, {take_overs} branches taken over, \
         {reissued} effects issued again, {told} status changes told"
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
    let stale = stale_reports(cluster).await?;
    note(&format!("workers killed with {running:?} of {ORDERS} orders running: all SUCCEEDED, {stale} stale reports"));
    Ok(())
}

fn ran_at(spans: &Spans, kills: [f64; 2]) -> Result<[usize; 2]> {
    let running = kills.map(|at| spans.running_at(at));
    ensure!(running.iter().all(|count| *count >= ORDERS / 20), "a kill came too late: {running:?} orders were running");
    Ok(running)
}

#[tokio::test]
async fn every_process_is_replaced_in_the_middle_of_orders() -> Result<()> {
    let handlers = Handlers::good(200)?;
    let mut cluster = cluster(&handlers).await?;
    let ran = replace_all(&mut cluster).await;
    cluster.finish(ran)
}

/// As an update does it: SIGTERM, the end with exit code 0, the next version.
async fn replace_all(cluster: &mut Cluster) -> Result<()> {
    let orders = Orders::new(cluster.api(), FEWER).await?;
    let replacing = async {
        orders.acknowledged(FEWER / 4).await?;
        let begun = now();
        for member in cluster.workers.iter_mut().chain(&mut cluster.coordinators) {
            member.stop().await?;
            member.start_again()?;
            member.ready().await?;
        }
        Ok(begun)
    };
    let ((), begun) = tokio::try_join!(orders.start(), replacing)?;
    let running = orders.all_succeeded().await?.running_at(begun);
    ensure!(running >= FEWER / 20, "SIGTERM came too late: {running} orders were running");
    note(&format!("all four processes replaced, beginning with {running} of {FEWER} orders running: all SUCCEEDED"));
    Ok(())
}

#[tokio::test]
async fn what_was_frozen_does_no_harm_when_it_goes_on() -> Result<()> {
    let handlers = Handlers::good(200)?;
    let cluster = cluster(&handlers).await?;
    cluster.finish(freeze(&cluster).await)
}

/// RabbitMQ gives what they held to the others once their heartbeats are missing. When they go on, all orders have ended.
async fn freeze(cluster: &Cluster) -> Result<()> {
    let frozen = [&cluster.coordinators[0], &cluster.workers[0]];
    let orders = Orders::new(cluster.api(), FEWER).await?;
    orders.start().await?;
    frozen.iter().try_for_each(|member| member.freeze())?;
    let begun = now();
    let orders = orders.through(cluster.api().only(1));
    let running = orders.all_succeeded().await?.running_at(begun);
    ensure!(running >= FEWER / 20, "only {running} orders were running");
    let histories = orders.histories().await?;
    frozen.iter().try_for_each(|member| member.thaw())?;
    let done = || async {
        cluster.workers[0].metric("worker_held", "").await.is_ok_and(|held| held == 0.0)
            && cluster.coordinators[0].metric("driver_open_deliveries", "").await.is_ok_and(|open| open == 0.0)
    };
    eventually(PATIENCE, done, "those that were frozen have nothing in hand any more").await?;
    cluster.ready().await?;
    ensure!(orders.histories().await? == histories, "histories were written to after their end");
    let stale = stale_reports(cluster).await?;
    note(&format!("coordinator and worker frozen with {running} of {FEWER} orders running: {stale} stale reports"));
    Ok(())
}

async fn stale_reports(cluster: &Cluster) -> Result<f64> {
    let mut stale = 0.0;
    for coordinator in &cluster.coordinators {
        stale += coordinator.metric("driver_stale_reports_total", "").await?;
    }
    Ok(stale)
}

async fn cluster(handlers: &Handlers) -> Result<Cluster> {
    let servers = Servers::shared().await?;
    Cluster::start(&servers, &Plan { coordinators: 2, workers: 2, handlers: handlers.file() }).await
}

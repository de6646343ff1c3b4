//! One trace an execution, over two coordinators and two workers of which one each is killed.

use anyhow::{Result, ensure};
use e2e::{Cluster, Collector, Handlers, Orders, PATIENCE, Plan, Servers, note};
use support::eventually;

const ORDERS: usize = 100;
/// What the trace of an order has: its request, itself, its states, and what happens in them.
const NAMES: &[&str] = &[
    "StartExecution",
    "execution ",
    "Validate",
    "Pay",
    "NotifyAndBill",
    "Notify",
    "Bill",
    "Ship",
    "publish default",
    "consume default",
    "handle ",
    "publish report",
    "report",
];

#[tokio::test]
async fn a_killed_coordinator_and_worker_leave_no_orphan() -> Result<()> {
    let handlers = Handlers::good(200)?;
    let servers = Servers::shared().await?;
    let collector = Collector::start().await?;
    let plan = Plan { coordinators: 2, workers: 2, handlers: handlers.file() };
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), collector.url().to_owned());
    let delay = ("OTEL_BSP_SCHEDULE_DELAY".to_owned(), "500".to_owned());
    let cluster = Cluster::start_with(&servers, &plan, &[endpoint, delay]).await?;
    cluster.finish(trace_orders(&cluster, &collector).await)
}

/// Coordinator and worker die with spans of their last second not exported.
async fn trace_orders(cluster: &Cluster, collector: &Collector) -> Result<()> {
    let orders = Orders::new(cluster.api(), ORDERS).await?;
    let kill = async {
        orders.acknowledged(ORDERS / 2).await?;
        // From then on each of the four has exported spans that hang together with those it still holds.
        let all = || async { collector.traces().instances() == 4 };
        eventually(PATIENCE, all, "both coordinators and both workers have exported").await?;
        cluster.coordinators[0].kill9();
        cluster.workers[0].kill9();
        Ok(())
    };
    tokio::try_join!(orders.start(), kill)?;
    orders.all_succeeded().await?;
    let whole = || async {
        let traces = collector.traces();
        traces.complete(NAMES) == ORDERS && traces.check().is_ok()
    };
    let waited = eventually(PATIENCE, whole, "every order has a whole trace").await;
    let traces = collector.traces();
    traces.check()?;
    let (spans, repeated) = traces.spans();
    ensure!(waited.is_ok() && traces.count() == ORDERS, "{} traces, {} whole", traces.count(), traces.complete(NAMES));
    let shared = (traces.shared_by("stepwell-coordinator"), traces.shared_by("stepwell-worker"));
    ensure!(shared.0 > 0 && shared.1 > 0, "no trace has spans of both coordinators and both workers: {shared:?}");
    let adopted = cluster.coordinators[1].metric("driver_outbox_reissued_total", "").await?;
    note(&format!(
        "coordinator and worker killed: {ORDERS} traces of {spans} spans, {repeated} exported twice, {adopted} outbox \
         entries of the dead one issued again, {shared:?} traces over both coordinators and workers, no orphan"
    ));
    Ok(())
}

#[tokio::test]
async fn traces_go_over_grpc_too() -> Result<()> {
    const ORDERS: usize = 5;
    let handlers = Handlers::good(5)?;
    let collector = Collector::start_grpc().await?;
    let plan = Plan { coordinators: 1, workers: 1, handlers: handlers.file() };
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let cluster = Cluster::start_with(&Servers::shared().await?, &plan, &variables).await?;
    let ran = async {
        let orders = Orders::new(cluster.api(), ORDERS).await?;
        orders.start().await?;
        orders.all_succeeded().await?;
        let whole = || async { collector.traces().complete(NAMES) == ORDERS && collector.traces().check().is_ok() };
        let waited = eventually(PATIENCE, whole, "every order has a whole trace").await;
        collector.traces().check()?;
        waited
    };
    cluster.finish(ran.await)
}

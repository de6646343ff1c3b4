//! Executions of type EXPRESS over RabbitMQ: synchronous ones come back to the coordinator that was asked, whatever happens to a worker;
//! asynchronous ones outlive the coordinator.

use anyhow::{Result, ensure};
use e2e::{Cluster, Handlers, PATIENCE, Plan, Servers, order, task_of};
use futures::future::{try_join, try_join_all};
use serde_json::{Value, json};
use support::eventually;

const ORDERS: usize = 20;

#[tokio::test]
async fn executions_of_type_express_run_and_outlive_what_they_may() -> Result<()> {
    let handlers = Handlers::good(20)?;
    let servers = Servers::shared().await?;
    let mut cluster =
        Cluster::start(&servers, &Plan { coordinators: 2, workers: 1, handlers: handlers.file() }).await?;
    let outcome = run(&mut cluster, &handlers).await;
    cluster.finish(outcome)
}

async fn run(cluster: &mut Cluster, handlers: &Handlers) -> Result<()> {
    let api = cluster.api();
    let orders = api.create_express("orders", &order()).await?;
    let answers = try_join_all((0..ORDERS).map(|number| {
        let (own, orders) = (api.only(number % 2), &orders);
        async move { own.run(orders, &json!({ "orderId": format!("o-{number}") }), "SUCCEEDED").await }
    }));
    for (number, answer) in answers.await?.into_iter().enumerate() {
        let output: Value = serde_json::from_str(answer["output"].as_str().unwrap_or_default())?;
        ensure!(output["shipment"] == format!("SW-o-{number}"), "{answer}");
        ensure!(answer["executionArn"].as_str().is_some_and(|arn| arn.contains(":express:orders:")), "{answer}");
    }
    let gated = api.create_express("gated", &task_of("Gate", &json!({}))).await?;
    a_worker_is_killed(cluster, &gated, handlers).await?;
    a_coordinator_is_stopped(cluster, &gated, handlers).await?;
    a_coordinator_is_killed(cluster, &gated, handlers).await
}

fn gate(handlers: &Handlers, name: &str) -> Value {
    json!({ "gate": handlers.path(name) })
}

async fn is_worked_on(cluster: &Cluster) -> Result<()> {
    let worker = &cluster.workers[0];
    let runs = || async { worker.metric("worker_running", "").await.is_ok_and(|running| running >= 1.0) };
    eventually(PATIENCE, runs, "the handler runs").await
}

/// The task goes to the worker that comes in its place, and the caller notices nothing.
async fn a_worker_is_killed(cluster: &mut Cluster, gated: &str, handlers: &Handlers) -> Result<()> {
    let (own, input) = (cluster.api().only(0), gate(handlers, "after the worker"));
    let broken = async {
        is_worked_on(cluster).await?;
        cluster.workers[0].kill9();
        cluster.workers[0].start_again()?;
        cluster.workers[0].ready().await?;
        Ok(std::fs::write(handlers.path("after the worker"), "")?)
    };
    try_join(own.run(gated, &input, "SUCCEEDED"), broken).await?;
    Ok(())
}

/// It answers what it was asked before it ends.
async fn a_coordinator_is_stopped(cluster: &mut Cluster, gated: &str, handlers: &Handlers) -> Result<()> {
    let (own, input) = (cluster.api().only(1), gate(handlers, "after the stop"));
    let stopped = async {
        is_worked_on(cluster).await?;
        let opened = async {
            let stopping =
                || async { !cluster.coordinators[1].readiness().await.is_ok_and(|answer| answer.status == 200) };
            eventually(PATIENCE, stopping, "the coordinator takes nothing more").await?;
            Ok(std::fs::write(handlers.path("after the stop"), "")?)
        };
        try_join(cluster.coordinators[1].stop(), opened).await
    };
    try_join(own.run(gated, &input, "SUCCEEDED"), stopped).await?;
    cluster.coordinators[1].start_again()?;
    cluster.coordinators[1].ready().await
}

/// Another one goes on with what was acknowledged.
async fn a_coordinator_is_killed(cluster: &mut Cluster, gated: &str, handlers: &Handlers) -> Result<()> {
    let own = cluster.api().only(0);
    let body = json!({ "stateMachineArn": gated, "input": gate(handlers, "after the coordinator").to_string() });
    own.ask("StartExecution", &body).await?;
    is_worked_on(cluster).await?;
    cluster.coordinators[0].kill9();
    std::fs::write(handlers.path("after the coordinator"), "")?;
    let other = &cluster.coordinators[1];
    let over = || async { other.metric("executions_succeeded_total", "").await.is_ok_and(|ended| ended >= 1.0) };
    eventually(PATIENCE, over, "the other coordinator ends it").await
}

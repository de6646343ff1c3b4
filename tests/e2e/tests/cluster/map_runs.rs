//! Maps in distributed mode over Redis and RabbitMQ: each item is run by one execution, whoever dies; a stop reaches all of them.

use anyhow::{Context, Result, ensure};
use e2e::{Api, Cluster, Handlers, PATIENCE, Plan, Servers, lambda, note};
use serde_json::{Value, json};
use support::eventually;

const ITEMS: usize = 300;

/// A Map in distributed mode whose items each have one task.
fn map(function: &str) -> Value {
    let task = json!({ "Type": "Task", "Resource": lambda(function), "End": true });
    json!({
        "StartAt": "Each",
        "States": { "Each": {
            "Type": "Map", "MaxConcurrency": 60, "Label": "each", "End": true,
            "ItemProcessor": {
                "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
                "StartAt": "Work", "States": { "Work": task },
            },
        } },
    })
}

#[tokio::test]
async fn a_map_run_outlives_coordinators_and_workers() -> Result<()> {
    let handlers = Handlers::good(100)?;
    let servers = Servers::shared().await?;
    let mut cluster =
        Cluster::start(&servers, &Plan { coordinators: 2, workers: 2, handlers: handlers.file() }).await?;
    let outcome = run(&mut cluster, &handlers).await;
    cluster.finish(outcome)
}

async fn run(cluster: &mut Cluster, handlers: &Handlers) -> Result<()> {
    let api = cluster.api();
    let items: Vec<Value> = (0..ITEMS).map(|number| json!({ "n": number })).collect();
    let machine = api.create("echoes", &map("Echo")).await?;
    let execution = api.start(&machine, "all", &json!(items)).await?;
    let at_least = async |api: &Api, count: u64| {
        let done = || async { counts(api, &execution).await.is_ok_and(|it| it["succeeded"].as_u64() >= Some(count)) };
        eventually(PATIENCE, done, "some items are done").await
    };
    at_least(&api, 30).await?;
    cluster.coordinators[0].kill9();
    cluster.coordinators[0].start_again()?;
    cluster.coordinators[0].ready().await?;
    at_least(&api, 90).await?;
    cluster.workers[0].kill9();
    cluster.workers[0].start_again()?;
    at_least(&api, 150).await?;
    cluster.coordinators[1].kill9();
    let api = cluster.api().only(0);
    let ended = api.ended(&execution, "SUCCEEDED").await?;
    let output: Value = serde_json::from_str(ended["output"].as_str().unwrap_or_default())?;
    ensure!(output == json!(items), "{output}");
    let counts = counts(&api, &execution).await?;
    ensure!(counts["succeeded"] == json!(ITEMS) && counts["total"] == json!(ITEMS), "{counts}");
    note(&format!("two coordinators and a worker killed: {ITEMS} items, each run by one execution"));
    cluster.coordinators[1].start_again()?;
    cluster.coordinators[1].ready().await?;
    a_stop_reaches_all(&api, handlers).await
}

/// The handlers wait for a file that comes after the stop, so that the workers can end.
async fn a_stop_reaches_all(api: &Api, handlers: &Handlers) -> Result<()> {
    let machine = api.create("gates", &map("Gate")).await?;
    let items = vec![json!({ "gate": handlers.path("after the stop") }); 40];
    let execution = api.start(&machine, "stopped", &json!(items)).await?;
    let running = || async { counts(api, &execution).await.is_ok_and(|it| it["running"] == json!(40)) };
    eventually(PATIENCE, running, "all items are under way").await?;
    api.stop(&execution).await?;
    let aborted = || async { counts(api, &execution).await.is_ok_and(|it| it["aborted"] == json!(40)) };
    eventually(PATIENCE, aborted, "all items are stopped").await?;
    Ok(std::fs::write(handlers.path("after the stop"), "")?)
}

/// Gives how many items of the one Map Run of an execution are in which state.
async fn counts(api: &Api, execution: &str) -> Result<Value> {
    let listed = api.ask("ListMapRuns", &json!({ "executionArn": execution })).await?;
    let run = listed["mapRuns"][0]["mapRunArn"].as_str().context("there is no Map Run yet")?;
    let described = api.ask("DescribeMapRun", &json!({ "mapRunArn": run })).await?;
    Ok(described["itemCounts"].clone())
}

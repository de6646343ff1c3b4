//! kill -9 of coordinators in the middle of orders that are nested executions.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use e2e::{Api, Cluster, Handlers, PATIENCE, Plan, Servers, check_history, note, order};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use support::{eventually, unique_name};

const ORDERS: usize = 100;
/// How many requests are under way at once.
const AT_ONCE: usize = 16;

#[tokio::test]
async fn coordinators_are_killed_in_the_middle_of_100_nested_orders() -> Result<()> {
    let servers = Servers::shared().await?;
    let handlers = Handlers::good(200)?;
    let mut cluster =
        Cluster::start(&servers, &Plan { coordinators: 2, workers: 2, handlers: handlers.file() }).await?;
    let ran = kill_coordinators(&mut cluster).await;
    cluster.finish(ran)
}

/// The first dies in the midst of the starts and comes back; then the second dies, and stays away.
async fn kill_coordinators(cluster: &mut Cluster) -> Result<()> {
    let api = cluster.api();
    let orders = api.create(&unique_name("nested-order"), &order()).await?;
    let parents = api.create(&unique_name("parent"), &parent(&orders)).await?;
    let counted = AtomicUsize::new(0);
    let acknowledged = &counted;
    let start = |number: usize| {
        let (api, parents) = (&api, &parents);
        async move {
            let id = format!("order-{number}");
            let arn = api.start(parents, &id, &json!({ "orderId": id })).await?;
            acknowledged.fetch_add(1, Ordering::Relaxed);
            Ok::<_, anyhow::Error>(arn)
        }
    };
    let starting = stream::iter(0..ORDERS).map(start).buffer_unordered(AT_ONCE).try_collect::<Vec<String>>();
    let trouble = async {
        let at = |count: usize| {
            let enough = move || async move { acknowledged.load(Ordering::Relaxed) >= count };
            eventually(PATIENCE, enough, "enough orders are acknowledged")
        };
        at(ORDERS / 2).await?;
        cluster.coordinators[0].kill9();
        cluster.coordinators[0].start_again()?;
        cluster.coordinators[0].ready().await?;
        at(ORDERS * 4 / 5).await?;
        cluster.coordinators[1].kill9();
        Ok(())
    };
    let (arns, ()) = tokio::try_join!(starting, trouble)?;
    let checks = stream::iter(&arns).map(|arn| check(&api, arn)).buffer_unordered(AT_ONCE);
    let nested: BTreeSet<String> = checks.try_collect().await?;
    ensure!(nested.len() == ORDERS, "{} nested executions for {ORDERS} orders", nested.len());
    let listed = api.ask("ListExecutions", &json!({ "stateMachineArn": orders, "maxResults": 1000 })).await?;
    let listed = listed["executions"].as_array().map_or(0, Vec::len);
    ensure!(listed == ORDERS, "{listed} executions of the order were started instead of {ORDERS}");
    note(&format!("coordinators killed in the middle of {ORDERS} nested orders: all SUCCEEDED, each started once"));
    Ok(())
}

/// Checks a parent's end and history; gives the ARN of its nested execution.
async fn check(api: &Api, arn: &str) -> Result<String> {
    let seen = api.ended(arn, "SUCCEEDED").await?;
    let output: Value = serde_json::from_str(seen["output"].as_str().context("no output")?)?;
    let id = arn.rsplit(':').next().unwrap_or_default();
    ensure!(output["Output"]["shipment"] == format!("SW-{id}"), "{arn} has the output {output}");
    let history = api.history(arn).await?;
    check_history(&history)?;
    let kinds: Vec<&str> = history.iter().filter_map(|event| event["type"].as_str()).collect();
    let expected = [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ];
    ensure!(kinds == expected, "{arn} has the events {kinds:?}");
    Ok(output["ExecutionArn"].as_str().context("no ARN")?.to_owned())
}

fn parent(orders: &str) -> Value {
    let parameters = json!({ "StateMachineArn": orders, "Input.$": "$" });
    json!({ "StartAt": "Order", "States": { "Order": {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": parameters,
        "End": true,
    } } })
}

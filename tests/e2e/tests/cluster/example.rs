//! The order of `examples/order-processing` through a cluster, by HTTP and by AWS's own client.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use e2e::{Api, Aws, Cluster, Plan, Servers, check_history, events_of_type, note};
use serde_json::{Value, json};
use support::{eventually, skipped, unique_name};

const ORDER: &str = r#"{"orderId": "12345"}"#;

#[tokio::test]
async fn the_example_runs_by_http() -> Result<()> {
    let cluster = example_cluster().await?;
    let ran = async {
        let api = cluster.api();
        let definition = serde_json::from_str(&std::fs::read_to_string(example("workflow.asl.json"))?)?;
        let machine = api.create(&unique_name("OrderProcessingWorkflow"), &definition).await?;
        let arn = api.start(&machine, "the-order", &serde_json::from_str(ORDER)?).await?;
        let seen = api.ended(&arn, "SUCCEEDED").await?;
        check_example(&seen, &api.history(&arn).await?)
    };
    cluster.finish(ran.await)
}

/// The page has all that is exported, and nothing else but what appears only where it happens.
#[tokio::test]
async fn the_page_of_metrics_has_what_is_exported() -> Result<()> {
    let cluster = example_cluster().await?;
    let ran = async {
        cluster
            .api()
            .create(&unique_name("Metrics"), &json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}))
            .await?;
        let mut exported = BTreeSet::new();
        for member in cluster.coordinators.iter().chain(&cluster.workers) {
            exported.extend(member.metrics().await?);
        }
        let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md"))?;
        let (always, seldom) = page.split_once("## Only where it happens").context("the page has no seldom metrics")?;
        let (always, seldom) = (listed(always), listed(seldom));
        let missing: Vec<&String> =
            exported.iter().filter(|metric| !always.contains(*metric) && !seldom.contains(*metric)).collect();
        let stale: Vec<&String> = always.difference(&exported).collect();
        ensure!(missing.is_empty() && stale.is_empty(), "not on the page: {missing:?}; only there: {stale:?}");
        Ok(())
    };
    cluster.finish(ran.await)
}

/// A metric's name ends with its unit, before the `total` of a counter: the page's column says the same.
#[test]
fn the_page_of_metrics_has_the_units_that_names_have() -> Result<()> {
    const UNITS: [(&str, &str); 3] = [("_seconds", "s"), ("_milliseconds", "ms"), ("_bytes", "byte")];
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md"))?;
    let mut rows = 0;
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, unit, ..] = cells.as_slice() else { continue };
        if !["counter", "gauge", "histogram"].contains(kind) {
            continue;
        }
        let name = name.trim_matches('`');
        let base = name.strip_suffix("_total").unwrap_or(name);
        let wanted = UNITS.iter().find(|(suffix, _)| base.ends_with(suffix)).map_or("", |(_, unit)| unit);
        ensure!(*unit == wanted, "{name}: the page says {unit:?} instead of {wanted:?}");
        rows += 1;
    }
    ensure!(rows > 50, "only {rows} rows have been found");
    Ok(())
}

/// Gives the metrics that tables list, each as `NAME KIND`.
fn listed(page: &str) -> BTreeSet<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows = rows.filter_map(|(name, rest)| Some((name, rest.split_once(" | ")?.0)));
    rows.filter(|(_, kind)| ["counter", "gauge", "histogram"].contains(kind))
        .map(|(name, kind)| format!("{name} {kind}"))
        .collect()
}

#[tokio::test]
async fn the_four_calls_of_the_aws_client() -> Result<()> {
    let Some(aws) = Aws::find() else {
        skipped("the README's calls by the `aws` client against a cluster: it is not on PATH");
        return Ok(());
    };
    let cluster = example_cluster().await?;
    cluster.finish(four_calls(&aws, &cluster.api()).await)
}

async fn four_calls(aws: &Aws, api: &Api) -> Result<()> {
    let definition = format!("file://{}", example("workflow.asl.json").display());
    let role = "arn:aws:iam::123456789012:role/StepFunctionsExecutionRole";
    let create = [("name", "OrderProcessingWorkflow"), ("definition", &*definition), ("roleArn", role)];
    let created = aws.call(api.url(0), "CreateStateMachine", &create).await?;
    let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:OrderProcessingWorkflow";
    ensure!(created["stateMachineArn"] == machine, "{created}");
    let started = aws.call(api.url(1), "StartExecution", &[("stateMachineArn", machine), ("input", ORDER)]).await?;
    let arn = started["executionArn"].as_str().context("no executionArn")?;
    ensure!(arn.starts_with("arn:aws:states:us-east-1:123456789012:execution:OrderProcessingWorkflow:"), "{arn}");
    let ended = || async { api.status(arn).await.is_ok_and(|status| status != "RUNNING") };
    eventually(e2e::PATIENCE, ended, "the execution has ended").await?;
    let seen = aws.call(api.url(0), "DescribeExecution", &[("executionArn", arn)]).await?;
    ensure!(seen["input"] == ORDER, "the input's text was changed: {seen}");
    let history = aws.call(api.url(1), "GetExecutionHistory", &[("executionArn", arn)]).await?;
    let mut events = history["events"].as_array().context("no events")?.clone();
    check_dates(&mut events)?;
    check_example(&seen, &events)
}

/// Version 2 of the client renders dates as text, with one offset: their order is that of the texts. The check wants numbers.
fn check_dates(events: &mut [Value]) -> Result<()> {
    let texts: Vec<String> = events.iter().map(|event| event["timestamp"].to_string()).collect();
    for (place, event) in events.iter_mut().enumerate().filter(|(_, event)| event["timestamp"].is_string()) {
        event["timestamp"] = json!(place as f64);
    }
    ensure!(texts.is_sorted(), "{texts:?}");
    Ok(())
}

fn check_example(seen: &Value, events: &[Value]) -> Result<()> {
    ensure!(seen["status"] == "SUCCEEDED", "{seen}");
    let output: Value = serde_json::from_str(seen["output"].as_str().context("no output")?)?;
    ensure!(output["orderId"] == "12345" && output["shipment"]["trackingNumber"] == "SW-12345", "{output}");
    ensure!(output["customer"]["invoice"]["invoiceId"] == "inv-12345", "{output}");
    check_history(events)?;
    let failures = events_of_type(events, "LambdaFunctionFailed");
    let errors: Vec<&Value> =
        failures.iter().map(|event| &event["lambdaFunctionFailedEventDetails"]["error"]).collect();
    ensure!(errors == [&json!("Lambda.ServiceException")], "the retry is not in the history: {errors:?}");
    let scheduled = events_of_type(events, "LambdaFunctionScheduled").len();
    ensure!(scheduled == 6, "{scheduled} attempts of five tasks");
    note(&format!("the example: {} events, {scheduled} attempts", events.len()));
    Ok(())
}

async fn example_cluster() -> Result<Cluster> {
    let servers = Servers::shared().await?;
    Cluster::start(&servers, &Plan { coordinators: 2, workers: 2, handlers: example("handlers.toml") }).await
}

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/order-processing").join(file)
}

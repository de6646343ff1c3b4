//! The four calls of the README against `stepwell dev`, which is killed between any two of them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use e2e::{Aws, PATIENCE, events_of_type, note};
use serde_json::Value;
use support::{eventually, skipped};

use crate::dev::Dev;

const ORDER: &str = r#"{"orderId": "12345"}"#;
const ROLE: &str = "arn:aws:iam::123456789012:role/StepFunctionsExecutionRole";
const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:OrderProcessingWorkflow";

#[tokio::test]
async fn the_four_calls_of_the_readme_survive_kills() -> Result<()> {
    let mut dev = Dev::start_with(&example("handlers.toml")).await?;
    let aws = Aws::find();
    if aws.is_none() {
        skipped(
            "the README's calls by the `aws` client, which is not on PATH: against stepwell dev they are made by HTTP",
        );
    }
    let definition = std::fs::read_to_string(example("workflow.asl.json"))?;
    let create = [("name", "OrderProcessingWorkflow"), ("definition", definition.as_str()), ("roleArn", ROLE)];
    let created = call(&dev, aws.as_ref(), "CreateStateMachine", &create).await?;
    ensure!(created["stateMachineArn"] == MACHINE, "{created}");
    dev.cut().await?;
    let start = [("stateMachineArn", MACHINE), ("input", ORDER)];
    let started = call(&dev, aws.as_ref(), "StartExecution", &start).await?;
    let arn = started["executionArn"].as_str().context("no executionArn")?.to_owned();
    // In the middle of the order.
    dev.cut().await?;
    let api = dev.api()?;
    let ended = || async { api.status(&arn).await.is_ok_and(|status| status != "RUNNING") };
    eventually(PATIENCE, ended, "the order has ended").await.with_context(|| dev.running.output())?;
    dev.cut().await?;
    let seen = call(&dev, aws.as_ref(), "DescribeExecution", &[("executionArn", &arn)]).await?;
    ensure!(seen["status"] == "SUCCEEDED" && seen["input"] == ORDER, "{seen}");
    let output: Value = serde_json::from_str(seen["output"].as_str().context("no output")?)?;
    ensure!(output["orderId"] == "12345" && output["shipment"]["trackingNumber"] == "SW-12345", "{output}");
    dev.cut().await?;
    let history = call(&dev, aws.as_ref(), "GetExecutionHistory", &[("executionArn", &arn)]).await?;
    let events = history["events"].as_array().context("no events")?;
    for (event, id) in events.iter().zip(1..) {
        ensure!(event["id"] == id, "ids have a gap at {event}");
    }
    let ends = events_of_type(events, "ExecutionSucceeded").len();
    ensure!(ends == 1 && events.len() > 10, "{ends} ends in {} events", events.len());
    note(&format!("the four calls by {} with four kills: {} events", who(aws.as_ref()), events.len()));
    Ok(())
}

fn who(aws: Option<&Aws>) -> &'static str {
    if aws.is_some() { "aws" } else { "HTTP" }
}

/// Makes a call by the client of AWS if it is there, else as it makes it.
async fn call(dev: &Dev, aws: Option<&Aws>, operation: &str, members: &[(&str, &str)]) -> Result<Value> {
    match aws {
        Some(aws) => aws.call(&format!("http://{}/", dev.listen), operation, members).await,
        None => {
            let members = members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
            dev.api()?.ask(operation, &Value::Object(members.collect())).await
        }
    }
}

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/order-processing").join(file)
}

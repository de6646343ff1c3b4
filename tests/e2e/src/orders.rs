//! Many orders at once.

use std::sync::Mutex;
use std::sync::PoisonError;

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use support::{eventually, unique_name};

use crate::{Api, PATIENCE, check_history, events_of_type, order, terminal_type};

/// How many requests are under way at once.
const AT_ONCE: usize = 16;

/// Is a number of orders, started through all coordinators of a cluster.
#[derive(Debug)]
pub struct Orders {
    api: Api,
    machine: String,
    count: usize,
    /// The ARNs of the orders whose start was acknowledged, in that order.
    acknowledged: Mutex<Vec<String>>,
}

impl Orders {
    /// Creates the state machine; starts none.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn new(api: Api, count: usize) -> Result<Self> {
        let machine = api.create(&unique_name("order"), &order()).await?;
        Ok(Self { api, machine, count, acknowledged: Mutex::default() })
    }

    /// Starts all, each with a name of its own; a request that fails is repeated at the next coordinator.
    ///
    /// # Errors
    /// If one is refused.
    pub async fn start(&self) -> Result<()> {
        stream::iter(0..self.count).map(Ok).try_for_each_concurrent(AT_ONCE, |number| self.start_one(number)).await
    }

    /// Waits until so many were acknowledged.
    ///
    /// # Errors
    /// If they aren't in time.
    pub async fn acknowledged(&self, count: usize) -> Result<()> {
        let enough = || async { self.arns().len() >= count };
        eventually(PATIENCE, enough, &format!("{count} orders are acknowledged")).await
    }

    /// Waits until one of the first so many orders has ended, so that orders are in all of their states.
    ///
    /// # Errors
    /// If none does in time.
    pub async fn first_ended(&self, within: usize) -> Result<()> {
        self.acknowledged(within).await?;
        let arn = self.arns().get(within - 1).cloned().context("it is acknowledged")?;
        let ended = || async { self.api.status(&arn).await.is_ok_and(|status| status != "RUNNING") };
        eventually(PATIENCE, ended, &format!("the order that was acknowledged as number {within} has ended")).await
    }

    /// Counts the acknowledged orders that still run.
    ///
    /// # Errors
    /// If one is not there.
    pub async fn running(&self) -> Result<usize> {
        let statuses = stream::iter(self.arns()).map(|arn| async move { self.api.status(&arn).await });
        let statuses: Vec<String> = statuses.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(statuses.iter().filter(|status| *status == "RUNNING").count())
    }

    /// Waits until all have ended and checks each: SUCCEEDED, its id in the output, a sound history with the retry.
    ///
    /// # Errors
    /// Says which order is otherwise, and how.
    pub async fn all_succeeded(&self) -> Result<()> {
        let arns = self.arns();
        ensure!(arns.len() == self.count, "{} of {} orders were acknowledged", arns.len(), self.count);
        stream::iter(arns).map(Ok).try_for_each_concurrent(AT_ONCE, |arn| async move { self.check(&arn).await }).await
    }

    async fn start_one(&self, number: usize) -> Result<()> {
        let id = format!("order-{number}");
        let arn = self.api.start(&self.machine, &id, &json!({ "orderId": id })).await?;
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(arn);
        Ok(())
    }

    async fn check(&self, arn: &str) -> Result<()> {
        let seen = self.api.ended(arn, "SUCCEEDED").await?;
        let id = arn.rsplit(':').next().unwrap_or_default();
        let output: Value = serde_json::from_str(seen["output"].as_str().context("no output")?)?;
        ensure!(output["shipment"] == format!("SW-{id}"), "{arn} has the output {output}");
        let history = self.api.history(arn).await?;
        check_order_history(&history).with_context(|| arn.to_owned())
    }

    fn arns(&self) -> Vec<String> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Every state is entered and left once, and the payment is tried twice, whatever died on the way.
fn check_order_history(events: &[Value]) -> Result<()> {
    check_history(events)?;
    let types = [
        ("TaskStateEntered", 5),
        ("TaskStateExited", 5),
        ("ParallelStateEntered", 1),
        ("ParallelStateExited", 1),
        ("LambdaFunctionScheduled", 6),
        ("LambdaFunctionSucceeded", 5),
        ("LambdaFunctionFailed", 1),
    ];
    for (kind, expect) in types {
        let found = events_of_type(events, kind).len();
        ensure!(found == expect, "{found} events {kind} instead of {expect}");
    }
    match terminal_type(events) {
        Some("ExecutionSucceeded") => Ok(()),
        other => bail!("it ended by {other:?}"),
    }
}

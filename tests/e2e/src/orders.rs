//! Many orders at once.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

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

    /// Calls other coordinators from now on.
    pub fn through(self, api: Api) -> Self {
        Self { api, ..self }
    }

    /// Runs one more order to its end, so that the cluster is at work before something dies.
    ///
    /// # Errors
    /// If it doesn't succeed.
    pub async fn warm_up(&self) -> Result<()> {
        let arn = self.api.start(&self.machine, "warm-up", &json!({ "orderId": "warm-up" })).await?;
        self.check(&arn).await?;
        Ok(())
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

    /// Gives the histories of all acknowledged orders.
    ///
    /// # Errors
    /// If one is not there.
    pub async fn histories(&self) -> Result<Vec<Vec<Value>>> {
        let histories = stream::iter(self.arns()).map(|arn| async move { self.api.history(&arn).await });
        histories.buffered(AT_ONCE).try_collect().await
    }

    /// Waits until all have ended and checks each: SUCCEEDED, its id in the output, a sound history with the retry. Gives
    /// when each of them ran.
    ///
    /// # Errors
    /// Says which order is otherwise, and how.
    pub async fn all_succeeded(&self) -> Result<Spans> {
        let arns = self.arns();
        ensure!(arns.len() == self.count, "{} of {} orders were acknowledged", arns.len(), self.count);
        let checks = stream::iter(arns).map(|arn| async move { self.check(&arn).await });
        Ok(Spans(checks.buffer_unordered(AT_ONCE).try_collect().await?))
    }

    async fn start_one(&self, number: usize) -> Result<()> {
        let id = format!("order-{number}");
        let arn = self.api.start(&self.machine, &id, &json!({ "orderId": id })).await?;
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(arn);
        Ok(())
    }

    async fn check(&self, arn: &str) -> Result<(f64, f64)> {
        let seen = self.api.ended(arn, "SUCCEEDED").await?;
        let id = arn.rsplit(':').next().unwrap_or_default();
        let output: Value = serde_json::from_str(seen["output"].as_str().context("no output")?)?;
        ensure!(output["shipment"] == format!("SW-{id}"), "{arn} has the output {output}");
        let history = self.api.history(arn).await?;
        check_order_history(&history).with_context(|| arn.to_owned())?;
        let date = |name: &str| seen[name].as_f64().with_context(|| format!("no {name} in {seen}"));
        Ok((date("startDate")?, date("stopDate")?))
    }

    fn arns(&self) -> Vec<String> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Is when each order ran, from its start to its end.
#[derive(Clone, Debug)]
pub struct Spans(Vec<(f64, f64)>);

impl Spans {
    /// Counts the orders that ran at a time, in seconds since 1970.
    pub fn running_at(&self, time: f64) -> usize {
        self.0.iter().filter(|(start, end)| *start <= time && time < *end).count()
    }
}

/// Tells the time in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "compared with the times that real processes report")]
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
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

//! Stepwell itself: a coordinator and a worker as processes, driven through the API.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::client::Client;

/// Is how many Task states the measured definition has.
pub(crate) const TASKS_PER_EXECUTION: usize = 5;

/// Is what the measurement of throughput came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    /// Executions a second.
    pub(crate) executions_per_second: f64,
    /// Task states a second.
    pub(crate) tasks_per_second: f64,
    /// How many tasks were run.
    pub(crate) tasks: usize,
    /// Reports a message, on average.
    pub(crate) batch_mean: f64,
}

/// Is the time of one execution alone, of all its tasks, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alone {
    /// Half are faster.
    pub(crate) p50: f64,
    /// One in a hundred is slower.
    pub(crate) p99: f64,
}

/// Is the mean time of a task transition early and late in one long execution, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// Around the 100th.
    pub(crate) early: f64,
    /// Around the last.
    pub(crate) late: f64,
    /// Which one the last was.
    pub(crate) tasks: usize,
}

/// Gives a definition of some Task states in a row.
fn in_a_row(tasks: usize) -> Value {
    let states: serde_json::Map<String, Value> = (1..=tasks)
        .map(|number| {
            let mut state =
                json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:echo" });
            let (field, value) =
                if number == tasks { ("End", json!(true)) } else { ("Next", json!(format!("Task{}", number + 1))) };
            state[field] = value;
            (format!("Task{number}"), state)
        })
        .collect();
    json!({ "StartAt": "Task1", "States": states })
}

/// Gives a definition of one Task state entered again and again until its counter reaches `count`.
pub(crate) fn loop_of(count: usize) -> Value {
    json!({
        "StartAt": "Count",
        "States": {
            "Count": {
                "Type": "Task",
                "Resource": "arn:aws:lambda:us-east-1:123456789012:function:count",
                "Next": "Enough",
            },
            "Enough": {
                "Type": "Choice",
                "Choices": [{ "Variable": "$.count", "NumericGreaterThanEquals": count, "Next": "Done" }],
                "Default": "Count",
            },
            "Done": { "Type": "Succeed" },
        },
    })
}

/// Runs executions, so many open at a time, and measures them from the first start to the last end.
pub(crate) async fn throughput(client: &Client, executions: usize, open_max: usize) -> Result<Throughput> {
    let machine = client.create(&format!("bench-{TASKS_PER_EXECUTION}"), &in_a_row(TASKS_PER_EXECUTION)).await?;
    let counts = Counts::read(client).await?;
    let (begun, mut started, mut ended) = (Instant::now(), 0, 0);
    while ended < executions {
        let room = open_max.saturating_sub(started - ended).min(executions - started);
        start_many(client, &machine, room).await?;
        started += room;
        if room == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let now = Counts::read(client).await?;
        ensure!(now.failed <= counts.failed, "executions failed: see the coordinator's log");
        ended = (now.succeeded - counts.succeeded) as usize;
        ensure!(begun.elapsed() < Duration::from_secs(300), "only {ended} of {executions} executions ended");
    }
    let seconds = begun.elapsed().as_secs_f64();
    let after = Counts::read(client).await?;
    let tasks = executions * TASKS_PER_EXECUTION;
    Ok(Throughput {
        executions_per_second: executions as f64 / seconds,
        tasks_per_second: tasks as f64 / seconds,
        tasks,
        batch_mean: (after.reports - counts.reports) / (after.messages - counts.messages).max(1.0),
    })
}

/// Runs executions of so many tasks one after the other and measures each.
pub(crate) async fn alone(client: &Client, executions: usize, tasks: usize) -> Result<Alone> {
    let machine = client.create(&format!("bench-{tasks}"), &in_a_row(tasks)).await?;
    let mut taken = Vec::with_capacity(executions);
    for _ in 0..executions {
        let execution = client.start(&machine, PAYLOAD).await?;
        taken.push(ended(client, &execution, Duration::from_millis(5), Duration::from_secs(30)).await?);
    }
    taken.sort_by(f64::total_cmp);
    let at = |share: f64| taken.get(((taken.len() - 1) as f64 * share) as usize).copied().unwrap_or_default();
    Ok(Alone { p50: at(0.5), p99: at(0.99) })
}

/// Runs one execution of many tasks and compares its first transitions with its last.
pub(crate) async fn growth(client: &Client, tasks: usize) -> Result<Growth> {
    let machine = client.create("bench-loop", &loop_of(tasks)).await?;
    let execution = client.start(&machine, r#"{"count": 0}"#).await?;
    ended(client, &execution, Duration::from_millis(500), Duration::from_secs(600)).await?;
    let early = mean_transition(client, &execution, false).await?;
    let late = mean_transition(client, &execution, true).await?;
    Ok(Growth { early, late, tasks })
}

/// Is the payload of the measured executions.
const PAYLOAD: &str =
    r#"{"orderId": "12345", "items": [{"sku": "a-1", "count": 2}, {"sku": "b-7", "count": 1}], "note": "bench"}"#;

/// Is how many starts are under way at once: enough to keep the coordinator busy, few enough for one client.
const STARTS_AT_ONCE: usize = 64;

async fn start_many(client: &Client, machine: &str, count: usize) -> Result<()> {
    use futures::stream::{StreamExt, TryStreamExt};
    futures::stream::iter(0..count)
        .map(|_| client.start(machine, PAYLOAD))
        .buffer_unordered(STARTS_AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await
}

async fn ended(client: &Client, execution: &str, every: Duration, patience: Duration) -> Result<f64> {
    let begun = Instant::now();
    loop {
        if let Some(millis) = client.millis_taken(execution).await? {
            return Ok(millis);
        }
        ensure!(begun.elapsed() < patience, "{execution} did not end within {patience:?}");
        tokio::time::sleep(every).await;
    }
}

/// Gives the mean time between two entries of the Task state, over a page of the history's begin or end.
async fn mean_transition(client: &Client, execution: &str, from_end: bool) -> Result<f64> {
    let body = json!({ "executionArn": execution, "maxResults": 1000, "reverseOrder": from_end });
    let page = client.call("GetExecutionHistory", &body).await?;
    let events = page.get("events").and_then(Value::as_array).context("read the history")?;
    let mut times: Vec<f64> = events
        .iter()
        .filter(|event| event.get("type").and_then(Value::as_str) == Some("TaskStateEntered"))
        .filter_map(|event| event.get("timestamp").and_then(Value::as_f64))
        .collect();
    times.sort_by(f64::total_cmp);
    let (first, last) = times.first().zip(times.last()).context("find a task in the history")?;
    Ok((last - first) * 1000.0 / (times.len() - 1).max(1) as f64)
}

/// Is what the coordinator has counted.
struct Counts {
    succeeded: f64,
    failed: f64,
    reports: f64,
    messages: f64,
}

impl Counts {
    async fn read(client: &Client) -> Result<Self> {
        Ok(Self {
            succeeded: client.metric("executions_succeeded_total").await?,
            failed: client.metric("executions_failed_total").await?,
            reports: client.metric("driver_reports_total").await?,
            messages: client.metric("driver_deliveries_total").await?,
        })
    }
}

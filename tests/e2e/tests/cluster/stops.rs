//! StopExecution in the middle, and branches that advance on both coordinators.

use anyhow::{Context, Result, ensure};
use e2e::{Cluster, Handlers, PATIENCE, Plan, Servers, check_history, events_of_type, lambda, note};
use futures::future::try_join_all;
use serde_json::{Value, json};
use support::eventually;

const STOPPED: usize = 12;
const BRANCHES: usize = 16;
const TASKS: usize = 4;

#[tokio::test]
async fn a_stopped_execution_stays_stopped() -> Result<()> {
    let handlers = Handlers::good(1)?;
    let servers = Servers::shared().await?;
    let cluster = Cluster::start(&servers, &Plan { coordinators: 2, workers: 2, handlers: handlers.file() }).await?;
    cluster.finish(stop(&cluster, &handlers).await)
}

/// Even numbers are stopped while their handlers wait at a gate; then the gate opens, so that the odd ones succeed.
async fn stop(cluster: &Cluster, handlers: &Handlers) -> Result<()> {
    let api = cluster.api();
    let machine = api.create("stopped", &two_branches()).await?;
    let gate = json!({ "gate": handlers.path("open") });
    let names: Vec<String> = (0..2 * STOPPED).map(|number| format!("e-{number}")).collect();
    let arns = try_join_all(names.iter().map(|name| api.start(&machine, name, &gate))).await?;
    let busy = || async { total(cluster, "worker_running", "").await.is_ok_and(|n| n >= 2.0 * arns.len() as f64) };
    eventually(PATIENCE, busy, "all handlers run").await?;

    let stopped: Vec<&String> = arns.iter().step_by(2).collect();
    try_join_all(stopped.iter().map(|arn| api.stop(arn))).await?;
    let histories = try_join_all(stopped.iter().map(|arn| api.history(arn))).await?;
    let told = || async {
        total(cluster, "worker_runs_total", "cancelled").await.is_ok_and(|n| n >= 2.0 * stopped.len() as f64)
    };
    eventually(PATIENCE, told, "the workers have cancelled what was stopped").await?;

    std::fs::write(handlers.path("open"), "")?;
    for arn in arns.iter().skip(1).step_by(2) {
        api.ended(arn, "SUCCEEDED").await?;
        check_history(&api.history(arn).await?)?;
    }
    for (arn, history) in stopped.iter().zip(&histories) {
        check_stopped(&api.describe(arn).await?, history)?;
        ensure!(api.history(arn).await? == *history, "{arn}: written to after its end");
        let again = api.stop(arn).await?;
        ensure!(again["stopDate"] == api.describe(arn).await?["stopDate"], "stopped twice: {again}");
    }
    note(&format!("{STOPPED} executions stopped with two tasks each under way, {STOPPED} others went on"));
    Ok(())
}

fn check_stopped(seen: &Value, history: &[Value]) -> Result<()> {
    ensure!(seen["status"] == "ABORTED" && seen["error"] == "Stopped" && seen["cause"] == "by the test", "{seen}");
    check_history(history)?;
    let last = history.last().context("no history")?;
    ensure!(last["type"] == "ExecutionAborted", "{last}");
    ensure!(last["executionAbortedEventDetails"]["error"] == "Stopped", "{last}");
    ensure!(events_of_type(history, "LambdaFunctionSucceeded").is_empty(), "a task succeeded: {history:?}");
    Ok(())
}

fn two_branches() -> Value {
    parallel((0..2).map(|branch| chain(branch, "Gate", 1)).collect())
}

#[tokio::test]
async fn branches_advance_on_both_coordinators() -> Result<()> {
    let handlers = Handlers::good(5)?;
    let servers = Servers::shared().await?;
    let cluster = Cluster::start(&servers, &Plan { coordinators: 2, workers: 2, handlers: handlers.file() }).await?;
    cluster.finish(branches(&cluster).await)
}

async fn branches(cluster: &Cluster) -> Result<()> {
    let api = cluster.api();
    let machine = api.create("branches", &many_branches()).await?;
    let input = json!({ "numbers": [1, 2, 3, 4] });
    let arn = api.start(&machine, "one", &input).await?;
    let seen = api.ended(&arn, "SUCCEEDED").await?;
    let output: Value = serde_json::from_str(seen["output"].as_str().context("no output")?)?;
    let expect: Vec<Value> = (0..BRANCHES).map(|_| input.clone()).collect();
    ensure!(output == Value::from(expect), "{output}");
    let history = api.history(&arn).await?;
    check_history(&history)?;
    let attempts = events_of_type(&history, "LambdaFunctionSucceeded").len();
    ensure!(attempts == BRANCHES * TASKS, "{attempts} tasks");
    let mut committed = Vec::new();
    for coordinator in &cluster.coordinators {
        let reports = coordinator.metric("driver_reports_total", "").await?;
        committed.push((coordinator.metric("driver_commits_total", "").await?, reports));
    }
    ensure!(committed.iter().all(|(commits, reports)| *commits > 1.0 && *reports > 0.0), "{committed:?}");
    note(&format!("{BRANCHES} branches of one execution: (commits, reports) of each coordinator {committed:?}"));
    Ok(())
}

fn many_branches() -> Value {
    parallel((0..BRANCHES).map(|branch| chain(branch, "Echo", TASKS)).collect())
}

fn parallel(branches: Vec<Value>) -> Value {
    json!({ "StartAt": "All", "States": { "All": { "Type": "Parallel", "Branches": branches, "End": true } } })
}

/// Makes a branch of so many tasks in a row; names of states are unique over the whole definition.
fn chain(branch: usize, function: &str, tasks: usize) -> Value {
    let name = |task: usize| format!("B{branch}T{task}");
    let state = |task: usize| match task {
        last if last == tasks => json!({ "Type": "Task", "Resource": lambda(function), "End": true }),
        task => json!({ "Type": "Task", "Resource": lambda(function), "Next": name(task + 1) }),
    };
    let states: serde_json::Map<String, Value> = (1..=tasks).map(|task| (name(task), state(task))).collect();
    json!({ "StartAt": name(1), "States": states })
}

async fn total(cluster: &Cluster, name: &str, label: &str) -> Result<f64> {
    let mut sum = 0.0;
    for worker in &cluster.workers {
        sum += worker.metric(name, label).await?;
    }
    Ok(sum)
}

//! Handlers that crash, hang, print rubbish or too much, or aren't there: task errors that a definition catches.

use anyhow::{Context, Result, ensure};
use e2e::{Api, Cluster, Handlers, PATIENCE, Plan, Servers, check_history, note, task_of};
use futures::future::try_join_all;
use serde_json::{Value, json};
use support::{eventually, unique_name};

/// Function, kind of handler, its code, and the error that the definition catches.
const BAD: [(&str, &str, &str, &str); 10] = [
    ("ProcessCrash", "process", "import os; input(); os._exit(3)", "Runtime.ExitError"),
    ("ProcessKilled", "process", "import os; input(); os.kill(os.getpid(), 9)", "Runtime.ExitError"),
    ("ProcessHang", "process", "import sys\nfor line in sys.stdin: pass", "States.Timeout"),
    ("ProcessRubbish", "process", "input(); print('\\x00 no { JSON', flush=True); input()", "Runtime.MarshalError"),
    (
        "ProcessHuge",
        "process",
        "import json; task = json.loads(input())\n\
         print(json.dumps({'id': task['id'], 'output': 'x' * 10485760}), flush=True); input()",
        "Function.ResponseSizeTooLarge",
    ),
    ("CommandCrash", "command", "raise SystemExit(3)", "Runtime.ExitError"),
    ("CommandHang", "command", "import time; time.sleep(600)", "States.Timeout"),
    ("CommandRubbish", "command", "print('no { JSON')", "Runtime.MarshalError"),
    ("CommandHuge", "command", "print('\"' + 'x' * 10485760 + '\"')", "Function.ResponseSizeTooLarge"),
    ("CommandLarge", "command", "print('\"' + 'x' * 300000 + '\"')", "States.DataLimitExceeded"),
];

#[tokio::test]
async fn bad_handlers_are_errors_that_a_definition_catches() -> Result<()> {
    let mut handlers = Handlers::good(1)?;
    for (function, kind, code, _) in BAD {
        handlers = handlers.with(function, kind, code)?;
    }
    let servers = Servers::shared().await?;
    let cluster = Cluster::start(&servers, &Plan { coordinators: 1, workers: 1, handlers: handlers.file() }).await?;
    cluster.finish(run_bad(&cluster).await)
}

async fn run_bad(cluster: &Cluster) -> Result<()> {
    let api = cluster.api();
    let pid = cluster.workers[0].pid();
    try_join_all(BAD.map(|(function, _, _, error)| caught(&api, function, error))).await?;
    ensure!(cluster.workers[0].is_running()? && cluster.workers[0].pid() == pid, "the worker has ended");
    let machine = api.create("good", &task_of("Echo", &json!({}))).await?;
    let arn = api.start(&machine, "after", &json!("still here")).await?;
    let seen = api.ended(&arn, "SUCCEEDED").await?;
    ensure!(seen["output"] == "\"still here\"", "{seen}");
    note(&format!("{} bad handlers caught, the worker lives", BAD.len()));
    Ok(())
}

async fn caught(api: &Api, function: &str, error: &str) -> Result<()> {
    // What hangs is ended by the definition; the others are given time to start on a busy machine.
    let timeout = if function.ends_with("Hang") { 2 } else { 90 };
    let mut definition = task_of(function, &json!({ "TimeoutSeconds": timeout }));
    definition["States"]["Work"]["Catch"] =
        json!([{ "ErrorEquals": [error], "ResultPath": "$.failure", "Next": "Caught" }]);
    definition["States"]["Caught"] = json!({ "Type": "Succeed" });
    let machine = api.create(&unique_name(function), &definition).await?;
    let arn = api.start(&machine, "one", &json!({})).await?;
    let seen = api.ended(&arn, "SUCCEEDED").await.with_context(|| format!("{function} should fail by {error}"))?;
    let output: Value = serde_json::from_str(seen["output"].as_str().context("no output")?)?;
    ensure!(output["failure"]["Error"] == error, "{function}: {output}");
    check_history(&api.history(&arn).await?)
}

#[tokio::test]
async fn a_task_waits_for_a_worker_that_can_run_it() -> Result<()> {
    let (none, good) = (Handlers::none()?, Handlers::good(1)?);
    let servers = Servers::shared().await?;
    let mut cluster = Cluster::start(&servers, &Plan { coordinators: 2, workers: 1, handlers: none.file() }).await?;
    let ran = wait_for_a_worker(&mut cluster, &good).await;
    cluster.finish(ran)
}

async fn wait_for_a_worker(cluster: &mut Cluster, good: &Handlers) -> Result<()> {
    let api = cluster.api();
    let machine = api.create("waits", &task_of("Echo", &json!({}))).await?;
    let arn = api.start(&machine, "one", &json!({ "patience": true })).await?;
    let told = || async { cluster.workers[0].metric("worker_items_total", "unhandled").await.is_ok_and(|n| n >= 1.0) };
    eventually(PATIENCE, told, "the worker reports that it has no handler").await?;
    ensure!(api.status(&arn).await? == "RUNNING", "the attempt isn't kept open");
    cluster.add_worker(&good.file())?;
    cluster.ready().await?;
    cluster.workers[0].stop().await?;
    let seen = api.ended(&arn, "SUCCEEDED").await?;
    ensure!(seen["output"] == "{\"patience\": true}", "{seen}");
    let history = api.history(&arn).await?;
    check_history(&history)?;
    let warned = cluster.coordinators.iter().any(|coordinator| coordinator.output().contains(":function:Echo"));
    ensure!(warned, "no coordinator warns about the resource without a handler");
    note(&format!("an item without a handler waited for a worker: {} events", history.len()));
    Ok(())
}

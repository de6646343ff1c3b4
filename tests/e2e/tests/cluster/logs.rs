//! JSON logs: every line that concerns an execution says which one, and its trace.

use anyhow::{Context, Result, ensure};
use e2e::{Cluster, Handlers, Member, Orders, PATIENCE, Plan, Servers, note, task_of};
use serde_json::{Value, json};
use support::eventually;

const ORDERS: usize = 5;
const FILTER: &str = "info,coordinator=debug,worker=debug,store=debug,broker=debug";

#[tokio::test]
async fn lines_bear_the_execution_and_its_trace() -> Result<()> {
    let handlers = Handlers::good(5)?.with("Fail", "command", "raise SystemExit(1)")?;
    let plan = Plan { coordinators: 1, workers: 1, handlers: handlers.file() };
    let variables = [("STEPWELL_LOG__FORMAT", "json"), ("STEPWELL_LOG__FILTER", FILTER)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let cluster = Cluster::start_with(&Servers::shared().await?, &plan, &variables).await?;
    let ran = async {
        let api = cluster.api();
        let orders = Orders::new(api.clone(), ORDERS).await?;
        orders.start().await?;
        orders.all_succeeded().await?;
        let start = async |name: &str, function: &str, fields: &Value, input: &Value| {
            let machine = api.create(name, &task_of(function, fields)).await?;
            api.start(&machine, "one", input).await
        };
        let failed = start("fails", "Fail", &json!({}), &json!({})).await?;
        api.ended(&failed, "FAILED").await?;
        let gate = json!({ "gate": handlers.path("never").display().to_string() });
        let late = start("late", "Gate", &json!({ "TimeoutSeconds": 1 }), &gate).await?;
        api.ended(&late, "FAILED").await?;
        let unhandled = start("unhandled", "Nobody", &json!({}), &json!({})).await?;
        let warned = || async { cluster.coordinators[0].output().contains("no worker has a handler") };
        eventually(PATIENCE, warned, "the coordinator warns").await?;
        let stopped = start("stopped", "Gate", &json!({}), &gate).await?;
        let running = || async { cluster.workers[0].metric("worker_running", "").await.is_ok_and(|count| count > 0.0) };
        eventually(PATIENCE, running, "the handler runs").await?;
        for arn in [&unhandled, &stopped] {
            api.ask("StopExecution", &json!({ "executionArn": arn })).await?;
        }
        let cancelled = || async { cluster.workers[0].output().contains("cancelled tasks") };
        eventually(PATIENCE, cancelled, "the worker hears of the stop").await?;
        check(&cluster.coordinators[0], &["no worker has a handler", "execution stopped", "execution started"])?;
        check(
            &cluster.workers[0],
            &["no handler is declared", "cancelled tasks", "a handler failed", "at its deadline"],
        )
    };
    cluster.finish(ran.await)
}

/// Checks all lines of a process, among them those that say `expected`.
fn check(member: &Member, expected: &[&str]) -> Result<()> {
    let output = member.output();
    let mut concerning = 0;
    for text in output.lines() {
        let line: Value = serde_json::from_str(text).with_context(|| format!("no JSON: {text}"))?;
        let message = line["message"].as_str().with_context(|| format!("no message: {text}"))?;
        let is_expected = expected.iter().any(|expected| message.contains(expected));
        if !is_expected && !text.contains(":execution:") {
            continue;
        }
        concerning += 1;
        let execution = line["execution"].as_str().unwrap_or_default();
        ensure!(execution.starts_with("arn:aws:states:us-east-1:123456789012:execution:"), "no execution: {text}");
        let trace = line["trace_id"].as_str().unwrap_or_default();
        ensure!(trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit()), "no trace: {text}");
    }
    for expected in expected {
        ensure!(output.contains(expected), "nothing says {expected:?}:\n{output}");
    }
    note(&format!("{concerning} of {} lines concern an execution", output.lines().count()));
    Ok(())
}

//! The workers of `examples/`: one on the library, one in Python that knows the messages only.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use e2e::{Api, Cluster, Collector, Member, Plan, Servers, check_history};
use serde_json::{Value, json};
use support::{DataDir, ProcessGroup, Program, eventually, free_port, skipped, unique_name};

/// What the trace of an order has that no coordinator exports.
const SPANS_OF_WORKER: &[&str] = &["consume default", "handle ", "publish report"];

#[tokio::test]
async fn a_worker_in_rust_runs_orders() -> Result<()> {
    Program::build(["rust-worker"]).await?;
    let collector = Collector::start().await?;
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()), ("OTEL_BSP_SCHEDULE_DELAY", "200")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let plan = Plan { coordinators: 1, workers: 0, handlers: PathBuf::new() };
    let cluster = Cluster::start_with(&Servers::shared().await?, &plan, &variables).await?;
    let worker = rust_worker(&cluster)?;
    let ran = async {
        worker.ready().await?;
        orders(&cluster.api(), "rust-worker").await?;
        ensure!(worker.metric("worker_reports_total", "").await? > 0.0, "it counts its reports");
        ensure!(worker.output().contains("worker.concurency"), "it warns of a setting that nobody knows");
        let whole = || async {
            let traces = collector.traces();
            traces.complete(SPANS_OF_WORKER) == ORDERS
                && traces.complete(&["execution "]) == ORDERS
                && traces.check().is_ok()
        };
        let waited = eventually(e2e::PATIENCE, whole, "every order has a whole trace").await;
        collector.traces().check()?;
        waited?;
        ensure!(collector.traces().count() == ORDERS && collector.traces().instances() == 2, "one trace an order");
        worker.stop().await
    };
    let ran = ran.await.with_context(|| worker.last_lines());
    worker.check_log()?;
    cluster.finish(ran)
}

fn rust_worker(cluster: &Cluster) -> Result<Member> {
    let listen = format!("127.0.0.1:{}", free_port());
    let ops = format!("http://{listen}");
    let own = [("STEPWELL_OPS__LISTEN", listen.as_str()), ("STEPWELL_WORKER__CONCURENCY", "3")];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Member::start("rust-worker", cluster.variables().iter().cloned().chain(own).collect(), ops)
}

#[tokio::test]
async fn a_worker_in_rust_checks_its_settings() -> Result<()> {
    Program::build(["rust-worker"]).await?;
    for (name, value, expect) in [
        ("STEPWELL_WORKER__CONCURRENCY", "0", "worker.concurrency"),
        ("STEPWELL_LOG__FILTER", "a=b=c", "log.filter"),
        ("STEPWELL_OPS__LISTEN", "nowhere", "ops.listen"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "OTEL_TRACES_EXPORTER"),
    ] {
        let worker = Program::command("rust-worker")?.env(name, value).start()?;
        let status = worker.wait(e2e::PATIENCE).await?;
        ensure!(!status.success() && worker.output().contains(expect), "{name}={value}: {}", worker.output());
    }
    Ok(())
}

#[tokio::test]
async fn a_worker_in_python_runs_orders() -> Result<()> {
    let folder = DataDir::new("python-worker")?;
    let Some(python) = python_with_pika(&folder)? else { return Ok(()) };
    let cluster = without_workers().await?;
    let start = || {
        let mut command = Command::new(&python);
        command.arg(example("python-worker", "worker.py")).stdout(Stdio::null());
        let log = std::fs::File::options().create(true).append(true).open(folder.file("log"))?;
        command.stderr(log).envs(cluster.variables().iter().cloned());
        ProcessGroup::spawn(&mut command, None)
    };
    // As a service manager would: it ends where the broker has no queue for it yet.
    let running = Mutex::new(start()?);
    let (api, log) = (cluster.api(), || std::fs::read_to_string(folder.file("log")).unwrap_or_default());
    let keep = async {
        let tended = || async {
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            if running.status().is_ok_and(|status| status.is_some())
                && let Ok(again) = start()
            {
                *running = again;
            }
            false
        };
        eventually(e2e::PATIENCE, tended, "the orders have ended").await
    };
    let ran = tokio::select! { biased;
        ran = orders(&api, "python-worker") => ran,
        kept = keep => kept,
    };
    running.lock().unwrap_or_else(PoisonError::into_inner).kill();
    cluster.finish(ran.with_context(log))
}

async fn without_workers() -> Result<Cluster> {
    let servers = Servers::shared().await?;
    Cluster::start(&servers, &Plan { coordinators: 1, workers: 0, handlers: PathBuf::new() }).await
}

/// How many orders [`orders`] runs.
const ORDERS: usize = 2;

/// Runs an order that is charged and one that is refused.
async fn orders(api: &Api, folder: &str) -> Result<()> {
    let definition = serde_json::from_str(&std::fs::read_to_string(example(folder, "order.asl.json"))?)?;
    let machine = api.create(&unique_name("Order"), &definition).await?;
    let charged = api.start(&machine, "charged", &json!({ "orderId": "7", "total": 12 })).await?;
    let refused = api.start(&machine, "refused", &json!({ "orderId": "8", "total": 0 })).await?;
    let seen = api.ended(&charged, "SUCCEEDED").await?;
    let output: Value = serde_json::from_str(seen["output"].as_str().context("no output")?)?;
    ensure!(output == json!({ "receiptId": "r-7", "charged": 12 }), "{output}");
    check_history(&api.history(&charged).await?)?;
    let seen = api.ended(&refused, "FAILED").await?;
    ensure!(seen["error"] == "Refused", "{seen}");
    let history = api.history(&refused).await?;
    let failed = history.iter().find(|event| event["type"] == "LambdaFunctionFailed").context("no task failed")?;
    ensure!(failed["lambdaFunctionFailedEventDetails"]["error"] == "EmptyOrder", "{failed}");
    Ok(())
}

fn example(folder: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(folder).join(file)
}

/// Gives a Python that has pika: the system's, or one of a virtual environment made for the test. Says so where there is none.
fn python_with_pika(folder: &DataDir) -> Result<Option<PathBuf>> {
    let has_pika = |python: &Path| run(python, &["-c", "import pika"]).is_ok_and(|output| output.status.success());
    let system = PathBuf::from("python3");
    if has_pika(&system) {
        return Ok(Some(system));
    }
    let venv = folder.path().join("venv");
    let own = venv.join("bin/python3");
    let made = run(&system, &["-m", "venv", venv.to_str().context("the path isn't UTF-8")?]);
    let installed = made.and_then(|_| run(&own, &["-m", "pip", "install", "--quiet", "pika"]));
    if has_pika(&own) {
        return Ok(Some(own));
    }
    let why = match installed {
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    skipped(&format!("examples/python-worker: no Python with pika could be made ({why})"));
    Ok(None)
}

fn run(program: &Path, arguments: &[&str]) -> std::io::Result<Output> {
    Command::new(program).args(arguments).stdin(Stdio::null()).output()
}

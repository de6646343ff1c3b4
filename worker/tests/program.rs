//! The program `worker` as a process: settings, ops port, work over RabbitMQ, its end.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use broker::amqp::{AmqpBroker, Config};
use broker::{Connection, Consumer, WorkQueue as _};
use model::{AttemptId, ExecutionArn, JsonText, Nonce};
use runtime::Runtime;
use support::{DataDir, Program, ProgramCommand, eventually, free_port, http_get, shared_rabbit};
use wire::message::{Outcome, Report, WorkItem};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn worker() -> Result<ProgramCommand> {
    Program::command("worker")
}

async fn ended(command: ProgramCommand) -> Result<(bool, String)> {
    let program = command.start()?;
    let status = program.wait(PATIENCE).await?;
    Ok((status.success(), program.output()))
}

#[tokio::test]
async fn settings_are_printed_without_secrets() -> Result<()> {
    let data = DataDir::new("worker-settings")?;
    std::fs::write(
        data.file("w.toml"),
        "[amqp]\nurl = \"amqp://me:word@host\"\n[worker]\nconcurency = 3\npool = \"gpu\"\n",
    )?;
    let command = worker()?.arg("config").arg("print").arg("--config").arg(data.file("w.toml"));
    let command =
        command.env("STEPWELL_WORKER__CONCURRENCY", "7").env("STEPWELL_REDIS__URL", "redis://h").arg("--name=n");
    let (success, output) = ended(command).await?;
    assert!(success, "{output}");
    for part in ["amqp://me:(hidden)@host", "concurrency = 7", "pool = \"gpu\"", "name = \"n\"", "`worker.concurency`"]
    {
        assert!(output.contains(part), "{part}: {output}");
    }
    assert!(!output.contains("word") && !output.contains("redis"), "{output}");
    Ok(())
}

#[tokio::test]
async fn an_error_says_which_setting_to_change() -> Result<()> {
    let data = DataDir::new("worker-errors")?;
    std::fs::write(data.file("handlers.toml"), "[[handler]]\nfunction = \"F\"\n")?;
    for (name, value, expect) in [
        ("STEPWELL_WORKER__CONCURRENCY", "many", "worker.concurrency"),
        ("STEPWELL_AMQP__URL", "localhost", "amqp.url"),
        ("STEPWELL_WORKER__HANDLERS", "no/such.toml", "worker.handlers"),
        ("STEPWELL_WORKER__HANDLERS", data.file("handlers.toml").to_str().context("is text")?, "line 1, column 1"),
        ("STEPWELL_OPS__LISTEN", "nowhere", "ops.listen"),
        ("STEPWELL_LOG__FILTER", "a=b=c", "log.filter"),
        ("STEPWELL_CONFIG", "no/such.toml", "no/such.toml"),
    ] {
        let (success, output) = ended(worker()?.env(name, value)).await?;
        assert!(!success && output.contains(expect), "{name}={value}: {output}");
    }
    Ok(())
}

#[tokio::test]
async fn without_a_broker_it_waits_and_says_so() -> Result<()> {
    let ops = format!("127.0.0.1:{}", free_port());
    let url = format!("amqp://127.0.0.1:{}", free_port());
    let program = worker()?.arg("--ops-listen").arg(&ops).arg("--amqp-url").arg(&url).start()?;
    program.wait_for_http(&format!("http://{ops}/healthz"), PATIENCE).await?;
    let ready = http_get(&format!("http://{ops}/readyz")).await?;
    assert_eq!((ready.status, ready.body.contains("amqp.url")), (503, true), "{ready:?}");
    let metrics = http_get(&format!("http://{ops}/metrics")).await?;
    assert!(metrics.body.contains("worker_held{} 0"), "{}", metrics.body);
    program.terminate()?;
    let status = program.wait(PATIENCE).await?;
    assert!(status.success(), "{status}: {}", program.output());
    Ok(())
}

#[tokio::test]
async fn it_works_over_rabbitmq_and_finishes_at_sigterm() -> Result<()> {
    let data = DataDir::new("worker-rabbit")?;
    let handlers =
        "[[handler]]\nfunction = \"Slow\"\ncommand = [\"sh\", \"-c\", \"until [ -e go ]; do sleep 0.05; done; cat\"]\n";
    std::fs::write(data.file("handlers.toml"), handlers)?;
    let vhost = shared_rabbit().await?.fresh_vhost().await?;
    let runtime = Runtime::system();
    let config = Config { url: vhost.clone(), events_queues: 2, incarnation: "i".to_owned(), ..Config::default() };
    let broker = AmqpBroker::connect(runtime.clone(), config)?;
    within(broker.connection().wait_for(|now| matches!(now, Connection::Up { .. }))).await??;
    let mut events = broker.consume_events(1, 100);
    let ops = format!("127.0.0.1:{}", free_port());
    let command = worker()?.arg("--ops-listen").arg(&ops).arg("--amqp-url").arg(&vhost).arg("--concurrency=4");
    let program =
        command.env("STEPWELL_WORKER__BATCH_MAX", "1").arg("--handlers").arg(data.file("handlers.toml")).start()?;
    program.wait_for_http(&format!("http://{ops}/readyz"), PATIENCE).await?;

    let items: Vec<WorkItem> = (1..=8).map(|number| item(&runtime, number)).collect();
    for item in &items {
        broker.publish_work("default", &broker.reply_to(1), std::slice::from_ref(item)).await?;
    }
    for _ in 0..4 {
        assert_eq!(report(&mut events).await?.outcome, Outcome::Started);
    }
    program.terminate()?;
    // A slot that is free before would be taken by what waits.
    let stops = async || program.output().contains("stopping");
    eventually(PATIENCE, stops, "the program knows that it has to stop").await?;
    std::fs::write(data.file("go"), "")?;
    for _ in 0..4 {
        assert_eq!(report(&mut events).await?.outcome, Outcome::Succeeded { output: JsonText::trusted("[1, 2]") });
    }
    let status = program.wait(PATIENCE).await?;
    ensure!(status.success(), "{status}: {}", program.output());
    // Four ran and were finished, four waited and went back.
    let back = async || broker.depth("default").await.is_ok_and(|depth| depth == 4);
    eventually(PATIENCE, back, "the rest is back in its queue").await?;
    Ok(())
}

/// Waits for a message with one report.
async fn report(events: &mut Consumer<Report>) -> Result<Report> {
    let delivery = within(events.next()).await?.context("the broker is there")?;
    delivery.receipt.ack().await;
    let reports = delivery.content.map_err(|malformed| anyhow::anyhow!(malformed.reason))?;
    reports.into_iter().next().context("has a report")
}

async fn within<T>(future: impl Future<Output = T>) -> Result<T> {
    Ok(tokio::time::timeout(PATIENCE, future).await?)
}

fn item(runtime: &Runtime, number: u64) -> WorkItem {
    WorkItem {
        execution: ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1").expect("is one"),
        branch: "r".parse().expect("is a path"),
        attempt: AttemptId::first(Nonce(number)),
        state: "Work".to_owned(),
        resource: "arn:aws:lambda:us-east-1:123456789012:function:Slow".to_owned(),
        input: JsonText::trusted("[1, 2]"),
        role_arn: None,
        deadline: None,
        heartbeat_seconds: None,
        traceparent: None,
        deliveries: 0,
        dispatched_at: runtime.now(),
    }
}

//! The worker under measurement: Rust handlers in its own process.

use std::sync::Arc;

use anyhow::Result;
use broker::amqp::{AmqpBroker, Config};
use model::JsonText;
use runtime::Runtime;
use worker::{Failure, Worker};

use crate::cluster::PREFETCH;

/// Is how many handlers run at once; the rest of the prefetch waits for them.
const CONCURRENCY: u16 = 256;

/// Works until the process is killed.
pub(crate) async fn work(amqp_url: String) -> Result<()> {
    let runtime = Runtime::system();
    let config = Config { url: amqp_url, events_queues: 0, connection_name: "bench".to_owned(), ..Config::default() };
    let queue = Arc::new(AmqpBroker::connect(runtime.clone(), config)?);
    let settings = worker::WorkerConfig {
        concurrency: CONCURRENCY,
        window: PREFETCH - CONCURRENCY,
        ..worker::WorkerConfig::default()
    };
    Worker::builder(queue, runtime)
        .config(settings, worker::WorkConfig::default())
        .raw_handler("echo", |input, _| async move { Ok(input) })
        .raw_handler("count", |input, _| async move { count(&input) })
        .build()?
        .run()
        .await;
    Ok(())
}

fn count(input: &JsonText) -> Result<JsonText, Failure> {
    let value = input.to_value().map_err(|error| Failure::new("Bench.Input", error.to_string()))?;
    let count = value.get("count").and_then(serde_json::Value::as_u64).unwrap_or_default();
    Ok(JsonText::trusted(format!("{{\"count\":{}}}", count + 1)))
}

//! Measures Stepwell beside the raw limits of its broker and store, in one run.
//!
//! It starts a private Redis and RabbitMQ, a coordinator and a worker as processes of their own, and then `stepwell dev`. Timings on a shared machine are
//! noisy: compare the rows of one run with each other, not with those of another.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time, outside the seam")]

mod client;
mod cluster;
mod dev;
mod process;
mod raw;
mod report;
mod stepwell;
mod store_limit;
mod work;

use std::io::Write as _;

use anyhow::Result;
use clap::{Parser, Subcommand};
use cluster::{Cluster, PREFETCH, Usages};
use raw::Plan;
use report::Report;

/// Measures Stepwell beside the raw limits of its broker and store.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// How many executions of five tasks are run for the throughput.
    #[arg(long, default_value_t = 10_000)]
    executions: usize,
    /// How many executions are open at a time.
    #[arg(long, default_value_t = 2_000)]
    open: usize,
    /// How many executions are run alone.
    #[arg(long, default_value_t = 200)]
    alone: usize,
    /// How many tasks the one long execution has.
    #[arg(long, default_value_t = 20_000)]
    long: usize,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Is the worker of a measurement.
    #[command(hide = true)]
    Work {
        /// Where RabbitMQ is.
        amqp_url: String,
    },
    /// Is the handler's process of a measurement.
    #[command(hide = true)]
    Echo,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Work { amqp_url }) => return work::work(amqp_url).await,
        Some(Role::Echo) => return dev::echo(),
        None => {}
    }
    let report = measure(&arguments).await?;
    let text = if arguments.json { report.json().to_string() } else { report.table() };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

async fn measure(arguments: &Arguments) -> Result<Report> {
    say("starting Redis and RabbitMQ");
    let (redis, rabbit) = tokio::try_join!(cluster::redis(), support::RabbitServer::start())?;
    let round_trips = arguments.executions * stepwell::TASKS_PER_EXECUTION;
    let plan =
        Plan { round_trips, in_flight: arguments.open, prefetch: PREFETCH, batch_max: 1, body_bytes: BODY_BYTES };
    say("(a) raw round trips");
    raw::measure(&rabbit.amqp_url(), "warm", Plan { round_trips: round_trips / 10, ..plan }).await?;
    let raw = raw::measure(&rabbit.amqp_url(), "single", plan).await?;
    say("(a') raw round trips with reports batched");
    let raw_batched = raw::measure(&rabbit.amqp_url(), "batched", Plan { batch_max: REPORTS_MAX, ..plan }).await?;
    say("raw writes of the store");
    let store_writes_per_second = store_limit::measure(&redis.url(), round_trips, WRITES_IN_FLIGHT, BODY_BYTES).await?;

    say("starting a coordinator and a worker");
    let cluster = Cluster::start(redis, rabbit).await?;
    let client = &cluster.client;
    stepwell::throughput(client, arguments.executions / 20, arguments.open).await?;
    say("(b) executions of five tasks");
    let before = cluster.usages()?;
    let throughput = stepwell::throughput(client, arguments.executions, arguments.open).await?;
    let used = since(before, cluster.usages()?);
    say("(c) one execution alone");
    let alone = stepwell::alone(client, arguments.alone, stepwell::TASKS_PER_EXECUTION).await?;
    say("(d) one long execution");
    let growth = stepwell::growth(client, arguments.long).await?;
    drop(cluster);
    say("(e) stepwell dev");
    let dev = dev::measure(arguments.executions, arguments.open, arguments.alone).await?;
    Ok(Report { raw, raw_batched, store_writes_per_second, throughput, used, alone, growth, dev })
}

/// Is about the size of a work item or report of the measured definition.
const BODY_BYTES: usize = 600;
/// Is the most reports that Stepwell puts into one message.
const REPORTS_MAX: usize = 64;
/// Is about what a coordinator has under way at once.
const WRITES_IN_FLIGHT: usize = 256;

fn since(before: Usages, after: Usages) -> Usages {
    let mut used = after;
    for ((_, now), (_, then)) in used.iter_mut().zip(before) {
        now.cpu_seconds -= then.cpu_seconds;
    }
    used
}

fn say(step: &str) {
    // A closed stderr must not end the measurement.
    drop(writeln!(std::io::stderr(), "… {step}"));
}

//! Runs handlers for work items and reports their results.
//!
//! A worker keeps no state of executions: it takes work items from its pool's queue, runs the handler of each one's Resource, and
//! reports to the queue that the item names. The program `worker` has its handlers from a file; a Rust program registers async
//! functions and is a worker itself:
//!
//! ```no_run
//! use worker::{Context, Failure, Worker};
//!
//! #[derive(serde::Deserialize)]
//! struct Order { total: u64 }
//!
//! async fn validate(order: Order, context: Context) -> Result<u64, Failure> {
//!     context.heartbeat();
//!     if order.total == 0 { Err(Failure::new("EmptyOrder", "nothing was ordered")) } else { Ok(order.total) }
//! }
//!
//! #[tokio::main]
//! async fn main() -> anyhow::Result<()> {
//!     let worker = Worker::of_process()?.handler("ValidateOrder", validate).build()?;
//!     Ok(worker.run_until_signal().await?)
//! }
//! ```
//!
//! That is all that the program `worker` does, with its settings (`docs/settings.md`): logs, spans exported where OpenTelemetry's
//! variables say, metrics and health checks on the ops port, handlers of a file beside those of the code, functions without a
//! handler called at AWS, and a finish at SIGTERM. Each may be had alone or otherwise:
//!
//! ```no_run
//! use worker::{Config, Worker, WorkerConfig};
//!
//! # async fn work() -> anyhow::Result<()> {
//! // No file, no variables of Stepwell's, and logs as the program likes them.
//! let config = Config { worker: WorkerConfig { pool: "gpu".to_owned(), ..WorkerConfig::default() }, ..Config::default() };
//! let worker = Worker::connect(config)?.aws(None).ops("").concurrency(2).build()?;
//! worker.run_until_signal().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Worker::builder`] takes any other queue, such as the twin in memory for tests. `examples/rust-worker` is a whole program.

mod aws;
mod builder;
mod config;
mod consume;
mod context;
mod failure;
mod handlers;
pub mod metrics;
pub mod ops;
mod program;

pub use aws::{Aws, AwsError};
pub use builder::{BuildError, Stopper, Worker, WorkerBuilder};
pub use config::{Config, FOREIGN_SECTIONS, WorkConfig, WorkerConfig};
pub use context::Context;
pub use failure::Failure;
pub use handlers::{HandlersFileError, Place};
pub use program::StartError;

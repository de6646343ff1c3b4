//! Runs handlers for work items and reports their results.
//!
//! A worker keeps no state of executions: it takes work items from its pool's queue, runs the handler of each one's Resource, and
//! reports to the queue that the item names. The program `worker` has its handlers from a file; a Rust program registers async
//! functions and is a worker itself:
//!
//! ```
//! # use worker::{Context, Failure, Worker};
//! # fn example(queue: broker::SharedQueue) -> Result<Worker, worker::BuildError> {
//! #[derive(serde::Deserialize)]
//! struct Order { total: u64 }
//!
//! Worker::builder(queue, runtime::Runtime::system())
//!     .handler("ValidateOrder", |order: Order, context: Context| async move {
//!         context.heartbeat();
//!         if order.total == 0 { Err(Failure::new("EmptyOrder", "nothing was ordered")) } else { Ok(order.total) }
//!     })
//!     .pool("default")
//!     .build()
//! # }
//! ```

mod aws;
mod builder;
mod config;
mod consume;
mod context;
mod failure;
mod handlers;
pub mod metrics;
pub mod ops;

pub use aws::{Aws, AwsError};
pub use builder::{BuildError, Stopper, Worker, WorkerBuilder};
pub use config::{Config, FOREIGN_SECTIONS, WorkConfig, WorkerConfig};
pub use context::Context;
pub use failure::Failure;
pub use handlers::{HandlersFileError, Place};

//! Serves the AWS API and advances executions.
//!
//! [`Coordinator`] is the whole of it, on any store and broker. `api` knows AWS's shapes and nobody else does; `ops` tells how
//! the process is; `settings` is what the program `coordinator` reads.
//!
//! `driver` is the imperative shell around the pure core: it loads, runs, commits and lets effects leave. `timers` keeps the
//! wheel of those that this coordinator fires.

pub mod api;
pub mod convert;
mod coordinator;
pub mod definitions;
pub mod driver;
pub mod ops;
pub mod serve;
pub mod settings;
mod timers;

pub use coordinator::{Coordinator, Parts};

//! Serves the AWS API and advances executions.
//!
//! `driver` is the imperative shell around the pure core: it loads, runs, commits and lets effects leave. `timers` keeps the
//! wheel of those that this coordinator fires.

pub mod api;
pub mod convert;
pub mod definitions;
pub mod driver;
pub mod serve;
mod timers;

//! Tests of the core on whole executions: golden histories, single reports and timers, properties of random executions.

mod bounds;
mod express;
mod histories;
mod properties;
mod replays;
mod reports;
mod tokens;
mod variables;

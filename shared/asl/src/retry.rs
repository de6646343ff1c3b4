//! What a state does about errors.

use std::sync::Arc;

use jsonpath::ReferencePath;

use crate::assign::Assignment;
use crate::name::StateName;
use crate::query::QueryTemplate;

/// Is one entry of `Retry`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retrier {
    /// The error names it is for; `States.ALL` and `States.TaskFailed` stand for many.
    pub error_equals: Vec<Arc<str>>,
    /// Seconds before the first retry. Default 1.
    pub interval_seconds: u64,
    /// How many retries; 0 is none. Default 3.
    pub max_attempts: u64,
    /// By what the interval grows with every retry, at least 1. Default 2.
    pub backoff_rate: f64,
    /// What the interval never exceeds, in seconds.
    pub max_delay_seconds: Option<u64>,
    /// Whether chance shortens the interval.
    pub jitter_strategy: JitterStrategy,
}

/// Says how chance plays into the intervals of a Retrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JitterStrategy {
    /// Not at all.
    #[default]
    None,
    /// Anything from nothing to the whole interval.
    Full,
}

/// Is one entry of `Catch`.
#[derive(Clone, Debug, PartialEq)]
pub struct Catcher {
    /// The error names it is for; `States.ALL` and `States.TaskFailed` stand for many.
    pub error_equals: Vec<Arc<str>>,
    /// The state to go on with.
    pub next: StateName,
    /// Where in the state's raw input the error output goes; `None` (written `null`) drops it. Default `$`.
    pub result_path: Option<ReferencePath>,
    /// What leaves the state, in JSONata; without it the error output.
    pub output: Option<QueryTemplate>,
    /// The variables that are set.
    pub assign: Assignment,
}

//! Tests of the API on the memory twins: golden answers, bad input, and what goes on after an answer.

mod bad;
mod deletions;
mod express;
pub(super) mod fixture;
mod golden;
mod hostile;
mod logging;
mod map_runs;
mod outage;
mod published;
mod refusals;

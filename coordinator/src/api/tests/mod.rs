//! Tests of the API on the memory twins: golden answers, and bad input.

mod bad;
mod fixture;
mod golden;
mod hostile;
mod outage;

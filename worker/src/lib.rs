//! Runs handlers for work items and reports their results.

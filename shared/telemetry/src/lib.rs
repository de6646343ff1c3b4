//! Tracing set-up, context propagation, metrics.

//! Tracing set-up, context propagation, metrics.
//!
//! Logs are set up once by [`init`]. A [`Registry`] holds the metrics of one process; their names and labels are
//! [`Metric`] constants in one file of each crate that counts something. A [`TraceContext`] is what crosses process
//! borders: as W3C `traceparent`, as AWS's X-Ray header, and in the execution record. Span ids derive from the execution,
//! the branch and the number of its transition, so that a coordinator that takes over goes on with the same trace.

mod export;
mod json;
mod logs;
mod metrics;
mod span;
mod trace;

pub use export::{Done, ExportConfig, ExportError, Tracer};
pub use logs::{InitError, init};
pub use metrics::{Counter, Gauge, Histogram, METRICS_CONTENT_TYPE, Metric, Registry};
pub use span::{Attribute, Kind, Span};
pub use trace::{
    Role, SpanId, TraceContext, TraceError, TraceId, execution_span, role_span, span_id, trace_id, trace_id_of,
};

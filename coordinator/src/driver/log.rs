//! What log lines about an execution say, wherever they are written: which one, and its trace.

use model::{AttemptId, BranchPath, ExecutionArn};
use telemetry::TraceId;
use tracing::Span;
use tracing::field::{Empty, display};
use wire::message::WorkItem;

/// Makes the span of work on an execution. It is an error's, so that no filter takes it from the lines that remain.
pub(super) fn about(execution: &ExecutionArn, branch: Option<&BranchPath>, attempt: Option<AttemptId>) -> Span {
    let (branch, attempt) = (branch.map(display), attempt.map(display));
    tracing::error_span!("advance", %execution, branch, attempt, trace_id = Empty)
}

/// Makes the span of work on a work item.
pub(super) fn about_item(item: &WorkItem) -> Span {
    let span = about(&item.execution, Some(&item.branch), Some(item.attempt));
    if let Some(traceparent) = &item.traceparent {
        span.record("trace_id", telemetry::trace_id_of(traceparent));
    }
    span
}

/// Makes the span of a call that a task makes of this service: what it is about, it says itself.
pub(super) fn of_call(resource: &str) -> Span {
    tracing::error_span!("call", resource, execution = Empty, trace_id = Empty)
}

/// Says the trace on the span that is open: it is known once the execution is.
pub(super) fn in_trace(trace: TraceId) {
    Span::current().record("trace_id", display(trace));
}

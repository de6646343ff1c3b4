//! The trace of an execution: its span ids follow from the execution, the branch and its transitions, so that a coordinator that
//! takes over goes on with the same trace.

use model::{AttemptId, BranchPath, ExecutionArn};
use runtime::Runtime;
use telemetry::{TraceContext, execution_span, span_id, trace_id};

/// What tells the spans of publishes from those of state entries, which are numbered by their entry.
const PUBLISH: u64 = 1 << 32;

/// Gives the context of a new execution's span: in the caller's trace, from W3C's header or else X-Ray's, or in a new one.
pub(crate) fn of_start(
    arn: &ExecutionArn,
    caller: Option<&TraceContext>,
    xray: Option<&str>,
    runtime: &Runtime,
) -> TraceContext {
    let caller = caller.copied().or_else(|| xray.and_then(|header| TraceContext::from_xray(header).ok()));
    let span = execution_span(arn);
    match caller {
        Some(context) => context.at(span),
        None => TraceContext { trace: trace_id(arn, runtime.random()), span, sampled: true },
    }
}

/// Gives the context of a known execution's span.
pub(crate) fn of_record(arn: &ExecutionArn, traceparent: &str) -> TraceContext {
    let lost = || TraceContext { trace: trace_id(arn, 0), span: execution_span(arn), sampled: true };
    traceparent.parse().unwrap_or_else(|_| lost())
}

/// Gives the context of the span of a state entry.
pub(crate) fn of_state(context: TraceContext, arn: &ExecutionArn, branch: &BranchPath, entry: u32) -> TraceContext {
    context.at(span_id(arn, branch, u64::from(entry)))
}

/// Gives the context of the span of a work item's publish.
pub(crate) fn of_publish(
    context: TraceContext,
    arn: &ExecutionArn,
    branch: &BranchPath,
    attempt: AttemptId,
) -> TraceContext {
    context.at(span_id(arn, branch, PUBLISH + u64::from(attempt.number)))
}

#[cfg(test)]
mod tests {
    use model::Nonce;

    use super::*;

    #[test]
    fn spans_follow_from_the_transition() {
        let arn = ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1").expect("is an ARN");
        let start = of_start(&arn, None, None, &Runtime::system());
        let root = BranchPath::root();
        let again = of_record(&arn, &start.to_string());
        assert_eq!(of_state(start, &arn, &root, 1), of_state(again, &arn, &root, 1));
        assert_ne!(of_state(start, &arn, &root, 1), of_state(start, &arn, &root, 2));
        let attempt = AttemptId::first(Nonce(1));
        assert_ne!(of_state(start, &arn, &root, 1), of_publish(start, &arn, &root, attempt));
    }

    #[test]
    fn the_callers_trace_is_joined() {
        let arn = ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1").expect("is an ARN");
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let context = of_start(&arn, None, Some(header), &Runtime::system());
        assert_eq!(context.trace.to_string(), "5759e988bd862e3fe1be46a994272793");
        assert_eq!(context.span, execution_span(&arn));
    }
}

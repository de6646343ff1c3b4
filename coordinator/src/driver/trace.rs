//! The trace of an execution: its span ids follow from the execution, the branch and its transitions, so that a coordinator that
//! takes over goes on with the same trace.

use model::{AttemptId, BranchPath, ExecutionArn};
use telemetry::{Role, TraceContext, execution_span, role_span, trace_id};

use super::Inner;

/// Gives the caller's place in a trace, from W3C's header or else X-Ray's.
pub(crate) fn of_caller(caller: Option<&TraceContext>, xray: Option<&str>) -> Option<TraceContext> {
    caller.copied().or_else(|| xray.and_then(|header| TraceContext::from_xray(header).ok()))
}

impl Inner {
    /// Gives the context of a new execution's span: in the caller's trace, or in a new one.
    pub(super) fn trace_of_start(&self, arn: &ExecutionArn, caller: Option<TraceContext>) -> TraceContext {
        let trace = caller.map_or_else(|| trace_id(arn, self.runtime.random()), |caller| caller.trace);
        let decided = caller.map(|caller| caller.sampled);
        let sampled = match self.traces.tracer() {
            Some(tracer) => tracer.samples(trace, decided),
            None => decided.unwrap_or(false),
        };
        TraceContext { trace, span: execution_span(arn), sampled }
    }
}

/// Gives the context of a known execution's span.
pub(crate) fn of_record(arn: &ExecutionArn, traceparent: &str) -> TraceContext {
    let lost = || TraceContext { trace: trace_id(arn, 0), span: execution_span(arn), sampled: true };
    traceparent.parse().unwrap_or_else(|_| lost())
}

/// Gives the context of the span of a state entry.
pub(crate) fn of_state(context: TraceContext, arn: &ExecutionArn, branch: &BranchPath, entry: u32) -> TraceContext {
    context.at(role_span(arn, branch, Role::State, entry))
}

/// Gives the context of the span of a work item's publish.
pub(crate) fn of_publish(
    context: TraceContext,
    arn: &ExecutionArn,
    branch: &BranchPath,
    attempt: AttemptId,
) -> TraceContext {
    context.at(role_span(arn, branch, Role::Publish, attempt.number))
}

#[cfg(test)]
mod tests {
    use model::Nonce;

    use super::*;

    #[test]
    fn spans_follow_from_the_transition() {
        let arn = ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1").expect("is an ARN");
        let start = TraceContext { trace: trace_id(&arn, 1), span: execution_span(&arn), sampled: true };
        let root = BranchPath::root();
        let again = of_record(&arn, &start.to_string());
        assert_eq!(of_state(start, &arn, &root, 1), of_state(again, &arn, &root, 1));
        assert_ne!(of_state(start, &arn, &root, 1), of_state(start, &arn, &root, 2));
        let attempt = AttemptId::first(Nonce(1));
        assert_ne!(of_state(start, &arn, &root, 1), of_publish(start, &arn, &root, attempt));
    }

    #[test]
    fn the_callers_trace_is_known_by_either_header() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let xray = of_caller(None, Some(header)).expect("is a header");
        assert_eq!(xray.trace.to_string(), "5759e988bd862e3fe1be46a994272793");
        let w3c = TraceContext { sampled: false, ..xray };
        assert_eq!(of_caller(Some(&w3c), Some(header)), Some(w3c));
        assert_eq!(of_caller(None, Some("rubbish")), None);
    }
}

//! The spans of a work item: taken from the queue, run, reported on. They are made when all of it is over, and go to the collector
//! together, so that none is there without its parent.

use std::sync::Arc;

use model::Timestamp;
use telemetry::{Kind, Role, Span, TraceContext, Tracer, role_span};
use wire::message::{Outcome, Report};

use super::held::Held;

/// Makes the spans of one worker; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Traces {
    pub(crate) tracer: Tracer,
    pub(crate) pool: Arc<str>,
    pub(crate) worker: Arc<str>,
}

impl Traces {
    /// Exports the spans of an item whose last report was confirmed at `now`.
    pub(crate) fn reported(&self, held: &Held, report: &Report, now: Timestamp) {
        if !self.tracer.is_on() {
            return;
        }
        let Some(mut trace) = self.item(held, (report.at, now)) else { return };
        let error = match &report.outcome {
            Outcome::Failed { error, .. } => Some(error.clone().unwrap_or_else(|| "failed".to_owned())),
            Outcome::Poisoned | Outcome::Unhandled => Some(report.outcome.kind().to_owned()),
            Outcome::Submitted { .. }
            | Outcome::Succeeded { .. }
            | Outcome::Started
            | Outcome::Heartbeat
            | Outcome::Holding => None,
        };
        let consume = trace.context;
        if let Some(run) = &mut trace.run {
            run.error.clone_from(&error);
        }
        trace.consume.error = error;
        let id = role_span(&report.execution, &report.branch, Role::Report, report.attempt.number);
        let reported =
            Span::new(consume.at(id), Some(consume.span), "publish report", Kind::Producer, (report.at, now));
        let reported = reported
            .with("messaging.system", "rabbitmq")
            .with("messaging.operation.type", "send")
            .with("messaging.destination.name", &*held.reply_to.0);
        let spans = [Some(trace.consume), trace.run, Some(reported)];
        self.tracer.export(spans.into_iter().flatten().collect(), None);
    }

    /// Exports the spans of an item on which there is nothing to report, and why.
    pub(crate) fn forgotten(&self, held: &Held, why: &str, now: Timestamp) {
        if !self.tracer.is_on() {
            return;
        }
        let Some(Item { consume, run, .. }) = self.item(held, (now, now)) else { return };
        let failed = |span: Span| span.failed(Some(why.to_owned()));
        let spans = [Some(failed(consume)), run.map(failed)];
        self.tracer.export(spans.into_iter().flatten().collect(), None);
    }

    /// Makes the spans of the item and of its run; nothing if its trace is not recorded.
    fn item(&self, held: &Held, (run_end, end): (Timestamp, Timestamp)) -> Option<Item> {
        let item = &held.item;
        let parent = item.traceparent.as_deref()?.parse::<TraceContext>().ok().filter(|parent| parent.sampled)?;
        let id = |role| role_span(&item.execution, &item.branch, role, item.attempt.number);
        let context = parent.at(id(Role::Consume));
        let name = format!("consume {}", self.pool);
        let wait = i64::try_from(held.received_at.millis_since(item.dispatched_at)).unwrap_or(i64::MAX);
        let consume = Span::new(context, Some(parent.span), name, Kind::Consumer, (held.received_at, end))
            .with("messaging.system", "rabbitmq")
            .with("messaging.operation.type", "process")
            .with("stepwell.execution.arn", item.execution.as_str())
            .with("stepwell.attempt", item.attempt.number)
            .with("stepwell.queue_wait_milliseconds", telemetry::Attribute::Number(wait))
            .with("stepwell.worker", &*self.worker);
        let run = held.started_at().map(|started| {
            let name = format!("handle {}", item.state);
            Span::new(context.at(id(Role::Handle)), Some(context.span), name, Kind::Internal, (started, run_end))
                .with("stepwell.resource", item.resource.as_str())
                .with("stepwell.branch", item.branch.as_str())
        });
        Some(Item { context, consume, run })
    }
}

struct Item {
    context: TraceContext,
    consume: Span,
    run: Option<Span>,
}

#[cfg(test)]
mod tests {
    use broker::ReplyTo;
    use model::{JsonText, Timestamp};

    use super::super::fixtures::{EPOCH, item};
    use super::super::held::Share;
    use super::*;

    fn traced() -> (Traces, Arc<std::sync::Mutex<Vec<Span>>>) {
        let (tracer, kept) = Tracer::in_memory();
        (Traces { tracer, pool: "default".into(), worker: "w-1".into() }, kept)
    }

    fn held(sampled: bool) -> Held {
        let mut item = item("r");
        if !sampled {
            item.traceparent = item.traceparent.map(|text| text.replace("-01", "-00"));
        }
        let held = Held::new(item, ReplyTo("events".into()), (at(1), 0), String::new(), Share::of_nothing());
        held.start(at(2));
        held
    }

    fn at(seconds: i64) -> Timestamp {
        EPOCH.plus_millis(seconds * 1_000)
    }

    fn report(held: &Held, outcome: Outcome) -> Report {
        Report {
            execution: held.item.execution.clone(),
            branch: held.item.branch.clone(),
            attempt: held.item.attempt,
            traceparent: None,
            deliveries: 0,
            worker: None,
            started_at: held.started_at(),
            at: at(3),
            outcome,
        }
    }

    #[test]
    fn an_item_has_three_spans_that_hang_together() {
        let (traces, kept) = traced();
        let held = held(true);
        traces.reported(&held, &report(&held, Outcome::Succeeded { output: JsonText::trusted("1") }), at(4));
        let spans = kept.lock().expect("no test panicked").clone();
        let [consume, run, publish] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!(consume.parent.map(|id| id.to_string()).as_deref(), Some("00f067aa0ba902b7"));
        assert_eq!((run.parent, publish.parent), (Some(consume.context.span), Some(consume.context.span)));
        assert_eq!((consume.start, run.start, run.end, publish.end), (at(1), at(2), at(3), at(4)));
        assert_eq!((run.name.as_str(), &run.error), ("handle Work", &None));
    }

    #[test]
    fn what_is_not_recorded_has_none() {
        let (traces, kept) = traced();
        traces.reported(&held(false), &report(&held(false), Outcome::Poisoned), at(4));
        assert!(kept.lock().expect("no test panicked").is_empty());
    }

    #[test]
    fn a_run_without_report_says_why() {
        let (traces, kept) = traced();
        traces.forgotten(&held(true), "late", at(4));
        let spans = kept.lock().expect("no test panicked").clone();
        assert_eq!(spans.len(), 2);
        assert!(spans.iter().all(|span| span.error.as_deref() == Some("late") && span.end == at(4)));
    }
}

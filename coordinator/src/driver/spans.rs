//! The spans of what a commit ends: states, attempts, the execution.
//!
//! A span is made from the commit that ends what it stands for, never held open. Ids derive from the branch and its
//! transition, so that whoever commits makes the same span. A coordinator that dies between its commit and the export would leave
//! spans of others without their parent; so the spans are entries of the outbox until the collector has them, and the
//! sweep of a live coordinator exports those of a dead one.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::{Callback, Leaving, Left, Phase};
use model::{ActivityArn, AttemptId, BranchPath, Timestamp};
use store::{OutboxKey, PendingEffect, StoredBranch};
use telemetry::{Attribute, Kind, Role, Span, SpanId, TraceContext, Tracer, execution_span, role_span};
use wire::message::{Outcome, Report};
use wire::record::{PhaseRecord, SpanRecord, decode_spans, encode_spans};

use super::Inner;
use super::build::Plan;
use super::cache::{Held, Known};
use super::entries::Entries;
use super::events::Trigger;
use super::service::own;

/// How many spans stand in one entry of the outbox.
const SPANS_PER_ENTRY: usize = 64;
/// How many spans of a commit are kept in the outbox, about 64 KiB: what a scope of thousands of branches that is cut off has more is
/// exported all the same.
const KEPT_MAX: usize = 256;

/// Is the spans of one commit.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    spans: Vec<Span>,
    /// The indexes of those that end with the commit.
    open: Vec<usize>,
    keys: Vec<OutboxKey>,
}

/// Says what a commit comes from.
#[derive(Clone, Copy)]
pub(crate) enum Cause<'a> {
    /// A request to start the execution, which came then, from a caller in this trace.
    Start { begun: Timestamp, caller: Option<TraceContext> },
    /// An event of a branch.
    Event(&'a Held, Trigger<'a>),
    /// The end of the execution from outside of its states.
    Closing,
}

/// Is where spans go, and which entries of the outbox are done with.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    tracer: OnceLock<Tracer>,
    entries: Arc<Entries>,
}

impl Traces {
    pub(crate) fn attach(&self, tracer: Tracer) {
        // The first one stays.
        let _ = self.tracer.set(tracer);
    }

    pub(crate) fn tracer(&self) -> Option<&Tracer> {
        self.tracer.get().filter(|tracer| tracer.is_on())
    }

    /// Gives the entries whose spans are under way, or were exported or given up.
    pub(crate) fn entries(&self) -> &Entries {
        &self.entries
    }

    fn export(&self, tracer: &Tracer, partition: u32, spans: Vec<Span>, keys: Vec<OutboxKey>) {
        if keys.is_empty() {
            return tracer.export(spans, None);
        }
        let entries = Arc::clone(&self.entries);
        let done = move || entries.done(partition, keys);
        tracer.export(spans, Some(Box::new(done)));
    }
}

impl Inner {
    /// Tells whether spans of an execution are made here.
    pub(super) fn is_traced(&self, known: &Known) -> bool {
        known.trace.sampled && self.traces.tracer().is_some()
    }

    /// Makes the spans of what a commit ends, and has the commit keep them until they are exported. `open` is what was seen open
    /// of what it closes.
    pub(super) fn add_spans(&self, plan: &mut Plan, left: &[Left], open: &[StoredBranch], cause: Cause<'_>) {
        if !self.is_traced(&plan.known) {
            return;
        }
        let now = self.runtime.now();
        let mut maker = Maker { known: &plan.known, made: Spans::default() };
        match cause {
            Cause::Start { begun, caller } => maker.request(begun, caller, now),
            Cause::Event(held, trigger) => {
                if let Phase::Task(task) = &held.branch.phase
                    && !is_open_still(plan, &held.branch.path, task.attempt)
                {
                    let resource = &task.resource;
                    let is_published = self.own_call(resource).is_none();
                    let pool = is_published.then(|| &*self.settings.routing.pool(resource).name);
                    let place = (&held.branch.path, held.branch.entry);
                    maker.attempt(place, task.attempt, task.scheduled_at, resource, pool);
                }
                match trigger {
                    Trigger::Report(report) => maker.report(held, report, now),
                    Trigger::Callback { attempt, callback, caller } => {
                        maker.callback(held, attempt, callback, now).link = caller;
                    }
                    // The nested execution has a span of its own, which tells when it ended.
                    Trigger::Returned { .. }
                    | Trigger::Taken { .. }
                    | Trigger::Alive { .. }
                    | Trigger::Called { .. }
                    | Trigger::Refused { .. }
                    | Trigger::Timer(_)
                    | Trigger::Resume => {}
                }
            }
            Cause::Closing => {}
        }
        left.iter().for_each(|left| maker.state(left));
        let is_closed = |stored: &&StoredBranch| {
            matches!(cause, Cause::Closing)
                || plan.commit.closed.iter().any(|scope| stored.record.path.is_within(&scope.key))
        };
        open.iter().filter(is_closed).for_each(|stored| maker.cut_off(stored, now));
        if let Some((end, at)) = &plan.commit.end {
            maker.execution(end, *at);
        }
        let mut made = maker.made;
        for spans in made.spans.get(..made.spans.len().min(KEPT_MAX)).unwrap_or_default().chunks(SPANS_PER_ENTRY) {
            let text = encode_spans(spans.iter().map(to_record).collect());
            let key = OutboxKey { execution: plan.known.arn().clone(), effect: PendingEffect::Export(text.into()) };
            made.keys.push(key);
        }
        plan.commit.outbox_added.extend(made.keys.iter().cloned());
        plan.spans = made;
    }

    /// Gives the spans of a commit that was made to the exporter.
    pub(super) fn let_spans_go(&self, spans: Spans, partition: u32) {
        let Spans { mut spans, open, keys } = spans;
        let Some(tracer) = self.traces.tracer().filter(|_| !spans.is_empty()) else { return };
        let now = self.runtime.now();
        for index in open {
            if let Some(span) = spans.get_mut(index) {
                span.end = span.end.max(now);
            }
        }
        self.traces.export(tracer, partition, spans, keys);
    }

    /// Exports what a dead coordinator could not. Gives the key if there is nothing to wait for.
    pub(super) fn adopt_spans(&self, key: OutboxKey, text: &str) -> Option<OutboxKey> {
        let Some(tracer) = self.traces.tracer() else { return Some(key) };
        if !self.traces.entries.begin(&key) {
            return None;
        }
        let spans = decode_spans(text).ok().and_then(|spans| spans.into_iter().map(from_record).collect());
        let Some(spans) = spans else {
            tracing::warn!(execution = %key.execution, trace_id = self.trace_known(&key.execution), "spans in the outbox can't be read; they are dropped");
            self.traces.entries.give_up(&key);
            return Some(key);
        };
        self.metrics.reissued.inc();
        let partition = key.execution.partition(self.partitions);
        self.traces.export(tracer, partition, spans, vec![key]);
        None
    }

    /// Hands over the spans that wait, at most for a while, and clears their entries.
    pub(super) async fn flush_spans(&self, at_most: Duration) {
        if let Some(tracer) = self.traces.tracer() {
            if !tracer.flush(at_most).await {
                tracing::warn!("some traces were not exported before the end (OTEL_EXPORTER_OTLP_ENDPOINT)");
            }
            self.clear_exported().await;
        }
    }
}

/// Tells whether a commit leaves the attempt open.
fn is_open_still(plan: &Plan, path: &BranchPath, attempt: AttemptId) -> bool {
    plan.branches.iter().any(|(branch, ..)| {
        branch.path == *path && matches!(&branch.phase, Phase::Task(task) if task.attempt == attempt)
    })
}

/// Makes the spans of one execution.
struct Maker<'a> {
    known: &'a Known,
    made: Spans,
}

impl Maker<'_> {
    fn add(
        &mut self,
        id: SpanId,
        parent: Option<SpanId>,
        name: &str,
        kind: Kind,
        times: (Timestamp, Timestamp),
    ) -> &mut Span {
        let span = Span::new(self.known.trace.at(id), parent, name, kind, times);
        let index = self.made.spans.len();
        self.made.spans.push(span);
        &mut self.made.spans[index]
    }

    fn id(&self, role: Role, path: &BranchPath, number: u32) -> SpanId {
        role_span(self.known.arn(), path, role, number)
    }

    /// Gives the span that the states of a branch hang on: that of the state which it is a child of, or the execution's.
    fn around(&self, path: &BranchPath) -> SpanId {
        match path.parent_scope() {
            Some((scope, _)) => self.id(Role::State, &scope.branch, scope.entry),
            None => execution_span(self.known.arn()),
        }
    }

    fn request(&mut self, begun: Timestamp, caller: Option<TraceContext>, now: Timestamp) {
        let id = self.id(Role::Request, &BranchPath::root(), 0);
        self.made.open.push(self.made.spans.len());
        let arn = self.known.arn().as_str().to_owned();
        let span = self.add(id, caller.map(|caller| caller.span), "StartExecution", Kind::Server, (begun, now));
        note(span, "rpc.system", "aws-api");
        note(span, "rpc.method", "StartExecution");
        note(span, "stepwell.execution.arn", arn);
    }

    fn execution(&mut self, end: &model::ExecutionEnd, at: Timestamp) {
        let record = Arc::clone(&self.known.record);
        let parent = self.id(Role::Request, &BranchPath::root(), 0);
        let name = format!("execution {}", record.state_machine.name());
        let times = (record.started_at, at);
        let span = self.add(execution_span(&record.arn), Some(parent), &name, Kind::Internal, times);
        note(span, "stepwell.execution.arn", record.arn.as_str());
        note(span, "stepwell.state_machine.arn", record.state_machine.as_str());
        note(span, "stepwell.execution.status", end.status.as_str());
        if end.status != model::ExecutionStatus::Succeeded {
            span.error = Some(end.error.clone().unwrap_or_else(|| end.status.as_str().to_owned()));
        }
    }

    fn state(&mut self, left: &Left) {
        let id = self.id(Role::State, &left.branch, left.entry);
        let parent = self.around(&left.branch);
        let span = self.add(id, Some(parent), left.state.as_str(), Kind::Internal, (left.entered_at, left.at));
        note(span, "stepwell.state.type", left.kind.as_str());
        note(span, "stepwell.branch", left.branch.as_str());
        span.error = match &left.leaving {
            Leaving::Succeeded => None,
            Leaving::Failed(error) => Some(error.clone().unwrap_or_else(|| "failed".to_owned())),
            Leaving::Retried => Some("retried".to_owned()),
            Leaving::CutOff => Some("cut off".to_owned()),
        };
    }

    /// Makes the spans of a branch that is closed from outside: what hangs on its state may be exported already.
    fn cut_off(&mut self, stored: &StoredBranch, now: Timestamp) {
        let record = &stored.record;
        if matches!(record.phase, PhaseRecord::Ready) {
            return;
        }
        if let PhaseRecord::Task(task) = &record.phase {
            let place = (&record.path, record.entry);
            self.attempt(place, task.attempt, task.scheduled_at, &task.resource, None);
        }
        let (id, parent) = (self.id(Role::State, &record.path, record.entry), self.around(&record.path));
        let span = self.add(id, Some(parent), &record.state, Kind::Internal, (record.entered_at, now));
        note(span, "stepwell.branch", record.path.as_str());
        span.error = Some("cut off".to_owned());
    }

    /// Makes the span of a work item's publish, which the worker's spans hang on; or of a call of this service itself, which that
    /// of a nested execution hangs on; or of a task's way into the queue of its activity.
    fn attempt(
        &mut self,
        (path, entry): (&BranchPath, u32),
        attempt: AttemptId,
        at: Timestamp,
        resource: &str,
        pool: Option<&str>,
    ) {
        let (id, parent) = (self.id(Role::Publish, path, attempt.number), self.id(Role::State, path, entry));
        if pool.is_none() && own(resource).is_some() {
            let action = resource.rsplit(":::").next().unwrap_or_default();
            let span = self.add(id, Some(parent), &format!("call {action}"), Kind::Internal, (at, at));
            return note(span, "stepwell.attempt", attempt.number);
        }
        if let Ok(activity) = ActivityArn::parse(resource) {
            let name = format!("schedule {}", activity.name());
            let span = self.add(id, Some(parent), &name, Kind::Internal, (at, at));
            return note(span, "stepwell.attempt", attempt.number);
        }
        let name = pool.map_or_else(|| "publish".to_owned(), |pool| format!("publish {pool}"));
        let span = self.add(id, Some(parent), &name, Kind::Producer, (at, at));
        note(span, "messaging.system", "rabbitmq");
        note(span, "messaging.operation.type", "send");
        note(span, "stepwell.attempt", attempt.number);
    }

    /// Makes the span of the end that came by the task token.
    fn callback(&mut self, held: &Held, attempt: AttemptId, callback: &Callback, now: Timestamp) -> &mut Span {
        let path = &held.branch.path;
        let (id, parent) =
            (self.id(Role::Callback, path, attempt.number), self.id(Role::State, path, held.branch.entry));
        self.made.open.push(self.made.spans.len());
        let span = self.add(id, Some(parent), "callback", Kind::Server, (now, now));
        note(span, "stepwell.attempt", attempt.number);
        span.error = match callback {
            Callback::Succeeded { .. } => None,
            Callback::Failed { error, .. } => Some(error.clone().unwrap_or_else(|| "failed".to_owned())),
        };
        span
    }

    /// Makes the span of a report's arrival: it hangs on the state, for the worker's own may never be exported.
    fn report(&mut self, held: &Held, report: &Report, now: Timestamp) {
        let (name, error) = match &report.outcome {
            Outcome::Submitted { .. } | Outcome::Succeeded { .. } => ("report", None),
            Outcome::Failed { error, .. } => ("report", Some(error.clone().unwrap_or_else(|| "failed".to_owned()))),
            Outcome::Poisoned => ("report", Some("poisoned".to_owned())),
            Outcome::Started | Outcome::Heartbeat | Outcome::Holding | Outcome::Unhandled => return,
        };
        let path = &held.branch.path;
        let id = self.id(Role::Apply, path, report.attempt.number);
        let parent = self.id(Role::State, path, held.branch.entry);
        self.made.open.push(self.made.spans.len());
        let span = self.add(id, Some(parent), name, Kind::Consumer, (now, now));
        note(span, "messaging.system", "rabbitmq");
        note(span, "messaging.operation.type", "process");
        note(span, "stepwell.attempt", report.attempt.number);
        if let Some(worker) = &report.worker {
            note(span, "stepwell.worker", worker.as_str());
        }
        span.error = error;
        span.link = report.traceparent.as_deref().and_then(|text| text.parse().ok());
    }
}

fn note(span: &mut Span, name: &'static str, value: impl Into<Attribute>) {
    span.attributes.push((name.into(), value.into()));
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Internal, "internal"),
    (Kind::Server, "server"),
    (Kind::Producer, "producer"),
    (Kind::Consumer, "consumer"),
];

fn to_record(span: &Span) -> SpanRecord {
    let kind = KINDS.iter().find(|(kind, _)| *kind == span.kind).map_or("internal", |(_, name)| name);
    let attribute = |(name, value): &(std::borrow::Cow<'static, str>, Attribute)| {
        let value = match value {
            Attribute::Text(text) => text.as_str().into(),
            Attribute::Number(number) => (*number).into(),
        };
        (name.to_string(), value)
    };
    SpanRecord {
        context: span.context.to_string(),
        parent: span.parent.map(|parent| parent.to_string()),
        name: span.name.clone(),
        kind: kind.to_owned(),
        start_millis: span.start.as_millis(),
        end_millis: span.end.as_millis(),
        attributes: span.attributes.iter().map(attribute).collect(),
        error: span.error.clone(),
        link: span.link.map(|link| link.to_string()),
    }
}

/// Gives the span of a record; nothing if an id is not one.
fn from_record(record: SpanRecord) -> Option<Span> {
    let kind = KINDS.iter().find(|(_, name)| *name == record.kind).map_or(Kind::Internal, |(kind, _)| *kind);
    let parent = match &record.parent {
        Some(text) => Some(SpanId::from_hex(text).ok()?),
        None => None,
    };
    let times = (Timestamp::from_millis(record.start_millis), Timestamp::from_millis(record.end_millis));
    let mut span = Span::new(record.context.parse().ok()?, parent, record.name, kind, times);
    span.attributes.extend(record.attributes.into_iter().filter_map(|(name, value)| {
        let value = match value.as_i64() {
            Some(number) => Attribute::Number(number),
            None => Attribute::Text(value.as_str()?.to_owned()),
        };
        Some((name.into(), value))
    }));
    span.error = record.error;
    span.link = record.link.and_then(|text| text.parse().ok());
    Some(span)
}

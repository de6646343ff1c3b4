//! The text form of an open branch.

use model::{BranchPath, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::reader::{self, Reference, TextTable};
use super::writer::{self, Object, Texts, json};
use super::{
    BranchRecord, CallbackRecord, ChildrenRecord, DeliveryRecord, LocationRecord, MapItemRecord, PhaseRecord,
    RecordError, TaskRecord,
};

impl BranchRecord {
    /// Renders the record. A text that repeats, such as a task's payload that is also the state's input, is kept once.
    pub fn encode(&self) -> Vec<u8> {
        writer::record(|object, texts| {
            object.id("path", &self.path);
            object.list("location", self.location.iter(), |out, step| json(out, &(&step.state, step.branch)));
            object.value("state", &self.state);
            object.value("entry", &self.entry);
            object.count("attempts", self.attempts);
            object.value("input", &texts.index(&self.input));
            object.time("entered_at", self.entered_at);
            object.event("entered", self.entered_event);
            object.event("before", self.before_entered);
            object.event("last", self.last_event);
            object.list("retries", self.retries.iter(), json);
            object.count("retry_count", self.retry_count);
            if let Some(item) = &self.item {
                object.object("item", |object| {
                    object.value("index", &item.index);
                    object.value("value", &texts.index(&item.value));
                });
            }
            object.list("variables", self.variables.iter(), |out, (name, text)| json(out, &(name, texts.index(text))));
            phase(object, texts, &self.phase);
            object.optional("traceparent", self.traceparent.as_deref());
        })
    }

    /// Reads a record; texts that it keeps once are shared.
    ///
    /// # Errors
    /// `RecordError`, which names a later version as such.
    pub fn decode(text: &[u8]) -> Result<Self, RecordError> {
        reader::record::<BranchText<'_>>("branch record", text)?.read()
    }
}

fn phase(object: &mut Object<'_>, texts: &mut Texts, phase: &PhaseRecord) {
    match phase {
        PhaseRecord::Ready => {}
        PhaseRecord::Task(record) => object.object("task", |object| task(object, texts, record)),
        PhaseRecord::Wait { until } => object.time("wait", *until),
        PhaseRecord::Backoff { until } => object.time("backoff", *until),
        PhaseRecord::Children(record) => object.object("children", |object| children(object, texts, record)),
    }
}

fn task(object: &mut Object<'_>, texts: &mut Texts, task: &TaskRecord) {
    object.id("attempt", &task.attempt);
    object.value("resource", &task.resource);
    object.value("payload", &texts.index(&task.payload));
    object.optional("role", task.role_arn.as_deref());
    object.time("scheduled_at", task.scheduled_at);
    object.optional_time("deadline", task.deadline);
    object.optional("timeout", task.timeout_seconds.as_ref());
    object.optional("heartbeat", task.heartbeat_seconds.as_ref());
    object.time("heard_at", task.heard_at);
    object.flag("started", task.started);
    object.count("deliveries", task.deliveries);
    match &task.delivery {
        DeliveryRecord::Dispatched => {}
        DeliveryRecord::Held { until } => object.time("held", *until),
        DeliveryRecord::Unhandled { times, until } => {
            object.value("unhandled", &(times, until.as_millis()));
        }
        DeliveryRecord::Queued => object.flag("queued", true),
        DeliveryRecord::Waiting => object.flag("waiting", true),
    }
    if let Some(early) = &task.early {
        object.object("early", |object| callback(object, texts, early));
    }
}

fn callback(object: &mut Object<'_>, texts: &mut Texts, callback: &CallbackRecord) {
    match callback {
        CallbackRecord::Succeeded { output } => object.value("output", &texts.index(output)),
        CallbackRecord::Failed { error, cause } => {
            object.value("failed", &true);
            object.optional("error", error.as_deref());
            object.optional("cause", cause.as_deref());
        }
    }
}

fn children(object: &mut Object<'_>, texts: &mut Texts, children: &ChildrenRecord) {
    object.id("scope", &children.scope);
    object.value("total", &children.total);
    object.count("started", children.started);
    object.count("taken", children.taken);
    object.count("succeeded", children.succeeded);
    object.value("concurrency", &children.concurrency);
    object.event("start_event", children.started_event);
    object.value("input", &texts.index(&children.input));
    object.event("last_child", children.last_child_event);
    object.value("results_bytes", &children.results_bytes);
    object.flag("cutting_off", children.cutting_off);
    object.count("failed", children.failed);
    object.count("tolerated", children.tolerated);
}

#[derive(Deserialize)]
struct BranchText<'a> {
    path: &'a str,
    #[serde(default)]
    location: Vec<(String, u32)>,
    state: String,
    entry: u32,
    #[serde(default)]
    attempts: u32,
    input: usize,
    entered_at: i64,
    entered: Reference,
    before: Reference,
    last: Reference,
    #[serde(default)]
    retries: Vec<u32>,
    #[serde(default)]
    retry_count: u32,
    item: Option<ItemText>,
    #[serde(default)]
    variables: Vec<(String, usize)>,
    #[serde(borrow)]
    task: Option<TaskText<'a>>,
    wait: Option<i64>,
    backoff: Option<i64>,
    #[serde(borrow)]
    children: Option<ChildrenText<'a>>,
    traceparent: Option<String>,
    #[serde(borrow, default)]
    texts: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct ItemText {
    index: u32,
    value: usize,
}

#[derive(Deserialize)]
struct TaskText<'a> {
    attempt: &'a str,
    resource: String,
    payload: usize,
    role: Option<String>,
    scheduled_at: i64,
    deadline: Option<i64>,
    timeout: Option<u64>,
    heartbeat: Option<u64>,
    heard_at: i64,
    #[serde(default)]
    started: bool,
    #[serde(default)]
    deliveries: u32,
    held: Option<i64>,
    unhandled: Option<(u32, i64)>,
    #[serde(default)]
    queued: bool,
    #[serde(default)]
    waiting: bool,
    early: Option<CallbackText>,
}

#[derive(Deserialize)]
struct CallbackText {
    output: Option<usize>,
    error: Option<String>,
    cause: Option<String>,
}

impl CallbackText {
    fn read(self, texts: &TextTable) -> Result<CallbackRecord, RecordError> {
        Ok(match self.output {
            Some(output) => CallbackRecord::Succeeded { output: texts.get(output)? },
            None => CallbackRecord::Failed { error: self.error, cause: self.cause },
        })
    }
}

#[derive(Deserialize)]
struct ChildrenText<'a> {
    scope: &'a str,
    total: u32,
    #[serde(default)]
    started: u32,
    #[serde(default)]
    taken: u32,
    #[serde(default)]
    succeeded: u32,
    concurrency: u32,
    start_event: Reference,
    input: usize,
    last_child: Reference,
    results_bytes: u64,
    #[serde(default)]
    cutting_off: bool,
    #[serde(default)]
    failed: u32,
    #[serde(default)]
    tolerated: u32,
}

impl BranchText<'_> {
    fn read(self) -> Result<BranchRecord, RecordError> {
        let texts = TextTable::new(&self.texts);
        let item = self
            .item
            .map(|item| Ok::<_, RecordError>(MapItemRecord { index: item.index, value: texts.get(item.value)? }));
        let phase = match (self.task, self.wait, self.backoff, self.children) {
            (Some(task), ..) => PhaseRecord::Task(task.read(&texts)?),
            (_, Some(until), ..) => PhaseRecord::Wait { until: Timestamp::from_millis(until) },
            (_, _, Some(until), _) => PhaseRecord::Backoff { until: Timestamp::from_millis(until) },
            (_, _, _, Some(children)) => PhaseRecord::Children(children.read(&texts)?),
            (None, None, None, None) => PhaseRecord::Ready,
        };
        Ok(BranchRecord {
            path: self.path.parse::<BranchPath>()?,
            location: self.location.into_iter().map(|(state, branch)| LocationRecord { state, branch }).collect(),
            state: self.state,
            entry: self.entry,
            attempts: self.attempts,
            input: texts.get(self.input)?,
            entered_at: Timestamp::from_millis(self.entered_at),
            entered_event: self.entered.0,
            before_entered: self.before.0,
            last_event: self.last.0,
            retries: self.retries,
            retry_count: self.retry_count,
            item: item.transpose()?,
            variables: texts.named(self.variables)?,
            phase,
            traceparent: self.traceparent,
        })
    }
}

impl TaskText<'_> {
    fn read(self, texts: &TextTable) -> Result<TaskRecord, RecordError> {
        let delivery = match (self.held, self.unhandled) {
            (Some(until), _) => DeliveryRecord::Held { until: Timestamp::from_millis(until) },
            (None, Some((times, until))) => DeliveryRecord::Unhandled { times, until: Timestamp::from_millis(until) },
            (None, None) if self.waiting => DeliveryRecord::Waiting,
            (None, None) if self.queued => DeliveryRecord::Queued,
            (None, None) => DeliveryRecord::Dispatched,
        };
        Ok(TaskRecord {
            attempt: self.attempt.parse()?,
            resource: self.resource,
            payload: texts.get(self.payload)?,
            role_arn: self.role,
            scheduled_at: Timestamp::from_millis(self.scheduled_at),
            deadline: self.deadline.map(Timestamp::from_millis),
            timeout_seconds: self.timeout,
            heartbeat_seconds: self.heartbeat,
            heard_at: Timestamp::from_millis(self.heard_at),
            started: self.started,
            delivery,
            deliveries: self.deliveries,
            early: self.early.map(|early| early.read(texts)).transpose()?,
        })
    }
}

impl ChildrenText<'_> {
    fn read(self, texts: &TextTable) -> Result<ChildrenRecord, RecordError> {
        Ok(ChildrenRecord {
            scope: self.scope.parse()?,
            total: self.total,
            started: self.started,
            taken: self.taken,
            succeeded: self.succeeded,
            concurrency: self.concurrency,
            started_event: self.start_event.0,
            input: texts.get(self.input)?,
            last_child_event: self.last_child.0,
            results_bytes: self.results_bytes,
            cutting_off: self.cutting_off,
            failed: self.failed,
            tolerated: self.tolerated,
        })
    }
}

//! The text form of a chunk of the history, and of a group of items.

use model::{Details, EventKind, JsonText, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::reader::{self, Reference, TextTable};
use super::writer::{self, Object, Texts, json};
use super::{EventRecord, HistoryChunk, ItemsRecord, RecordError, compressed};

impl HistoryChunk {
    /// Renders the chunk: a text that repeats is kept once, and a large chunk is compressed.
    pub fn encode(&self) -> Vec<u8> {
        compressed::pack(writer::record(|object, texts| {
            object.list("events", self.events.iter(), |out, event| {
                let mut object = Object::open(out);
                object.value("k", event.kind.as_str());
                object.event("p", event.previous);
                object.time("t", event.at);
                details(&mut object, texts, &event.details);
                object.close();
            });
        }))
    }

    /// Reads a chunk; texts that it keeps once are shared.
    ///
    /// # Errors
    /// `RecordError`, which names a later version as such.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let text = compressed::unpack(bytes)?;
        let text: ChunkText<'_> = reader::record("history chunk", &text)?;
        let texts = TextTable::new(&text.texts);
        let events: Result<_, RecordError> = text.events.into_iter().map(|event| event.read(&texts)).collect();
        Ok(Self { events: events? })
    }
}

impl ItemsRecord {
    /// Renders the group, compressed if it is large.
    pub fn encode(&self) -> Vec<u8> {
        compressed::pack(writer::record(|object, _| {
            let item = |out: &mut Vec<u8>, item: &JsonText| out.extend_from_slice(item.as_str().as_bytes());
            object.list("items", self.items.iter(), item);
        }))
    }

    /// Reads a group.
    ///
    /// # Errors
    /// `RecordError`, which names a later version as such.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let text = compressed::unpack(bytes)?;
        let text: ItemsText<'_> = reader::record("group of items", &text)?;
        Ok(Self { items: text.items.into_iter().map(JsonText::from_raw).collect() })
    }
}

#[derive(Deserialize)]
struct ItemsText<'a> {
    #[serde(borrow, default)]
    items: Vec<&'a RawValue>,
}

/// Writes the details of an event under the name of their shape; nothing where there are none.
fn details(event: &mut Object<'_>, texts: &mut Texts, details: &Details) {
    if *details != Details::None {
        event.object("d", |object| shape(object, texts, details));
    }
}

fn shape(object: &mut Object<'_>, texts: &mut Texts, details: &Details) {
    match details {
        Details::None => {}
        Details::ExecutionStarted { input, role_arn } => object.value("started", &(texts.index(input), role_arn)),
        Details::Output { output } => object.value("output", &texts.index(output)),
        Details::Failure { error, cause } => object.value("failure", &(error, cause)),
        Details::StateEntered { name, input } => object.value("entered", &(name, texts.index(input))),
        Details::StateExited { name, output, assigned } => object.object("exited", |object| {
            object.value("name", name);
            object.value("output", &texts.index(output));
            object.list("assigned", assigned.iter(), |out, (name, text)| json(out, &(name, texts.index(text))));
        }),
        Details::Scheduled { resource, input, timeout_seconds, heartbeat_seconds, credentials } => {
            object.object("scheduled", |object| {
                object.value("resource", resource);
                object.value("input", &texts.index(input));
                object.optional("timeout", timeout_seconds.as_ref());
                object.optional("heartbeat", heartbeat_seconds.as_ref());
                object.optional("credentials", credentials.as_ref());
            });
        }
        Details::WorkerStarted { worker } => object.value("worker", worker),
        Details::TaskScheduled {
            resource_type,
            resource,
            region,
            parameters,
            timeout_seconds,
            heartbeat_seconds,
            credentials,
        } => object.object("task_scheduled", |object| {
            object.value("type", resource_type);
            object.value("resource", resource);
            object.value("region", region);
            object.value("parameters", &texts.index(parameters));
            object.optional("timeout", timeout_seconds.as_ref());
            object.optional("heartbeat", heartbeat_seconds.as_ref());
            object.optional("credentials", credentials.as_ref());
        }),
        Details::TaskStarted { resource_type, resource } => object.value("task_started", &(resource_type, resource)),
        Details::TaskOutput { resource_type, resource, output } => {
            object.value("task_output", &(resource_type, resource, texts.index(output)));
        }
        Details::TaskFailure { resource_type, resource, error, cause } => {
            object.value("task_failure", &(resource_type, resource, error, cause));
        }
        Details::MapRunStarted { arn } => object.value("map_run", arn),
        Details::MapStarted { length } => object.value("map", length),
        Details::MapIteration { name, index } => object.value("iteration", &(name, index)),
        Details::EvaluationFailed { state, location, error, cause } => object.object("evaluation", |object| {
            object.value("state", state);
            object.optional("location", location.as_deref());
            object.value("error", error);
            object.value("cause", cause);
        }),
    }
}

#[derive(Deserialize)]
struct ChunkText<'a> {
    #[serde(borrow, default)]
    events: Vec<EventText<'a>>,
    #[serde(borrow, default)]
    texts: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct EventText<'a> {
    k: &'a str,
    p: Reference,
    t: i64,
    d: Option<DetailsText>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum DetailsText {
    Started(usize, String),
    Output(usize),
    Failure(Option<String>, Option<String>),
    Entered(String, usize),
    Exited {
        name: String,
        output: usize,
        #[serde(default)]
        assigned: Vec<(String, usize)>,
    },
    Scheduled {
        resource: String,
        input: usize,
        timeout: Option<u64>,
        heartbeat: Option<u64>,
        credentials: Option<String>,
    },
    Worker(Option<String>),
    TaskScheduled {
        #[serde(rename = "type")]
        resource_type: String,
        resource: String,
        region: String,
        parameters: usize,
        timeout: Option<u64>,
        heartbeat: Option<u64>,
        credentials: Option<String>,
    },
    TaskStarted(String, String),
    TaskOutput(String, String, usize),
    TaskFailure(String, String, Option<String>, Option<String>),
    MapRun(String),
    Map(u64),
    Iteration(String, u64),
    Evaluation {
        state: String,
        location: Option<String>,
        error: String,
        cause: String,
    },
}

impl EventText<'_> {
    fn read(self, texts: &TextTable) -> Result<EventRecord, RecordError> {
        let kind = EventKind::from_name(self.k)
            .ok_or_else(|| RecordError::Unknown { field: "event type", value: self.k.to_owned() })?;
        let details = self.d.map_or(Ok(Details::None), |details| details.read(texts))?;
        Ok(EventRecord { previous: self.p.0, at: Timestamp::from_millis(self.t), kind, details })
    }
}

impl DetailsText {
    fn read(self, texts: &TextTable) -> Result<Details, RecordError> {
        Ok(match self {
            DetailsText::Started(input, role_arn) => Details::ExecutionStarted { input: texts.get(input)?, role_arn },
            DetailsText::Output(output) => Details::Output { output: texts.get(output)? },
            DetailsText::Failure(error, cause) => Details::Failure { error, cause },
            DetailsText::Entered(name, input) => Details::StateEntered { name, input: texts.get(input)? },
            DetailsText::Exited { name, output, assigned } => {
                Details::StateExited { name, output: texts.get(output)?, assigned: texts.named(assigned)? }
            }
            DetailsText::Scheduled { resource, input, timeout, heartbeat, credentials } => Details::Scheduled {
                resource,
                input: texts.get(input)?,
                timeout_seconds: timeout,
                heartbeat_seconds: heartbeat,
                credentials,
            },
            DetailsText::Worker(worker) => Details::WorkerStarted { worker },
            DetailsText::TaskScheduled {
                resource_type,
                resource,
                region,
                parameters,
                timeout,
                heartbeat,
                credentials,
            } => Details::TaskScheduled {
                resource_type,
                resource,
                region,
                parameters: texts.get(parameters)?,
                timeout_seconds: timeout,
                heartbeat_seconds: heartbeat,
                credentials,
            },
            DetailsText::TaskStarted(resource_type, resource) => Details::TaskStarted { resource_type, resource },
            DetailsText::TaskOutput(resource_type, resource, output) => {
                Details::TaskOutput { resource_type, resource, output: texts.get(output)? }
            }
            DetailsText::TaskFailure(resource_type, resource, error, cause) => {
                Details::TaskFailure { resource_type, resource, error, cause }
            }
            DetailsText::MapRun(arn) => Details::MapRunStarted { arn },
            DetailsText::Map(length) => Details::MapStarted { length },
            DetailsText::Iteration(name, index) => Details::MapIteration { name, index },
            DetailsText::Evaluation { state, location, error, cause } => {
                Details::EvaluationFailed { state, location, error, cause }
            }
        })
    }
}

//! The text forms of executions, their ends, completions and state machines.

use model::{
    ActivityArn, ExecutionArn, ExecutionEnd, ExecutionStatus, JsonText, StateMachineArn, StateMachineStatus, Timestamp,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::reader::{self, Reference, TextTable};
use super::writer::{self, Object, json};
use super::{
    ActivityRecord, CompletionRecord, CompletionResult, DefinitionHash, EndRecord, ExecutionRecord, LocationRecord,
    LogLevel, LoggingRecord, MapRunRecord, PublicationRecord, RecordError, StarterRecord, StateMachineRecord, Waits,
};

impl ExecutionRecord {
    /// Renders the record.
    pub fn encode(&self) -> Vec<u8> {
        writer::record(|object, texts| {
            object.value("arn", self.arn.as_str());
            object.value("state_machine", self.state_machine.as_str());
            object.value("definition", &*self.definition.0);
            object.value("role_arn", &self.role_arn);
            object.value("input", &texts.index(&self.input));
            object.time("started_at", self.started_at);
            object.value("traceparent", &self.traceparent);
            object.optional("trace_header", self.trace_header.as_deref());
            object.optional("revision_id", self.revision_id.as_deref());
            object.optional_time("machine_updated_at", self.machine_updated_at);
            if let Some(starter) = &self.started_by {
                object.object("started_by", |object| starter.write(object));
            }
            if let Some(logging) = self.logging {
                object.object("logging", |object| logging.write(object));
            }
            object.optional("version", self.version.as_ref());
            object.optional("alias", self.alias.as_deref());
            if let Some(run) = &self.map_run {
                object.object("map_run", |object| run.write(object));
            }
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// `RecordError`, which names a later version as such.
    pub fn decode(text: &[u8]) -> Result<Self, RecordError> {
        let text: ExecutionText<'_> = reader::record("execution record", text)?;
        let texts = TextTable::new(&text.texts);
        Ok(Self {
            arn: ExecutionArn::parse_any(&text.arn)?,
            state_machine: StateMachineArn::parse(&text.state_machine)?,
            definition: DefinitionHash(text.definition.into()),
            role_arn: text.role_arn,
            input: texts.get(text.input)?,
            started_at: Timestamp::from_millis(text.started_at),
            traceparent: text.traceparent,
            trace_header: text.trace_header,
            revision_id: text.revision_id,
            machine_updated_at: text.machine_updated_at.map(Timestamp::from_millis),
            started_by: text.started_by.map(StarterText::read).transpose()?,
            logging: text.logging.map(LoggingText::read).transpose()?,
            version: text.version,
            alias: text.alias,
            map_run: text.map_run.map(MapRunText::read).transpose()?,
        })
    }
}

impl MapRunRecord {
    fn write(&self, object: &mut Object<'_>) {
        object.value("arn", self.arn.as_str());
        object.list("way", self.way.iter(), |out, step| json(out, &(&step.state, step.branch)));
    }
}

#[derive(Deserialize)]
struct MapRunText {
    arn: String,
    way: Vec<(String, u32)>,
}

impl MapRunText {
    fn read(self) -> Result<MapRunRecord, RecordError> {
        let way = self.way.into_iter().map(|(state, branch)| LocationRecord { state, branch }).collect();
        Ok(MapRunRecord { arn: ExecutionArn::parse_map_run(&self.arn)?, way })
    }
}

impl StarterRecord {
    fn write(&self, object: &mut Object<'_>) {
        object.value("execution", self.execution.as_str());
        object.id("branch", &self.branch);
        object.id("attempt", &self.attempt);
        let waits = match self.waits {
            Waits::No => None,
            Waits::Text => Some("text"),
            Waits::Parsed => Some("parsed"),
        };
        object.optional("waits", waits);
    }
}

#[derive(Deserialize)]
struct StarterText {
    execution: String,
    branch: String,
    attempt: String,
    waits: Option<String>,
}

impl StarterText {
    fn read(self) -> Result<StarterRecord, RecordError> {
        let waits = match self.waits.as_deref() {
            None => Waits::No,
            Some("text") => Waits::Text,
            Some("parsed") => Waits::Parsed,
            Some(other) => return Err(RecordError::Unknown { field: "waits", value: other.to_owned() }),
        };
        Ok(StarterRecord {
            execution: ExecutionArn::parse_any(&self.execution)?,
            branch: self.branch.parse()?,
            attempt: self.attempt.parse()?,
            waits,
        })
    }
}

impl LoggingRecord {
    fn write(self, object: &mut Object<'_>) {
        object.value("level", self.level.as_str());
        if self.with_data {
            object.value("data", &true);
        }
    }
}

#[derive(Deserialize)]
struct LoggingText {
    level: String,
    #[serde(default)]
    data: bool,
}

impl LoggingText {
    fn read(self) -> Result<LoggingRecord, RecordError> {
        let unknown = || RecordError::Unknown { field: "level", value: self.level.clone() };
        let level = LogLevel::from_name(&self.level).ok_or_else(unknown)?;
        Ok(LoggingRecord { level, with_data: self.data })
    }
}

#[derive(Deserialize)]
struct ExecutionText<'a> {
    arn: String,
    state_machine: String,
    definition: String,
    role_arn: String,
    input: usize,
    started_at: i64,
    traceparent: String,
    trace_header: Option<String>,
    revision_id: Option<String>,
    machine_updated_at: Option<i64>,
    started_by: Option<StarterText>,
    logging: Option<LoggingText>,
    version: Option<u32>,
    alias: Option<String>,
    map_run: Option<MapRunText>,
    #[serde(borrow, default)]
    texts: Vec<&'a RawValue>,
}

impl EndRecord {
    /// Renders the record.
    pub fn encode(&self) -> Vec<u8> {
        writer::record(|object, texts| {
            object.value("status", self.end.status.as_str());
            object.time("at", self.at);
            object.optional("output", self.end.output.as_ref().map(|output| texts.index(output)).as_ref());
            object.optional("error", self.end.error.as_deref());
            object.optional("cause", self.end.cause.as_deref());
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// `RecordError`, which names a later version as such.
    pub fn decode(text: &[u8]) -> Result<Self, RecordError> {
        let text: EndText<'_> = reader::record("end record", text)?;
        let texts = TextTable::new(&text.texts);
        let status = ExecutionStatus::from_name(&text.status)
            .ok_or_else(|| RecordError::Unknown { field: "status", value: text.status.clone() })?;
        let output = text.output.map(|index| texts.get(index)).transpose()?;
        let end = ExecutionEnd { status, output, error: text.error, cause: text.cause };
        Ok(Self { end, at: Timestamp::from_millis(text.at) })
    }
}

#[derive(Deserialize)]
struct EndText<'a> {
    status: String,
    at: i64,
    output: Option<usize>,
    error: Option<String>,
    cause: Option<String>,
    #[serde(borrow, default)]
    texts: Vec<&'a RawValue>,
}

impl CompletionRecord {
    /// Renders the record.
    pub fn encode(&self) -> Vec<u8> {
        writer::record(|object, _| {
            object.value("index", &self.index);
            object.event("last", self.last_event);
            match &self.result {
                CompletionResult::Succeeded { bytes, failed } => {
                    object.value("bytes", bytes);
                    object.flag("failed_item", *failed);
                }
                CompletionResult::Failed { error, cause, terminal, heartbeat } => {
                    object.value("failed", &true);
                    object.optional("error", error.as_deref());
                    object.optional("cause", cause.as_deref());
                    object.flag("terminal", *terminal);
                    object.flag("heartbeat", *heartbeat);
                }
            }
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// `RecordError`, which names a later version as such.
    pub fn decode(text: &[u8]) -> Result<Self, RecordError> {
        let text: CompletionText = reader::record("completion record", text)?;
        let result = if text.failed {
            let CompletionText { error, cause, terminal, heartbeat, .. } = text;
            CompletionResult::Failed { error, cause, terminal, heartbeat }
        } else {
            CompletionResult::Succeeded { bytes: text.bytes, failed: text.failed_item }
        };
        Ok(Self { index: text.index, last_event: text.last.0, result })
    }
}

#[derive(Deserialize)]
struct CompletionText {
    index: u32,
    last: Reference,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    failed_item: bool,
    #[serde(default)]
    failed: bool,
    error: Option<String>,
    cause: Option<String>,
    #[serde(default)]
    terminal: bool,
    #[serde(default)]
    heartbeat: bool,
}

impl StateMachineRecord {
    /// Renders the record without the definition's text, which is kept once under its hash.
    pub fn encode(&self) -> Vec<u8> {
        writer::record(|object, _| {
            object.value("arn", self.arn.as_str());
            object.value("definition", &*self.hash.0);
            object.value("role_arn", &self.role_arn);
            object.value("kind", &self.kind);
            object.value("status", self.status.as_str());
            object.time("created_at", self.created_at);
            object.optional("revision_id", self.revision_id.as_deref());
            object.optional_time("updated_at", self.updated_at);
            object.list("tags", self.tags.iter(), json);
            object.raw("logging", self.logging.as_ref());
            object.raw("tracing", self.tracing.as_ref());
            object.raw("encryption", self.encryption.as_ref());
            object.optional("publication", self.publication.as_ref());
        })
    }

    /// Reads a record. Its `definition` is empty: the caller puts in what is kept under its hash.
    ///
    /// # Errors
    /// `RecordError`, which names a later version as such.
    pub fn decode(text: &[u8]) -> Result<Self, RecordError> {
        let text: StateMachineText<'_> = reader::record("state machine record", text)?;
        let status = match text.status.as_str() {
            "ACTIVE" => StateMachineStatus::Active,
            "DELETING" => StateMachineStatus::Deleting,
            _ => return Err(RecordError::Unknown { field: "status", value: text.status }),
        };
        Ok(Self {
            arn: StateMachineArn::parse(&text.arn)?,
            definition: "".into(),
            hash: DefinitionHash(text.definition.into()),
            role_arn: text.role_arn,
            kind: text.kind,
            status,
            created_at: Timestamp::from_millis(text.created_at),
            revision_id: text.revision_id,
            updated_at: text.updated_at.map(Timestamp::from_millis),
            tags: text.tags,
            logging: text.logging.map(JsonText::from_raw),
            tracing: text.tracing.map(JsonText::from_raw),
            encryption: text.encryption.map(JsonText::from_raw),
            publication: text.publication,
        })
    }
}

impl ActivityRecord {
    /// Renders the record.
    pub fn encode(&self) -> Vec<u8> {
        writer::record(|object, _| {
            object.value("arn", self.arn.as_str());
            object.time("created_at", self.created_at);
            object.list("tags", self.tags.iter(), json);
            object.raw("encryption", self.encryption.as_ref());
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// `RecordError`, which names a later version as such.
    pub fn decode(text: &[u8]) -> Result<Self, RecordError> {
        let text: ActivityText<'_> = reader::record("activity record", text)?;
        Ok(Self {
            arn: ActivityArn::parse(&text.arn)?,
            created_at: Timestamp::from_millis(text.created_at),
            tags: text.tags,
            encryption: text.encryption.map(JsonText::from_raw),
        })
    }
}

#[derive(Deserialize)]
struct ActivityText<'a> {
    arn: String,
    created_at: i64,
    #[serde(default)]
    tags: Vec<(String, String)>,
    #[serde(borrow)]
    encryption: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StateMachineText<'a> {
    arn: String,
    definition: String,
    role_arn: String,
    kind: String,
    status: String,
    created_at: i64,
    revision_id: Option<String>,
    updated_at: Option<i64>,
    #[serde(default)]
    tags: Vec<(String, String)>,
    #[serde(borrow)]
    logging: Option<&'a RawValue>,
    #[serde(borrow)]
    tracing: Option<&'a RawValue>,
    #[serde(borrow)]
    encryption: Option<&'a RawValue>,
    publication: Option<PublicationRecord>,
}

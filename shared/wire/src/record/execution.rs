//! The records of an execution as a whole, and of state machines.

use std::fmt;
use std::sync::Arc;

use model::{
    ActivityArn, AttemptId, BranchPath, Details, EventId, EventKind, EventRef, ExecutionArn, ExecutionEnd, JsonText,
    QualifiedArn, Qualifier, StateMachineArn, StateMachineStatus, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::LocationRecord;

/// Is the content hash (SHA-256, hexadecimal) of a definition's text: what executions pin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefinitionHash(pub Arc<str>);

impl fmt::Display for DefinitionHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Is what never changes of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionRecord {
    /// The execution.
    pub arn: ExecutionArn,
    /// The state machine.
    pub state_machine: StateMachineArn,
    /// The pinned definition.
    pub definition: DefinitionHash,
    /// The role of the state machine at the start.
    pub role_arn: String,
    /// The input.
    pub input: JsonText,
    /// When it started.
    pub started_at: Timestamp,
    /// The trace: a W3C traceparent whose span is the execution's.
    pub traceparent: String,
    /// The X-Ray header that the caller gave.
    pub trace_header: Option<String>,
    /// The revision id of the state machine at the start; none if it had not been updated.
    pub revision_id: Option<String>,
    /// When the state machine had been updated last at the start, or else created.
    pub machine_updated_at: Option<Timestamp>,
    /// The task that started it, if one did.
    pub started_by: Option<StarterRecord>,
    /// What is logged of it, by its state machine at the start; none if nothing is.
    pub logging: Option<LoggingRecord>,
    /// The number of the version that was started; none if it was the state machine as it was then.
    pub version: Option<u32>,
    /// The alias that chose the version, if one did.
    pub alias: Option<String>,
    /// The Map Run that it is, or that it is a child execution of.
    pub map_run: Option<MapRunRecord>,
}

/// Says which part of the pinned definition an execution runs: a Map state in distributed mode, if it is a Map Run, or else its item
/// processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapRunRecord {
    /// The Map Run.
    pub arn: ExecutionArn,
    /// The way to the Map state from the outermost states: the states around it, then itself, each with the number of its branch.
    pub way: Vec<LocationRecord>,
}

impl ExecutionRecord {
    /// Names what it is listed under: its state machine, of a child of a Map Run that, and of a Map Run the execution that started it.
    pub fn listed_under(&self) -> &str {
        match (&self.map_run, &self.started_by) {
            (None, _) => self.state_machine.as_str(),
            (Some(run), Some(starter)) if run.arn == self.arn => starter.execution.as_str(),
            (Some(run), _) => run.arn.as_str(),
        }
    }

    /// Gives the ARN of the version that was started, if one was.
    pub fn version_arn(&self) -> Option<QualifiedArn> {
        self.version.map(|number| self.qualified(Qualifier::Version(number)))
    }

    /// Gives the ARN of the alias that chose the version, if one did.
    pub fn alias_arn(&self) -> Option<QualifiedArn> {
        self.alias.as_deref().map(|name| self.qualified(Qualifier::Alias(name.into())))
    }

    fn qualified(&self, qualifier: Qualifier) -> QualifiedArn {
        QualifiedArn { machine: self.state_machine.clone(), qualifier: Some(qualifier) }
    }
}

/// Says what is logged of an execution's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggingRecord {
    /// Which events are.
    pub level: LogLevel,
    /// Whether with inputs, outputs and the like.
    pub with_data: bool,
}

/// Says which events of a history are logged, in AWS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// All of them.
    All,
    /// Those that tell of an error.
    Error,
    /// The end of an execution that did not succeed.
    Fatal,
}

impl LogLevel {
    /// Gives AWS's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            LogLevel::All => "ALL",
            LogLevel::Error => "ERROR",
            LogLevel::Fatal => "FATAL",
        }
    }

    /// Reads AWS's name; `OFF` is none.
    pub fn from_name(name: &str) -> Option<Self> {
        [LogLevel::All, LogLevel::Error, LogLevel::Fatal].into_iter().find(|level| level.as_str() == name)
    }
}

/// Is the attempt of a Task state that started an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StarterRecord {
    /// The execution that the task belongs to.
    pub execution: ExecutionArn,
    /// Its branch.
    pub branch: BranchPath,
    /// The attempt.
    pub attempt: AttemptId,
    /// Whether the task waits for the end.
    pub waits: Waits,
}

/// Says whether a task waits for the end of the execution that it started, and how it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// It does not wait.
    No,
    /// Input and output are told as texts (`.sync`).
    Text,
    /// Input and output are told parsed (`.sync:2`).
    Parsed,
}

/// Is a state machine as AWS describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateMachineRecord {
    /// The state machine.
    pub arn: StateMachineArn,
    /// The definition's text, as it was given.
    pub definition: Arc<str>,
    /// The hash of that text.
    pub hash: DefinitionHash,
    /// The role.
    pub role_arn: String,
    /// `STANDARD` or `EXPRESS`.
    pub kind: String,
    /// Its status.
    pub status: StateMachineStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// The revision id: AWS's name for the content at one time; none before the first update.
    pub revision_id: Option<String>,
    /// When it was last updated, if it was.
    pub updated_at: Option<Timestamp>,
    /// Tags, in the order given.
    pub tags: Vec<(String, String)>,
    /// The loggingConfiguration as given, if it was.
    pub logging: Option<JsonText>,
    /// The tracingConfiguration as given, if it was.
    pub tracing: Option<JsonText>,
    /// The encryptionConfiguration as given, if it was.
    pub encryption: Option<JsonText>,
    /// The version that its creation asked for, if it did.
    pub publication: Option<PublicationRecord>,
}

impl StateMachineRecord {
    /// The kind of state machines whose executions are short, and are not described afterwards.
    pub const EXPRESS: &str = "EXPRESS";

    /// Tells whether it is of type EXPRESS.
    pub fn is_express(&self) -> bool {
        self.kind == Self::EXPRESS
    }
}

/// Is what a creation asked of the version that it was to publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicationRecord {
    /// Its description, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Is an activity as AWS describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityRecord {
    /// The activity.
    pub arn: ActivityArn,
    /// When it was created.
    pub created_at: Timestamp,
    /// Tags, in the order given.
    pub tags: Vec<(String, String)>,
    /// The encryptionConfiguration as given, if it was.
    pub encryption: Option<JsonText>,
}

/// Is the history of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryChunk {
    /// The events, in order; the first has the id `base + 1`.
    pub events: Vec<EventRecord>,
}

/// Is one event of a chunk. Payload texts that repeat within a chunk are kept once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// The event that it follows from.
    pub previous: EventRef,
    /// When it happened, by the committer's clock; a reader raises it to the time of the event before.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// What AWS tells about it.
    pub details: Details,
}

/// Is the end of a child, in the join record's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletionRecord {
    /// The child's index.
    pub index: u32,
    /// Its last event.
    pub last_event: EventRef,
    /// How it ended.
    pub result: CompletionResult,
}

/// Is how a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompletionResult {
    /// With an output of so many bytes, which lies in the join record's results.
    Succeeded {
        /// The size.
        bytes: u64,
        /// Whether it tells of an item of a Map Run that failed.
        failed: bool,
    },
    /// With an error.
    Failed {
        /// The error name.
        error: Option<String>,
        /// The cause.
        cause: Option<String>,
        /// Whether it ends the whole execution, whatever the states around take.
        terminal: bool,
        /// Whether it is a missed heartbeat.
        heartbeat: bool,
    },
}

/// Is the end of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndRecord {
    /// How it ended.
    pub end: ExecutionEnd,
    /// When, by the committer's clock; a reader raises it to the time of the last event.
    pub at: Timestamp,
}

/// Is a group of a Map's items, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemsRecord {
    /// The items.
    pub items: Vec<JsonText>,
}

impl CompletionRecord {
    /// Settles the reference to the child's last event with the base of the commit that wrote the record.
    pub fn settle(&mut self, base: EventId) {
        self.last_event = self.last_event.resolved(base);
    }
}

//! The values: the version and small fields on lines of their own, then what is kept in the form of `wire`.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};
use std::str::FromStr;

use model::{AttemptId, CommitId, EventId, FencingToken, JsonText, Nonce, Revision, ScopeKey, Timestamp};
use wire::record::{BranchRecord, PhaseRecord};

use crate::chunks::StoredChunk;
use crate::commit::{Commit, Committed, NextBranch};
use crate::{Error, OwnerId, Resource, StoredBranch, text};

/// Is the version that values are written in.
const VERSION: &str = "1";

/// Is a commit with its answer, for who repeats it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) id: CommitId,
    pub(super) answer: Committed,
}

/// Is what changes of an execution with every commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) last_event: EventId,
    /// The time of the last event.
    pub(super) at: Timestamp,
    /// How many chunks the history has.
    pub(super) chunks: u64,
    /// Its number among the open executions.
    pub(super) sequence: u64,
    /// The bytes of its own record, its history and its end.
    pub(super) bytes: u64,
    pub(super) has_ended: bool,
    pub(super) creation: Answered,
    /// The last commit that was about the execution as a whole, or ended it.
    pub(super) whole: Option<Answered>,
}

/// Is an open branch; after the end of its execution it is left over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) revision: Revision,
    pub(super) token: FencingToken,
    pub(super) owner: OwnerId,
    pub(super) leased_until: Timestamp,
    pub(super) commit: Answered,
    pub(super) attempt: Option<AttemptId>,
    /// The scope that it has open.
    pub(super) scope: Option<ScopeKey>,
    pub(super) timers: BTreeSet<String>,
    pub(super) record: Vec<u8>,
}

/// Is an open scope; what it holds lies under keys of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) is_awake: bool,
    /// Whether nothing may happen within any more.
    pub(super) is_shut: bool,
    pub(super) completions: u32,
}

/// Is the end of a child, which its parent has not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChildResult {
    /// The child's last commit, unless it ended within its parent's.
    pub(super) commit: Option<Answered>,
    pub(super) output: Option<JsonText>,
}

impl Answered {
    fn text(&self) -> String {
        let Committed { base, clamp, woke_parent, more_completions } = &self.answer;
        format!("{};{base};{clamp};{};{}", self.id, u8::from(*woke_parent), u8::from(*more_completions))
    }

    fn read(text: &str) -> Result<Self, Error> {
        let mut parts = text.split(';');
        let mut part = || parts.next().ok_or_else(|| corrupt("answer", text));
        let id = u64::from_str_radix(part()?, 16).map_err(|_| corrupt("answer", text))?;
        let answer = Committed {
            base: EventId(number(part()?)?),
            clamp: Timestamp::from_millis(number(part()?)?),
            woke_parent: part()? == "1",
            more_completions: part()? == "1",
        };
        Ok(Self { id: CommitId(Nonce(id)), answer })
    }
}

impl Head {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut lines = Writer::new();
        lines.line(self.last_event).line(self.at).line(self.chunks).line(self.sequence);
        lines.line(self.bytes);
        lines.line(u8::from(self.has_ended)).line(self.creation.text());
        lines.line(self.whole.as_ref().map(Answered::text).unwrap_or_default());
        lines.finish(&[])
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut lines = Reader::new("execution", bytes)?;
        Ok(Self {
            last_event: EventId(number(lines.line()?)?),
            at: Timestamp::from_millis(number(lines.line()?)?),
            chunks: number(lines.line()?)?,
            sequence: number(lines.line()?)?,
            bytes: number(lines.line()?)?,
            has_ended: lines.line()? == "1",
            creation: Answered::read(lines.line()?)?,
            whole: lines.optional()?.map(Answered::read).transpose()?,
        })
    }
}

impl Branch {
    /// Makes what is kept of a branch that a commit writes.
    pub(super) fn new(next: &NextBranch, record: Vec<u8>, commit: &Commit, answer: &Committed, now: Timestamp) -> Self {
        let (attempt, scope) = match &next.record.phase {
            PhaseRecord::Task(task) => (Some(task.attempt), None),
            PhaseRecord::Children(children) => (None, Some(children.scope.clone())),
            PhaseRecord::Ready | PhaseRecord::Wait { .. } | PhaseRecord::Backoff { .. } => (None, None),
        };
        Self {
            revision: next.revision,
            token: next.token,
            owner: commit.owner.clone(),
            leased_until: now.plus_millis(commit.lease_millis.into()),
            commit: Answered { id: commit.id, answer: answer.clone() },
            attempt,
            scope,
            timers: BTreeSet::new(),
            record,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut lines = Writer::new();
        lines.line(self.revision).line(self.token).line(&self.owner).line(self.leased_until);
        lines.line(self.commit.text());
        lines.line(self.attempt.map(|attempt| attempt.to_string()).unwrap_or_default());
        lines.line(self.scope.as_ref().map(ToString::to_string).unwrap_or_default());
        lines.line(self.timers.iter().map(String::as_str).collect::<Vec<_>>().join(","));
        lines.finish(&self.record)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut lines = Reader::new("branch", bytes)?;
        Ok(Self {
            revision: id(lines.line()?)?,
            token: id(lines.line()?)?,
            owner: OwnerId(lines.line()?.into()),
            leased_until: Timestamp::from_millis(number(lines.line()?)?),
            commit: Answered::read(lines.line()?)?,
            attempt: lines.optional()?.map(id).transpose()?,
            scope: lines.optional()?.map(id).transpose()?,
            timers: lines.optional()?.into_iter().flat_map(|names| names.split(',')).map(str::to_owned).collect(),
            record: lines.rest().to_vec(),
        })
    }

    /// Gives the branch with its references settled.
    pub(super) fn stored(&self) -> Result<StoredBranch, Error> {
        let mut record = BranchRecord::decode(&self.record).map_err(|error| Error::Corrupt(error.chain()))?;
        record.settle(self.commit.answer.base);
        Ok(StoredBranch {
            record,
            revision: self.revision,
            token: self.token,
            owner: self.owner.clone(),
            leased_until: self.leased_until,
        })
    }
}

impl Scope {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut lines = Writer::new();
        lines.line(u8::from(self.is_awake)).line(u8::from(self.is_shut)).line(self.completions);
        lines.finish(&[])
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut lines = Reader::new("scope", bytes)?;
        let (is_awake, is_shut) = (lines.line()? == "1", lines.line()? == "1");
        Ok(Self { is_awake, is_shut, completions: number(lines.line()?)? })
    }
}

impl ChildResult {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut lines = Writer::new();
        lines.line(self.commit.as_ref().map(Answered::text).unwrap_or_default());
        lines.line(u8::from(self.output.is_some()));
        lines.finish(self.output.as_ref().map_or(&[], |output| output.as_str().as_bytes()))
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut lines = Reader::new("result", bytes)?;
        let commit = lines.optional()?.map(Answered::read).transpose()?;
        let has_output = lines.line()? == "1";
        let text = std::str::from_utf8(lines.rest()).map_err(|_| corrupt("result", "not UTF-8"))?;
        let output = has_output.then(|| JsonText::trusted(text));
        Ok(Self { commit, output })
    }
}

/// Renders a completion with the base of its commit.
pub(super) fn completion(base: EventId, record: &[u8]) -> Vec<u8> {
    let mut lines = Writer::new();
    lines.line(base);
    lines.finish(record)
}

/// Reads a completion: base and record.
pub(super) fn split_completion(bytes: &[u8]) -> Result<(EventId, &[u8]), Error> {
    let mut lines = Reader::new("completion", bytes)?;
    Ok((EventId(number(lines.line()?)?), lines.rest()))
}

/// Renders a chunk of the history with what its commit settled.
pub(super) fn chunk(answer: &Committed, bytes: &[u8]) -> Vec<u8> {
    let mut lines = Writer::new();
    lines.line(answer.base).line(answer.clamp);
    lines.finish(bytes)
}

/// Reads a chunk of the history.
pub(super) fn stored_chunk(bytes: &[u8]) -> Result<StoredChunk<'_>, Error> {
    let mut lines = Reader::new("chunk", bytes)?;
    let (base, clamp) = (EventId(number(lines.line()?)?), Timestamp::from_millis(number(lines.line()?)?));
    Ok(StoredChunk { base, clamp, bytes: lines.rest() })
}

/// Renders a resource.
pub(super) fn of_resource(resource: &Resource) -> Vec<u8> {
    let mut lines = Writer::new();
    lines.line(resource.revision);
    lines.line(text::definitions(&resource.definitions));
    lines.finish(&resource.record)
}

/// Reads a resource.
pub(super) fn resource(bytes: &[u8]) -> Result<Resource, Error> {
    let mut lines = Reader::new("resource", bytes)?;
    let revision = id(lines.line()?)?;
    let definitions = lines.optional()?.map(text::parse_definitions).unwrap_or_default();
    Ok(Resource { revision, definitions, record: lines.rest().to_vec() })
}

/// Renders how many refer to a definition and, where none does, since when.
pub(super) fn of_uses(count: u64, unused_since: Option<Timestamp>) -> Vec<u8> {
    let mut lines = Writer::new();
    lines.line(count).line(unused_since.map(|since| since.to_string()).unwrap_or_default());
    lines.finish(&[])
}

/// Reads what [`of_uses`] wrote.
pub(super) fn uses(bytes: &[u8]) -> Result<(u64, Option<Timestamp>), Error> {
    let mut lines = Reader::new("uses of a definition", bytes)?;
    let count = number(lines.line()?)?;
    let since = lines.optional()?.map(number).transpose()?;
    Ok((count, since.map(Timestamp::from_millis)))
}

/// Renders a number that is a value of its own.
pub(super) fn of_number(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// Reads a number that is a value of its own.
pub(super) fn number_of(bytes: &[u8]) -> Result<u64, Error> {
    number(std::str::from_utf8(bytes).map_err(|_| corrupt("number", "not UTF-8"))?)
}

/// Reads an instant that is a value of its own.
pub(super) fn instant(bytes: &[u8]) -> Result<Timestamp, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| corrupt("instant", "not UTF-8"))?;
    Ok(Timestamp::from_millis(number(text)?))
}

struct Writer(String);

impl Writer {
    fn new() -> Self {
        let mut writer = Self(String::with_capacity(256));
        writer.line(VERSION);
        writer
    }

    /// Writes a field, which has no line break.
    fn line(&mut self, value: impl Display) -> &mut Self {
        writeln!(self.0, "{value}").expect("memory takes every write");
        self
    }

    fn finish(self, rest: &[u8]) -> Vec<u8> {
        let mut bytes = self.0.into_bytes();
        bytes.extend_from_slice(rest);
        bytes
    }
}

struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(what: &'static str, bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Self { what, rest: bytes };
        match reader.line()? {
            VERSION => Ok(reader),
            version => Err(Error::Corrupt(format!("{what} of version {version:?}; this release knows 1"))),
        }
    }

    fn line(&mut self) -> Result<&'a str, Error> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| corrupt(self.what, "cut off"))?;
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        std::str::from_utf8(line).map_err(|_| corrupt(self.what, "not UTF-8"))
    }

    fn optional(&mut self) -> Result<Option<&'a str>, Error> {
        Ok(Some(self.line()?).filter(|line| !line.is_empty()))
    }

    fn rest(self) -> &'a [u8] {
        self.rest
    }
}

fn corrupt(what: &str, text: &str) -> Error {
    Error::Corrupt(format!("{what}: {text}"))
}

fn number<T: FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| corrupt("number", text))
}

fn id<T: FromStr<Err = model::IdError>>(text: &str) -> Result<T, Error> {
    crate::text::id(text)
}

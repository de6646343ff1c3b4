//! What the twin holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use model::{
    AttemptId, BranchPath, CommitId, EventId, ExecutionArn, FencingToken, JsonText, Revision, ScopeKey, Timestamp,
};
use wire::record::{BranchRecord, EndRecord, ExecutionRecord, RecordError};

use super::leftover::Leftover;
use crate::chunks::StoredChunk;
use crate::commit::Committed;
use crate::store::{Error, ExecutionHead, OwnerId, StoredBranch};

#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) executions: BTreeMap<ExecutionArn, Execution>,
    pub(super) timers: Timers,
    /// From the effect's text to the value's.
    pub(super) outbox: BTreeMap<String, String>,
    pub(super) leftovers: VecDeque<Leftover>,
    /// Ended executions by the time of their end.
    pub(super) closed: BTreeSet<(Timestamp, ExecutionArn)>,
    pub(super) sweep: Option<(OwnerId, Timestamp)>,
}

#[derive(Debug)]
pub(super) struct Execution {
    pub(super) record: Vec<u8>,
    pub(super) creation: (CommitId, Committed),
    /// The last commit that was about the execution as a whole, or ended it.
    pub(super) whole: Option<(CommitId, Committed)>,
    pub(super) last_event: EventId,
    /// The time of the last event.
    pub(super) at: Timestamp,
    pub(super) end: Option<Vec<u8>>,
    /// After the end these are leftovers.
    pub(super) branches: BTreeMap<BranchPath, Open>,
    pub(super) scopes: BTreeMap<ScopeKey, Scope>,
    pub(super) history: Vec<Chunk>,
}

#[derive(Debug)]
pub(super) struct Open {
    pub(super) text: Vec<u8>,
    pub(super) revision: Revision,
    pub(super) token: FencingToken,
    pub(super) owner: OwnerId,
    pub(super) leased_until: Timestamp,
    pub(super) commit: (CommitId, Committed),
    pub(super) attempt: Option<AttemptId>,
    pub(super) scope: Option<ScopeKey>,
    pub(super) timers: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) is_awake: bool,
    pub(super) completions: Vec<(EventId, Vec<u8>)>,
    pub(super) results: BTreeMap<u32, ChildResult>,
    pub(super) items: Vec<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct ChildResult {
    /// The child's last commit, unless it ended within its parent's.
    pub(super) commit: Option<(CommitId, Committed)>,
    pub(super) output: Option<JsonText>,
}

#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) base: EventId,
    pub(super) clamp: Timestamp,
    pub(super) bytes: Vec<u8>,
}

impl Chunk {
    pub(super) fn stored(&self) -> StoredChunk<'_> {
        StoredChunk { base: self.base, clamp: self.clamp, bytes: &self.bytes }
    }
}

impl Execution {
    /// Lists the open branches.
    pub(super) fn open(&self) -> impl Iterator<Item = (&BranchPath, &Open)> {
        self.branches.iter().filter(|_| self.end.is_none())
    }

    pub(super) fn head(&self) -> Result<ExecutionHead, Error> {
        let record = Arc::new(ExecutionRecord::decode(&self.record).map_err(corrupt)?);
        let end = self.end.as_deref().map(EndRecord::decode).transpose().map_err(corrupt)?;
        let end = end.map(|end| (end.end, end.at.max(self.at)));
        Ok(ExecutionHead { record, last_event: self.last_event, end })
    }
}

impl Open {
    pub(super) fn stored(&self) -> Result<StoredBranch, Error> {
        let mut record = BranchRecord::decode(&self.text).map_err(corrupt)?;
        record.settle(self.commit.1.base);
        Ok(StoredBranch {
            record,
            revision: self.revision,
            token: self.token,
            owner: self.owner.clone(),
            leased_until: self.leased_until,
        })
    }
}

/// Is a sorted set: each timer has one instant.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Timestamp, String)>,
    by_name: BTreeMap<String, Timestamp>,
}

impl Timers {
    pub(super) fn set(&mut self, name: String, at: Timestamp) {
        self.remove(&name);
        self.by_time.insert((at, name.clone()));
        self.by_name.insert(name, at);
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some(at) = self.by_name.remove(name) {
            self.by_time.remove(&(at, name.to_owned()));
        }
    }

    /// Removes a timer unless it was set to another instant meanwhile.
    pub(super) fn remove_if(&mut self, name: &str, at: Timestamp) {
        if self.by_name.get(name) == Some(&at) {
            self.remove(name);
        }
    }

    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, &str)> {
        self.by_time.iter().take_while(move |(at, _)| *at <= now).map(|(at, name)| (*at, name.as_str()))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn corrupt(error: RecordError) -> Error {
    Error::Corrupt(error.chain())
}

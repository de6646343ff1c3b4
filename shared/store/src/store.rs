//! What the rest of Stepwell knows of a store.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use model::{
    ActivityArn, BranchPath, EventId, ExecutionArn, ExecutionEnd, ExecutionStatus, FencingToken, HistoryEvent,
    JsonText, Revision, ScopeKey, StateMachineArn, Timestamp,
};
use runtime::watch;
use wire::record::{
    BranchRecord, CompletionRecord, DefinitionHash, ExecutionRecord, PublishedRecord, RecordError, StateMachineRecord,
};

use crate::commit::{Commit, CommitOutcome, OutboxEntry, OutboxKey, TimerKey};
use crate::resource::{ActivityTask, ExecutionQuery, Resource, ResourceKey, ResourceQuery};

/// Keeps executions. Twins: memory and Redis; one behaviour suite runs on both.
///
/// All keys of an execution lie in its partition; nothing here writes to two partitions at once. Reading never takes a lease.
#[async_trait]
pub trait ExecutionStore: Send + Sync + 'static {
    /// Tells how many partitions there are, fixed when the store was first used.
    fn partitions(&self) -> u32;

    /// Watches whether the store can be reached.
    fn connection(&self) -> watch::Receiver<bool>;

    /// Creates a resource; if one of this name exists, gives that and writes nothing.
    ///
    /// # Errors
    /// `Error` when the store can't be reached or refuses.
    async fn create_resource(&self, key: &ResourceKey, resource: &Resource) -> Result<Option<Resource>, Error>;

    /// Reads a resource.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn resource(&self, key: &ResourceKey) -> Result<Option<Resource>, Error>;

    /// Replaces a resource that is at the revision seen, or removes it where there is no `next`; tells whether it was at that revision.
    /// What was asked for and not answered may have been made: repeating it then tells false.
    ///
    /// # Errors
    /// `Error` when the store can't be reached or refuses.
    async fn replace_resource(&self, key: &ResourceKey, seen: Revision, next: Option<&Resource>)
    -> Result<bool, Error>;

    /// Lists resources of a partition.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn list_resources(
        &self,
        partition: u32,
        query: &ResourceQuery,
    ) -> Result<Vec<(ResourceKey, Resource)>, Error>;

    /// Keeps a definition's text under its hash, for something in a partition that is to refer to it. It is removed once nothing in any
    /// partition has referred to it for a while; from then on a creation that refers to it is refused.
    ///
    /// # Errors
    /// `Error` when the store can't be reached or refuses.
    async fn put_definition(&self, partition: u32, hash: &DefinitionHash, text: &str) -> Result<(), Error>;

    /// Reads a definition's text by its hash.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn definition(&self, hash: &DefinitionHash) -> Result<Option<Arc<str>>, Error>;

    /// Lists executions of a state machine that lie in a partition, with the times of their start, or of their end if they have ended,
    /// as a commit under way may show them or not.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn list_executions(
        &self,
        partition: u32,
        query: &ExecutionQuery,
    ) -> Result<Vec<(Timestamp, ExecutionArn)>, Error>;

    /// Counts the executions of a status that lie in a partition and are listed under an ARN (`ExecutionRecord::listed_under`).
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn count_executions(&self, partition: u32, listed_under: &str, status: ExecutionStatus)
    -> Result<u64, Error>;

    /// Puts a task into the queue of its activity; one that is there already stays as it is.
    ///
    /// # Errors
    /// `Error` when the store can't be reached or refuses.
    async fn offer_activity_task(&self, task: &ActivityTask) -> Result<(), Error>;

    /// Gives the task that has been in the queue of an activity for longest, and hides it for so long: who is given it drops it once the
    /// worker has it, or else it is given to another.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn claim_activity_task(&self, activity: &ActivityArn, millis: u32) -> Result<Option<ActivityTask>, Error>;

    /// Shows a task that was claimed to others again, at once.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn return_activity_task(&self, task: &ActivityTask) -> Result<(), Error>;

    /// Takes a task out of the queue of its activity.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn drop_activity_task(&self, task: &ActivityTask) -> Result<(), Error>;

    /// Makes one commit.
    ///
    /// # Errors
    /// `Error::Unavailable` also where the commit may have been made: repeat it under its id.
    async fn commit(&self, commit: &Commit) -> Result<CommitOutcome, Error>;

    /// Reads what is publicly known of an execution.
    ///
    /// # Errors
    /// `Error` when the store can't be reached or the record can't be read.
    async fn execution(&self, arn: &ExecutionArn) -> Result<Option<ExecutionHead>, Error>;

    /// Reads an execution and one of its open branches in one round trip. A closed branch is `None`.
    ///
    /// # Errors
    /// As for `execution`.
    async fn load(
        &self,
        arn: &ExecutionArn,
        branch: &BranchPath,
    ) -> Result<Option<(ExecutionHead, Option<StoredBranch>)>, Error>;

    /// Reads open branches in order of their paths: all of them, or those within a scope at any depth. Of more than `most` it gives
    /// the last ones; a branch comes before those within it, so none is given without all of these.
    ///
    /// # Errors
    /// As for `execution`.
    async fn open_branches(
        &self,
        arn: &ExecutionArn,
        within: Option<&ScopeKey>,
        most: usize,
    ) -> Result<Vec<StoredBranch>, Error>;

    /// Reads the join record of an open scope: completions after the first `taken`, and up to `items_max` items from
    /// `items_from` on.
    ///
    /// # Errors
    /// As for `execution`.
    async fn join(
        &self,
        arn: &ExecutionArn,
        scope: &ScopeKey,
        taken: u32,
        items_from: u32,
        items_max: u32,
    ) -> Result<Join, Error>;

    /// Reads the outputs of the children 0 to `total - 1` of an open scope, all of which succeeded.
    ///
    /// # Errors
    /// As for `execution`; `Error::Corrupt` if one is missing.
    async fn results(&self, arn: &ExecutionArn, scope: &ScopeKey, total: u32) -> Result<Vec<JsonText>, Error>;

    /// Lists executions of a partition that have not ended, in no order, about a hundred at a time; `cursor` is 0 at first, then
    /// what the last answer gave, until that is 0 again. One that starts or ends meanwhile may be missing or listed.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn open_executions(&self, partition: u32, cursor: u64) -> Result<(Vec<ExecutionArn>, u64), Error>;

    /// Reads a page of the history.
    ///
    /// # Errors
    /// As for `execution`; an execution that does not exist has no events.
    async fn history(&self, arn: &ExecutionArn, query: HistoryQuery) -> Result<HistoryPage, Error>;

    /// Lists timers of a partition that are due at `now`, the oldest first.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn due_timers(
        &self,
        partition: u32,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TimerKey, Timestamp)>, Error>;

    /// Drops timers that proved stale.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn drop_timers(&self, partition: u32, timers: &[(TimerKey, Timestamp)]) -> Result<(), Error>;

    /// Lists a part of a partition's outbox, in no order; `cursor` is 0 at first, then what the last answer gave, until that is 0 again.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn outbox(&self, partition: u32, cursor: u64) -> Result<(Vec<OutboxEntry>, u64), Error>;

    /// Clears entries of the outbox: their effects have left.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn clear_outbox(&self, partition: u32, keys: &[OutboxKey]) -> Result<(), Error>;

    /// Takes or renews the lease of a partition's sweeps; tells whether this owner has it.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn hold_sweep(&self, partition: u32, owner: &OwnerId, millis: u32) -> Result<bool, Error>;

    /// Gives the lease of a partition's sweeps back, if this owner has it.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn release_sweep(&self, partition: u32, owner: &OwnerId) -> Result<(), Error>;

    /// Says that this owner is alive, for so long.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn announce(&self, owner: &OwnerId, millis: u32) -> Result<(), Error>;

    /// Lists the owners that are alive.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn live_owners(&self) -> Result<BTreeSet<OwnerId>, Error>;

    /// Removes a bounded batch of what closed scopes and ended executions of a partition left over (records, timers), and of
    /// ended executions that are kept no longer, those that ended first; tells whether there is more.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn clean_up(&self, partition: u32, retention: &Retention) -> Result<bool, Error>;

    /// Tells how many bytes the ended executions of a partition take: the records and history chunks written for them.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn ended_bytes(&self, partition: u32) -> Result<u64, Error>;

    /// Tells the store's time, by which leases and outbox entries are judged.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn time(&self) -> Result<Timestamp, Error>;

    /// Tells whether the store is filled over its high-water mark: new executions are to be refused.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    async fn is_over_high_water(&self) -> Result<bool, Error>;

    /// Creates a state machine, its definition stored first under its hash; if one of this name exists, gives that and writes nothing else.
    ///
    /// # Errors
    /// `Error` when the store can't be reached or refuses.
    async fn create_state_machine(&self, record: &StateMachineRecord) -> Result<Option<StateMachineRecord>, Error> {
        let key = ResourceKey::state_machine(&record.arn);
        self.put_definition(key.partition(self.partitions()), &record.hash, &record.definition).await?;
        let resource = Resource::new(record.encode()).of_definitions([&record.hash]);
        match self.create_resource(&key, &resource).await? {
            Some(existing) => {
                let record = StateMachineRecord::decode(&existing.record).map_err(|error| corrupt(&error))?;
                Ok(Some(with_definition(self, record).await?))
            }
            None => Ok(None),
        }
    }

    /// Reads a state machine.
    ///
    /// # Errors
    /// `Error` when the store can't be reached or the record can't be read.
    async fn state_machine(&self, arn: &StateMachineArn) -> Result<Option<StateMachineRecord>, Error> {
        Ok(self.state_machine_at(arn).await?.map(|(record, _)| record))
    }

    /// Reads a state machine and the revision of its record.
    ///
    /// # Errors
    /// As for `state_machine`.
    async fn state_machine_at(&self, arn: &StateMachineArn) -> Result<Option<(StateMachineRecord, Revision)>, Error> {
        let mut looks = LOOKS_MAX;
        loop {
            let Some((record, revision)) = self.state_machine_alone(arn).await? else { return Ok(None) };
            looks -= 1;
            match with_definition(self, record).await {
                Ok(record) => return Ok(Some((record, revision))),
                // It may have had another one since, and the first one been removed.
                Err(Error::Corrupt(_)) if looks > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads a state machine without the text of its definition, which is empty in what it gives, and the revision of its record.
    ///
    /// # Errors
    /// As for `state_machine`.
    async fn state_machine_alone(
        &self,
        arn: &StateMachineArn,
    ) -> Result<Option<(StateMachineRecord, Revision)>, Error> {
        let Some(resource) = self.resource(&ResourceKey::state_machine(arn)).await? else { return Ok(None) };
        let record = StateMachineRecord::decode(&resource.record).map_err(|error| corrupt(&error))?;
        Ok(Some((record, resource.revision)))
    }

    /// Replaces a state machine that is at the revision seen, its definition stored first; tells whether it was at that revision.
    ///
    /// # Errors
    /// `Error` when the store can't be reached or refuses.
    async fn replace_state_machine(&self, seen: Revision, next: &StateMachineRecord) -> Result<bool, Error> {
        let key = ResourceKey::state_machine(&next.arn);
        self.put_definition(key.partition(self.partitions()), &next.hash, &next.definition).await?;
        let resource = Resource::following(seen, next.encode()).of_definitions([&next.hash]);
        self.replace_resource(&key, seen, Some(&resource)).await
    }

    /// Reads what was published of a state machine, and the revision of that.
    ///
    /// # Errors
    /// `Error` when the store can't be reached or the record can't be read.
    async fn published(&self, arn: &StateMachineArn) -> Result<Option<(PublishedRecord, Revision)>, Error> {
        let Some(resource) = self.resource(&ResourceKey::published(arn)).await? else { return Ok(None) };
        let record = PublishedRecord::decode(&resource.record).map_err(|error| corrupt(&error))?;
        Ok(Some((record, resource.revision)))
    }

    /// Writes what is published of a state machine in place of what was seen, of which nothing is that there was none; gives its
    /// revision if that is how it was. The definitions of new versions must have been put in its partition.
    ///
    /// # Errors
    /// `Error` when the store can't be reached or refuses.
    async fn publish(
        &self,
        arn: &StateMachineArn,
        seen: Option<Revision>,
        next: &PublishedRecord,
    ) -> Result<Option<Revision>, Error> {
        let key = ResourceKey::published(arn);
        let definitions = next.versions.iter().map(|version| &version.hash);
        let (resource, is_written) = match seen {
            Some(seen) => {
                let resource = Resource::following(seen, next.encode()).of_definitions(definitions);
                let is_written = self.replace_resource(&key, seen, Some(&resource)).await?;
                (resource, is_written)
            }
            None => {
                let resource = Resource::new(next.encode()).of_definitions(definitions);
                let is_written = self.create_resource(&key, &resource).await?.is_none();
                (resource, is_written)
            }
        };
        Ok(is_written.then_some(resource.revision))
    }
}

/// How often a state machine is read whose definition is not there.
const LOOKS_MAX: usize = 3;

/// Puts the definition into a record that was read.
async fn with_definition<S: ExecutionStore + ?Sized>(
    store: &S,
    mut record: StateMachineRecord,
) -> Result<StateMachineRecord, Error> {
    let missing = || Error::Corrupt(format!("definition {} of {} is missing", record.hash, record.arn));
    record.definition = store.definition(&record.hash).await?.ok_or_else(missing)?;
    Ok(record)
}

fn corrupt(error: &RecordError) -> Error {
    Error::Corrupt(error.chain())
}

/// Says what of a partition is kept that nobody needs to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long ended executions are kept, in milliseconds since their end.
    pub millis: u64,
    /// How many bytes of them, the latest; nothing bounds them where absent.
    pub bytes: Option<u64>,
    /// How long those of type EXPRESS are kept instead, in milliseconds since their end.
    pub express_millis: u64,
    /// How long definitions are kept, in milliseconds since something referred to them or they were put.
    pub unused_millis: u64,
}

/// Is a store that many share.
pub type SharedStore = Arc<dyn ExecutionStore>;

/// Names a coordinator process, anew at each start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub Arc<str>);

impl fmt::Display for OwnerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Is what is publicly known of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionHead {
    /// What never changes.
    pub record: Arc<ExecutionRecord>,
    /// The id of its last event.
    pub last_event: EventId,
    /// How it ended, and when; nothing while it is running.
    pub end: Option<(ExecutionEnd, Timestamp)>,
}

/// Is an open branch as stored, its references settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBranch {
    /// The record.
    pub record: BranchRecord,
    /// Its revision.
    pub revision: Revision,
    /// Its fencing token.
    pub token: FencingToken,
    /// Who holds the lease, or held it last.
    pub owner: OwnerId,
    /// When the lease ends or ended, by the store's clock.
    pub leased_until: Timestamp,
}

/// Is what a join record holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Join {
    /// Completions, their references settled.
    pub completions: Vec<CompletionRecord>,
    /// Items.
    pub items: Vec<JsonText>,
}

/// Asks for a page of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Where to go on: what the last page gave; nothing for the first.
    pub cursor: Option<HistoryCursor>,
    /// At most so many events; at least 1.
    pub limit: usize,
    /// From the last to the first.
    pub reverse: bool,
}

/// Is a place in a history that paging goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryCursor {
    /// The next event to give.
    pub event: EventId,
    /// Where the store finds it.
    pub chunk: u64,
}

/// Is a page of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// The events.
    pub events: Vec<HistoryEvent>,
    /// Where the next page begins, if there is one.
    pub next: Option<HistoryCursor>,
}

/// Says why the store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It can't be reached, or did not answer in time. A write may have been made.
    #[error("reach the store: {0}")]
    Unavailable(String),
    /// It has no room: nothing was written.
    #[error("write to the store: it is full: {0}")]
    Full(String),
    /// What it holds can't be read.
    #[error("read a record of the store: {0}")]
    Corrupt(String),
    /// It is set up in a way that would lose data, or that does not fit.
    #[error("use the store: {0}")]
    Unfit(String),
}

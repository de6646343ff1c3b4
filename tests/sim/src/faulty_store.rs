//! A store that fails as a real one may, and that checks the invariants after every commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use model::{ActivityArn, BranchPath, ExecutionArn, ExecutionStatus, JsonText, Revision, ScopeKey, Timestamp};
use runtime::{Runtime, watch};
use store::{
    ActivityTask, Commit, CommitOutcome, Error, ExecutionHead, ExecutionQuery, ExecutionStore, HistoryPage,
    HistoryQuery, Join, OutboxEntry, OutboxKey, OwnerId, Resource, ResourceKey, ResourceQuery, Retention, SharedStore,
    StoredBranch, TimerKey,
};
use wire::record::DefinitionHash;

use crate::chaos::{Chaos, Fate};
use crate::checker::Checker;

/// Is one simulated process's way to the store.
pub struct FaultyStore {
    inner: SharedStore,
    runtime: Runtime,
    chaos: Chaos,
    checker: Arc<Checker>,
}

impl FaultyStore {
    /// Wraps the store for the process that `runtime` stands for.
    pub fn new(inner: SharedStore, runtime: Runtime, chaos: Chaos, checker: Arc<Checker>) -> Self {
        Self { inner, runtime, chaos, checker }
    }

    /// Holds an effect up, and fails it at times.
    async fn reach(&self, effect: &str) -> Result<(), Error> {
        self.chaos.delay(&self.runtime).await;
        if !self.chaos.has_store() {
            return Err(unavailable());
        }
        match self.chaos.fate(&self.runtime, effect) {
            Fate::Refused | Fate::AnswerLost => Err(unavailable()),
            Fate::CrashBefore | Fate::CrashAfter => self.chaos.crash(&self.runtime).await,
            Fate::Made | Fate::Repeated => Ok(()),
        }
    }

    async fn commit_checked(&self, commit: &Commit) -> Result<CommitOutcome, Error> {
        let outcome = self.inner.commit(commit).await?;
        self.checker.after(commit, &outcome).await;
        Ok(outcome)
    }
}

fn unavailable() -> Error {
    Error::Unavailable("simulated".to_owned())
}

#[async_trait]
impl ExecutionStore for FaultyStore {
    async fn commit(&self, commit: &Commit) -> Result<CommitOutcome, Error> {
        self.chaos.delay(&self.runtime).await;
        if !self.chaos.has_store() {
            return Err(unavailable());
        }
        match self.chaos.fate(&self.runtime, "commit") {
            Fate::Made => self.commit_checked(commit).await,
            Fate::Repeated => {
                let first = self.commit_checked(commit).await?;
                let second = self.commit_checked(commit).await?;
                self.checker.repeated(commit, &first, &second);
                Ok(second)
            }
            Fate::Refused => Err(unavailable()),
            Fate::AnswerLost => self.commit_checked(commit).await.and_then(|_| Err(unavailable())),
            Fate::CrashBefore => self.chaos.crash(&self.runtime).await,
            Fate::CrashAfter => {
                self.commit_checked(commit).await?;
                self.chaos.crash(&self.runtime).await
            }
        }
    }

    fn partitions(&self) -> u32 {
        self.inner.partitions()
    }

    fn connection(&self) -> watch::Receiver<bool> {
        self.inner.connection()
    }

    async fn create_resource(&self, key: &ResourceKey, resource: &Resource) -> Result<Option<Resource>, Error> {
        self.reach("create a resource").await?;
        self.inner.create_resource(key, resource).await
    }

    async fn resource(&self, key: &ResourceKey) -> Result<Option<Resource>, Error> {
        self.reach("read a resource").await?;
        self.inner.resource(key).await
    }

    async fn replace_resource(
        &self,
        key: &ResourceKey,
        seen: Revision,
        next: Option<&Resource>,
    ) -> Result<bool, Error> {
        self.reach("replace a resource").await?;
        self.inner.replace_resource(key, seen, next).await
    }

    async fn list_resources(
        &self,
        partition: u32,
        query: &ResourceQuery,
    ) -> Result<Vec<(ResourceKey, Resource)>, Error> {
        self.reach("list resources").await?;
        self.inner.list_resources(partition, query).await
    }

    async fn put_definition(&self, partition: u32, hash: &DefinitionHash, text: &str) -> Result<(), Error> {
        self.reach("write a definition").await?;
        self.inner.put_definition(partition, hash, text).await
    }

    async fn list_executions(
        &self,
        partition: u32,
        query: &ExecutionQuery,
    ) -> Result<Vec<(Timestamp, ExecutionArn)>, Error> {
        self.reach("list executions").await?;
        self.inner.list_executions(partition, query).await
    }

    async fn count_executions(
        &self,
        partition: u32,
        listed_under: &str,
        status: ExecutionStatus,
    ) -> Result<u64, Error> {
        self.reach("count executions").await?;
        self.inner.count_executions(partition, listed_under, status).await
    }

    async fn offer_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        self.reach("offer an activity task").await?;
        self.inner.offer_activity_task(task).await
    }

    async fn claim_activity_task(&self, activity: &ActivityArn, millis: u32) -> Result<Option<ActivityTask>, Error> {
        self.reach("claim an activity task").await?;
        self.inner.claim_activity_task(activity, millis).await
    }

    async fn return_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        self.reach("return an activity task").await?;
        self.inner.return_activity_task(task).await
    }

    async fn drop_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        self.reach("drop an activity task").await?;
        self.inner.drop_activity_task(task).await
    }

    async fn definition(&self, hash: &DefinitionHash) -> Result<Option<Arc<str>>, Error> {
        self.reach("read a definition").await?;
        self.inner.definition(hash).await
    }

    async fn execution(&self, arn: &ExecutionArn) -> Result<Option<ExecutionHead>, Error> {
        self.reach("read an execution").await?;
        self.inner.execution(arn).await
    }

    async fn load(
        &self,
        arn: &ExecutionArn,
        branch: &BranchPath,
    ) -> Result<Option<(ExecutionHead, Option<StoredBranch>)>, Error> {
        self.reach("load").await?;
        self.inner.load(arn, branch).await
    }

    async fn open_branches(
        &self,
        arn: &ExecutionArn,
        within: Option<&ScopeKey>,
        most: usize,
    ) -> Result<Vec<StoredBranch>, Error> {
        self.reach("list open branches").await?;
        self.inner.open_branches(arn, within, most).await
    }

    async fn open_executions(&self, partition: u32, cursor: u64) -> Result<(Vec<ExecutionArn>, u64), Error> {
        self.reach("list open executions").await?;
        self.inner.open_executions(partition, cursor).await
    }

    async fn join(
        &self,
        arn: &ExecutionArn,
        scope: &ScopeKey,
        taken: u32,
        items_from: u32,
        items_max: u32,
    ) -> Result<Join, Error> {
        self.reach("read a join").await?;
        self.inner.join(arn, scope, taken, items_from, items_max).await
    }

    async fn results(&self, arn: &ExecutionArn, scope: &ScopeKey, total: u32) -> Result<Vec<JsonText>, Error> {
        self.reach("read results").await?;
        self.inner.results(arn, scope, total).await
    }

    async fn history(&self, arn: &ExecutionArn, query: HistoryQuery) -> Result<HistoryPage, Error> {
        self.reach("read a history").await?;
        self.inner.history(arn, query).await
    }

    async fn due_timers(
        &self,
        partition: u32,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TimerKey, Timestamp)>, Error> {
        self.reach("list due timers").await?;
        self.inner.due_timers(partition, now, limit).await
    }

    async fn drop_timers(&self, partition: u32, timers: &[(TimerKey, Timestamp)]) -> Result<(), Error> {
        self.reach("drop timers").await?;
        self.inner.drop_timers(partition, timers).await
    }

    async fn outbox(&self, partition: u32, cursor: u64) -> Result<(Vec<OutboxEntry>, u64), Error> {
        self.reach("list the outbox").await?;
        self.inner.outbox(partition, cursor).await
    }

    async fn clear_outbox(&self, partition: u32, keys: &[OutboxKey]) -> Result<(), Error> {
        self.reach("clear the outbox").await?;
        self.inner.clear_outbox(partition, keys).await
    }

    async fn hold_sweep(&self, partition: u32, owner: &OwnerId, millis: u32) -> Result<bool, Error> {
        self.reach("hold a sweep").await?;
        self.inner.hold_sweep(partition, owner, millis).await
    }

    async fn announce(&self, owner: &OwnerId, millis: u32) -> Result<(), Error> {
        self.reach("announce").await?;
        self.inner.announce(owner, millis).await
    }

    async fn release_sweep(&self, partition: u32, owner: &OwnerId) -> Result<(), Error> {
        self.reach("give a sweep back").await?;
        self.inner.release_sweep(partition, owner).await
    }

    async fn live_owners(&self) -> Result<BTreeSet<OwnerId>, Error> {
        self.reach("ask who lives").await?;
        self.inner.live_owners().await
    }

    async fn clean_up(&self, partition: u32, retention: &Retention) -> Result<bool, Error> {
        self.reach("clean up").await?;
        self.inner.clean_up(partition, retention).await
    }

    async fn ended_bytes(&self, partition: u32) -> Result<u64, Error> {
        self.reach("ask what ended executions take").await?;
        self.inner.ended_bytes(partition).await
    }

    async fn time(&self) -> Result<Timestamp, Error> {
        self.reach("ask for the time").await?;
        self.inner.time().await
    }

    async fn is_over_high_water(&self) -> Result<bool, Error> {
        self.reach("ask how full it is").await?;
        self.inner.is_over_high_water().await
    }
}

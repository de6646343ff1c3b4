//! The store within one process: the rules over whatever keeps the entries.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use model::{ActivityArn, BranchPath, ExecutionArn, ExecutionStatus, JsonText, Revision, ScopeKey, Timestamp};
use runtime::{Runtime, watch};
use wire::record::DefinitionHash;

use crate::commit::{Commit, CommitOutcome, OutboxEntry, OutboxKey, Refusal, TimerKey};
use crate::resource::{ActivityTask, ExecutionQuery, Resource, ResourceKey, ResourceQuery};
use crate::rules::{self, Map, Prepared, View};
use crate::store::{
    Error, ExecutionHead, ExecutionStore, HistoryPage, HistoryQuery, Join, OwnerId, Retention, StoredBranch,
};

/// Keeps the entries of a [`LocalStore`], and runs what reads and writes them.
pub trait Keeper: Send + Sync + 'static {
    /// Runs what only reads, on one consistent view.
    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn View) -> Result<T, Error> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send;

    /// Runs what writes, as a whole or not at all; the answer comes once that is kept. The work is run again where a first run had to
    /// be given up.
    fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Map) -> Result<T, Error> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send;

    /// Watches whether entries can be read and written.
    fn connection(&self) -> watch::Receiver<bool>;

    /// Tells whether it is filled over its high-water mark.
    fn is_over_high_water(&self) -> bool;

    /// Tells whether a commit about this execution is to be refused as if another process had been faster.
    fn is_contended(&self, _execution: &ExecutionArn) -> bool {
        false
    }

    /// Learns that a resource is about to be read.
    fn reads(&self, _key: &ResourceKey) {}
}

/// Is a store within one process. Clones are handles on the same one.
///
/// Who is alive and who sweeps is not kept: whoever had it is gone with the process.
pub struct LocalStore<K> {
    shared: Arc<Shared<K>>,
}

struct Shared<K> {
    keeper: K,
    runtime: Runtime,
    partitions: u32,
    incarnation: Arc<str>,
    alive_until: Mutex<BTreeMap<OwnerId, Timestamp>>,
    /// Who sweeps a partition, and until when.
    sweeps: Mutex<BTreeMap<u32, (OwnerId, Timestamp)>>,
}

impl<K> Clone for LocalStore<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K> std::fmt::Debug for LocalStore<K> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "LocalStore({})", self.shared.incarnation)
    }
}

impl<K: Keeper> LocalStore<K> {
    pub(crate) fn over(keeper: K, runtime: Runtime, partitions: u32, incarnation: Arc<str>) -> Self {
        let (alive_until, sweeps) = Default::default();
        let shared = Shared { keeper, runtime, partitions: partitions.max(1), incarnation, alive_until, sweeps };
        Self { shared: Arc::new(shared) }
    }

    /// Names this store: another one, or one that lost its data, has another name.
    pub fn incarnation(&self) -> Arc<str> {
        Arc::clone(&self.shared.incarnation)
    }

    /// Renders all that the store holds, for comparing what it held before and after.
    ///
    /// # Errors
    /// `Error` when the store can't be reached.
    pub async fn dump(&self) -> Result<String, Error> {
        self.shared.keeper.read(rules::dump).await
    }

    pub(crate) fn keeper(&self) -> &K {
        &self.shared.keeper
    }

    fn now(&self) -> Timestamp {
        self.shared.runtime.now()
    }

    fn check_partition(&self, partition: u32) -> Result<(), Error> {
        if partition < self.shared.partitions {
            return Ok(());
        }
        Err(Error::Unfit(format!("there is no partition {partition}")))
    }

    /// Fails while the store can't be reached.
    fn check_connection(&self) -> Result<(), Error> {
        if *self.shared.keeper.connection().borrow() {
            return Ok(());
        }
        Err(Error::Unavailable("nothing can be kept at the moment".to_owned()))
    }

    /// Reads a list of a partition.
    async fn list<T: Send + 'static>(
        &self,
        partition: u32,
        work: impl FnOnce(&dyn View) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.check_partition(partition)?;
        self.shared.keeper.read(work).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl<K: Keeper> ExecutionStore for LocalStore<K> {
    fn partitions(&self) -> u32 {
        self.shared.partitions
    }

    fn connection(&self) -> watch::Receiver<bool> {
        self.shared.keeper.connection()
    }

    async fn create_resource(&self, key: &ResourceKey, resource: &Resource) -> Result<Option<Resource>, Error> {
        let (partition, key, resource) = (key.partition(self.shared.partitions), key.clone(), resource.clone());
        let now = self.now();
        self.shared.keeper.write(move |map| rules::create_resource(map, partition, &key, &resource, now)).await
    }

    async fn resource(&self, key: &ResourceKey) -> Result<Option<Resource>, Error> {
        self.shared.keeper.reads(key);
        let (partition, key) = (key.partition(self.shared.partitions), key.clone());
        self.shared.keeper.read(move |view| rules::resource(view, partition, &key)).await
    }

    async fn replace_resource(
        &self,
        key: &ResourceKey,
        seen: Revision,
        next: Option<&Resource>,
    ) -> Result<bool, Error> {
        let (place, key, next) = ((key.partition(self.shared.partitions), self.now()), key.clone(), next.cloned());
        let work = move |map: &mut dyn Map| rules::replace_resource(map, place, &key, seen, next.as_ref());
        self.shared.keeper.write(work).await
    }

    async fn list_resources(
        &self,
        partition: u32,
        query: &ResourceQuery,
    ) -> Result<Vec<(ResourceKey, Resource)>, Error> {
        let query = query.clone();
        self.list(partition, move |view| rules::resources(view, partition, &query)).await
    }

    async fn put_definition(&self, partition: u32, hash: &DefinitionHash, text: &str) -> Result<(), Error> {
        self.check_partition(partition)?;
        let (hash, text, now) = (hash.clone(), text.to_owned(), self.now());
        self.shared.keeper.write(move |map| rules::put_definition(map, &hash, &text, now)).await
    }

    async fn list_executions(
        &self,
        partition: u32,
        query: &ExecutionQuery,
    ) -> Result<Vec<(Timestamp, ExecutionArn)>, Error> {
        let query = query.clone();
        self.list(partition, move |view| rules::executions(view, partition, &query)).await
    }

    async fn count_executions(
        &self,
        partition: u32,
        listed_under: &str,
        status: ExecutionStatus,
    ) -> Result<u64, Error> {
        let under = listed_under.to_owned();
        self.list(partition, move |view| rules::count_executions(view, partition, &under, status)).await
    }

    async fn offer_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        let (task, now) = (task.clone(), self.now());
        self.shared.keeper.write(move |map| rules::offer_task(map, &task, now)).await
    }

    async fn claim_activity_task(&self, activity: &ActivityArn, millis: u32) -> Result<Option<ActivityTask>, Error> {
        let (activity, now) = (activity.clone(), self.now());
        let until = now.plus_millis(millis.into());
        self.shared.keeper.write(move |map| rules::claim_task(map, &activity, now, until)).await
    }

    async fn return_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        let (task, now) = (task.clone(), self.now());
        self.shared.keeper.write(move |map| rules::return_task(map, &task, now)).await
    }

    async fn drop_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        let task = task.clone();
        self.shared.keeper.write(move |map| rules::drop_task(map, &task)).await
    }

    async fn definition(&self, hash: &DefinitionHash) -> Result<Option<Arc<str>>, Error> {
        let hash = hash.clone();
        self.shared.keeper.read(move |view| rules::definition(view, &hash)).await
    }

    async fn commit(&self, commit: &Commit) -> Result<CommitOutcome, Error> {
        let prepared = match Prepared::new(commit, self.shared.partitions, self.now())? {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(CommitOutcome::Refused(refusal)),
        };
        if self.shared.keeper.is_contended(&commit.execution) {
            return Ok(CommitOutcome::Refused(Refusal::Stale));
        }
        self.shared.keeper.write(move |map| prepared.make(map)).await
    }

    async fn execution(&self, arn: &ExecutionArn) -> Result<Option<ExecutionHead>, Error> {
        let arn = arn.clone();
        self.shared.keeper.read(move |view| rules::execution(view, &arn)).await
    }

    async fn load(
        &self,
        arn: &ExecutionArn,
        branch: &BranchPath,
    ) -> Result<Option<(ExecutionHead, Option<StoredBranch>)>, Error> {
        let (arn, branch) = (arn.clone(), branch.clone());
        self.shared.keeper.read(move |view| rules::load(view, &arn, &branch)).await
    }

    async fn open_branches(
        &self,
        arn: &ExecutionArn,
        within: Option<&ScopeKey>,
        most: usize,
    ) -> Result<Vec<StoredBranch>, Error> {
        let (arn, within) = (arn.clone(), within.cloned());
        self.shared.keeper.read(move |view| rules::open_branches(view, &arn, within.as_ref(), most)).await
    }

    async fn join(
        &self,
        arn: &ExecutionArn,
        scope: &ScopeKey,
        taken: u32,
        items_from: u32,
        items_max: u32,
    ) -> Result<Join, Error> {
        let (arn, scope) = (arn.clone(), scope.clone());
        self.shared.keeper.read(move |view| rules::join(view, &arn, &scope, taken, items_from, items_max)).await
    }

    async fn results(&self, arn: &ExecutionArn, scope: &ScopeKey, total: u32) -> Result<Vec<JsonText>, Error> {
        let (arn, scope) = (arn.clone(), scope.clone());
        self.shared.keeper.read(move |view| rules::results(view, &arn, &scope, total)).await
    }

    async fn open_executions(&self, partition: u32, cursor: u64) -> Result<(Vec<ExecutionArn>, u64), Error> {
        self.list(partition, move |view| rules::open_executions(view, partition, cursor)).await
    }

    async fn history(&self, arn: &ExecutionArn, query: HistoryQuery) -> Result<HistoryPage, Error> {
        let arn = arn.clone();
        self.shared.keeper.read(move |view| rules::history(view, &arn, &query)).await
    }

    async fn due_timers(
        &self,
        partition: u32,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TimerKey, Timestamp)>, Error> {
        self.list(partition, move |view| rules::due_timers(view, partition, now, limit)).await
    }

    async fn drop_timers(&self, partition: u32, timers: &[(TimerKey, Timestamp)]) -> Result<(), Error> {
        self.check_partition(partition)?;
        let timers = timers.to_vec();
        self.shared.keeper.write(move |map| rules::drop_timers(map, partition, &timers)).await
    }

    async fn outbox(&self, partition: u32, cursor: u64) -> Result<(Vec<OutboxEntry>, u64), Error> {
        self.list(partition, move |view| rules::outbox(view, partition, cursor)).await
    }

    async fn clear_outbox(&self, partition: u32, keys: &[OutboxKey]) -> Result<(), Error> {
        self.check_partition(partition)?;
        let keys = keys.to_vec();
        self.shared.keeper.write(move |map| rules::clear_outbox(map, partition, &keys)).await
    }

    async fn hold_sweep(&self, partition: u32, owner: &OwnerId, millis: u32) -> Result<bool, Error> {
        self.check_partition(partition)?;
        self.check_connection()?;
        let now = self.now();
        let mut sweeps = lock(&self.shared.sweeps);
        let is_free = sweeps.get(&partition).is_none_or(|(holder, until)| holder == owner || *until <= now);
        if is_free {
            sweeps.insert(partition, (owner.clone(), now.plus_millis(millis.into())));
        }
        Ok(is_free)
    }

    async fn release_sweep(&self, partition: u32, owner: &OwnerId) -> Result<(), Error> {
        self.check_partition(partition)?;
        self.check_connection()?;
        let mut sweeps = lock(&self.shared.sweeps);
        if sweeps.get(&partition).is_some_and(|(holder, _)| holder == owner) {
            sweeps.remove(&partition);
        }
        Ok(())
    }

    async fn announce(&self, owner: &OwnerId, millis: u32) -> Result<(), Error> {
        self.check_connection()?;
        let now = self.now();
        let mut alive_until = lock(&self.shared.alive_until);
        alive_until.retain(|_, until| *until > now);
        alive_until.insert(owner.clone(), now.plus_millis(millis.into()));
        Ok(())
    }

    async fn live_owners(&self) -> Result<BTreeSet<OwnerId>, Error> {
        self.check_connection()?;
        let now = self.now();
        let alive_until = lock(&self.shared.alive_until);
        Ok(alive_until.iter().filter(|(_, until)| **until > now).map(|(owner, _)| owner.clone()).collect())
    }

    async fn clean_up(&self, partition: u32, retention: &Retention) -> Result<bool, Error> {
        self.check_partition(partition)?;
        let (now, retention) = (self.now(), *retention);
        self.shared.keeper.write(move |map| rules::clean_up(map, partition, &retention, now)).await
    }

    async fn ended_bytes(&self, partition: u32) -> Result<u64, Error> {
        self.list(partition, move |view| rules::ended_bytes(view, partition)).await
    }

    async fn time(&self) -> Result<Timestamp, Error> {
        self.check_connection()?;
        Ok(self.now())
    }

    async fn is_over_high_water(&self) -> Result<bool, Error> {
        self.check_connection()?;
        Ok(self.shared.keeper.is_over_high_water())
    }
}

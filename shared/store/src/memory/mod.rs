//! The twin in memory: the semantics of the store in plain Rust, for one process and for the simulator.
//!
//! It keeps records in their text forms, so that whatever is read has been through the formats. All handles share one store,
//! as processes share one Redis; nothing in it depends on chance or on the order of a hash map.

mod commit;
mod leftover;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use model::{ActivityArn, BranchPath, ExecutionArn, ExecutionStatus, JsonText, Revision, ScopeKey, Timestamp};
use runtime::{Runtime, watch};
use wire::record::{CompletionRecord, DefinitionHash, ItemsRecord};

use crate::bounds::{COMPLETIONS_MAX, ITEMS_PER_GROUP};
use crate::chunks::Pager;
use crate::commit::{Commit, CommitOutcome, OutboxEntry, OutboxKey, TimerKey};
use crate::resource::{ActivityTask, ExecutionQuery, Resource, ResourceKey, ResourceQuery};
use crate::store::{Error, ExecutionHead, ExecutionStore, HistoryPage, HistoryQuery, Join, OwnerId, StoredBranch};
use crate::{bounds, text};
use state::{Execution, Partition, corrupt};

/// How many entries one reading of the outbox or of the open executions gives.
const SCAN: usize = 100;

/// Is a store in memory. Clones are handles on the same one.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: Runtime,
    connected: watch::Sender<bool>,
    incarnation: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    partitions: Vec<Partition>,
    definitions: BTreeMap<DefinitionHash, Arc<str>>,
    resources: BTreeMap<ResourceKey, Resource>,
    /// The tasks of activities, each with when it was or will be seen.
    activity_tasks: BTreeMap<ActivityArn, Vec<(Timestamp, ActivityTask)>>,
    alive_until: BTreeMap<OwnerId, Timestamp>,
    is_over_high_water: bool,
}

impl MemoryStore {
    /// Makes an empty store of so many partitions (at least 1), whose clock is the runtime's.
    pub fn new(runtime: Runtime, partitions: u32) -> Self {
        let state = State {
            partitions: (0..partitions.max(1)).map(|_| Partition::default()).collect(),
            definitions: BTreeMap::new(),
            resources: BTreeMap::new(),
            activity_tasks: BTreeMap::new(),
            alive_until: BTreeMap::new(),
            is_over_high_water: false,
        };
        let incarnation = runtime.uuid().into();
        let connected = watch::Sender::new(true);
        Self { shared: Arc::new(Shared { runtime, connected, incarnation, state: Mutex::new(state) }) }
    }

    /// Makes the store unreachable, or reachable again, for all handles. What it holds stays.
    pub fn set_connected(&self, connected: bool) {
        self.shared.connected.send_replace(connected);
    }

    /// Says that the store is filled over its high-water mark, or is not any more.
    pub fn set_over_high_water(&self, is_over: bool) {
        self.lock().is_over_high_water = is_over;
    }

    /// Renders all that the store holds, for comparing what it held before and after.
    pub fn dump(&self) -> String {
        format!("{:#?}", *self.lock())
    }

    /// Names this store: another one, or one that lost its data, has another name.
    pub fn incarnation(&self) -> Arc<str> {
        Arc::clone(&self.shared.incarnation)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, Error> {
        if *self.shared.connected.borrow() {
            Ok(self.lock())
        } else {
            Err(Error::Unavailable("the store in memory was disconnected".to_owned()))
        }
    }

    fn now(&self) -> Timestamp {
        self.shared.runtime.now()
    }
}

impl State {
    fn count(&self) -> u32 {
        u32::try_from(self.partitions.len()).expect("the count came as a u32")
    }

    fn partition(&mut self, index: u32) -> Result<&mut Partition, Error> {
        let missing = || Error::Unfit(format!("there is no partition {index}"));
        self.partitions.get_mut(usize::try_from(index).map_err(|_| missing())?).ok_or_else(missing)
    }

    fn of(&mut self, arn: &ExecutionArn) -> Result<&mut Partition, Error> {
        let index = arn.partition(self.count());
        self.partition(index)
    }

    fn execution(&mut self, arn: &ExecutionArn) -> Result<Option<&Execution>, Error> {
        Ok(self.of(arn)?.executions.get(arn))
    }
}

#[async_trait]
impl ExecutionStore for MemoryStore {
    fn partitions(&self) -> u32 {
        self.lock().count()
    }

    fn connection(&self) -> watch::Receiver<bool> {
        self.shared.connected.subscribe()
    }

    async fn create_resource(&self, key: &ResourceKey, resource: &Resource) -> Result<Option<Resource>, Error> {
        let mut state = self.state()?;
        if let Some(existing) = state.resources.get(key) {
            return Ok(Some(existing.clone()));
        }
        state.resources.insert(key.clone(), resource.clone());
        Ok(None)
    }

    async fn resource(&self, key: &ResourceKey) -> Result<Option<Resource>, Error> {
        Ok(self.state()?.resources.get(key).cloned())
    }

    async fn replace_resource(
        &self,
        key: &ResourceKey,
        seen: Revision,
        next: Option<&Resource>,
    ) -> Result<bool, Error> {
        let mut state = self.state()?;
        if state.resources.get(key).is_none_or(|resource| resource.revision != seen) {
            return Ok(false);
        }
        match next {
            Some(next) => state.resources.insert(key.clone(), next.clone()),
            None => state.resources.remove(key),
        };
        Ok(true)
    }

    async fn list_resources(
        &self,
        partition: u32,
        query: &ResourceQuery,
    ) -> Result<Vec<(ResourceKey, Resource)>, Error> {
        let state = self.state()?;
        let count = state.count();
        let comes_after = |key: &ResourceKey| query.after.as_ref().is_none_or(|after| key.arn > *after);
        let found = state.resources.iter().filter(|(key, _)| key.kind == query.kind && key.place() == &*query.place);
        let found = found.filter(|(key, _)| key.partition(count) == partition && comes_after(key));
        Ok(found.map(|(key, resource)| (key.clone(), resource.clone())).take(query.limit).collect())
    }

    async fn put_definition(&self, hash: &DefinitionHash, text: &str) -> Result<(), Error> {
        self.state()?.definitions.entry(hash.clone()).or_insert_with(|| text.into());
        Ok(())
    }

    async fn list_executions(
        &self,
        partition: u32,
        query: &ExecutionQuery,
    ) -> Result<Vec<(Timestamp, ExecutionArn)>, Error> {
        let mut state = self.state()?;
        let mut found = Vec::new();
        for (arn, execution) in &state.partition(partition)?.executions {
            let head = execution.head()?;
            let place = (head.record.started_at, arn.clone());
            let status = head.end.as_ref().map_or(ExecutionStatus::Running, |(end, _)| end.status);
            if head.record.state_machine == query.state_machine
                && query.status.is_none_or(|wanted| wanted == status)
                && query.after.as_ref().is_none_or(|after| place < *after)
            {
                found.push(place);
            }
        }
        found.sort_by(|one, other| other.cmp(one));
        found.truncate(query.limit);
        Ok(found)
    }

    async fn offer_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        let now = self.now();
        let mut state = self.state()?;
        let queue = state.activity_tasks.entry(task.activity.clone()).or_default();
        if !queue.iter().any(|(_, queued)| queued == task) {
            queue.push((now, task.clone()));
        }
        Ok(())
    }

    async fn claim_activity_task(&self, activity: &ActivityArn, millis: u32) -> Result<Option<ActivityTask>, Error> {
        let now = self.now();
        let mut state = self.state()?;
        let Some(queue) = state.activity_tasks.get_mut(activity) else { return Ok(None) };
        let first = queue.iter_mut().filter(|(at, _)| *at <= now).min_by_key(|(at, _)| *at);
        Ok(first.map(|(at, task)| {
            *at = now.plus_millis(millis.into());
            task.clone()
        }))
    }

    async fn return_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        let now = self.now();
        let mut state = self.state()?;
        let queue = state.activity_tasks.get_mut(&task.activity);
        if let Some((at, _)) = queue.and_then(|queue| queue.iter_mut().find(|(_, queued)| queued == task)) {
            *at = now;
        }
        Ok(())
    }

    async fn drop_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        if let Some(queue) = self.state()?.activity_tasks.get_mut(&task.activity) {
            queue.retain(|(_, queued)| queued != task);
        }
        Ok(())
    }

    async fn definition(&self, hash: &DefinitionHash) -> Result<Option<Arc<str>>, Error> {
        Ok(self.state()?.definitions.get(hash).cloned())
    }

    async fn commit(&self, commit: &Commit) -> Result<CommitOutcome, Error> {
        let now = self.now();
        let mut state = self.state()?;
        bounds::check_records(commit)?;
        state.of(&commit.execution)?.commit(commit, now)
    }

    async fn execution(&self, arn: &ExecutionArn) -> Result<Option<ExecutionHead>, Error> {
        self.state()?.execution(arn)?.map(Execution::head).transpose()
    }

    async fn load(
        &self,
        arn: &ExecutionArn,
        branch: &BranchPath,
    ) -> Result<Option<(ExecutionHead, Option<StoredBranch>)>, Error> {
        let mut state = self.state()?;
        let Some(execution) = state.execution(arn)? else { return Ok(None) };
        let open = execution.open().find(|(path, _)| *path == branch);
        Ok(Some((execution.head()?, open.map(|(_, open)| open.stored()).transpose()?)))
    }

    async fn open_branches(&self, arn: &ExecutionArn, within: Option<&ScopeKey>) -> Result<Vec<StoredBranch>, Error> {
        let mut state = self.state()?;
        let Some(execution) = state.execution(arn)? else { return Ok(Vec::new()) };
        let wanted = |path: &BranchPath| within.is_none_or(|scope| path.is_within(scope));
        execution.open().filter(|(path, _)| wanted(path)).map(|(_, open)| open.stored()).collect()
    }

    async fn join(
        &self,
        arn: &ExecutionArn,
        scope: &ScopeKey,
        taken: u32,
        items_from: u32,
        items_max: u32,
    ) -> Result<Join, Error> {
        let mut state = self.state()?;
        let found = state.execution(arn)?.and_then(|execution| execution.scopes.get(scope));
        let Some(scope) = found else { return Ok(Join::default()) };
        let mut join = Join::default();
        for (base, text) in scope.completions.iter().skip(taken as usize).take(COMPLETIONS_MAX) {
            let mut completion = CompletionRecord::decode(text).map_err(corrupt)?;
            completion.settle(*base);
            join.completions.push(completion);
        }
        let (from, most) = (items_from as usize, items_max as usize);
        let groups = scope.items.iter().skip(from / ITEMS_PER_GROUP);
        for group in groups.take(most.div_ceil(ITEMS_PER_GROUP) + 1) {
            join.items.extend(ItemsRecord::decode(group).map_err(corrupt)?.items);
        }
        join.items.drain(..(from % ITEMS_PER_GROUP).min(join.items.len()));
        join.items.truncate(most);
        Ok(join)
    }

    async fn results(&self, arn: &ExecutionArn, scope: &ScopeKey, total: u32) -> Result<Vec<JsonText>, Error> {
        let mut state = self.state()?;
        let found = state.execution(arn)?.and_then(|execution| execution.scopes.get(scope));
        let missing = |index| Error::Corrupt(format!("result {index} of scope {scope} of {arn} is missing"));
        let output = |index| found.and_then(|found| found.results.get(&index)?.output.clone());
        (0..total).map(|index| output(index).ok_or_else(|| missing(index))).collect()
    }

    async fn open_executions(&self, partition: u32, cursor: u64) -> Result<(Vec<ExecutionArn>, u64), Error> {
        let mut state = self.state()?;
        let partition = state.partition(partition)?;
        let all = partition.executions.iter().filter(|(_, execution)| execution.end.is_none());
        Ok(scan(all.map(|(arn, _)| arn.clone()), cursor))
    }

    async fn history(&self, arn: &ExecutionArn, query: HistoryQuery) -> Result<HistoryPage, Error> {
        let mut state = self.state()?;
        let chunks = state.execution(arn)?.map_or(&[][..], |execution| &execution.history);
        let count = chunks.len() as u64;
        let mut pager = Pager::new(&query, count);
        let mut next = Pager::first(&query, count);
        while let Some((index, chunk)) = next.and_then(|index| Some((index, chunks.get(usize::try_from(index).ok()?)?)))
        {
            let wants_more = pager.take(index, &chunk.stored())?;
            next = pager.following(index).filter(|_| wants_more);
        }
        Ok(pager.finish())
    }

    async fn due_timers(
        &self,
        partition: u32,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TimerKey, Timestamp)>, Error> {
        let mut state = self.state()?;
        let due = state.partition(partition)?.timers.due(now);
        due.take(limit).map(|(at, timer)| Ok((text::parse_timer(timer)?, at))).collect()
    }

    async fn drop_timers(&self, partition: u32, timers: &[(TimerKey, Timestamp)]) -> Result<(), Error> {
        let mut state = self.state()?;
        let partition = state.partition(partition)?;
        for (key, at) in timers {
            partition.timers.remove_if(&text::timer(key), *at);
        }
        Ok(())
    }

    async fn outbox(&self, partition: u32, cursor: u64) -> Result<(Vec<OutboxEntry>, u64), Error> {
        let mut state = self.state()?;
        let (entries, next) = scan(state.partition(partition)?.outbox.iter(), cursor);
        let parsed: Result<Vec<_>, _> =
            entries.into_iter().map(|(effect, value)| text::parse_entry(effect, value)).collect();
        Ok((parsed?, next))
    }

    async fn clear_outbox(&self, partition: u32, keys: &[OutboxKey]) -> Result<(), Error> {
        let mut state = self.state()?;
        let partition = state.partition(partition)?;
        for key in keys {
            partition.outbox.remove(&text::effect(&key.execution, &key.effect));
        }
        Ok(())
    }

    async fn hold_sweep(&self, partition: u32, owner: &OwnerId, millis: u32) -> Result<bool, Error> {
        let now = self.now();
        let mut state = self.state()?;
        let sweep = &mut state.partition(partition)?.sweep;
        let is_free = sweep.as_ref().is_none_or(|(holder, until)| holder == owner || *until <= now);
        if is_free {
            *sweep = Some((owner.clone(), now.plus_millis(millis.into())));
        }
        Ok(is_free)
    }

    async fn announce(&self, owner: &OwnerId, millis: u32) -> Result<(), Error> {
        let until = self.now().plus_millis(millis.into());
        self.state()?.alive_until.insert(owner.clone(), until);
        Ok(())
    }

    async fn is_alive(&self, owner: &OwnerId) -> Result<bool, Error> {
        let now = self.now();
        Ok(self.state()?.alive_until.get(owner).is_some_and(|until| *until > now))
    }

    async fn clean_up(&self, partition: u32, retention_millis: u64) -> Result<bool, Error> {
        let now = self.now();
        let kept_from = now.plus_millis(0_i64.saturating_sub_unsigned(retention_millis));
        Ok(self.state()?.partition(partition)?.clean_up(kept_from))
    }

    async fn time(&self) -> Result<Timestamp, Error> {
        drop(self.state()?);
        Ok(self.now())
    }

    async fn is_over_high_water(&self) -> Result<bool, Error> {
        Ok(self.state()?.is_over_high_water)
    }
}

/// Gives a part of a list; the cursor counts what was given before.
fn scan<T>(all: impl Iterator<Item = T>, cursor: u64) -> (Vec<T>, u64) {
    let mut rest = all.skip(usize::try_from(cursor).unwrap_or(usize::MAX)).peekable();
    let part: Vec<T> = rest.by_ref().take(SCAN).collect();
    let next = if rest.peek().is_some() { cursor + part.len() as u64 } else { 0 };
    (part, next)
}

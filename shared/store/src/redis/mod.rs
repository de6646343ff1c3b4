//! Redis: one script a commit, one slot a partition. `docs/formats/redis.md` describes the keys.
//!
//! ```text
//!  commit ──► packed (one call, few arguments) ──► Link ──► scripts/commit.lua: check, then write
//!                                                   └────► WAIT for replicas, one for a group of commits
//! ```

mod config;
mod connect;
mod definitions;
mod keys;
mod link;
mod meta;
mod packed;
mod read;
mod replicas;
mod resources;
mod script;
mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lru::LruCache;
use model::{ActivityArn, BranchPath, ExecutionArn, ExecutionStatus, JsonText, Revision, ScopeKey, Timestamp};
use redis::Cmd;
use runtime::{Runtime, watch};
use wire::record::{DefinitionHash, ItemsRecord};

pub use config::{RedisConfig, RedisMode};
use keys::Keys;
use link::Link;
use read::{Bytes, HEAD};
use replicas::Replicas;
use script::{CLEAN_UP, DROP_TIMERS, HOLD, MEMBERS};

use crate::bounds::{COMPLETIONS_MAX, ITEMS_PER_GROUP};
use crate::chunks::Pager;
use crate::commit::{Commit, CommitOutcome, OutboxEntry, OutboxKey, TimerKey};
use crate::resource::{ActivityTask, ExecutionQuery, Resource, ResourceKey, ResourceQuery};
use crate::store::{
    Error, ExecutionHead, ExecutionStore, HistoryPage, HistoryQuery, Join, OwnerId, Retention, StoredBranch,
};
use crate::text;

/// How many entries one scan of a hash or set asks for.
const SCAN: usize = 100;
/// How many fields one command reads: each may be a payload of 256 KiB.
const FIELDS: usize = 64;
/// How many chunks of a history one command reads.
const CHUNKS: u64 = 64;
/// Definitions never change under their hash; a cache of so many saves reading up to 1 MiB at every start of an execution.
const DEFINITIONS: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not 0");
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Is a store on Redis.
pub struct RedisStore {
    link: Arc<Link>,
    keys: Keys,
    replicas: Option<Replicas>,
    definitions: Mutex<LruCache<DefinitionHash, Arc<str>>>,
}

impl RedisStore {
    /// Connects, checks that Redis fits, and keeps the connection up from then on.
    ///
    /// # Errors
    /// `Error::Unavailable` if it can't be reached, `Error::Unfit` if it would lose data or holds a store of another shape; its text says what to
    /// change.
    pub async fn open(config: RedisConfig, runtime: Runtime) -> Result<Self, Error> {
        let partitions = config.partitions;
        if partitions == 0 {
            return Err(Error::Unfit("redis.partitions is 0: set it to at least 1".to_owned()));
        }
        let keys = Keys::new(&config.prefix, partitions);
        let replicas_min = config.replicas_min;
        let link = Link::open(config, runtime.clone()).await?;
        let replicas = (replicas_min > 0).then(|| Replicas::start(&link, &runtime));
        Ok(Self { link, keys, replicas, definitions: Mutex::new(LruCache::new(DEFINITIONS)) })
    }

    /// Does what [`RedisStore::open`] does, again and again while Redis can't be reached.
    ///
    /// # Errors
    /// As for `open`, without `Error::Unavailable`.
    pub async fn open_patiently(config: RedisConfig, runtime: Runtime) -> Result<Self, Error> {
        let mut pause = RETRY_MIN;
        loop {
            match Self::open(config.clone(), runtime.clone()).await {
                Err(Error::Unavailable(reason)) => {
                    tracing::warn!(url = config.shown_url(), reason, "waiting for Redis (setting redis.url)");
                    runtime.sleep(runtime.jittered(pause)).await;
                    pause = (pause * 2).min(RETRY_MAX);
                }
                other => return other,
            }
        }
    }

    /// Names this store: another one, or one that lost its data, has another name.
    pub fn incarnation(&self) -> Arc<str> {
        Arc::clone(&self.link.meta().incarnation)
    }

    /// Tells how many queues carry events, fixed when the store was first used.
    pub fn events_queues(&self) -> u32 {
        self.link.meta().events_queues
    }

    fn partition(&self, number: u32) -> Result<&str, Error> {
        self.keys.partition(number).ok_or_else(|| Error::Unfit(format!("there is no partition {number}")))
    }

    fn definitions(&self) -> MutexGuard<'_, LruCache<DefinitionHash, Arc<str>>> {
        self.definitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until enough replicas have what was written under the key's tag.
    async fn replicated(&self, tag: &str) -> Result<(), Error> {
        match &self.replicas {
            Some(replicas) => replicas.have(tag).await,
            None => Ok(()),
        }
    }

    /// Reads fields of an execution, its head first.
    async fn fields(&self, arn: &ExecutionArn, more: &[String]) -> Result<Vec<Bytes>, Error> {
        let mut cmd = command("HMGET", &self.keys.execution(arn));
        for field in HEAD.into_iter().chain(more.iter().map(String::as_str)) {
            cmd.arg(field);
        }
        self.link.run(&cmd).await
    }

    /// Lists the paths of an execution's open branches.
    async fn open_paths(&self, arn: &ExecutionArn) -> Result<Vec<BranchPath>, Error> {
        let key = self.keys.execution(arn);
        let (mut fields, mut cursor) = (BTreeMap::new(), 0_u64);
        loop {
            let mut cmd = command("HSCAN", &key);
            cmd.arg(cursor).arg("MATCH").arg("b:*").arg("COUNT").arg(10 * SCAN);
            let (next, page): (u64, Vec<(String, Vec<u8>)>) = self.link.run(&cmd).await?;
            fields.extend(page);
            cursor = next;
            if cursor == 0 {
                return read::paths(&fields);
            }
        }
    }
}

fn command(name: &str, key: &str) -> Cmd {
    let mut cmd = redis::cmd(name);
    cmd.arg(key);
    cmd
}

#[async_trait]
impl ExecutionStore for RedisStore {
    fn partitions(&self) -> u32 {
        self.keys.partition_count()
    }

    fn connection(&self) -> watch::Receiver<bool> {
        self.link.connection()
    }

    async fn create_resource(&self, key: &ResourceKey, resource: &Resource) -> Result<Option<Resource>, Error> {
        self.create_resource_once(key, resource).await
    }

    async fn resource(&self, key: &ResourceKey) -> Result<Option<Resource>, Error> {
        self.read_resource(key).await
    }

    async fn replace_resource(
        &self,
        key: &ResourceKey,
        seen: Revision,
        next: Option<&Resource>,
    ) -> Result<bool, Error> {
        self.replace_resource_at(key, seen, next).await
    }

    async fn list_resources(
        &self,
        partition: u32,
        query: &ResourceQuery,
    ) -> Result<Vec<(ResourceKey, Resource)>, Error> {
        self.list_resources_of(partition, query).await
    }

    async fn list_executions(
        &self,
        partition: u32,
        query: &ExecutionQuery,
    ) -> Result<Vec<(Timestamp, ExecutionArn)>, Error> {
        self.list_executions_of(partition, query).await
    }

    async fn count_executions(
        &self,
        partition: u32,
        listed_under: &str,
        status: ExecutionStatus,
    ) -> Result<u64, Error> {
        self.count_executions_of(partition, listed_under, status).await
    }

    async fn offer_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        self.offer_task(task).await
    }

    async fn claim_activity_task(&self, activity: &ActivityArn, millis: u32) -> Result<Option<ActivityTask>, Error> {
        self.claim_task(activity, millis).await
    }

    async fn return_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        self.return_task(task).await
    }

    async fn drop_activity_task(&self, task: &ActivityTask) -> Result<(), Error> {
        self.drop_task(task).await
    }

    async fn put_definition(&self, partition: u32, hash: &DefinitionHash, text: &str) -> Result<(), Error> {
        self.keep_definition(partition, hash, text).await
    }

    async fn definition(&self, hash: &DefinitionHash) -> Result<Option<Arc<str>>, Error> {
        self.read_definition(hash).await
    }

    async fn commit(&self, commit: &Commit) -> Result<CommitOutcome, Error> {
        let cmd = match packed::pack(&self.keys, commit) {
            Ok(cmd) => cmd,
            Err(refusal) => return Ok(CommitOutcome::Refused(refusal)),
        };
        let partition = self.keys.of(&commit.execution);
        let answer: String = self.link.script(&script::COMMIT, partition, &cmd).await?;
        let outcome = packed::outcome(&answer)?;
        if matches!(outcome, CommitOutcome::Committed(_)) {
            self.replicated(partition).await?;
        }
        Ok(outcome)
    }

    async fn execution(&self, arn: &ExecutionArn) -> Result<Option<ExecutionHead>, Error> {
        read::head(&self.fields(arn, &[]).await?)
    }

    async fn load(
        &self,
        arn: &ExecutionArn,
        branch: &BranchPath,
    ) -> Result<Option<(ExecutionHead, Option<StoredBranch>)>, Error> {
        let fields = self.fields(arn, &[format!("b:{branch}"), format!("d:{branch}")]).await?;
        let Some(head) = read::head(&fields)? else { return Ok(None) };
        let open = match (read::is_running(&fields), &fields[HEAD.len()..]) {
            (true, [header, record]) => read::branch(header, record)?,
            _ => None,
        };
        Ok(Some((head, open)))
    }

    async fn open_branches(
        &self,
        arn: &ExecutionArn,
        within: Option<&ScopeKey>,
        most: usize,
    ) -> Result<Vec<StoredBranch>, Error> {
        let mut paths = self.open_paths(arn).await?;
        paths.retain(|path| within.is_none_or(|scope| path.is_within(scope)));
        paths.drain(..paths.len().saturating_sub(most));
        let mut branches = Vec::with_capacity(paths.len());
        for batch in paths.chunks(FIELDS / 2) {
            let wanted: Vec<_> = batch.iter().flat_map(|path| [format!("b:{path}"), format!("d:{path}")]).collect();
            let fields = self.fields(arn, &wanted).await?;
            if !read::is_running(&fields) {
                return Ok(Vec::new());
            }
            for pair in fields[HEAD.len()..].chunks_exact(2) {
                branches.extend(read::branch(&pair[0], &pair[1])?);
            }
        }
        Ok(branches)
    }

    async fn join(
        &self,
        arn: &ExecutionArn,
        scope: &ScopeKey,
        taken: u32,
        items_from: u32,
        items_max: u32,
    ) -> Result<Join, Error> {
        let (from, most) = (items_from as usize, items_max as usize);
        let first = from / ITEMS_PER_GROUP;
        let last = if most == 0 { None } else { Some((from + most - 1) / ITEMS_PER_GROUP) };
        let taken = taken as usize;
        let mut read = redis::pipe();
        read.cmd("LRANGE").arg(self.keys.completions(arn, scope)).arg(taken).arg(taken + COMPLETIONS_MAX - 1);
        if let Some(last) = last {
            read.cmd("LRANGE").arg(self.keys.items(arn, scope)).arg(first).arg(last);
        }
        let mut answers: Vec<Vec<Vec<u8>>> = self.link.pipeline(&read).await?;
        let groups = if last.is_some() { answers.pop().unwrap_or_default() } else { Vec::new() };
        let completions = answers.pop().unwrap_or_default();
        let mut join = Join::default();
        for element in &completions {
            join.completions.push(read::completion(element)?);
        }
        for group in &groups {
            join.items.extend(ItemsRecord::decode(group).map_err(|error| read::corrupt(&error))?.items);
        }
        join.items.drain(..(from % ITEMS_PER_GROUP).min(join.items.len()));
        join.items.truncate(most);
        Ok(join)
    }

    async fn results(&self, arn: &ExecutionArn, scope: &ScopeKey, total: u32) -> Result<Vec<JsonText>, Error> {
        let missing = |index| Error::Corrupt(format!("result {index} of scope {scope} of {arn} is missing"));
        let key = self.keys.results(arn, scope);
        let indexes: Vec<u32> = (0..total).collect();
        let mut results = Vec::with_capacity(indexes.len());
        for batch in indexes.chunks(FIELDS) {
            let mut cmd = command("HMGET", &key);
            cmd.arg(batch);
            let found: Vec<Bytes> = self.link.run(&cmd).await?;
            for (index, element) in batch.iter().zip(found) {
                let element = element.ok_or_else(|| missing(*index))?;
                let output = read::output(&element)?.ok_or_else(|| missing(*index))?;
                results.push(JsonText::trusted(output));
            }
        }
        Ok(results)
    }

    async fn open_executions(&self, partition: u32, cursor: u64) -> Result<(Vec<ExecutionArn>, u64), Error> {
        let mut cmd = command("SSCAN", &format!("{}open", self.partition(partition)?));
        cmd.arg(cursor).arg("COUNT").arg(SCAN);
        let (next, page): (u64, BTreeSet<String>) = self.link.run(&cmd).await?;
        Ok((page.iter().map(|arn| text::execution(arn)).collect::<Result<_, _>>()?, next))
    }

    async fn history(&self, arn: &ExecutionArn, query: HistoryQuery) -> Result<HistoryPage, Error> {
        let key = self.keys.history(arn);
        let length: u64 = self.link.run(&command("LLEN", &key)).await?;
        // Each chunk is two elements: its header, then its bytes.
        let count = length / 2;
        let mut pager = Pager::new(&query, count);
        let mut next = Pager::first(&query, count);
        while let Some(from) = next {
            let size = CHUNKS.min(query.limit as u64).max(1);
            let (first, last) = if query.reverse {
                ((from + 1).saturating_sub(size), from)
            } else {
                (from, (from + size).min(count) - 1)
            };
            let mut cmd = command("LRANGE", &key);
            cmd.arg(2 * first).arg(2 * last + 1);
            let elements: Vec<Vec<u8>> = self.link.run(&cmd).await?;
            let mut chunks: Vec<(u64, &[Vec<u8>])> = (first..).zip(elements.chunks_exact(2)).collect();
            if query.reverse {
                chunks.reverse();
            }
            next = None;
            for (index, pair) in chunks {
                let wants_more = pager.take(index, &read::chunk(&pair[0], &pair[1])?)?;
                next = pager.following(index).filter(|_| wants_more);
                if !wants_more {
                    break;
                }
            }
        }
        Ok(pager.finish())
    }

    async fn due_timers(
        &self,
        partition: u32,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(TimerKey, Timestamp)>, Error> {
        let mut cmd = command("ZRANGE", &format!("{}timers", self.partition(partition)?));
        cmd.arg("-inf").arg(now.as_millis()).arg("BYSCORE").arg("LIMIT").arg(0).arg(limit).arg("WITHSCORES");
        let due: Vec<(String, f64)> = self.link.run(&cmd).await?;
        #[expect(clippy::cast_possible_truncation, reason = "scores are whole milliseconds, below 2^53")]
        let timer = |(timer, at): (String, f64)| Ok((text::parse_timer(&timer)?, Timestamp::from_millis(at as i64)));
        due.into_iter().map(timer).collect()
    }

    async fn drop_timers(&self, partition: u32, timers: &[(TimerKey, Timestamp)]) -> Result<(), Error> {
        let key = format!("{}timers", self.partition(partition)?);
        for batch in timers.chunks(SCAN) {
            let mut cmd = DROP_TIMERS.call(1);
            cmd.arg(&key);
            for (timer, at) in batch {
                cmd.arg(text::timer(timer)).arg(at.as_millis());
            }
            self.link.script::<()>(&DROP_TIMERS, &key, &cmd).await?;
        }
        Ok(())
    }

    async fn outbox(&self, partition: u32, cursor: u64) -> Result<(Vec<OutboxEntry>, u64), Error> {
        let mut cmd = command("HSCAN", &format!("{}outbox", self.partition(partition)?));
        cmd.arg(cursor).arg("COUNT").arg(SCAN);
        let (next, page): (u64, Vec<(String, String)>) = self.link.run(&cmd).await?;
        let entries = page.iter().map(|(effect, value)| text::parse_entry(effect, value));
        Ok((entries.collect::<Result<_, _>>()?, next))
    }

    async fn clear_outbox(&self, partition: u32, keys: &[OutboxKey]) -> Result<(), Error> {
        let outbox = format!("{}outbox", self.partition(partition)?);
        for batch in keys.chunks(10 * SCAN) {
            let mut cmd = command("HDEL", &outbox);
            for key in batch {
                cmd.arg(text::effect(&key.execution, &key.effect));
            }
            self.link.run::<()>(&cmd).await?;
        }
        Ok(())
    }

    async fn hold_sweep(&self, partition: u32, owner: &OwnerId, millis: u32) -> Result<bool, Error> {
        self.hold(&format!("{}sweep", self.partition(partition)?), owner, millis.max(1)).await
    }

    async fn release_sweep(&self, partition: u32, owner: &OwnerId) -> Result<(), Error> {
        self.hold(&format!("{}sweep", self.partition(partition)?), owner, 0).await.map(|_| ())
    }

    async fn announce(&self, owner: &OwnerId, millis: u32) -> Result<(), Error> {
        let members = self.keys.members();
        let mut cmd = MEMBERS.call(1);
        cmd.arg(&members).arg(millis.max(1)).arg(&*owner.0);
        self.link.script::<Vec<String>>(&MEMBERS, &members, &cmd).await.map(|_| ())
    }

    async fn live_owners(&self) -> Result<BTreeSet<OwnerId>, Error> {
        let members = self.keys.members();
        let mut cmd = MEMBERS.call(1);
        cmd.arg(&members).arg(0);
        let owners: Vec<String> = self.link.script(&MEMBERS, &members, &cmd).await?;
        Ok(owners.into_iter().map(|owner| OwnerId(owner.into())).collect())
    }

    async fn clean_up(&self, partition: u32, retention: &Retention) -> Result<bool, Error> {
        let prefix = self.partition(partition)?;
        let mut cmd = CLEAN_UP.call(8);
        for key in ["cleanup", "closed", "outbox", "timers", "ended", "uses", "unused", "closed_express"] {
            cmd.arg(format!("{prefix}{key}"));
        }
        cmd.arg(prefix).arg(retention.millis).arg(retention.bytes.map_or_else(String::new, |bytes| bytes.to_string()));
        cmd.arg(retention.express_millis);
        Ok(self.link.script(&CLEAN_UP, prefix, &cmd).await?
            || self.remove_unused(partition, retention.unused_millis).await?)
    }

    async fn ended_bytes(&self, partition: u32) -> Result<u64, Error> {
        let bytes: Option<u64> =
            self.link.run(&command("GET", &format!("{}ended", self.partition(partition)?))).await?;
        Ok(bytes.unwrap_or_default())
    }

    async fn time(&self) -> Result<Timestamp, Error> {
        let (seconds, micros): (i64, i64) = self.link.run(&redis::cmd("TIME")).await?;
        Ok(Timestamp::from_millis(seconds * 1_000 + micros / 1_000))
    }

    async fn is_over_high_water(&self) -> Result<bool, Error> {
        self.link.generation()?;
        Ok(self.link.is_over_high_water())
    }
}

impl RedisStore {
    async fn hold(&self, key: &str, owner: &OwnerId, millis: u32) -> Result<bool, Error> {
        let mut cmd = HOLD.call(1);
        cmd.arg(key).arg(&*owner.0).arg(millis);
        self.link.script(&HOLD, key, &cmd).await
    }
}

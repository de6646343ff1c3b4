//! Sweeps: what a coordinator that died, or forgot, left behind. One coordinator sweeps a partition at a time, bounded each round.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use model::Timestamp;
use store::{OutboxEntry, OutboxKey, OwnerId, PendingEffect, Retention};

use super::Inner;
use super::calls::is_recent;
use super::error::chain;
use super::local::Item;

/// How many pages of a partition's outbox a round looks at: the next round goes on, from the start.
const PAGES_MAX: usize = 64;

/// How young an entry is whose committer may not have said yet that it is alive, having just begun.
const BEGINNING: Duration = Duration::from_secs(1);
/// How many batches of left-over records of a partition a round removes.
const CLEANED_MAX: usize = 64;

/// Is the set of partitions that this coordinator sweeps.
#[derive(Debug, Default)]
pub(crate) struct HeldPartitions(Mutex<BTreeSet<u32>>);

impl HeldPartitions {
    fn note(&self, partition: u32, is_held: bool) {
        let mut held = self.held();
        if is_held {
            held.insert(partition);
        } else {
            held.remove(&partition);
        }
    }

    pub(crate) fn list(&self) -> Vec<u32> {
        self.held().iter().copied().collect()
    }

    fn count(&self) -> usize {
        self.held().len()
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is what one round over all partitions shares.
struct Round {
    now: Timestamp,
    /// The coordinators that were alive when it began.
    live: BTreeSet<OwnerId>,
    oldest: AtomicU64,
}

impl Round {
    /// Gives an owner's share of so many partitions: the shares of all that are alive differ by one at most.
    fn share(&self, owner: &OwnerId, partitions: usize) -> usize {
        let live = self.live.len().max(1);
        let place = self.live.iter().take_while(|other| *other < owner).count();
        partitions / live + usize::from(place < partitions % live)
    }
}

impl Inner {
    /// Says now and then that this coordinator is alive.
    pub(super) async fn announce_loop(self: Arc<Self>) {
        let life = millis(self.settings.announce_life);
        loop {
            if let Err(error) = self.store.announce(&self.owner, life).await {
                tracing::debug!(%error, "can't say that this coordinator is alive");
            }
            self.runtime.sleep(self.runtime.jittered(self.settings.announce_every)).await;
        }
    }

    /// Asks now and then whether the store is too full for new executions.
    pub(super) async fn high_water_loop(self: Arc<Self>) {
        loop {
            if let Ok(is_over) = self.store.is_over_high_water().await
                && self.is_over_high_water.swap(is_over, Ordering::Relaxed) != is_over
            {
                tracing::warn!(
                    is_over,
                    "the store's high-water mark is crossed: new executions are refused while over it"
                );
            }
            self.runtime.sleep(self.runtime.jittered(self.settings.high_water_every)).await;
        }
    }

    /// Takes the sweep leases and goes through the outbox.
    pub(super) async fn sweep_loop(self: Arc<Self>) {
        loop {
            match self.new_round().await {
                Ok(round) => {
                    self.share_partitions(&round).await;
                    self.concurrently(self.held_partitions.list(), |partition| self.sweep(partition, &round)).await;
                    let oldest = round.oldest.load(Ordering::Relaxed);
                    // Two drivers of a process share the gauge: it tells of what outlives the process.
                    if !self.settings.express.is_synchronous {
                        self.metrics.outbox_age_millis.set(i64::try_from(oldest).unwrap_or(i64::MAX));
                    }
                }
                Err(error) => tracing::debug!(%error, "can't sweep now"),
            }
            self.runtime.sleep(self.runtime.jittered(self.settings.sweep_every)).await;
        }
    }

    async fn new_round(&self) -> Result<Round, store::Error> {
        let now = self.store.time().await?;
        let mut live = self.store.live_owners().await?;
        live.insert(self.owner.clone());
        Ok(Round { now, live, oldest: AtomicU64::new(0) })
    }

    /// Renews the leases of sweeps that this coordinator has, gives back what is more than its share among those that are alive, and
    /// takes what is free up to its share.
    async fn share_partitions(&self, round: &Round) {
        let share = round.share(&self.owner, self.partitions as usize);
        let mut held = self.held_partitions.list();
        let surplus = held.split_off(share.min(held.len()));
        self.concurrently(held, |partition| self.hold_or_lose(partition)).await;
        for partition in surplus {
            self.held_partitions.note(partition, false);
            if let Err(error) = self.store.release_sweep(partition, &self.owner).await {
                tracing::debug!(partition, %error, "can't give a lease back; it runs out");
            }
        }
        let held = self.held_partitions.list();
        for partition in (0..self.partitions).filter(|partition| !held.contains(partition)) {
            if self.held_partitions.count() >= share {
                return;
            }
            self.hold_or_lose(partition).await;
        }
    }

    async fn hold_or_lose(&self, partition: u32) {
        let is_held = self.holds_sweep(partition).await;
        self.held_partitions.note(partition, is_held);
    }

    /// Takes or renews the lease of a partition's sweeps.
    pub(super) async fn holds_sweep(&self, partition: u32) -> bool {
        let lease = millis(self.settings.sweep_lease);
        self.store.hold_sweep(partition, &self.owner, lease).await.unwrap_or(false)
    }

    /// Does something with partitions, a bounded number at once.
    async fn concurrently<F: Future<Output = ()>>(&self, partitions: Vec<u32>, work: impl Fn(u32) -> F) {
        stream::iter(partitions).for_each_concurrent(self.settings.sweep_parallel.max(1), work).await;
    }

    async fn sweep(self: &Arc<Self>, partition: u32, round: &Round) {
        if let Err(error) = self.sweep_outbox(partition, round).await {
            tracing::debug!(partition, %error, "can't sweep the outbox now");
        }
    }

    async fn sweep_outbox(self: &Arc<Self>, partition: u32, round: &Round) -> Result<(), store::Error> {
        let mut cursor = 0;
        let mut gone = Vec::new();
        for _ in 0..PAGES_MAX {
            let (entries, next) = self.store.outbox(partition, cursor).await?;
            for entry in entries {
                let age = round.now.millis_since(entry.at);
                round.oldest.fetch_max(age, Ordering::Relaxed);
                if self.is_forgotten(partition, &entry, age, round) {
                    gone.extend(self.issue_again(entry, round).await);
                }
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        if !gone.is_empty() {
            self.store.clear_outbox(partition, &gone).await?;
        }
        Ok(())
    }

    /// Tells whether nobody sees to an entry: its committer is dead, or should have seen to it by now.
    fn is_forgotten(&self, partition: u32, entry: &OutboxEntry, age: u64, round: &Round) -> bool {
        let is_orphaned = || u128::from(age) >= BEGINNING.as_millis() && !round.live.contains(&entry.committer);
        if matches!(entry.key.effect, PendingEffect::Export(_)) {
            // A live committer waits for the collector, however long that takes.
            return is_orphaned();
        }
        let grace = self.settings.outbox_grace.as_millis();
        let is_for_broker = matches!(entry.key.effect, PendingEffect::Dispatch(..) | PendingEffect::Notify(_));
        if is_for_broker {
            if !self.is_broker_up() || self.sees_to(partition, &entry.key) {
                return false;
            }
            // After an outage each coordinator publishes its own first.
            let since_up = u128::from(self.runtime.now().millis_since(self.broker_up_at()));
            if u128::from(age) > grace && since_up > grace {
                return true;
            }
        } else if u128::from(age) > grace {
            return true;
        }
        is_orphaned()
    }

    /// Tells whether this coordinator sees to an entry whose effect the broker gets.
    fn sees_to(&self, partition: u32, key: &OutboxKey) -> bool {
        match &key.effect {
            PendingEffect::Dispatch(_, attempt) => self.outgoing.sees_to(partition, *attempt),
            PendingEffect::Notify(_) => self.notices.entries.sees_to(key),
            PendingEffect::Continue(_)
            | PendingEffect::Wake(_)
            | PendingEffect::Export(_)
            | PendingEffect::Started
            | PendingEffect::Ended
            | PendingEffect::Stop(..) => false,
        }
    }

    /// Tells whether an entry is of a call that a live coordinator may be at: a poll takes its time.
    fn leaves_call(&self, resource: &str, at: Timestamp, committer: &OwnerId, round: &Round) -> bool {
        let longest = self.own_call(resource).map(|resource| self.call_longest(&resource));
        longest.is_some_and(|longest| is_recent(at, round.now, longest)) && round.live.contains(committer)
    }

    /// Lets an effect leave again; gives its key if there is nothing to leave any more.
    async fn issue_again(self: &Arc<Self>, entry: OutboxEntry, round: &Round) -> Option<OutboxKey> {
        let OutboxEntry { key, at, committer } = entry;
        let (execution, path) = match &key.effect {
            PendingEffect::Dispatch(path, attempt) => {
                return match self.dispatch_again(&key.execution, path, *attempt).await {
                    Ok(Some(dispatch)) if self.leaves_call(&dispatch.item.resource, at, &committer, round) => None,
                    Ok(Some(dispatch)) => {
                        self.metrics.reissued.inc();
                        self.offer(dispatch);
                        None
                    }
                    Ok(None) => Some(key),
                    Err(error) => {
                        tracing::warn!(execution = %key.execution, branch = %path, trace_id = self.trace_known(&key.execution), error = chain(&error), "can't issue a work item again");
                        None
                    }
                };
            }
            PendingEffect::Continue(path) => (key.execution.clone(), path.clone()),
            PendingEffect::Started => {
                self.proceed(Item::Started(key.execution));
                self.metrics.reissued.inc();
                return None;
            }
            PendingEffect::Ended | PendingEffect::Stop(..) => {
                self.send(&key);
                self.metrics.reissued.inc();
                return None;
            }
            PendingEffect::Wake(scope) => (key.execution.clone(), scope.branch.clone()),
            PendingEffect::Export(spans) => {
                let spans = spans.clone();
                return self.adopt_spans(key, &spans);
            }
            PendingEffect::Notify(_) => return self.notify_again(key).await,
        };
        // A branch that is closed has nothing to go on with, and nothing opens it again.
        match self.store.load(&execution, &path).await {
            Ok(Some((head, Some(_)))) if head.end.is_none() => {
                self.metrics.reissued.inc();
                self.proceed(Item::Resume { execution, branch: path, background: true });
                None
            }
            Ok(_) => Some(key),
            Err(_) => None,
        }
    }

    /// Looks for timers whose coordinator did not fire them.
    pub(super) async fn timers_loop(self: Arc<Self>) {
        loop {
            self.concurrently(self.held_partitions.list(), |partition| self.sweep_timers(partition)).await;
            self.runtime.sleep(self.runtime.jittered(self.settings.timers_every)).await;
        }
    }

    /// Puts the timers that will be due before the next look into the wheel, each a little after its time: until then it is
    /// its own coordinator's.
    async fn sweep_timers(self: &Arc<Self>, partition: u32) {
        let grace = i64::try_from(self.settings.timers_grace.as_millis()).unwrap_or(i64::MAX);
        let ahead = i64::try_from(self.settings.timers_every.as_millis() * 2).unwrap_or(i64::MAX);
        let until = self.runtime.now().plus_millis(ahead);
        match self.store.due_timers(partition, until, self.settings.timers_batch).await {
            Ok(timers) => {
                for (key, due) in timers {
                    self.wheel.set_foreign(key, due, due.plus_millis(grace));
                }
            }
            Err(error) => tracing::debug!(partition, %error, "can't look for timers now"),
        }
    }

    /// Removes what ended executions and closed scopes left over, in batches.
    pub(super) async fn clean_loop(self: Arc<Self>) {
        loop {
            self.runtime.sleep(self.runtime.jittered(self.settings.clean_every)).await;
            if let Err(error) = self.clean().await {
                tracing::debug!(%error, "can't clean up now");
            }
        }
    }

    async fn clean(&self) -> Result<(), store::Error> {
        let millis = u64::try_from(self.settings.retention.as_millis()).unwrap_or(u64::MAX);
        let express_millis = u64::try_from(self.settings.express.retention.as_millis()).unwrap_or(u64::MAX);
        let unused_millis = u64::try_from(self.settings.definitions_unused.as_millis()).unwrap_or(u64::MAX);
        let held = self.held_partitions.list();
        let kept = self.kept_bytes(&held).await?;
        // Memory has to keep up with what ends: nothing else bounds it.
        let most = if self.settings.express.is_synchronous { usize::MAX } else { CLEANED_MAX };
        for (partition, bytes) in held.into_iter().zip(kept) {
            for _ in 0..most {
                if !self.store.clean_up(partition, &Retention { millis, bytes, express_millis, unused_millis }).await? {
                    break;
                }
                // A store in memory answers at once.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Gives the shares of partitions in the bytes that ended executions may take. Nothing bounds them while all together are within
    /// those; then each partition gives up as large a part as the others.
    async fn kept_bytes(&self, partitions: &[u32]) -> Result<Vec<Option<u64>>, store::Error> {
        let Some(most) = self.settings.retention_bytes else { return Ok(vec![None; partitions.len()]) };
        let mut ended = BTreeMap::new();
        for partition in 0..self.partitions {
            ended.insert(partition, u128::from(self.store.ended_bytes(partition).await?));
        }
        let total: u128 = ended.values().sum();
        let share = |partition| {
            let own = ended.get(partition).copied().unwrap_or_default();
            let share = (total > u128::from(most)).then(|| u128::from(most) * own / total);
            share.map(|share| u64::try_from(share).unwrap_or(u64::MAX))
        };
        Ok(partitions.iter().map(share).collect())
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

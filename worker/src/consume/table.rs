//! What is in hand, what was done lately, what was cancelled.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use model::Timestamp;
use telemetry::Gauge;
use tokio::sync::Notify;
use wire::message::{Cancel, Cancelled, WorkItem};

use super::cancels::Cancels;
use super::held::{Held, Key, Share, Why, key_of};

/// How many finished attempts are remembered: several times what can be unacknowledged when a connection breaks.
const FINISHED_MAX: usize = 4_096;

/// Holds what the worker knows of attempts. Nothing here is ever walked in a map's own order.
#[derive(Debug)]
pub(crate) struct Table {
    held: BTreeMap<u64, Arc<Held>>,
    by_key: HashMap<Key, u64>,
    last: u64,
    finished: Finished,
    cancels: Cancels,
    /// Is told when nothing is in hand any more.
    emptied: Arc<Notify>,
    level: Gauge,
}

/// Says what to do with an item that arrived.
#[derive(Debug)]
pub(crate) enum Fate {
    /// Is to be run.
    New(Share),
    /// Was attached to the run that is on.
    Running,
    /// Was reported already, only the acknowledgement was lost.
    Done(Share),
    /// Is not wanted any more.
    Cancelled(Share),
}

impl Table {
    pub(crate) fn new(emptied: Arc<Notify>, level: Gauge) -> Self {
        Self {
            held: BTreeMap::new(),
            by_key: HashMap::new(),
            last: 0,
            finished: Finished::default(),
            cancels: Cancels::default(),
            emptied,
            level,
        }
    }

    pub(crate) fn judge(&self, item: &WorkItem, redeliveries: u32, share: Share) -> Fate {
        let key = key_of(item);
        if let Some(held) = self.by_key.get(&key).and_then(|number| self.held.get(number)) {
            held.attach(share);
            return Fate::Running;
        }
        // Only the broker's own repetition is certain to have been reported: the coordinator repeats what it misses.
        if redeliveries > 0 && self.finished.contains(&key, item.dispatched_at) {
            return Fate::Done(share);
        }
        if self.cancels.cover(item) { Fate::Cancelled(share) } else { Fate::New(share) }
    }

    pub(crate) fn insert(&mut self, held: Arc<Held>) {
        self.last += 1;
        self.by_key.insert(held.key(), self.last);
        self.held.insert(self.last, held);
        self.level.add(1);
    }

    /// Forgets an item that is no longer in hand.
    pub(crate) fn remove(&mut self, held: &Held) {
        let Some(number) = self.by_key.remove(&held.key()) else { return };
        self.held.remove(&number);
        self.level.add(-1);
        if self.held.is_empty() {
            self.emptied.notify_one();
        }
    }

    /// Forgets an item whose report is confirmed, and remembers that.
    pub(crate) fn finish(&mut self, held: &Held) {
        self.remove(held);
        self.finished.push(held.key(), held.item.dispatched_at);
    }

    /// Stops what a cancel names and remembers it. Gives what it stopped.
    pub(crate) fn cancel(&mut self, cancel: &Cancel, now: Timestamp) -> Vec<Arc<Held>> {
        let hit = |held: &&Arc<Held>| covers(cancel, &held.item);
        let stopped: Vec<Arc<Held>> = self.held.values().filter(hit).cloned().collect();
        for held in &stopped {
            held.stop.set(Why::Cancelled);
        }
        self.cancels.push(cancel, now);
        stopped
    }

    pub(crate) fn stop_all(&self, why: Why) {
        for held in self.held.values() {
            held.stop.set(why);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

fn covers(cancel: &Cancel, item: &WorkItem) -> bool {
    cancel.execution == item.execution && within(&cancel.of, item)
}

fn within(of: &Cancelled, item: &WorkItem) -> bool {
    match of {
        Cancelled::Execution => true,
        Cancelled::Scope(scope) => item.branch.is_within(scope),
        Cancelled::Attempt(branch, attempt) => item.branch == *branch && item.attempt == *attempt,
    }
}

#[derive(Debug, Default)]
struct Finished {
    /// By the time of its dispatch, so that one that the coordinator gives out again is another one.
    known: HashSet<(Key, Timestamp)>,
    order: VecDeque<(Key, Timestamp)>,
}

impl Finished {
    fn contains(&self, key: &Key, dispatched_at: Timestamp) -> bool {
        self.known.contains(&(key.clone(), dispatched_at))
    }

    fn push(&mut self, key: Key, dispatched_at: Timestamp) {
        let entry = (key, dispatched_at);
        if !self.known.insert(entry.clone()) {
            return;
        }
        self.order.push_back(entry);
        if self.order.len() > FINISHED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

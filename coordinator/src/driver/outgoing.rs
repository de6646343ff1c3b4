//! What becomes of work items on their way: which wait here, which have left and are still in the outbox, when one was given to the
//! broker again.
//!
//! All of it is memory only. What is lost with the process is in the store's outbox.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use model::{AttemptId, Timestamp};
use store::OutboxKey;
use tokio::sync::Notify;

/// How many attempts' repeated dispatches are remembered: only those that were dispatched more than once.
const REPEATED_KEPT: NonZeroUsize = NonZeroUsize::new(65_536).expect("is not zero");

/// Keeps track of outgoing work items by their attempts' nonces.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pending_max: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// Attempts whose item is on its way to the broker.
    under_way: BTreeSet<u64>,
    /// Items that could not leave, to be tried again.
    pending: VecDeque<(u32, OutboxKey)>,
    pending_attempts: BTreeSet<u64>,
    /// Items that have left since the last clearing, by partition and attempt.
    left: BTreeMap<(u32, u64), OutboxKey>,
    /// Items that had left by then, and are cleared next.
    left_before: BTreeMap<(u32, u64), OutboxKey>,
    repeated: LruCache<u64, Repeated>,
}

/// Is what is remembered of an attempt that was dispatched more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repeated {
    /// When it was last given to it again.
    pub(crate) at: Option<Timestamp>,
    /// How often the reconciler found it lost.
    pub(crate) repairs: u32,
}

impl Outgoing {
    pub(crate) fn new(pending_max: usize) -> Self {
        let state = State {
            under_way: BTreeSet::new(),
            pending: VecDeque::new(),
            pending_attempts: BTreeSet::new(),
            left: BTreeMap::new(),
            left_before: BTreeMap::new(),
            repeated: LruCache::new(REPEATED_KEPT),
        };
        Self { pending_max, state: Mutex::new(state), changed: Notify::new() }
    }

    /// Takes note that an item is on its way; tells whether it is the only one of its attempt.
    pub(crate) fn begin(&self, attempt: AttemptId) -> bool {
        self.state().under_way.insert(attempt.nonce.0)
    }

    /// Takes note that the broker has an item, and its outbox entry may be cleared.
    pub(crate) fn left(&self, partition: u32, key: OutboxKey, attempt: AttemptId) {
        let mut state = self.state();
        // A quick report may have closed the attempt, and dropped the entry, before the confirm came.
        if state.under_way.remove(&attempt.nonce.0) {
            state.left.insert((partition, attempt.nonce.0), key);
        }
    }

    /// Takes note that an item could not leave. Tells whether it is tried again here; if not, the sweep finds it.
    pub(crate) fn keep(&self, partition: u32, key: OutboxKey, attempt: AttemptId) -> bool {
        let mut state = self.state();
        state.under_way.remove(&attempt.nonce.0);
        if state.pending.len() >= self.pending_max {
            return false;
        }
        if state.pending_attempts.insert(attempt.nonce.0) {
            state.pending.push_back((partition, key));
        }
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Takes some of the items that are to be tried again.
    pub(crate) fn take_pending(&self, count: usize) -> Vec<(u32, OutboxKey)> {
        let mut state = self.state();
        let count = count.min(state.pending.len());
        let taken: Vec<(u32, OutboxKey)> = state.pending.drain(..count).collect();
        for (_, key) in &taken {
            if let store::PendingEffect::Dispatch(_, attempt) = &key.effect {
                state.pending_attempts.remove(&attempt.nonce.0);
            }
        }
        taken
    }

    /// Waits until an item is to be tried again.
    pub(crate) async fn changed(&self) {
        while self.state().pending.is_empty() {
            self.changed.notified().await;
        }
    }

    /// Takes note that an attempt is closed, its outbox entry dropped by its commit.
    pub(crate) fn closed(&self, partition: u32, attempt: AttemptId) {
        let mut state = self.state();
        let place = (partition, attempt.nonce.0);
        state.under_way.remove(&attempt.nonce.0);
        if state.left.remove(&place).is_none() {
            state.left_before.remove(&place);
        }
        if !state.repeated.is_empty() {
            state.repeated.pop(&attempt.nonce.0);
        }
    }

    /// Takes the outbox keys of the items that left before the last call and were not closed since, by partition.
    pub(crate) fn take_left(&self) -> Vec<(u32, Vec<OutboxKey>)> {
        let mut state = self.state();
        let newer = std::mem::take(&mut state.left);
        let ripe = std::mem::replace(&mut state.left_before, newer);
        drop(state);
        let mut partitions: Vec<(u32, Vec<OutboxKey>)> = Vec::new();
        for ((partition, _), key) in ripe {
            match partitions.last_mut() {
                Some((last, keys)) if *last == partition => keys.push(key),
                _ => partitions.push((partition, vec![key])),
            }
        }
        partitions
    }

    /// Puts keys back that could not be cleared.
    pub(crate) fn put_back(&self, partition: u32, keys: Vec<OutboxKey>) {
        let mut state = self.state();
        for key in keys {
            if let store::PendingEffect::Dispatch(_, attempt) = &key.effect {
                let nonce = attempt.nonce.0;
                state.left.insert((partition, nonce), key);
            }
        }
    }

    /// Tells whether this coordinator sees to an attempt's outbox entry.
    pub(crate) fn sees_to(&self, partition: u32, attempt: AttemptId) -> bool {
        let nonce = attempt.nonce.0;
        let state = self.state();
        state.under_way.contains(&nonce)
            || state.pending_attempts.contains(&nonce)
            || state.left.contains_key(&(partition, nonce))
            || state.left_before.contains_key(&(partition, nonce))
    }

    /// Gives what is remembered of an attempt's repeated dispatches.
    pub(crate) fn repeated(&self, attempt: AttemptId) -> Repeated {
        let mut state = self.state();
        if state.repeated.is_empty() {
            return Repeated::default();
        }
        state.repeated.get(&attempt.nonce.0).copied().unwrap_or_default()
    }

    /// Changes what is remembered of an attempt's repeated dispatches.
    pub(crate) fn repeat(&self, attempt: AttemptId, change: impl FnOnce(&mut Repeated)) {
        change(self.state().repeated.get_or_insert_mut(attempt.nonce.0, Repeated::default));
    }

    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state();
        state.under_way.is_empty() && state.left.is_empty() && state.left_before.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use model::{BranchPath, ExecutionArn, Nonce};
    use store::PendingEffect;

    use super::*;

    fn item(nonce: u64) -> (OutboxKey, AttemptId) {
        let attempt = AttemptId { number: 1, nonce: Nonce(nonce) };
        let execution = ExecutionArn::parse("arn:aws:states:r:1:execution:M:e").expect("is an ARN");
        (OutboxKey { execution, effect: PendingEffect::Dispatch(BranchPath::root(), attempt) }, attempt)
    }

    #[test]
    fn what_left_is_cleared_unless_it_was_closed_before() {
        let outgoing = Outgoing::new(10);
        for (nonce, partition) in [(1, 7), (2, 3), (3, 7)] {
            let (key, attempt) = item(nonce);
            assert!(outgoing.begin(attempt) && !outgoing.begin(attempt));
            outgoing.left(partition, key, attempt);
        }
        assert!(outgoing.take_left().is_empty());
        outgoing.closed(7, item(1).1);
        assert!(outgoing.sees_to(7, item(3).1) && !outgoing.sees_to(7, item(1).1));
        assert_eq!(outgoing.take_left(), [(3, vec![item(2).0]), (7, vec![item(3).0])]);
        assert!(outgoing.is_idle() && outgoing.take_left().is_empty());
        let (key, attempt) = item(4);
        outgoing.begin(attempt);
        outgoing.closed(0, attempt);
        outgoing.left(0, key, attempt);
        assert!(outgoing.is_idle());
    }

    #[test]
    fn what_could_not_leave_is_kept_once_and_within_bounds() {
        let outgoing = Outgoing::new(2);
        let keep = |nonce| outgoing.keep(0, item(nonce).0, item(nonce).1);
        assert!(keep(1) && keep(1) && keep(2));
        assert!(!keep(3));
        assert_eq!(outgoing.take_pending(10).len(), 2);
        assert!(keep(3) && !outgoing.sees_to(0, item(1).1));
    }
}

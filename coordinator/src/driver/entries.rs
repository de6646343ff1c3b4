//! Entries of the outbox that are done with once something outside of the cluster has what they stand for: a collector of traces,
//! whoever listens to status changes.
//!
//! All of it is memory only. What is lost with the process is in the store's outbox.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::OutboxKey;

/// Keeps track of entries that are seen to here.
#[derive(Debug, Default)]
pub(crate) struct Entries(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    under_way: HashSet<OutboxKey>,
    /// What has left, by partition: to be cleared.
    done: Vec<(u32, OutboxKey)>,
}

impl Entries {
    /// Takes note that an entry is seen to; tells whether it was not before.
    pub(crate) fn begin(&self, key: &OutboxKey) -> bool {
        self.state().under_way.insert(key.clone())
    }

    /// Leaves an entry to the sweep.
    pub(crate) fn give_up(&self, key: &OutboxKey) {
        self.state().under_way.remove(key);
    }

    /// Takes note that entries may be cleared.
    pub(crate) fn done(&self, partition: u32, keys: impl IntoIterator<Item = OutboxKey>) {
        self.state().done.extend(keys.into_iter().map(|key| (partition, key)));
    }

    /// Takes the entries that may be cleared, ordered by partition.
    pub(crate) fn take_done(&self) -> Vec<(u32, Vec<OutboxKey>)> {
        let mut done = std::mem::take(&mut self.state().done);
        done.sort_by_key(|(partition, _)| *partition);
        let mut partitions: Vec<(u32, Vec<OutboxKey>)> = Vec::new();
        for (partition, key) in done {
            match partitions.last_mut() {
                Some((last, keys)) if *last == partition => keys.push(key),
                _ => partitions.push((partition, vec![key])),
            }
        }
        partitions
    }

    /// Takes note that entries are cleared.
    pub(crate) fn cleared(&self, keys: &[OutboxKey]) {
        let mut state = self.state();
        for key in keys {
            state.under_way.remove(key);
        }
    }

    /// Tells whether an entry is seen to here.
    pub(crate) fn sees_to(&self, key: &OutboxKey) -> bool {
        self.state().under_way.contains(key)
    }

    pub(crate) fn is_idle(&self) -> bool {
        let state = self.state();
        state.under_way.is_empty() && state.done.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use model::{BranchPath, ExecutionArn};
    use store::PendingEffect;

    use super::*;

    #[test]
    fn what_is_done_is_given_once_by_partition() {
        let entries = Entries::default();
        let key = |name: &str| {
            let arn = format!("arn:aws:states:r:1:execution:M:{name}");
            let execution = ExecutionArn::parse(&arn).expect("is an ARN");
            OutboxKey { execution, effect: PendingEffect::Continue(BranchPath::root()) }
        };
        assert!(entries.begin(&key("a")) && !entries.begin(&key("a")) && entries.begin(&key("b")));
        for (partition, name) in [(7, "a"), (3, "c"), (7, "d")] {
            entries.done(partition, [key(name)]);
        }
        assert_eq!(entries.take_done(), [(3, vec![key("c")]), (7, vec![key("a"), key("d")])]);
        assert!(entries.take_done().is_empty() && entries.sees_to(&key("a")) && entries.sees_to(&key("b")));
        entries.cleared(&[key("a"), key("d")]);
        assert!(!entries.sees_to(&key("a")));
        entries.give_up(&key("b"));
        assert!(entries.is_idle());
    }
}

//! The memory of cancels: an item that was queued before one may be met long after it.

use std::collections::{HashMap, VecDeque};

use model::{AttemptId, BranchPath, ExecutionArn, ScopeKey, Timestamp};
use wire::message::{Cancel, Cancelled, WorkItem};

/// How long a cancel is remembered.
const KEPT_MILLIS: u64 = 3_600_000;
/// How many cancels are remembered, the newest; a few hundred bytes each.
const CANCELS_MAX: usize = 65_536;

/// Remembers cancels by what they name.
#[derive(Debug, Default)]
pub(crate) struct Cancels {
    known: HashMap<ExecutionArn, OfExecution>,
    order: VecDeque<(Timestamp, Cancel)>,
}

#[derive(Debug, Default)]
struct OfExecution {
    whole: Option<Timestamp>,
    scopes: HashMap<ScopeKey, Timestamp>,
    attempts: HashMap<(BranchPath, AttemptId), Timestamp>,
}

impl Cancels {
    /// Tells whether the item was dispatched before a cancel that covers it. What was dispatched later is wanted anew.
    pub(crate) fn cover(&self, item: &WorkItem) -> bool {
        let Some(known) = self.known.get(&item.execution) else { return false };
        let covers = |at: &Timestamp| item.dispatched_at <= *at;
        known.whole.as_ref().is_some_and(covers)
            || known.attempts.get(&(item.branch.clone(), item.attempt)).is_some_and(covers)
            || item.branch.scopes().iter().any(|scope| known.scopes.get(scope).is_some_and(covers))
    }

    pub(crate) fn push(&mut self, cancel: &Cancel, now: Timestamp) {
        let known = self.known.entry(cancel.execution.clone()).or_default();
        match &cancel.of {
            Cancelled::Execution => known.whole = Some(now),
            Cancelled::Scope(scope) => drop(known.scopes.insert(scope.clone(), now)),
            Cancelled::Attempt(branch, attempt) => drop(known.attempts.insert((branch.clone(), *attempt), now)),
        }
        self.order.push_back((now, cancel.clone()));
        let is_old = |(at, _): &(Timestamp, Cancel)| now.millis_since(*at) > KEPT_MILLIS;
        while self.order.len() > CANCELS_MAX || self.order.front().is_some_and(is_old) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((at, cancel)) = self.order.pop_front() else { return };
        let Some(known) = self.known.get_mut(&cancel.execution) else { return };
        // One that was repeated is remembered by its last time.
        known.whole = known.whole.filter(|last| *last != at || cancel.of != Cancelled::Execution);
        match cancel.of {
            Cancelled::Execution => {}
            Cancelled::Scope(scope) => forget(&mut known.scopes, &scope, at),
            Cancelled::Attempt(branch, attempt) => forget(&mut known.attempts, &(branch, attempt), at),
        }
        if known.whole.is_none() && known.scopes.is_empty() && known.attempts.is_empty() {
            self.known.remove(&cancel.execution);
        }
    }
}

fn forget<K: std::hash::Hash + Eq>(known: &mut HashMap<K, Timestamp>, key: &K, at: Timestamp) {
    if known.get(key) == Some(&at) {
        known.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consume::fixtures::item;

    fn cancel(of: Cancelled) -> Cancel {
        Cancel { execution: item("r").execution, of }
    }

    fn scope(text: &str) -> Cancelled {
        Cancelled::Scope(text.parse().expect("is a scope"))
    }

    #[test]
    fn a_cancel_covers_what_it_names() {
        let check = |of: Cancelled, branch: &str, expect: bool| {
            let mut cancels = Cancels::default();
            cancels.push(&cancel(of.clone()), item(branch).dispatched_at);
            assert_eq!(cancels.cover(&item(branch)), expect, "{of:?} {branch}");
        };
        check(Cancelled::Execution, "r/1.0", true);
        check(scope("r@1"), "r/1.0/2.3", true);
        check(scope("r@2"), "r/1.0", false);
        check(Cancelled::Attempt(item("r").branch, item("r").attempt), "r", true);
        check(Cancelled::Attempt(item("r/1.0").branch, item("r").attempt), "r", false);
    }

    #[test]
    fn what_is_dispatched_after_a_cancel_is_wanted_anew() {
        let mut cancels = Cancels::default();
        let mut later = item("r");
        cancels.push(&cancel(Cancelled::Execution), later.dispatched_at);
        later.dispatched_at = later.dispatched_at.plus_millis(1);
        assert!(!cancels.cover(&later));
    }

    #[test]
    fn cancels_are_forgotten_after_an_hour_and_when_there_are_too_many() {
        let at = item("r").dispatched_at;
        let mut cancels = Cancels::default();
        cancels.push(&cancel(scope("r@1")), at);
        cancels.push(&cancel(Cancelled::Execution), at.plus_millis(1));
        cancels.push(&cancel(Cancelled::Execution), at.plus_millis(2));
        cancels.push(&cancel(scope("r@2")), at.plus_millis(3_600_002));
        assert_eq!((cancels.order.len(), cancels.cover(&item("r/1.0"))), (2, true));
        for number in 0..2 * CANCELS_MAX {
            cancels.push(&cancel(scope(&format!("r@{number}"))), at.plus_millis(3_600_003));
        }
        assert_eq!(cancels.order.len(), CANCELS_MAX);
        assert_eq!(cancels.known.values().map(|known| known.scopes.len()).sum::<usize>(), CANCELS_MAX);
    }
}

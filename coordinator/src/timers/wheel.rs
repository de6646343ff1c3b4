//! The timers that this coordinator fires: those it set, and those that a sweep found.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::Timestamp;
use store::TimerKey;
use tokio::sync::Notify;

/// Is a timer that is to fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Which.
    pub(crate) key: TimerKey,
    /// When it is due, by the store's record of it.
    pub(crate) due: Timestamp,
    /// Whether another coordinator set it: then a live lease is respected.
    pub(crate) foreign: bool,
}

/// Keeps timers in the order of their time; in memory only, for the truth is in the store.
#[derive(Debug)]
pub(crate) struct Wheel {
    held_max: usize,
    timers: Mutex<Timers>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Timers {
    /// By the time to fire, then by a number that makes it unique.
    queue: BTreeMap<(Timestamp, u64), Due>,
    places: BTreeMap<TimerKey, (Timestamp, u64)>,
    count: u64,
}

impl Wheel {
    /// Makes an empty wheel that holds so many timers.
    pub(crate) fn new(held_max: usize) -> Self {
        Self { held_max, timers: Mutex::default(), changed: Notify::new() }
    }

    /// Sets a timer of this coordinator, or sets it to another time.
    pub(crate) fn set(&self, key: TimerKey, due: Timestamp) {
        self.insert(due, Due { key, due, foreign: false });
    }

    /// Sets a timer that a sweep found, to be fired at `fire` if nothing is heard of it before. One that is there already stays.
    pub(crate) fn set_foreign(&self, key: TimerKey, due: Timestamp, fire: Timestamp) {
        if !self.timers().places.contains_key(&key) {
            self.insert(fire, Due { key, due, foreign: true });
        }
    }

    /// Drops a timer.
    pub(crate) fn cancel(&self, key: &TimerKey) {
        self.timers().remove(key);
    }

    /// Takes the timers whose time has come, the oldest first.
    pub(crate) fn take_due(&self, now: Timestamp) -> Vec<Due> {
        let mut timers = self.timers();
        let mut due = Vec::new();
        while let Some(entry) = timers.queue.first_entry()
            && entry.key().0 <= now
        {
            let timer = entry.remove();
            timers.places.remove(&timer.key);
            due.push(timer);
        }
        due
    }

    /// Tells when the next timer fires.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.timers().queue.keys().next().map(|(fire, _)| *fire)
    }

    /// Waits until the next timer may be another one.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn insert(&self, fire: Timestamp, timer: Due) {
        let mut timers = self.timers();
        timers.remove(&timer.key);
        if timers.queue.len() >= self.held_max {
            return;
        }
        timers.count += 1;
        let place = (fire, timers.count);
        timers.places.insert(timer.key.clone(), place);
        timers.queue.insert(place, timer);
        let is_first = timers.queue.keys().next() == Some(&place);
        drop(timers);
        if is_first {
            self.changed.notify_one();
        }
    }

    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timers {
    fn remove(&mut self, key: &TimerKey) {
        if let Some(place) = self.places.remove(key) {
            self.queue.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{BranchPath, ExecutionArn};

    use super::*;

    fn key(name: &str) -> TimerKey {
        let execution = ExecutionArn::parse("arn:aws:states:r:1:execution:M:e").expect("is an ARN");
        TimerKey { execution, branch: BranchPath::root(), name: name.to_owned() }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn timers_fire_in_the_order_of_their_time() {
        let wheel = Wheel::new(10);
        wheel.set(key("wait.1"), at(30));
        wheel.set(key("wait.2"), at(10));
        wheel.set(key("wait.3"), at(20));
        wheel.set(key("wait.3"), at(5));
        wheel.set(key("wait.4"), at(6));
        wheel.cancel(&key("wait.4"));
        assert_eq!(wheel.next(), Some(at(5)));
        let names: Vec<String> = wheel.take_due(at(20)).into_iter().map(|due| due.key.name).collect();
        assert_eq!(names, ["wait.3", "wait.2"]);
        assert_eq!(wheel.next(), Some(at(30)));
    }

    #[test]
    fn a_sweep_changes_no_timer_that_is_there() {
        let wheel = Wheel::new(2);
        wheel.set(key("wait.1"), at(10));
        wheel.set_foreign(key("wait.1"), at(10), at(15));
        wheel.set_foreign(key("wait.2"), at(10), at(15));
        wheel.set(key("wait.3"), at(1));
        let due = wheel.take_due(at(20));
        let fired: Vec<(&str, bool)> = due.iter().map(|due| (due.key.name.as_str(), due.foreign)).collect();
        assert_eq!(fired, [("wait.1", false), ("wait.2", true)]);
    }
}

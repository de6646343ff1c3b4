//! Warnings that come with every work item of a kind are given now and then only, and counted by kind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::Timestamp;
use telemetry::{Metric, Registry};

/// How long a warning is not repeated.
const PAUSE: Duration = Duration::from_secs(10);
/// How many kinds are told apart: they are what definitions name, so nothing else bounds them.
const KINDS_MAX: usize = 200;

const UNHANDLED: Metric = Metric::new(
    "driver_unhandled_by_resource_total",
    "Reports that no handler exists, by the resource (the first 200; then `other`).",
    &["resource"],
);

/// Remembers which warnings were given when, and which resources are counted.
pub(crate) struct Seldom {
    registry: Registry,
    given: Mutex<BTreeMap<(&'static str, String), Timestamp>>,
    counted: Mutex<BTreeSet<String>>,
}

impl Seldom {
    pub(crate) fn new(registry: Registry) -> Self {
        Self { registry, given: Mutex::default(), counted: Mutex::default() }
    }

    /// Tells whether a warning of this sort on this thing is due.
    pub(crate) fn is_due(&self, sort: &'static str, thing: &str, now: Timestamp) -> bool {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = PAUSE.as_millis();
        if given.len() >= KINDS_MAX {
            given.retain(|_, at| u128::from(now.millis_since(*at)) < pause);
        }
        let key = (sort, thing.to_owned());
        match given.get(&key) {
            Some(at) if u128::from(now.millis_since(*at)) < pause => false,
            None if given.len() >= KINDS_MAX => false,
            Some(_) | None => {
                given.insert(key, now);
                true
            }
        }
    }

    /// Counts a report that a resource has no handler.
    pub(crate) fn count_unhandled(&self, resource: &str) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if !counted.contains(resource) && counted.len() < KINDS_MAX {
            counted.insert(resource.to_owned());
        }
        let label = if counted.contains(resource) { resource } else { "other" };
        self.registry.counter(&UNHANDLED, &[label]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_repeated_after_a_while() {
        let seldom = Seldom::new(Registry::new());
        let due = |thing, millis| seldom.is_due("test", thing, Timestamp::from_millis(millis));
        assert!(due("a", 0) && !due("a", 9_999) && due("b", 9_999) && due("a", 10_000));
    }
}

//! What the driver counts. Names are constants here; no label has an unbounded set of values.

use telemetry::{Counter, Gauge, Histogram, Metric, Registry};

/// Bounds of the classes of executions' times: from a few fast tasks to a day.
const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3_600.0, 86_400.0];

macro_rules! metrics {
    ($($field:ident, $kind:ident, $name:literal, $help:literal;)*) => {
        /// Holds the handles of what the driver counts.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: $kind,)*
        }

        impl Metrics {
            /// Fetches the handles from a registry.
            pub fn new(registry: &Registry) -> Self {
                Self { $($field: make::$kind(registry, &Metric::new($name, $help, &[])),)* }
            }
        }
    };
}

metrics! {
    executions_started, Counter, "executions_started_total", "Executions started here.";
    executions_succeeded, Counter, "executions_succeeded_total", "Executions that this coordinator's commits ended as SUCCEEDED.";
    executions_failed, Counter, "executions_failed_total", "Executions that this coordinator's commits ended as FAILED.";
    executions_timed_out, Counter, "executions_timed_out_total", "Executions that this coordinator's commits ended as TIMED_OUT.";
    executions_aborted, Counter, "executions_aborted_total", "Executions that this coordinator's commits ended as ABORTED.";
    executions_throttled, Counter, "execution_throttled_total", "Starts refused because the store is over its high-water mark, or too many synchronous executions are under way.";
    execution_time, Histogram, "execution_time_seconds", "Time from start to end of the executions that were ended here.";
    commits, Counter, "driver_commits_total", "Commits made.";
    refused_stale, Counter, "driver_commits_refused_stale_total", "Commits refused since another one was faster.";
    refused_base, Counter, "driver_commits_refused_base_moved_total", "Commits refused since they printed event ids that others took.";
    refused_closed, Counter, "driver_commits_refused_closed_total", "Commits refused since the execution or a scope had ended.";
    refused_leased, Counter, "driver_commits_refused_leased_total", "Commits of background work refused by a live lease.";
    too_large, Counter, "driver_too_large_total", "Executions failed because one transition wrote more than the store takes at once.";
    history_full, Counter, "driver_history_full_total", "Executions failed because their history was full.";
    events, Counter, "driver_history_events_total", "History events committed.";
    results_read, Counter, "driver_results_read_total", "Reads of the results of all children of a state.";
    loads, Counter, "driver_loads_total", "Branches read from the store.";
    cache_hits, Counter, "driver_cache_hits_total", "Branches found in memory.";
    take_overs, Counter, "driver_lease_take_overs_total", "Branches taken over from another coordinator.";
    deliveries, Counter, "driver_deliveries_total", "Messages taken from the events queues.";
    reports, Counter, "driver_reports_total", "Reports in them: divided by the deliveries, the mean batch size.";
    stale_reports, Counter, "driver_stale_reports_total", "Reports dropped because they came late or twice.";
    set_aside, Counter, "driver_reports_set_aside_total", "Reports published again alone, so that their batch could be acknowledged.";
    held, Counter, "driver_deliveries_held_total", "Times that a delivery was held to be tried again.";
    unhandled, Counter, "driver_unhandled_reports_total", "Reports that no handler exists for the item's resource.";
    poisoned, Counter, "driver_poisoned_reports_total", "Reports that an item was delivered too often.";
    dead_letters, Counter, "driver_dead_letters_total", "Messages and work items put into the queue of dead letters.";
    dispatches, Counter, "driver_dispatches_total", "Work items confirmed by the broker.";
    dispatch_messages, Counter, "driver_dispatch_messages_total", "Messages that carried them.";
    dispatches_failed, Counter, "driver_dispatches_failed_total", "Work items that could not be published at once.";
    dispatches_refused, Counter, "driver_dispatches_refused_total", "Work items larger than the broker takes, whose tasks failed.";
    status_changes, Counter, "driver_status_changes_total", "Changes of executions' status confirmed by the broker.";
    redispatches, Counter, "driver_redispatches_total", "Work items published again for an attempt that was published before.";
    repairs, Counter, "driver_reconciler_repairs_total", "Work items that the reconciler found lost and published again.";
    reissued, Counter, "driver_outbox_reissued_total", "Entries of the outbox issued again by a sweep.";
    outbox_cleared, Counter, "driver_outbox_cleared_total", "Entries of the outbox cleared lazily.";
    outbox_age_millis, Gauge, "driver_outbox_age_milliseconds", "Age of the oldest entry seen by the last sweep of the outbox.";
    calls, Counter, "driver_calls_total", "Calls of this service itself that tasks made.";
    nested_stopped, Counter, "driver_nested_stopped_total", "Nested executions stopped because the task that waited for them was over.";
    timers_fired, Counter, "driver_timers_fired_total", "Timers fired.";
    timers_stale, Counter, "driver_timers_stale_total", "Timers dropped because nothing waited for them any more.";
    continuations, Counter, "driver_continuations_total", "Branches driven on without a message.";
    spilled, Counter, "driver_spilled_total", "Effects left to the sweep because a bounded queue was full.";
    store_failures, Counter, "driver_store_failures_total", "Calls of the store that failed and were repeated.";
    synchronous, Gauge, "driver_synchronous_executions", "Synchronous executions under way.";
    open_deliveries, Gauge, "driver_open_deliveries", "Deliveries in hand.";
}

#[expect(non_snake_case, reason = "named as the types that they make, for the macro above")]
mod make {
    use super::{Counter, Gauge, Histogram, Metric, Registry, SECONDS};

    pub(super) fn Counter(registry: &Registry, metric: &Metric) -> Counter {
        registry.counter(metric, &[])
    }

    pub(super) fn Gauge(registry: &Registry, metric: &Metric) -> Gauge {
        registry.gauge(metric, &[])
    }

    pub(super) fn Histogram(registry: &Registry, metric: &Metric) -> Histogram {
        registry.histogram(&Metric { buckets: SECONDS, ..*metric }, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rendered() {
        let registry = Registry::new();
        Metrics::new(&registry).commits.add(3);
        assert!(registry.render().contains("driver_commits_total{} 3\n"), "{}", registry.render());
    }
}

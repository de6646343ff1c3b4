//! The worker's metrics: names, labels, handles.

use telemetry::{Counter, Gauge, Histogram, Metric, Registry};

/// Work items received, by what became of them at once: `run`, `duplicate`, `cancelled`, `late`, `unhandled`, `poisoned`, `unreadable`.
pub const ITEMS: Metric = Metric::new("worker_items_total", "Work items received, by what became of them.", &["fate"]);
/// Handler runs that ended, by how: `succeeded`, `submitted`, `failed`, `cancelled`, `late`, `put_back`, `abandoned`.
pub const RUNS: Metric = Metric::new("worker_runs_total", "Handler runs, by how they ended.", &["end"]);
/// How long handlers ran.
pub const RUN_SECONDS: Metric = Metric::histogram(
    "worker_run_seconds",
    "How long handlers ran.",
    &[],
    &[0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 1800.0],
);
/// Bounds of the classes of waits: from a free worker to a queue of hours.
const WAITS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0];
/// How long work items were in the queue, by the clocks of coordinator and worker.
pub const QUEUE_WAIT_SECONDS: Metric = Metric::histogram(
    "worker_queue_wait_seconds",
    "How long work items were in the queue: from their dispatch to their arrival.",
    &[],
    WAITS,
);
/// How long work items waited in the worker.
pub const SLOT_WAIT_SECONDS: Metric = Metric::histogram(
    "worker_slot_wait_seconds",
    "How long work items waited here for a free slot: from their arrival to the start of their handler.",
    &[],
    WAITS,
);
/// Handlers that run now.
pub const RUNNING: Metric = Metric::new("worker_running", "Handlers that run now.", &[]);
/// Work items in hand: waiting, running, or with a report that is not yet confirmed.
pub const HELD: Metric = Metric::new("worker_held", "Work items in hand.", &[]);
/// Reports whose publish was confirmed.
pub const REPORTS: Metric = Metric::new("worker_reports_total", "Reports confirmed by the broker.", &[]);
/// Messages that carried these reports; the quotient is the mean batch.
pub const MESSAGES: Metric = Metric::new("worker_report_messages_total", "Messages of reports confirmed.", &[]);
/// Publishes that failed and were repeated.
pub const RETRIES: Metric =
    Metric::new("worker_publish_retries_total", "Publishes that failed and were repeated.", &[]);

/// Holds the handles, fetched once.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) run: Counter,
    pub(crate) duplicate: Counter,
    pub(crate) unneeded_cancelled: Counter,
    pub(crate) unneeded_late: Counter,
    pub(crate) unhandled: Counter,
    pub(crate) poisoned: Counter,
    pub(crate) unreadable: Counter,
    pub(crate) succeeded: Counter,
    pub(crate) submitted: Counter,
    pub(crate) failed: Counter,
    pub(crate) cancelled: Counter,
    pub(crate) late: Counter,
    pub(crate) put_back: Counter,
    pub(crate) abandoned: Counter,
    pub(crate) queue_wait: Histogram,
    pub(crate) slot_wait: Histogram,
    pub(crate) run_seconds: Histogram,
    pub(crate) running: Gauge,
    pub(crate) held: Gauge,
    pub(crate) reports: Counter,
    pub(crate) messages: Counter,
    pub(crate) retries: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let item = |fate| registry.counter(&ITEMS, &[fate]);
        let end = |end| registry.counter(&RUNS, &[end]);
        Self {
            run: item("run"),
            duplicate: item("duplicate"),
            unneeded_cancelled: item("cancelled"),
            unneeded_late: item("late"),
            unhandled: item("unhandled"),
            poisoned: item("poisoned"),
            unreadable: item("unreadable"),
            succeeded: end("succeeded"),
            submitted: end("submitted"),
            failed: end("failed"),
            cancelled: end("cancelled"),
            late: end("late"),
            put_back: end("put_back"),
            abandoned: end("abandoned"),
            queue_wait: registry.histogram(&QUEUE_WAIT_SECONDS, &[]),
            slot_wait: registry.histogram(&SLOT_WAIT_SECONDS, &[]),
            run_seconds: registry.histogram(&RUN_SECONDS, &[]),
            running: registry.gauge(&RUNNING, &[]),
            held: registry.gauge(&HELD, &[]),
            reports: registry.counter(&REPORTS, &[]),
            messages: registry.counter(&MESSAGES, &[]),
            retries: registry.counter(&RETRIES, &[]),
        }
    }
}

//! Counters, gauges and histograms of one process, printed in the text form that Prometheus reads.
//!
//! Handles are cheap to clone; adding to one is an atomic add. Fetch a handle once and keep it where the path is hot.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::{counter, gauge, histogram};

/// Is the content type of [`Registry::render`]'s text.
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Describes a metric: a constant beside the other ones of its crate.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name, in snake case with its unit; a counter's ends in `_total`.
    pub name: &'static str,
    /// What it tells, as one sentence.
    pub help: &'static str,
    /// The names of its labels; each label's values must be few.
    pub labels: &'static [&'static str],
    /// The upper bounds of a histogram's buckets; empty for other metrics.
    pub buckets: &'static [f64],
}

impl Metric {
    /// Describes a counter or gauge.
    pub const fn new(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Self { name, help, labels, buckets: &[] }
    }

    /// Describes a histogram.
    pub const fn histogram(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        buckets: &'static [f64],
    ) -> Self {
        Self { name, help, labels, buckets }
    }

    fn set(&self, values: &[&str]) -> Labels {
        debug_assert_eq!(self.labels.len(), values.len(), "{} has a value for each label", self.name);
        self.labels.iter().zip(values).map(|(name, value)| (*name, (*value).to_owned())).collect()
    }
}

type Labels = Vec<(&'static str, String)>;

/// Counts up.
#[derive(Clone, Debug)]
pub struct Counter(counter::Counter<u64>);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.0.inc();
    }

    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.inc_by(count);
    }

    /// Gives the count so far.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Tells a level that rises and falls.
#[derive(Clone, Debug)]
pub struct Gauge(gauge::Gauge);

impl Gauge {
    /// Sets the level.
    pub fn set(&self, level: i64) {
        self.0.set(level);
    }

    /// Changes the level by `change`.
    pub fn add(&self, change: i64) {
        self.0.inc_by(change);
    }

    /// Gives the level.
    pub fn get(&self) -> i64 {
        self.0.get()
    }
}

/// Counts values by size.
#[derive(Clone, Debug)]
pub struct Histogram(histogram::Histogram);

impl Histogram {
    /// Takes a value in.
    pub fn observe(&self, value: f64) {
        self.0.observe(value);
    }
}

#[derive(Clone)]
struct Buckets(&'static [f64]);

impl MetricConstructor<histogram::Histogram> for Buckets {
    fn new_metric(&self) -> histogram::Histogram {
        histogram::Histogram::new(self.0.iter().copied())
    }
}

#[derive(Clone)]
enum AnyFamily {
    Counter(Family<Labels, counter::Counter<u64, AtomicU64>>),
    Gauge(Family<Labels, gauge::Gauge>),
    Histogram(Family<Labels, histogram::Histogram, Buckets>),
}

/// Holds the metrics of one process; cheap to clone.
#[derive(Clone, Default)]
pub struct Registry {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    printed: prometheus_client::registry::Registry,
    families: BTreeMap<&'static str, AnyFamily>,
}

impl Registry {
    /// Makes an empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the counter of these label values; asked again, the same one.
    ///
    /// # Panics
    /// If another kind of metric bears the name: a slip that the first test of the metric shows.
    pub fn counter(&self, metric: &Metric, values: &[&str]) -> Counter {
        let family = self.family(metric, || AnyFamily::Counter(Family::default()));
        let AnyFamily::Counter(family) = family else { panic!("{} is a counter", metric.name) };
        Counter(family.get_or_create_owned(&metric.set(values)))
    }

    /// Gives the gauge of these label values; asked again, the same one.
    ///
    /// # Panics
    /// If another kind of metric bears the name.
    pub fn gauge(&self, metric: &Metric, values: &[&str]) -> Gauge {
        let family = self.family(metric, || AnyFamily::Gauge(Family::default()));
        let AnyFamily::Gauge(family) = family else { panic!("{} is a gauge", metric.name) };
        Gauge(family.get_or_create_owned(&metric.set(values)))
    }

    /// Gives the histogram of these label values; asked again, the same one.
    ///
    /// # Panics
    /// If another kind of metric bears the name.
    pub fn histogram(&self, metric: &Metric, values: &[&str]) -> Histogram {
        let buckets = Buckets(metric.buckets);
        let family = self.family(metric, || AnyFamily::Histogram(Family::new_with_constructor(buckets)));
        let AnyFamily::Histogram(family) = family else { panic!("{} is a histogram", metric.name) };
        Histogram(family.get_or_create_owned(&metric.set(values)))
    }

    /// Prints all metrics in the OpenMetrics text form, which Prometheus reads.
    pub fn render(&self) -> String {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &shared.printed).expect("a String takes any text");
        text
    }

    fn family(&self, metric: &Metric, make: impl FnOnce() -> AnyFamily) -> AnyFamily {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = shared.families.get(metric.name) {
            return family.clone();
        }
        let family = make();
        // The encoder adds `_total` to a counter's name and a full stop to the help.
        let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
        let help = metric.help.trim_end_matches('.');
        match &family {
            AnyFamily::Counter(family) => shared.printed.register(name, help, family.clone()),
            AnyFamily::Gauge(family) => shared.printed.register(name, help, family.clone()),
            AnyFamily::Histogram(family) => shared.printed.register(name, help, family.clone()),
        }
        shared.families.insert(metric.name, family.clone());
        family
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Registry")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: Metric = Metric::new("executions_started_total", "Executions started.", &["pool"]);
    const OPEN: Metric = Metric::new("executions_open", "Executions open now.", &[]);
    const WAIT: Metric = Metric::histogram("queue_wait_seconds", "Time in the queue.", &[], &[0.1, 1.0]);

    #[test]
    fn handles_of_the_same_labels_count_together() {
        let registry = Registry::new();
        registry.counter(&STARTED, &["default"]).inc();
        registry.clone().counter(&STARTED, &["default"]).add(2);
        registry.counter(&STARTED, &["gpu"]).inc();
        assert_eq!(registry.counter(&STARTED, &["default"]).get(), 3);
    }

    #[test]
    fn all_kinds_are_printed() {
        let registry = Registry::new();
        registry.counter(&STARTED, &["a\"b"]).inc();
        registry.gauge(&OPEN, &[]).set(7);
        registry.gauge(&OPEN, &[]).add(-2);
        registry.histogram(&WAIT, &[]).observe(0.5);
        let expect = concat!(
            "# HELP executions_started Executions started.\n",
            "# TYPE executions_started counter\n",
            "executions_started_total{pool=\"a\\\"b\"} 1\n",
            "# HELP executions_open Executions open now.\n",
            "# TYPE executions_open gauge\n",
            "executions_open{} 5\n",
            "# HELP queue_wait_seconds Time in the queue.\n",
            "# TYPE queue_wait_seconds histogram\n",
            "queue_wait_seconds_sum{} 0.5\n",
            "queue_wait_seconds_count{} 1\n",
            "queue_wait_seconds_bucket{le=\"0.1\"} 0\n",
            "queue_wait_seconds_bucket{le=\"1.0\"} 1\n",
            "queue_wait_seconds_bucket{le=\"+Inf\"} 1\n",
            "# EOF\n",
        );
        assert_eq!(registry.render(), expect);
    }
}

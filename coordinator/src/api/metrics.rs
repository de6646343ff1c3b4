//! What the API counts. Names are constants here; operations and error names are the labels' bounded values.

use telemetry::{Metric, Registry};

/// Counts requests by operation and by the name of the error, `OK` where there is none.
const REQUESTS: Metric = Metric::new("api_requests_total", "Requests answered.", &["operation", "outcome"]);
/// Tells how long requests take.
const SECONDS: Metric = Metric::histogram(
    "api_request_seconds",
    "Time from a request's head to its answer.",
    &["operation"],
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0],
);

/// Counts requests.
pub(super) struct Metrics {
    registry: Registry,
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> Self {
        Self { registry: registry.clone() }
    }

    /// Counts a request that was answered.
    pub(super) fn answered(&self, operation: &'static str, outcome: &'static str, seconds: f64) {
        self.registry.counter(&REQUESTS, &[operation, outcome]).inc();
        self.registry.histogram(&SECONDS, &[operation]).observe(seconds);
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        self.registry.render()
    }
}

//! What CloudWatch counts of tasks, by AWS's names: taken from the history events that a commit adds.

use model::{EventKind, Timestamp};
use telemetry::{Counter, Histogram, Metric, Registry};
use wire::record::EventRecord;

use super::build::seconds_between;

/// Bounds of the classes of tasks' times: from a quick function to a day.
const SECONDS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0, 1_800.0, 86_400.0];

/// Counts the tasks of all kinds.
#[derive(Clone, Debug)]
pub(crate) struct TaskMetrics {
    activities: OfKind,
    functions: OfKind,
    services: OfKind,
}

/// Counts the tasks of one kind.
#[derive(Clone, Debug)]
struct OfKind {
    scheduled: Counter,
    started: Counter,
    succeeded: Counter,
    failed: Counter,
    timed_out: Counter,
    schedule_time: Histogram,
    time: Histogram,
}

/// Makes the metrics of one kind of task from the beginnings of their names, `$many` of counters and `$one` of times.
macro_rules! of_kind {
    ($registry:expr, $many:literal, $one:literal, $what:literal) => {
        OfKind {
            scheduled: $registry
                .counter(&Metric::new(concat!($many, "_scheduled_total"), concat!($what, " scheduled."), &[]), &[]),
            started: $registry
                .counter(&Metric::new(concat!($many, "_started_total"), concat!($what, " started."), &[]), &[]),
            succeeded: $registry.counter(
                &Metric::new(concat!($many, "_succeeded_total"), concat!($what, " that succeeded."), &[]),
                &[],
            ),
            failed: $registry
                .counter(&Metric::new(concat!($many, "_failed_total"), concat!($what, " that failed."), &[]), &[]),
            timed_out: $registry.counter(
                &Metric::new(concat!($many, "_timed_out_total"), concat!($what, " that timed out."), &[]),
                &[],
            ),
            schedule_time: $registry.histogram(
                &Metric::histogram(
                    concat!($one, "_schedule_time_seconds"),
                    concat!($what, ": from being scheduled to their start."),
                    &[],
                    SECONDS,
                ),
                &[],
            ),
            time: $registry.histogram(
                &Metric::histogram(
                    concat!($one, "_time_seconds"),
                    concat!($what, ": from being scheduled to their end."),
                    &[],
                    SECONDS,
                ),
                &[],
            ),
        }
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Scheduled,
    Started,
    Succeeded,
    Failed,
    TimedOut,
}

impl TaskMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            activities: of_kind!(registry, "activities", "activity", "Tasks of activities"),
            functions: of_kind!(registry, "lambda_functions", "lambda_function", "Lambda functions"),
            services: of_kind!(registry, "service_integrations", "service_integration", "Calls of services"),
        }
    }

    /// Counts the events of a commit; `scheduled_at` is when the attempt was scheduled that was open before it.
    pub(crate) fn count(&self, events: &[EventRecord], mut scheduled_at: Option<Timestamp>) {
        for event in events {
            let Some((kind, step)) = self.step(event.kind) else { continue };
            let elapsed = scheduled_at.map(|scheduled_at| seconds_between(scheduled_at, event.at));
            match step {
                // The attempts that a commit begins end in others.
                Step::Scheduled => {
                    kind.scheduled.inc();
                    scheduled_at = None;
                    continue;
                }
                Step::Started => {
                    kind.started.inc();
                    elapsed.into_iter().for_each(|seconds| kind.schedule_time.observe(seconds));
                    continue;
                }
                Step::Succeeded => kind.succeeded.inc(),
                Step::Failed => kind.failed.inc(),
                Step::TimedOut => kind.timed_out.inc(),
            }
            elapsed.into_iter().for_each(|seconds| kind.time.observe(seconds));
            scheduled_at = None;
        }
    }

    fn step(&self, event: EventKind) -> Option<(&OfKind, Step)> {
        let (activities, functions, services) = (&self.activities, &self.functions, &self.services);
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other events are about no task")]
        Some(match event {
            EventKind::ActivityScheduled => (activities, Step::Scheduled),
            EventKind::ActivityStarted => (activities, Step::Started),
            EventKind::ActivitySucceeded => (activities, Step::Succeeded),
            EventKind::ActivityFailed => (activities, Step::Failed),
            EventKind::ActivityTimedOut => (activities, Step::TimedOut),
            EventKind::LambdaFunctionScheduled => (functions, Step::Scheduled),
            EventKind::LambdaFunctionStarted => (functions, Step::Started),
            EventKind::LambdaFunctionSucceeded => (functions, Step::Succeeded),
            EventKind::LambdaFunctionFailed => (functions, Step::Failed),
            EventKind::LambdaFunctionTimedOut => (functions, Step::TimedOut),
            EventKind::TaskScheduled => (services, Step::Scheduled),
            EventKind::TaskStarted => (services, Step::Started),
            EventKind::TaskSucceeded => (services, Step::Succeeded),
            EventKind::TaskFailed => (services, Step::Failed),
            EventKind::TaskTimedOut => (services, Step::TimedOut),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use model::{Details, EventId, EventRef};

    use super::*;

    #[test]
    fn tasks_are_counted_and_timed_from_their_schedule() {
        let registry = Registry::new();
        let metrics = TaskMetrics::new(&registry);
        let event = |kind, millis| EventRecord {
            previous: EventRef::Id(EventId(0)),
            at: Timestamp::from_millis(millis),
            kind,
            details: Details::None,
        };
        let events = [
            event(EventKind::LambdaFunctionStarted, 1_200),
            event(EventKind::LambdaFunctionSucceeded, 1_500),
            event(EventKind::TaskStateExited, 1_500),
            event(EventKind::TaskScheduled, 1_500),
        ];
        metrics.count(&events, Some(Timestamp::from_millis(1_000)));
        metrics.count(&[event(EventKind::TaskTimedOut, 9_000)], None);
        let text = registry.render();
        for line in [
            "lambda_functions_started_total{} 1\n",
            "lambda_functions_succeeded_total{} 1\n",
            "lambda_function_schedule_time_seconds_sum{} 0.2\n",
            "lambda_function_time_seconds_sum{} 0.5\n",
            "service_integrations_scheduled_total{} 1\n",
            "service_integrations_timed_out_total{} 1\n",
            "service_integration_time_seconds_count{} 0\n",
            "activities_scheduled_total{} 0\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}

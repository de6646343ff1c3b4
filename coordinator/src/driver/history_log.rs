//! The history of executions as log lines, where their state machine's `loggingConfiguration` asks for them.
//!
//! A line is written by the coordinator that made the commit, once, right after it. So lines are best effort, as AWS's are: who dies in
//! between leaves none. What holds is the history.

use model::EventKind;
use store::Committed;
use wire::record::LogLevel;

use super::Inner;
use super::build::Plan;
use super::feed::added;

/// What lines of histories bear as their target, by which a filter tells them from all others.
const TARGET: &str = "stepwell.history";

impl Inner {
    /// Logs the events of a commit, if its execution is logged.
    pub(super) fn log_history(&self, plan: &Plan, committed: &Committed) {
        let Some(logging) = plan.known.record.logging.filter(|_| !plan.known.arn().is_map_run()) else { return };
        let Some(service) = self.service.get() else { return };
        if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
            return;
        }
        for event in added(&plan.commit, committed, |kind| takes(logging.level, kind)) {
            let line = service.log_line(&plan.known.record, &event, logging.with_data);
            tracing::info!(target: TARGET, "{line}");
        }
    }
}

/// Tells whether events of a kind are logged at a level.
///
/// AWS lists them: <https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html>. Its list leaves out the kinds of activities and
/// of evaluations, which are taken here as their likes of tasks are.
fn takes(level: LogLevel, kind: EventKind) -> bool {
    let is_bad = ["Failed", "TimedOut", "Aborted"].iter().any(|end| kind.as_str().ends_with(end));
    match level {
        LogLevel::All => true,
        LogLevel::Error => is_bad || kind == EventKind::FailStateEntered,
        LogLevel::Fatal => is_bad && kind.is_terminal(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(level: LogLevel) -> Vec<&'static str> {
        EventKind::ALL.iter().filter(|kind| takes(level, **kind)).map(|kind| kind.as_str()).collect()
    }

    #[test]
    fn levels_take_what_aws_lists() {
        assert_eq!(taken(LogLevel::All).len(), EventKind::ALL.len());
        assert_eq!(taken(LogLevel::Fatal), ["ExecutionAborted", "ExecutionFailed", "ExecutionTimedOut"]);
        let errors = [
            "ActivityFailed",
            "ActivityScheduleFailed",
            "ActivityTimedOut",
            "EvaluationFailed",
            "ExecutionAborted",
            "ExecutionFailed",
            "ExecutionTimedOut",
            "FailStateEntered",
            "LambdaFunctionFailed",
            "LambdaFunctionScheduleFailed",
            "LambdaFunctionStartFailed",
            "LambdaFunctionTimedOut",
            "MapIterationAborted",
            "MapIterationFailed",
            "MapRunAborted",
            "MapRunFailed",
            "MapStateAborted",
            "MapStateFailed",
            "ParallelStateAborted",
            "ParallelStateFailed",
            "TaskFailed",
            "TaskStartFailed",
            "TaskStateAborted",
            "TaskSubmitFailed",
            "TaskTimedOut",
            "WaitStateAborted",
        ];
        assert_eq!(taken(LogLevel::Error), errors);
    }
}

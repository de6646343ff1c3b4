//! What bounds a task: the item's deadline or the handler's own time-out, whichever is first, and how much it may answer.

use std::time::Duration;

use model::Timestamp;
use runtime::Runtime;

use super::Answer;
use crate::{Context, Failure};

/// Is what bounds each task of a handler.
#[derive(Clone)]
pub(crate) struct Bounds {
    pub(crate) runtime: Runtime,
    /// How long a task may take, beside its deadline.
    pub(crate) timeout: Option<Duration>,
    /// The most that a task may answer.
    pub(crate) output_bytes_max: usize,
}

impl Bounds {
    /// Lets a task go on until it ends or its time does.
    pub(crate) async fn hold<T: Into<Answer>>(&self, context: &Context, task: impl Future<Output = T>) -> Answer {
        let limit = self.limit(context);
        tokio::select! { biased;
            answer = task => answer.into(),
            answer = limit.passed() => answer,
        }
    }

    /// Begins to count a task's time now.
    pub(crate) fn limit(&self, context: &Context) -> Limit {
        Limit::begin(&self.runtime, context, self.timeout)
    }
}

/// Names the failure of a handler that answered more than can be reported; Lambda's word.
pub(crate) const RESPONSE_TOO_LARGE: &str = "Function.ResponseSizeTooLarge";

/// Says that a handler answered more than it may.
pub(crate) fn too_large(bytes_max: usize) -> Failure {
    let message = format!("the handler wrote more than {bytes_max} bytes (setting worker.output_bytes_max)");
    Failure::new(RESPONSE_TOO_LARGE, message)
}

/// Is the end of a task's time.
pub(crate) struct Limit {
    runtime: Runtime,
    at: Option<(Timestamp, Kind)>,
}

#[derive(Clone, Copy)]
enum Kind {
    Deadline,
    Timeout(Duration),
}

impl Limit {
    fn begin(runtime: &Runtime, context: &Context, timeout: Option<Duration>) -> Self {
        let deadline = context.deadline().map(|deadline| (deadline, Kind::Deadline));
        let timeout = timeout.map(|timeout| {
            let millis = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
            (runtime.now().plus_millis(millis), Kind::Timeout(timeout))
        });
        let at = deadline.into_iter().chain(timeout).min_by_key(|(at, _)| *at);
        Self { runtime: runtime.clone(), at }
    }

    /// Waits for the end and gives the answer that it makes.
    pub(crate) async fn passed(&self) -> Answer {
        let Some((at, kind)) = self.at else { return std::future::pending().await };
        self.runtime.sleep_until(at).await;
        match kind {
            Kind::Deadline => Answer::PastDeadline,
            Kind::Timeout(timeout) => Answer::Failed(Failure::new(
                "Sandbox.Timedout",
                format!("Task timed out after {:.2} seconds", timeout.as_secs_f64()),
            )),
        }
    }
}

//! How long a task may take: until the item's deadline or the handler's own time-out, whichever is first.

use std::time::Duration;

use model::Timestamp;
use runtime::Runtime;

use super::Answer;
use crate::{Context, Failure};

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
    /// Begins to count now.
    pub(crate) fn begin(runtime: &Runtime, context: &Context, timeout: Option<Duration>) -> Self {
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

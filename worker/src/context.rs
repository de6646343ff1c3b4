//! What a handler knows of its task and may say while it runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::{AttemptId, BranchPath, ExecutionArn, TaskToken, Timestamp};
use wire::message::Outcome;

use crate::consume::{Held, Reporter, Subject};

/// How long after one heartbeat the next one is sent at the earliest, whatever the handler does; `HeartbeatSeconds` is 1 at least.
const HEARTBEAT_GAP_MILLIS: u64 = 250;

/// Is a handler's side of one task; cheap to clone.
#[derive(Clone)]
pub struct Context {
    shared: Arc<Shared>,
}

struct Shared {
    held: Arc<Held>,
    reporter: Reporter,
}

impl Context {
    pub(crate) fn new(held: Arc<Held>, reporter: Reporter) -> Self {
        Self { shared: Arc::new(Shared { held, reporter }) }
    }

    /// Gives the execution.
    pub fn execution(&self) -> &ExecutionArn {
        &self.shared.held.item.execution
    }

    /// Gives the branch within the execution.
    pub fn branch(&self) -> &BranchPath {
        &self.shared.held.item.branch
    }

    /// Gives the attempt. The same attempt may be delivered more than once; a retry is another attempt.
    pub fn attempt(&self) -> AttemptId {
        self.shared.held.item.attempt
    }

    /// Gives the state's name.
    pub fn state(&self) -> &str {
        &self.shared.held.item.state
    }

    /// Gives the Resource as the definition names it.
    pub fn resource(&self) -> &str {
        &self.shared.held.item.resource
    }

    /// Gives the role that the state's Credentials name: whose rights the task is to be run with, at AWS or wherever roles mean something.
    pub fn role_arn(&self) -> Option<&str> {
        self.shared.held.item.role_arn.as_deref()
    }

    /// Gives the task token by which SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat name the attempt.
    pub fn task_token(&self) -> String {
        TaskToken::render(self.execution().as_str(), self.branch(), self.attempt())
    }

    /// Gives the W3C trace context of this run of the handler, for calls that it makes.
    pub fn traceparent(&self) -> &str {
        &self.shared.held.traceparent
    }

    /// Gives the instant at which the attempt times out, if it does. The handler is stopped then.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.shared.held.item.deadline
    }

    /// Gives the time left until the deadline; zero once it passed.
    pub fn remaining(&self) -> Option<Duration> {
        let now = self.shared.reporter.runtime().now();
        self.deadline().map(|deadline| Duration::from_millis(deadline.millis_since(now)))
    }

    /// Tells the coordinator that the handler is alive. Calls in quick succession make one report.
    pub fn heartbeat(&self) {
        let now = self.shared.reporter.runtime().now();
        if self.shared.held.begin_heartbeat(now, HEARTBEAT_GAP_MILLIS) {
            self.shared.reporter.send(&self.shared.held, Subject::Heartbeat, Outcome::Heartbeat);
        }
    }

    /// Hands the task over: its result comes by the [task token](Self::task_token) once the handler has returned, from SendTaskSuccess or
    /// SendTaskFailure, with SendTaskHeartbeat meanwhile where the state has HeartbeatSeconds. It holds for every Resource.
    ///
    /// What the handler returns then is what the call answered, which the history's `TaskSubmitted` shows where the Resource has one. An
    /// error still fails the task. A result that comes before the handler has returned counts. Calling it again changes nothing.
    pub fn submit(&self) {
        self.shared.held.submit();
    }

    pub(crate) fn is_submitted(&self) -> bool {
        self.shared.held.is_submitted()
    }

    /// Waits for a while.
    pub async fn sleep(&self, duration: Duration) {
        self.shared.reporter.runtime().sleep(duration).await;
    }

    /// Tells whether the task is no longer wanted: its execution or branch ended, its time is up, or the worker ends.
    ///
    /// The handler's future is dropped then; this is for what it started beside itself.
    pub fn is_cancelled(&self) -> bool {
        self.shared.held.stop.is_set()
    }

    /// Waits until the task is no longer wanted.
    pub async fn cancelled(&self) {
        self.shared.held.stop.wait().await;
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Context({} {} {})", self.execution(), self.branch(), self.attempt())
    }
}

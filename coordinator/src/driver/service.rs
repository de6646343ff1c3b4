//! What tasks call of this service itself: nested executions, activities, task tokens, everything of its API.
//!
//! The driver knows when a call is due and what becomes of its result; what a call means is the API's matter. So the driver is given
//! a [`Service`], and knows nothing of AWS's shapes: not those of the log of a history either.

use std::sync::{Arc, OnceLock};

use asl::{Resource, ResourceKind};
use async_trait::async_trait;
use engine::{Callback, Outcome};
use model::{ExecutionArn, HistoryEvent, JsonText};
use store::ExecutionHead;
use telemetry::TraceContext;
use wire::record::{ExecutionRecord, LoggingRecord, StarterRecord, StateMachineRecord};

use super::activity::TakenTask;

/// How the actions of the optimised integration and of the SDK's begin.
const SERVICES: [&str; 2] = ["states:", "aws-sdk:sfn:"];

/// Is a call that an open attempt of a Task state asks for.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is called.
    pub resource: Resource,
    /// The effective input of the task.
    pub input: JsonText,
    /// The attempt that calls.
    pub task: StarterRecord,
    /// Where the call stands in the trace of its execution.
    pub trace: Option<TraceContext>,
}

/// Is what came of a call.
#[derive(Debug)]
pub enum Reply {
    /// It is over, or it began something that the task waits for.
    Done {
        /// The report on the attempt.
        outcome: Outcome,
        /// The execution that it started, if it did.
        started: Option<ExecutionArn>,
        /// The task of an activity that it was given.
        taken: Option<TakenTask>,
    },
    /// The store can't be reached, or has no room: the call is to be made again.
    Later(String),
}

/// Answers calls, and knows AWS's shapes. Any call may be made more than once, by any coordinator.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Answers a call.
    async fn answer(&self, call: Call) -> Reply;

    /// Tells the task that waits for the end of an execution how it ended; nothing if no task waits, or it has not ended.
    fn end_of(&self, head: &ExecutionHead) -> Option<Callback>;

    /// Tells what is to be logged of the executions that a state machine starts now; nothing if it logs nothing.
    fn logging_of(&self, machine: &StateMachineRecord) -> Option<LoggingRecord>;

    /// Renders an event of an execution's history for the log: one JSON object, without a line feed.
    fn log_line(&self, execution: &ExecutionRecord, event: &HistoryEvent, with_data: bool) -> String;

    /// Names the execution that a call starts, and whose end its task waits for.
    fn awaited(&self, call: &Call) -> Option<ExecutionArn>;
}

/// Holds the service once it is there.
#[derive(Default)]
pub(crate) struct Attached(OnceLock<Arc<dyn Service>>);

impl Attached {
    pub(crate) fn attach(&self, service: Arc<dyn Service>) {
        // The first one stays.
        let _ = self.0.set(service);
    }

    pub(crate) fn get(&self) -> Option<&Arc<dyn Service>> {
        self.0.get()
    }
}

/// Gives the resource of a task, if it is this service itself.
pub(crate) fn own(resource: &str) -> Option<Resource> {
    service_of(resource)?;
    Resource::parse(resource)
}

/// Gives the part of a resource that says that it is this service itself: `arn:aws:states:::states:`.
pub(crate) fn service_of(resource: &str) -> Option<&str> {
    let (begin, rest) = resource.split_once(":states:::")?;
    if begin.matches(':').count() != 1 {
        return None;
    }
    let service = SERVICES.iter().find(|service| rest.starts_with(**service))?;
    resource.get(..resource.len() - rest.len() + service.len())
}

/// Tells whether a call may take as long as a poll does, or longer.
pub(crate) fn is_poll(resource: &Resource) -> bool {
    is_action(resource, "getActivityTask") || is_synchronous_start(resource)
}

/// Tells whether a call lasts as long as the execution that it starts.
pub(crate) fn is_synchronous_start(resource: &Resource) -> bool {
    is_action(resource, "startSyncExecution")
}

fn is_action(resource: &Resource, wanted: &str) -> bool {
    matches!(resource.kind(), ResourceKind::SdkService { action, .. } if &**action == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_service_is_known_by_its_resources() {
        for resource in [
            "arn:aws:states:::states:startExecution",
            "arn:aws:states:::states:startExecution.sync:2",
            "arn:aws-cn:states:::aws-sdk:sfn:getActivityTask",
        ] {
            assert!(own(resource).is_some(), "{resource}");
        }
        for resource in [
            "arn:aws:states:::lambda:invoke",
            "arn:aws:states:::aws-sdk:sqs:sendMessage",
            "arn:aws:states:us-east-1:1:activity:states:x",
            "arn:aws:lambda:::states:startExecution",
            "",
        ] {
            assert!(own(resource).is_none(), "{resource}");
        }
        let poll = |resource| own(resource).is_some_and(|resource| is_poll(&resource));
        assert!(poll("arn:aws:states:::aws-sdk:sfn:getActivityTask"));
        assert!(poll("arn:aws:states:::aws-sdk:sfn:startSyncExecution"));
        assert!(!poll("arn:aws:states:::aws-sdk:sfn:createActivity"));
    }
}

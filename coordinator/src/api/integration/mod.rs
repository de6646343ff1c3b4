//! Tasks that call this service itself: `arn:aws:states:::states:startExecution` and `arn:aws:states:::aws-sdk:sfn:ACTION`.
//!
//! Such a call is answered by the same operation as a request over HTTP, without the way through it. What differs is the dress: the
//! members begin with a capital, as in AWS's SDKs, and errors have the names and words of the SDK that AWS calls itself with.

mod failure;
mod nested;
mod shapes;

use std::sync::{Arc, Weak};
use std::time::Duration;

use asl::{IntegrationPattern, Resource, ResourceKind};
use async_trait::async_trait;
use engine::{Callback, Outcome};
use model::{ExecutionArn, HistoryEvent, JsonText};
use serde_json::Value;
use store::ExecutionHead;
use wire::record::{ExecutionRecord, LoggingRecord, StateMachineRecord, Waits};

use super::activities::polled;
use super::answer::Answer;
use super::caller::Caller;
use super::configuration::Logging;
use super::error::{ApiError, ErrorCode};
use super::log_line::log_line;
use super::members::Members;
use super::operation::{Found, Operation, find};
use super::{Api, Inner};
use crate::driver::{Call, Reply, Service, TakenTask, is_synchronous_start, name_of};

/// Is the kind of an integration: how a call's members and its errors look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dress {
    /// `states:startExecution`, which AWS calls by its SDK of version 1.
    Optimised,
    /// `aws-sdk:sfn:ACTION`, which AWS calls by its SDK of version 2.
    Sdk,
}

/// Answers the calls of tasks as long as the API is there.
pub(super) struct TaskCalls(Weak<Inner>);

impl TaskCalls {
    pub(super) fn new(api: &Arc<Inner>) -> Self {
        Self(Arc::downgrade(api))
    }
}

#[async_trait]
impl Service for TaskCalls {
    async fn answer(&self, call: Call) -> Reply {
        match self.0.upgrade() {
            Some(inner) => Api { inner }.answer_task(call).await,
            None => Reply::Later("the API is gone".to_owned()),
        }
    }

    fn end_of(&self, head: &ExecutionHead) -> Option<Callback> {
        nested::end_of(head)
    }

    fn logging_of(&self, machine: &StateMachineRecord) -> Option<LoggingRecord> {
        Logging::of(machine)
    }

    fn log_line(&self, execution: &ExecutionRecord, event: &HistoryEvent, with_data: bool) -> String {
        log_line(execution, event, with_data)
    }

    fn awaited(&self, call: &Call) -> Option<ExecutionArn> {
        let members = call.input.to_value().ok()?;
        let machine = super::arn::qualified_arn(members["StateMachineArn"].as_str()?).ok()?.machine;
        let name = members["Name"].as_str().map_or_else(|| name_of(&call.task), str::to_owned);
        ExecutionArn::parse(machine.execution(&name).as_str()).ok()
    }
}

impl Api {
    async fn answer_task(&self, call: Call) -> Reply {
        let dress = dress_of(&call.resource);
        let answered = self.answer_or_refuse(dress, &call).await;
        let request = self.runtime().uuid();
        match answered {
            Ok((value, taken)) => self.done(dress, &call, &value, &request, taken),
            Err(error) if is_passing(error.code) && !is_held_up(&call, error.code) => Reply::Later(error.message),
            Err(error) => {
                Reply::Done { outcome: failure::outcome(dress, &error, &request), started: None, taken: None }
            }
        }
    }

    async fn answer_or_refuse(&self, dress: Dress, call: &Call) -> Result<(Value, Option<TakenTask>), ApiError> {
        let operation = operation_of(&call.resource)?;
        let members = shapes::members(dress, &call.input)?;
        let state_machine = call.task.execution.state_machine();
        let caller = Caller {
            account: state_machine.account().to_owned(),
            region: state_machine.region().to_owned(),
            trace: call.trace,
            trace_header: None,
            task: Some(call.task.clone()),
        };
        if operation == Operation::GetActivityTask {
            let taken = self.guard(self.settings().activity_wait, self.poll_activity(members)).await?;
            return Ok((polled(taken.as_ref()), taken));
        }
        let is_synchronous = operation == Operation::StartSyncExecution;
        let patience = if is_synchronous { self.settings().express_longest } else { Duration::ZERO };
        let answer = self.guard(patience, self.perform(operation, members, &caller)).await?;
        Ok((value_of(answer)?, None))
    }

    fn done(&self, dress: Dress, call: &Call, value: &Value, request: &str, taken: Option<TakenTask>) -> Reply {
        let output = match dress {
            Dress::Optimised => shapes::optimised(value, request, self.runtime().now()),
            Dress::Sdk => shapes::sdk(value),
        };
        let output = JsonText::from_value(&output);
        let started = value["executionArn"].as_str().and_then(|arn| ExecutionArn::parse(arn).ok());
        let outcome = match call.resource.pattern() {
            IntegrationPattern::Sync | IntegrationPattern::Sync2 => Outcome::Submitted { output },
            IntegrationPattern::RequestResponse | IntegrationPattern::WaitForTaskToken => Outcome::Succeeded { output },
        };
        Reply::Done { outcome, started: started.filter(|_| call.task.waits != Waits::No), taken }
    }
}

fn dress_of(resource: &Resource) -> Dress {
    if matches!(resource.kind(), ResourceKind::Service { .. }) { Dress::Optimised } else { Dress::Sdk }
}

fn operation_of(resource: &Resource) -> Result<Operation, ApiError> {
    let unknown = || {
        ApiError::new(
            ErrorCode::UnknownOperationException,
            format!("There is no operation for the resource {resource}"),
        )
    };
    let action = match resource.kind() {
        ResourceKind::Service { action, .. } if &**action == "startExecution" => action,
        ResourceKind::SdkService { action, .. } if action.starts_with(|letter: char| letter.is_ascii_lowercase()) => {
            action
        }
        ResourceKind::Service { .. }
        | ResourceKind::SdkService { .. }
        | ResourceKind::LambdaFunction { .. }
        | ResourceKind::LambdaInvoke { .. }
        | ResourceKind::Activity { .. }
        | ResourceKind::Other => return Err(unknown()),
    };
    match find(&format!("AWSStepFunctions.{}", shapes::capitalised(action))) {
        Found::Answered(_, operation) => Ok(operation),
        Found::NotYet(name) => {
            let message = format!("The operation {name} is known, but this version of Stepwell does not answer it yet");
            Err(ApiError::new(ErrorCode::UnknownOperationException, message))
        }
        Found::Unknown => Err(unknown()),
    }
}

/// Tells whether a failure passes by itself: the call is made again, and the task never hears of it.
fn is_passing(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::ServiceUnavailable | ErrorCode::ThrottlingException)
}

/// Tells whether a task may wait for a place that its own execution takes: synchronous executions that start others, all places taken
/// by them. Whether it tries again is for its definition to say.
fn is_held_up(call: &Call, code: ErrorCode) -> bool {
    code == ErrorCode::ThrottlingException && call.task.execution.is_express() && is_synchronous_start(&call.resource)
}

fn value_of(answer: Answer) -> Result<Value, ApiError> {
    serde_json::from_slice(&answer.into_bytes()).map_err(|fault| {
        tracing::error!(error = %fault, "an answer can't be read");
        ApiError::new(ErrorCode::InternalFailure, "The answer can't be read.")
    })
}

fn members_of(value: Value) -> Result<Members, ApiError> {
    match value {
        Value::Object(members) => Ok(Members::of(members)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(ApiError::serialization("The parameters of the task are not a JSON object"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_by_their_resource() {
        let find = |resource: &str| operation_of(&Resource::parse(resource).expect("is an ARN")).ok();
        assert_eq!(find("arn:aws:states:::states:startExecution.sync:2"), Some(Operation::StartExecution));
        assert_eq!(find("arn:aws:states:::aws-sdk:sfn:sendTaskSuccess"), Some(Operation::SendTaskSuccess));
        for unknown in
            ["states:stopExecution", "aws-sdk:sfn:SendTaskSuccess", "aws-sdk:sfn:updateMapRun", "aws-sdk:sfn:"]
        {
            assert_eq!(find(&format!("arn:aws:states:::{unknown}")), None, "{unknown}");
        }
    }
}

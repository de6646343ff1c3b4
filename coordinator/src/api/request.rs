//! The way of one request: from HTTP to its operation, and back with an answer whatever happens on the way.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, request::Parts};
use axum::response::Response;
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use tracing::Instrument;
use tracing::field::{Empty, display};

use super::Api;
use super::answer::{Answer, respond};
use super::caller::Caller;
use super::error::{ApiError, ErrorCode};
use super::members::Members;
use super::operation::{Found, Operation, find};

const JSON_1_0: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";
/// How much of a body that is too large is read away, as a multiple of what is allowed, so that its sender reads the answer instead of
/// finding a broken connection.
const DRAINED: usize = 4;

impl Api {
    /// Gives the routes: everything that comes is a request of the API, or is answered with AWS's error.
    pub fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    /// Answers a request of this very process, by a caller of the configured account and region.
    ///
    /// # Errors
    /// The name of AWS's error and its message.
    pub async fn ask(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        let caller = Caller::read(&HeaderMap::new(), &self.settings().account, &self.settings().region);
        let answering = async {
            let Found::Answered(_, operation) = find(&format!("AWSStepFunctions.{operation}")) else {
                let message = format!("There is no operation {operation}");
                return Err(ApiError::new(ErrorCode::UnknownOperationException, message));
            };
            self.perform(operation, Members::parse(body)?, &caller).await
        };
        let outcome = answering.await.map_err(|error| format!("{}: {}", error.code.name(), error.message));
        outcome.map(Answer::into_bytes)
    }

    pub(super) async fn answer(&self, request: Request) -> Response {
        let begun = self.runtime().instant();
        let id = self.runtime().uuid();
        let (head, body) = request.into_parts();
        let content_type = content_type(&head.headers);
        let found = self.operation(&head, content_type);
        let name = found.as_ref().map_or("-", |(name, _)| name);
        let caller = Caller::read(&head.headers, &self.settings().account, &self.settings().region);
        let caller_trace_id = caller.trace.map(|trace| display(trace.trace));
        // An error's, so that no filter takes it from the lines that remain. What it is about, operations say.
        let span = tracing::error_span!(
            "request",
            operation = name,
            request = id,
            account = caller.account,
            caller_trace_id,
            execution = Empty,
            trace_id = Empty
        );
        let answering = async {
            let body = self.read(&head.headers, body).await;
            let (_, operation) = found.clone()?;
            let members = Members::parse(&body?)?;
            self.perform(operation, members, &caller).await
        };
        // A poll waits for as long as it may, and a tested task or an execution takes its time, beside what a request may take.
        let patience = match &found {
            Ok((_, Operation::GetActivityTask)) => self.settings().activity_wait,
            Ok((_, Operation::StartSyncExecution)) => self.settings().express_longest,
            Ok((_, Operation::TestState)) => Duration::from_millis(engine::TEST_MILLIS_MAX),
            Ok(_) | Err(_) => Duration::ZERO,
        };
        let outcome = self.guard(patience, answering).instrument(span.clone()).await;
        let error = outcome.as_ref().err().map(|error| error.code);
        let elapsed = begun.elapsed();
        self.inner.metrics.answered(name, error.map_or("OK", ErrorCode::name), elapsed.as_secs_f64());
        span.in_scope(|| log(outcome.as_ref().err(), elapsed));
        respond(outcome, content_type.unwrap_or(JSON_1_0), &id)
    }

    fn operation(
        &self,
        head: &Parts,
        content_type: Option<&'static str>,
    ) -> Result<(&'static str, Operation), ApiError> {
        let unknown = |message: String| Err(ApiError::new(ErrorCode::UnknownOperationException, message));
        if head.method != Method::POST || head.uri.path() != "/" {
            let (method, path) = (&head.method, head.uri.path());
            return unknown(format!("Requests are POST to /, this one is {method} to {path}"));
        }
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let Some(target) = target else {
            return unknown("The header X-Amz-Target: AWSStepFunctions.<Operation> is missing".to_owned());
        };
        match find(target) {
            Found::Answered(name, operation) if content_type.is_some() => Ok((name, operation)),
            Found::Answered(..) => unknown(format!("The header Content-Type must be {JSON_1_0}")),
            Found::NotYet(name) => {
                unknown(format!("The operation {name} is known, but this version of Stepwell does not answer it yet"))
            }
            Found::Unknown => unknown(format!("There is no operation {target}")),
        }
    }

    /// Reads a body, of a bounded size.
    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, ApiError> {
        let most = self.settings().body_bytes_max;
        let too_large = || {
            let message = format!("The body is larger than {most} bytes (api.body_bytes)");
            ApiError::new(ErrorCode::RequestEntityTooLargeException, message)
        };
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > most.saturating_mul(DRAINED)) {
            return Err(too_large());
        }
        let (mut bytes, mut seen) = (Vec::new(), 0_usize);
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|fault| ApiError::serialization(format!("Body cut off: {fault}")))?;
            seen = seen.saturating_add(chunk.len());
            if seen > most.saturating_mul(DRAINED) {
                break;
            }
            if seen <= most {
                bytes.extend_from_slice(&chunk);
            }
        }
        if seen > most { Err(too_large()) } else { Ok(bytes) }
    }

    pub(super) async fn perform(
        &self,
        operation: Operation,
        members: Members,
        caller: &Caller,
    ) -> Result<Answer, ApiError> {
        match operation {
            Operation::CreateActivity => self.create_activity(members, caller).await,
            Operation::CreateStateMachine => self.create_state_machine(members, caller).await,
            Operation::DeleteActivity => self.delete_activity(members).await,
            Operation::DeleteStateMachine => self.delete_state_machine(members).await,
            Operation::DescribeActivity => self.describe_activity(members).await,
            Operation::DescribeExecution => self.describe_execution(members).await,
            Operation::DescribeStateMachine => self.describe_state_machine(members).await,
            Operation::DescribeStateMachineForExecution => self.describe_state_machine_for_execution(members).await,
            Operation::GetActivityTask => self.get_activity_task(members).await,
            Operation::GetExecutionHistory => self.get_execution_history(members).await,
            Operation::StartExecution => self.start_execution(members, caller).await,
            Operation::StartSyncExecution => self.start_sync_execution(members, caller).await,
            Operation::StopExecution => self.stop_execution(members).await,
            Operation::ListActivities => self.list_activities(members, caller).await,
            Operation::ListExecutions => self.list_executions(members).await,
            Operation::ListMapRuns => self.list_map_runs(members).await,
            Operation::DescribeMapRun => self.describe_map_run(members).await,
            Operation::ListStateMachines => self.list_state_machines(members, caller).await,
            Operation::ListTagsForResource => self.list_tags_for_resource(members).await,
            Operation::SendTaskFailure => self.send_task_failure(members, caller).await,
            Operation::SendTaskHeartbeat => self.send_task_heartbeat(members).await,
            Operation::SendTaskSuccess => self.send_task_success(members, caller).await,
            Operation::TagResource => self.tag_resource(members).await,
            Operation::UntagResource => self.untag_resource(members).await,
            Operation::UpdateStateMachine => self.update_state_machine(members).await,
            Operation::CreateStateMachineAlias => self.create_state_machine_alias(members).await,
            Operation::DeleteStateMachineAlias => self.delete_state_machine_alias(members).await,
            Operation::DeleteStateMachineVersion => self.delete_state_machine_version(members).await,
            Operation::DescribeStateMachineAlias => self.describe_state_machine_alias(members).await,
            Operation::ListStateMachineAliases => self.list_state_machine_aliases(members).await,
            Operation::ListStateMachineVersions => self.list_state_machine_versions(members).await,
            Operation::PublishStateMachineVersion => self.publish_state_machine_version(members).await,
            Operation::UpdateStateMachineAlias => self.update_state_machine_alias(members).await,
            Operation::TestState => self.test_state(members, caller).await,
            Operation::ValidateStateMachineDefinition => self.validate_state_machine_definition(members).await,
        }
    }

    /// Answers in time, and even when the operation panics.
    pub(super) async fn guard<T>(
        &self,
        patience: Duration,
        answering: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let timeout = self.settings().request_timeout + patience;
        let caught = std::pin::pin!(AssertUnwindSafe(answering).catch_unwind());
        let late = std::pin::pin!(self.runtime().sleep(timeout));
        match select(caught, late).await {
            Either::Left((Ok(outcome), _)) => outcome,
            Either::Left((Err(_), _)) => {
                Err(ApiError::new(ErrorCode::InternalFailure, "The request met a defect of Stepwell; see its log."))
            }
            Either::Right(_) => {
                tracing::warn!(?timeout, "a request took too long (api.request_timeout)");
                Err(ApiError::new(ErrorCode::ServiceUnavailable, "The request took too long. Try again later."))
            }
        }
    }
}

async fn answer(State(api): State<Api>, request: Request) -> Response {
    api.answer(request).await
}

/// Gives the content type that the answer bears too; nothing for one that is not the protocol's.
fn content_type(headers: &HeaderMap) -> Option<&'static str> {
    let given = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = given.split(';').next().unwrap_or_default().trim();
    match kind.to_ascii_lowercase().as_str() {
        JSON_1_0 | "application/json" => Some(JSON_1_0),
        JSON_1_1 => Some(JSON_1_1),
        _ => None,
    }
}

fn log(error: Option<&ApiError>, elapsed: Duration) {
    let millis = elapsed.as_secs_f64() * 1_000.0;
    match error {
        None => tracing::debug!(millis, "answered"),
        Some(error) if error.code == ErrorCode::InternalFailure => {
            tracing::error!(millis, code = error.code.name(), "answered");
        }
        Some(error) => tracing::debug!(millis, code = error.code.name(), message = error.message, "answered"),
    }
}

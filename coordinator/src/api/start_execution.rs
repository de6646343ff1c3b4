//! StartExecution: begins an execution, or, but of type EXPRESS, finds the one that was begun by the same request before.

use model::{ExecutionArn, JsonText, QualifiedArn, Timestamp};
use serde_json::json;
use store::ExecutionHead;
use telemetry::TraceContext;
use wire::record::{StarterRecord, Waits};

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::qualified_arn;
use super::caller::Caller;
use super::checks::Checks;
use super::error::{ApiError, ErrorCode};
use super::members::Members;
use super::name::check_name;
use super::published::Resolved;
use super::resource::refuse_deleting;
use crate::driver::{StartError, StartOutcome, StartRequest, name_of, run_of};

/// Is what both operations that start executions take.
pub(super) struct Input {
    pub(super) arn: String,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
    /// Whether the answer is to bear payloads; StartExecution's has none.
    pub(super) with_data: bool,
}

impl Input {
    fn read(members: Members, payload_bytes_max: u64) -> Result<Self, ApiError> {
        Self::checked(members, payload_bytes_max, None)
    }

    /// Reads what StartSyncExecution takes.
    pub(super) fn read_synchronous(mut members: Members, payload_bytes_max: u64) -> Result<Self, ApiError> {
        let included = members.text("includedData")?;
        Self::checked(members, payload_bytes_max, included.as_deref())
    }

    fn checked(mut members: Members, payload_bytes_max: u64, included: Option<&str>) -> Result<Self, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("stateMachineArn")?;
        let name = members.text("name")?;
        let input = members.text("input")?;
        let trace_header = members.text("traceHeader")?;
        checks.required("stateMachineArn", arn.as_ref());
        checks.length("stateMachineArn", arn.as_deref(), 1, 256);
        checks.length("name", name.as_deref(), 1, 80);
        checks.payload("input", input.as_deref(), payload_bytes_max);
        checks.length("traceHeader", trace_header.as_deref(), 0, 256);
        checks.ascii("traceHeader", trace_header.as_deref());
        checks.one_of("includedData", included, &["ALL_DATA", "METADATA_ONLY"]);
        checks.finish()?;
        let with_data = included != Some("METADATA_ONLY");
        Ok(Self { arn: arn.unwrap_or_default(), name, input, trace_header, with_data })
    }
}

impl Api {
    /// Answers StartExecution. Repeated with the same name and input while the execution runs, it gives the same answer, but of type
    /// EXPRESS it starts another one.
    pub(super) async fn start_execution(&self, members: Members, caller: &Caller) -> Result<Answer, ApiError> {
        let mut input = Input::read(members, self.settings().payload_bytes_max)?;
        let of = qualified_arn(&input.arn)?;
        let resolved = self.resolve(&of).await;
        input.name = input.name.or_else(|| caller.task.as_ref().map(name_of));
        if let (Err(error), Some(task), Some(name)) = (&resolved, &caller.task, &input.name)
            && error.code == ErrorCode::StateMachineDoesNotExist
            && let Some((arn, at)) = self.own_execution(&of, name, task).await?
        {
            return started(&arn, at);
        }
        let resolved = resolved?;
        if resolved.machine.is_express() && caller.task.as_ref().is_some_and(|task| task.waits != Waits::No) {
            // Nobody could be asked how it ended.
            return Err(not_of_this_type());
        }
        let request = StartRequest { started_by: caller.task.clone(), ..self.start_request(input, resolved, caller)? };
        let payload = request.input.clone();
        let (arn, at) = match self.driver()?.start_execution(request).await? {
            StartOutcome::Started { arn, at } => (arn, at),
            StartOutcome::Exists(head) => same_request(&head, &payload, caller.task.as_ref())?,
        };
        tracing::debug!("execution started");
        started(&arn, at)
    }

    /// Checks what is left to be checked of a start, and makes the request of it.
    pub(super) fn start_request(
        &self,
        input: Input,
        resolved: Resolved,
        caller: &Caller,
    ) -> Result<StartRequest, ApiError> {
        let Input { name, input, trace_header, .. } = input;
        let Resolved { machine, version, alias } = resolved;
        if let Some(name) = &name {
            check_name(name)?;
        }
        let input = payload(input)?;
        refuse_deleting(&machine)?;
        let trace_header = trace_header.filter(|header| !header.is_empty());
        let named = trace_header.as_deref().and_then(|header| TraceContext::from_xray(header).ok());
        Ok(StartRequest {
            machine,
            version: version.map(|version| version.number),
            alias,
            name: name.unwrap_or_else(|| self.runtime().uuid()),
            run: caller.task.as_ref().map(run_of),
            input,
            // AWS prefers the header of the request to the member.
            trace: caller.trace.or(named),
            trace_header: caller.trace_header.clone().or(trace_header),
            started_by: None,
        })
    }

    /// Finds the execution that a task started by a version or an alias that is gone since: the call may be made again.
    async fn own_execution(
        &self,
        of: &QualifiedArn,
        name: &str,
        task: &StarterRecord,
    ) -> Result<Option<(ExecutionArn, Timestamp)>, ApiError> {
        if of.qualifier.is_none() || check_name(name).is_err() {
            return Ok(None);
        }
        for arn in [of.machine.execution(name), of.machine.express_execution(name, &run_of(task))] {
            if let Some(head) = self.store()?.execution(&arn).await?.filter(|head| is_own(head, Some(task))) {
                return Ok(Some((head.record.arn.clone(), head.record.started_at)));
            }
        }
        Ok(None)
    }
}

/// Says that an operation is for state machines of the other type.
pub(super) fn not_of_this_type() -> ApiError {
    let message = "This operation is not supported by this type of state machine";
    ApiError::new(ErrorCode::StateMachineTypeNotSupported, message)
}

fn started(arn: &ExecutionArn, at: Timestamp) -> Result<Answer, ApiError> {
    Answer::render(&json!({ "executionArn": arn.as_str(), "startDate": seconds(at) }))
}

pub(super) fn payload(input: Option<String>) -> Result<JsonText, ApiError> {
    let Some(text) = input else { return Ok(JsonText::trusted("{}")) };
    if text.is_empty() {
        return Err(ApiError::new(ErrorCode::InvalidExecutionInput, "Invalid execution input."));
    }
    JsonText::parse(&text).map_err(|fault| {
        let reason = asl::explain_json(&text).unwrap_or_else(|| fault.to_string());
        ApiError::quoting(ErrorCode::InvalidExecutionInput, "Invalid State Machine Execution Input", reason)
    })
}

/// Finds the execution that an equal request began before: of a task, its own one also when that has ended.
fn same_request(
    head: &ExecutionHead,
    input: &JsonText,
    task: Option<&StarterRecord>,
) -> Result<(ExecutionArn, Timestamp), ApiError> {
    let record = &head.record;
    // A task waits for the end of none but its own: nobody else's would tell it.
    let waits = task.is_some_and(|task| task.waits != Waits::No);
    if is_own(head, task) || (head.end.is_none() && record.input == *input && !waits) {
        return Ok((record.arn.clone(), record.started_at));
    }
    Err(ApiError::quoting(ErrorCode::ExecutionAlreadyExists, "Execution Already Exists", &record.arn))
}

/// Tells whether a task started an execution.
fn is_own(head: &ExecutionHead, task: Option<&StarterRecord>) -> bool {
    task.is_some() && head.record.started_by.as_ref() == task
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Definition(reason) => {
                tracing::error!(%reason, "a stored definition can't be used");
                Self::quoting(ErrorCode::InvalidDefinition, "Invalid State Machine Definition", reason)
            }
            StartError::Throttled => {
                let message = "Rate exceeded: the store is nearly full (redis.high_water), so no new execution starts.";
                Self::new(ErrorCode::ThrottlingException, message)
            }
            StartError::Busy(most) => {
                let message = format!(
                    "Rate exceeded: {most} synchronous executions are under way here (express.synchronous_max)."
                );
                Self::new(ErrorCode::ThrottlingException, message)
            }
            StartError::Unavailable(reason) => store::Error::Unavailable(reason).into(),
        }
    }
}

//! The request of TestState, and what AWS refuses of it.

use std::sync::Arc;

use asl::{IntegrationPattern, ResourceKind, StateKind};
use engine::Outcome;
use model::JsonText;

use super::super::checks::Checks;
use super::super::configuration::check_role;
use super::super::error::{ApiError, ErrorCode};
use super::super::members::Members;
use super::super::settings::ApiSettings;
use super::super::start_execution::payload;
use super::{context, mock, type_name, unsupported_without_mock};

/// That these are refused is documented of AWS; its words are not known.
const ELSEWHERE_WITHOUT_MOCK: &str = "TestState API supports Activity tasks and the .sync and .waitForTaskToken service integration patterns \
    only when a mock is specified";

/// Says how much of the data's way is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Info,
    Debug,
    Trace,
}

/// Is what stands in for the call of a task, or for children.
pub(crate) enum Mock {
    Result(JsonText),
    Error { error: Option<String>, cause: Option<String> },
}

/// Says how a mocked result is held against the service's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validation {
    Strict,
    Present,
    None,
}

/// Is a request.
pub(crate) struct Input {
    pub(crate) definition: String,
    pub(crate) state_name: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) input: JsonText,
    pub(crate) level: Level,
    pub(crate) variables: Vec<(String, JsonText)>,
    pub(crate) context: Option<JsonText>,
    pub(crate) mock: Option<Mock>,
    pub(crate) validation: Validation,
    pub(crate) retries: u32,
    pub(crate) failures: Option<u32>,
    pub(crate) items: Option<Arc<str>>,
    reveal_secrets: bool,
}

impl Input {
    pub(crate) fn read(mut members: Members, settings: &ApiSettings) -> Result<Self, ApiError> {
        let mut checks = Checks::default();
        let bytes_max = settings.payload_bytes_max;
        let definition = members.text("definition")?;
        let role_arn = members.text("roleArn")?;
        let input = members.text("input")?;
        let level = members.text("inspectionLevel")?;
        let reveal_secrets = members.boolean("revealSecrets")?.unwrap_or_default();
        let variables = members.text("variables")?;
        let state_name = members.text("stateName")?;
        checks.required("definition", definition.as_ref());
        checks.secret_length("definition", definition.as_deref(), 1, settings.definition_bytes_max);
        checks.length("roleArn", role_arn.as_deref(), 1, 256);
        checks.payload("input", input.as_deref(), bytes_max);
        checks.one_of("inspectionLevel", level.as_deref(), &["INFO", "DEBUG", "TRACE"]);
        checks.payload("variables", variables.as_deref(), bytes_max);
        checks.secret_length("stateName", state_name.as_deref(), 1, 80);
        let mock = MockInput::read(&mut members, &mut checks, bytes_max)?;
        let context = members.text("context")?;
        checks.payload("context", context.as_deref(), bytes_max);
        let configuration = Configuration::read(&mut members, &mut checks, bytes_max)?;
        checks.finish()?;
        role_arn.as_deref().map_or(Ok(()), check_role)?;
        let validation = mock.as_ref().map_or(Validation::None, |mock| mock.validation);
        let mock = mock.map(MockInput::into_mock).transpose()?;
        if mock.is_none() && context.is_some() {
            return refuse("TestState does not support Context when a mock is not specified.");
        }
        Ok(Self {
            definition: definition.unwrap_or_default(),
            state_name,
            role_arn,
            input: payload(input)?,
            level: match level.as_deref() {
                Some("DEBUG") => Level::Debug,
                Some("TRACE") => Level::Trace,
                Some(_) | None => Level::Info,
            },
            variables: read_variables(variables)?,
            context: json("context", context)?.map(checked).transpose()?,
            mock,
            validation,
            retries: configuration.retries,
            failures: configuration.failures,
            items: configuration.items.map(Into::into),
            reveal_secrets,
        })
    }

    /// Refuses what does not go together.
    pub(crate) fn check_against(&self, kind: &StateKind) -> Result<(), ApiError> {
        if self.mock.is_some() && self.reveal_secrets {
            return refuse("TestState does not support RevealSecrets when a mock is specified.");
        }
        if self.mock.is_none() && self.failures.is_some() {
            return refuse("TestState does not support MapIterationFailureCount when a mock is not specified.");
        }
        let has_reader = matches!(kind, StateKind::Map(map) if map.reader.is_some());
        if self.items.is_some() && !has_reader {
            return refuse("TestState does not support MapItemReaderData when the state has no ItemReader.");
        }
        let has_children = matches!(kind, StateKind::Map(_) | StateKind::Parallel(_));
        match &self.mock {
            None if has_children => Err(unsupported_without_mock()),
            None if is_over_elsewhere(kind) => Err(ApiError::new(ErrorCode::InvalidDefinition, ELSEWHERE_WITHOUT_MOCK)),
            None => Ok(()),
            Some(_) if !has_children && !matches!(kind, StateKind::Task(_)) => {
                refuse(format!("State type '{}' is not supported when a mock is specified", type_name(kind)))
            }
            Some(Mock::Result(result)) => mock::check(result, kind, self.validation),
            Some(Mock::Error { .. }) => Ok(()),
        }
    }

    /// Gives the mock as what a task comes to.
    pub(crate) fn mocked(&self) -> Result<Option<Outcome>, ApiError> {
        Ok(self.mock.as_ref().map(|mock| match mock {
            Mock::Result(output) => Outcome::Succeeded { output: output.clone() },
            Mock::Error { error, cause } => Outcome::Failed { error: error.clone(), cause: cause.clone() },
        }))
    }
}

/// Tells whether somebody else than who is called says when a task is over.
fn is_over_elsewhere(kind: &StateKind) -> bool {
    let StateKind::Task(task) = kind else { return false };
    let is_activity = matches!(task.resource.kind(), ResourceKind::Activity { .. });
    is_activity || task.resource.pattern() != IntegrationPattern::RequestResponse
}

fn checked(context: JsonText) -> Result<JsonText, ApiError> {
    context::check(&context).map(|()| context)
}

#[derive(Default)]
struct Configuration {
    retries: u32,
    failures: Option<u32>,
    items: Option<String>,
}

impl Configuration {
    fn read(members: &mut Members, checks: &mut Checks, bytes_max: u64) -> Result<Self, ApiError> {
        let Some(mut members) = members.structure("stateConfiguration")? else { return Ok(Self::default()) };
        let retries = members.integer("retrierRetryCount")?;
        // Which state of an iteration failed changes nothing of what the Map comes to.
        let caused_by = members.text("errorCausedByState")?;
        let failures = members.integer("mapIterationFailureCount")?;
        let items = members.text("mapItemReaderData")?;
        checks.range("stateConfiguration.retrierRetryCount", retries, 0, i64::from(i32::MAX));
        checks.secret_length("stateConfiguration.errorCausedByState", caused_by.as_deref(), 1, 80);
        checks.range("stateConfiguration.mapIterationFailureCount", failures, 0, i64::from(i32::MAX));
        checks.payload("stateConfiguration.mapItemReaderData", items.as_deref(), bytes_max);
        let count = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
        Ok(Self { retries: count(retries).unwrap_or_default(), failures: count(failures), items })
    }
}

/// Is the member `mock`.
struct MockInput {
    result: Option<String>,
    error: Option<(Option<String>, Option<String>)>,
    validation: Validation,
}

impl MockInput {
    fn read(members: &mut Members, checks: &mut Checks, bytes_max: u64) -> Result<Option<Self>, ApiError> {
        let Some(mut members) = members.structure("mock")? else { return Ok(None) };
        let result = members.text("result")?;
        checks.payload("mock.result", result.as_deref(), bytes_max);
        let error = members.structure("errorOutput")?.map(|error| error_output(error, checks)).transpose()?;
        let mode = members.text("fieldValidationMode")?;
        checks.one_of("mock.fieldValidationMode", mode.as_deref(), &["STRICT", "PRESENT", "NONE"]);
        let validation = match mode.as_deref() {
            Some("NONE") => Validation::None,
            Some("PRESENT") => Validation::Present,
            Some(_) | None => Validation::Strict,
        };
        Ok(Some(Self { result, error, validation }))
    }

    fn into_mock(self) -> Result<Mock, ApiError> {
        match (json("mock.result", self.result)?, self.error) {
            (Some(result), None) => Ok(Mock::Result(result)),
            (None, Some((error, cause))) => Ok(Mock::Error { error, cause }),
            (Some(_), Some(_)) | (None, None) => {
                refuse("A test mock should have only one of the following fields: [result, errorOutput].")
            }
        }
    }
}

/// Reads an error and its cause. That the error is required is documented of AWS.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_MockErrorOutput.html>
fn error_output(mut members: Members, checks: &mut Checks) -> Result<(Option<String>, Option<String>), ApiError> {
    let (error, cause) = (members.text("error")?, members.text("cause")?);
    checks.required("mock.errorOutput.error", error.as_ref());
    checks.secret_length("mock.errorOutput.error", error.as_deref(), 0, 256);
    checks.secret_length("mock.errorOutput.cause", cause.as_deref(), 0, 32_768);
    Ok((error, cause))
}

fn read_variables(text: Option<String>) -> Result<Vec<(String, JsonText)>, ApiError> {
    let Some(text) = json("variables", text)? else { return Ok(Vec::new()) };
    let parsed: Result<std::collections::BTreeMap<String, Box<serde_json::value::RawValue>>, _> =
        serde_json::from_str(text.as_str());
    match parsed {
        Ok(variables) => Ok(variables.into_iter().map(|(name, value)| (name, JsonText::from_raw(&value))).collect()),
        Err(_) => refuse("The variables must be a JSON object"),
    }
}

fn json(field: &str, text: Option<String>) -> Result<Option<JsonText>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    match JsonText::parse(&text) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(fault) => {
            let reason = asl::explain_json(&text).unwrap_or_else(|| fault.to_string());
            refuse(format!("Value at '{field}' is not valid JSON: {reason}"))
        }
    }
}

pub(crate) fn refuse<T>(message: impl Into<String>) -> Result<T, ApiError> {
    Err(ApiError::new(ErrorCode::ValidationException, message))
}

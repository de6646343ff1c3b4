//! ValidateStateMachineDefinition.

use asl::{Diagnostic, Diagnostics, Options, Severity};
use serde_json::{Value, json};

use super::Api;
use super::answer::Answer;
use super::checks::Checks;
use super::error::{ApiError, ErrorCode};
use super::members::Members;

/// The most findings that are told, and how many where the caller does not say.
const RESULTS_MAX: usize = 100;

struct Input {
    definition: String,
    options: Options,
    /// Whether warnings are told too.
    warnings: bool,
    results_max: usize,
}

impl Input {
    fn read(mut members: Members, definition_bytes_max: usize) -> Result<Self, ApiError> {
        let mut checks = Checks::default();
        let definition = members.text("definition")?;
        let kind = members.text("type")?;
        let severity = members.text("severity")?;
        let results_max = members.integer("maxResults")?;
        checks.required("definition", definition.as_ref());
        checks.secret_length("definition", definition.as_deref(), 0, definition_bytes_max);
        checks.one_of("type", kind.as_deref(), &["STANDARD", "EXPRESS"]);
        checks.one_of("severity", severity.as_deref(), &["ERROR", "WARNING"]);
        checks.range("maxResults", results_max, 0, RESULTS_MAX as i64);
        checks.finish()?;
        let results_max = results_max.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0);
        Ok(Self {
            definition: definition.unwrap_or_default(),
            options: Options { express: kind.as_deref() == Some("EXPRESS"), ..Options::default() },
            warnings: severity.as_deref() == Some("WARNING"),
            results_max: results_max.unwrap_or(RESULTS_MAX),
        })
    }
}

impl Api {
    /// Answers ValidateStateMachineDefinition.
    pub(super) async fn validate_state_machine_definition(&self, members: Members) -> Result<Answer, ApiError> {
        let input = Input::read(members, self.settings().definition_bytes_max)?;
        let (warnings, results_max, options) = (input.warnings, input.results_max, input.options);
        let validate = move || asl::validate(&input.definition, options);
        let findings = self.runtime().blocking(validate).await.map_err(|stopped| {
            tracing::error!(error = %stopped, "a definition could not be validated");
            ApiError::new(ErrorCode::InternalFailure, "The definition could not be validated.")
        })?;
        Answer::render(&answer(&findings, warnings, results_max))
    }
}

fn answer(findings: &Diagnostics, warnings: bool, results_max: usize) -> Value {
    let told: Vec<&Diagnostic> =
        findings.iter().filter(|finding| warnings || finding.severity == Severity::Error).collect();
    json!({
        "result": if findings.has_errors() { "FAIL" } else { "OK" },
        "diagnostics": told.iter().take(results_max).map(|finding| render(finding)).collect::<Vec<Value>>(),
        "truncated": told.len() > results_max,
    })
}

fn render(finding: &Diagnostic) -> Value {
    let mut rendered = json!({
        "severity": finding.severity.as_str(),
        "code": finding.code.as_str(),
        "message": finding.message,
    });
    if let Some(location) = &finding.pointer {
        rendered["location"] = json!(location);
    }
    rendered
}

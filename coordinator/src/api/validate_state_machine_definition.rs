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
        checks.secret_length("definition", definition.as_deref(), 1, definition_bytes_max);
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
    let is_told = |severity: Severity| warnings || severity == Severity::Error;
    let told: Vec<&Diagnostic> = findings.iter().filter(|finding| is_told(finding.severity)).collect();
    let is_cut =
        [Severity::Error, Severity::Warning].into_iter().any(|severity| is_told(severity) && findings.is_cut(severity));
    json!({
        "result": if findings.has_errors() { "FAIL" } else { "OK" },
        "diagnostics": told.iter().take(results_max).map(|finding| render(finding)).collect::<Vec<Value>>(),
        "truncated": is_cut || told.len() > results_max,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_that_are_left_out_are_told_of() {
        let states = |count: usize| -> String {
            let states = (0..count).map(|number| format!(r#""S{number}": {{"Type": "Succeed", "X": 1}}"#));
            format!(r#"{{"StartAt": "S0", "States": {{{}}}}}"#, states.collect::<Vec<_>>().join(","))
        };
        for (count, results_max, told, truncated) in
            [(100, 100, 100, false), (101, 100, 100, true), (5, 5, 5, false), (5, 4, 4, true)]
        {
            let answer = answer(&asl::validate(&states(count), Options::default()), false, results_max);
            let listed = answer["diagnostics"].as_array().map(Vec::len);
            assert_eq!(
                (listed, answer["truncated"].as_bool()),
                (Some(told), Some(truncated)),
                "{count}, {results_max}"
            );
        }
    }
}

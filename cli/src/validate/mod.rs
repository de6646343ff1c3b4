//! `stepwell validate`: says what is wrong with definitions, with the lines that are.

mod document;
mod yaml;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use asl::{Definition, Diagnostic, Options, Severity};

pub(crate) use document::Document;
use document::Position;

/// Is what `stepwell validate` is told.
#[derive(clap::Args)]
pub(crate) struct ValidateArguments {
    /// The definitions, in Amazon States Language: JSON, or YAML in files named `.yaml` or `.yml`.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Judges them as definitions of state machines of type EXPRESS.
    #[arg(long)]
    express: bool,
    /// Takes `${name}` and CloudFormation's functions for text like any other, instead of for what deployment fills in.
    #[arg(long)]
    no_substitutions: bool,
}

/// Prints what is wrong. The exit code is 1 if there is any error, and 0 if there are at most warnings.
///
/// # Errors
/// A file that can't be read.
pub(crate) fn command(arguments: &ValidateArguments) -> Result<ExitCode> {
    let options = Options { express: arguments.express, substitutions: !arguments.no_substitutions, thorough: true };
    let mut stdout = io::stdout().lock();
    let mut failed = false;
    for file in &arguments.files {
        let text = std::fs::read_to_string(file).with_context(|| format!("read the definition {}", file.display()))?;
        failed |= validate(file, text, options, &mut stdout)?;
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Prints what is wrong with one definition, and tells whether that is an error.
fn validate(file: &Path, text: String, options: Options, out: &mut impl Write) -> io::Result<bool> {
    let document = match Document::read(file, text) {
        Ok(document) => document,
        Err(fault) => {
            show(file, &fault.text, "error", Some(fault.position), &fault.message, out)?;
            return Ok(true);
        }
    };
    let findings = asl::validate(document.json(), options);
    for finding in &findings {
        report(file, &document, finding, finding.severity, out)?;
    }
    if findings.has_errors() {
        return Ok(true);
    }
    if let Err(unsupported) = Definition::load(document.json()) {
        let kept = unsupported.iter().filter(|finding| finding.code == asl::Code::Unsupported);
        for finding in kept {
            report(file, &document, finding, Severity::Warning, out)?;
        }
    }
    writeln!(out, "{}: valid", file.display())?;
    Ok(false)
}

fn report(
    file: &Path,
    document: &Document,
    finding: &Diagnostic,
    severity: Severity,
    out: &mut impl Write,
) -> io::Result<()> {
    let severity = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = finding.pointer.as_deref().filter(|_| finding.code != asl::Code::InvalidJsonDescription);
    let message = finding.message.lines().next().unwrap_or_default();
    let at = place.map(|place| format!(" at {place}")).unwrap_or_default();
    let message = format!("{}: {message}{at}", finding.code);
    show(file, document.text(), severity, document.position(finding), &message, out)
}

fn show(
    file: &Path,
    text: &str,
    severity: &str,
    position: Option<Position>,
    message: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(Position { line, column }) = position else {
        return writeln!(out, "{}: {severity}: {message}", file.display());
    };
    writeln!(out, "{}:{line}:{column}: {severity}: {message}", file.display())?;
    let source = text.lines().nth(line - 1).unwrap_or_default();
    // Tabs stay tabs, so that the mark stands below what it marks.
    let indent: String = source.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let margin = line.to_string().len();
    writeln!(out, " {line} | {source}\n {:margin$} | {indent}^", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, text: &str, failed: bool, expect: &str) {
        let mut out = Vec::new();
        let options = Options { substitutions: true, thorough: true, ..Options::default() };
        let found = validate(Path::new(name), text.to_owned(), options, &mut out).expect("writes");
        assert_eq!(String::from_utf8(out).expect("is text"), expect);
        assert_eq!(found, failed);
    }

    #[test]
    fn faults_are_shown_in_their_lines() {
        check(
            "a.json",
            "{\n  \"StartAt\": \"S\",\n  \"States\": {\n\t\"S\": {\"Type\": \"Pass\", \"X\": 1, \"Next\": \"Z\"}\n  }\n}",
            true,
            "a.json:4:29: error: SCHEMA_VALIDATION_FAILED: Field 'X' is not supported at /States/S\n 4 | \t\"S\": {\"Type\": \"Pass\", \"X\": 1, \"Next\": \"Z\"}\n   | \t                           ^\n\
             a.json:4:40: error: MISSING_TRANSITION_TARGET: Missing 'Next' target: Z at /States/S/Next\n 4 | \t\"S\": {\"Type\": \"Pass\", \"X\": 1, \"Next\": \"Z\"}\n   | \t                                      ^\n\
             a.json: error: MISSING_END_STATE: Workflow has no terminal state\n",
        );
    }

    #[test]
    fn texts_that_are_no_json_are_shown_where_they_break() {
        check(
            "a.json",
            "{\n  \"a\": 'x'\n}",
            true,
            "a.json:2:8: error: INVALID_JSON_DESCRIPTION: Unexpected character (''' (code 39)): expected a valid value (JSON \
             String, Number, Array, Object or token 'null', 'true' or 'false')\n 2 |   \"a\": 'x'\n   |        ^\n",
        );
    }

    #[test]
    fn yaml_is_read_with_its_lines() {
        let text = "StartAt: S\nStates:\n  S:\n    Type: Wait\n    Seconds: -1\n    End: true\n";
        check(
            "a.yaml",
            text,
            true,
            "a.yaml:5:14: error: SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/S/Seconds\n 5 |     Seconds: -1\n   |              ^\n",
        );
        check(
            "a.yml",
            "StartAt: S\nStates: {S: {Type: Task, Resource: !GetAtt F.Arn, End: true}}",
            false,
            "a.yml: valid\n",
        );
        check(
            "a.yaml",
            "a: [1\nb: 2",
            true,
            "a.yaml:2:2: error: illegal placement of ':' indicator\n 2 | b: 2\n   |  ^\n",
        );
    }

    #[test]
    fn warnings_leave_a_definition_valid() {
        check(
            "a.json",
            "{\"StartAt\": \"S\", \"States\": {\"S\": {\"Type\": \"Fail\", \"Cause\": \"$.c\"}}}",
            false,
            "a.json:1:60: warning: NO_PATH: The value of field 'Cause' looks like a path, but the name does not end with 'Path' \
             at /States/S/Cause\n 1 | {\"StartAt\": \"S\", \"States\": {\"S\": {\"Type\": \"Fail\", \"Cause\": \"$.c\"}}}\n   |                                                            ^\na.json: valid\n",
        );
    }
}

//! `stepwell test`: runs one state alone, by TestState of an API in this process.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use coordinator::api::{Api, ApiSettings};
use serde_json::{Map, Value, json};
use telemetry::Registry;

use crate::run::{Place, beside, read_argument};
use crate::validate::Document;

/// Is what `stepwell test` is told.
#[derive(clap::Args)]
pub(crate) struct TestArguments {
    /// The definition of a state, or with --state of a whole machine: JSON, or YAML in files named `.yaml` or `.yml`.
    file: PathBuf,
    /// The state to take out of the machine, wherever it is in it.
    #[arg(long, value_name = "NAME")]
    state: Option<String>,
    /// The state's input: JSON, or @FILE to read it from a file.
    #[arg(long, default_value = "{}")]
    input: String,
    /// What the task or the children come to: JSON, or @FILE. Without it a task is run by its handler.
    #[arg(long, value_name = "JSON")]
    mock: Option<String>,
    /// The error that the task or the children fail with, and its cause.
    #[arg(long, value_name = "NAME[:CAUSE]", conflicts_with = "mock")]
    mock_error: Option<String>,
    /// How often the failure was tried again before.
    #[arg(long, value_name = "NUMBER")]
    retries: Option<u32>,
    /// The variables in sight: a JSON object, or @FILE.
    #[arg(long, value_name = "JSON")]
    variables: Option<String>,
    /// The context object: JSON, or @FILE.
    #[arg(long, value_name = "JSON")]
    context: Option<String>,
    /// The file that declares handlers; `handlers.toml` beside the definition is taken if it is there.
    #[arg(long, value_name = "FILE")]
    handlers: Option<PathBuf>,
    /// Shows the data on its way through the state.
    #[arg(long)]
    trace: bool,
}

/// Tests a state and prints what it came to, as TestState answers it, with JSON in place of texts of JSON.
///
/// # Errors
/// What kept the state from being tested, in words for a person.
pub(crate) async fn command(arguments: &TestArguments) -> Result<ExitCode> {
    telemetry::init("warn", Some(false))?;
    let request = request(arguments)?;
    let handlers = arguments.handlers.clone().or_else(|| beside(&arguments.file, "handlers.toml"));
    let place = Place::start(handlers.as_deref())?;
    let api = Api::new(place.runtime.clone(), ApiSettings::default(), &Registry::new());
    api.attach(place.store.clone(), place.drivers.clone());
    let answer = api.ask("TestState", &serde_json::to_vec(&request)?).await;
    place.stop().await;
    let answer = answer.map_err(|refusal| anyhow!("{refusal}"))?;
    let answer = parsed(serde_json::from_slice(&answer).context("read the answer")?);
    writeln!(io::stdout().lock(), "{answer:#}")?;
    let is_left = matches!(answer["status"].as_str(), Some("SUCCEEDED" | "CAUGHT_ERROR"));
    Ok(if is_left { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn request(arguments: &TestArguments) -> Result<Value> {
    let file = &arguments.file;
    let text = std::fs::read_to_string(file).with_context(|| format!("read the definition {}", file.display()))?;
    let document = Document::read(file, text)
        .map_err(|fault| anyhow!("{}:{}: {}", file.display(), fault.position.line, fault.message))?;
    let mut request = json!({
        "definition": document.json(),
        "input": read_argument(&arguments.input)?,
        "inspectionLevel": if arguments.trace { "TRACE" } else { "INFO" },
    });
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            request[name] = value;
        }
    };
    put("stateName", arguments.state.clone().map(Value::String));
    put("stateConfiguration", arguments.retries.map(|retries| json!({ "retrierRetryCount": retries })));
    for (name, argument) in [("variables", &arguments.variables), ("context", &arguments.context)] {
        put(name, argument.as_deref().map(read_argument).transpose()?.map(Value::String));
    }
    let result = arguments.mock.as_deref().map(read_argument).transpose()?;
    put("mock", result.map(|result| json!({ "result": result })));
    put("mock", arguments.mock_error.as_deref().map(mocked_error));
    Ok(request)
}

fn mocked_error(argument: &str) -> Value {
    match argument.split_once(':') {
        Some((error, cause)) => json!({ "errorOutput": { "error": error, "cause": cause } }),
        None => json!({ "errorOutput": { "error": argument } }),
    }
}

/// Puts JSON in the place of the texts of JSON that TestState gives.
fn parsed(mut answer: Value) -> Value {
    let parse = |members: &mut Map<String, Value>| {
        for value in members.values_mut() {
            if let Some(json) = value.as_str().and_then(|text| serde_json::from_str(text).ok()) {
                *value = json;
            }
        }
    };
    if let Some(data) = answer.get_mut("inspectionData").and_then(Value::as_object_mut) {
        parse(data);
    }
    if let Some(output) = answer.get("output").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok())
    {
        answer["output"] = output;
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_with_their_cause() {
        assert_eq!(mocked_error("Boom"), json!({ "errorOutput": { "error": "Boom" } }));
        let expect = json!({ "errorOutput": { "error": "Boom", "cause": "a: b" } });
        assert_eq!(mocked_error("Boom:a: b"), expect);
    }

    #[test]
    fn texts_of_json_are_shown_as_json() {
        let answer =
            json!({ "output": "[1,2]", "status": "FAILED", "cause": "5", "inspectionData": { "input": "{}" } });
        let expect = json!({ "output": [1, 2], "status": "FAILED", "cause": "5", "inspectionData": { "input": {} } });
        assert_eq!(parsed(answer), expect);
    }
}

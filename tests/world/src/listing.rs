//! Histories as text, one event a line.

use std::fmt::Write;

use model::{Details, HistoryEvent};

use crate::START;

/// Lists a history: id, previous id, milliseconds since the start, kind, details.
pub fn listing(history: &[HistoryEvent]) -> String {
    let mut text = String::new();
    for event in history {
        let millis = event.at.millis_since(START);
        let line = format!("{}<-{} +{millis} {}", event.id, event.previous, event.kind.as_str());
        writeln!(text, "{line}{}", details(&event.details)).expect("a string takes all");
    }
    text
}

fn details(details: &Details) -> String {
    let failure = |error: &Option<String>, cause: &Option<String>| {
        let mut text = String::new();
        if let Some(error) = error {
            write!(text, " error={error}").expect("a string takes all");
        }
        if let Some(cause) = cause {
            write!(text, " cause={cause}").expect("a string takes all");
        }
        text
    };
    let limits = |timeout: &Option<u64>, heartbeat: &Option<u64>| {
        let timeout = timeout.map(|seconds| format!(" timeout={seconds}")).unwrap_or_default();
        timeout + &heartbeat.map(|seconds| format!(" heartbeat={seconds}")).unwrap_or_default()
    };
    match details {
        Details::None => String::new(),
        Details::ExecutionStarted { input, role_arn } => format!(" role={role_arn} in={input}"),
        Details::Output { output } => format!(" out={output}"),
        Details::Failure { error, cause } => format!(" ({})", failure(error, cause).trim_start()),
        Details::StateEntered { name, input } => format!(" {name} in={input}"),
        Details::StateExited { name, output, assigned } => {
            let assigned = assigned.iter().map(|(name, value)| format!(" ${name}={value}")).collect::<String>();
            format!(" {name} out={output}{assigned}")
        }
        Details::Scheduled { resource, input, timeout_seconds, heartbeat_seconds, credentials } => {
            let credentials = credentials.as_deref().map(|role| format!(" as={role}")).unwrap_or_default();
            format!(" {resource} in={input}{}{credentials}", limits(timeout_seconds, heartbeat_seconds))
        }
        Details::WorkerStarted { worker } => format!(" worker={}", worker.as_deref().unwrap_or("-")),
        Details::TaskScheduled {
            resource_type,
            resource,
            region,
            parameters,
            timeout_seconds,
            heartbeat_seconds,
            credentials,
        } => {
            let credentials = credentials.as_deref().map(|role| format!(" as={role}")).unwrap_or_default();
            let limits = limits(timeout_seconds, heartbeat_seconds);
            format!(" {resource_type} {resource} {region} in={parameters}{limits}{credentials}")
        }
        Details::TaskStarted { resource_type, resource } => format!(" {resource_type} {resource}"),
        Details::TaskOutput { resource_type, resource, output } => format!(" {resource_type} {resource} out={output}"),
        Details::TaskFailure { resource_type, resource, error, cause } => {
            format!(" {resource_type} {resource}{}", failure(error, cause))
        }
        Details::MapRunStarted { arn } => format!(" {arn}"),
        Details::MapStarted { length } => format!(" length={length}"),
        Details::MapIteration { name, index } => format!(" {name} [{index}]"),
        Details::EvaluationFailed { state, location, error, cause } => {
            format!(" {state} {} error={error} cause={cause}", location.as_deref().unwrap_or("-"))
        }
    }
}

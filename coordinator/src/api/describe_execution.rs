//! DescribeExecution: shows how an execution stands.

use model::{ExecutionStatus, QualifiedArn};
use serde_json::{Map, Value, json};
use store::ExecutionHead;
use wire::record::ExecutionRecord;

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::execution_arn;
use super::error::ApiError;
use super::members::{Members, described};

impl Api {
    /// Answers DescribeExecution.
    pub(super) async fn describe_execution(&self, members: Members) -> Result<Answer, ApiError> {
        let (arn, with_data) = described(members, "executionArn")?;
        let head = self.execution(&execution_arn(&arn)?).await?;
        Answer::render(&view(&head, with_data))
    }
}

/// Gives the members that show the version and the alias that an execution was started by.
pub(super) fn qualified_members(record: &ExecutionRecord) -> impl Iterator<Item = (&'static str, QualifiedArn)> {
    let version = record.version_arn().map(|arn| ("stateMachineVersionArn", arn));
    version.into_iter().chain(record.alias_arn().map(|arn| ("stateMachineAliasArn", arn)))
}

/// Shows an execution, with or without its data.
pub(super) fn view(head: &ExecutionHead, with_data: bool) -> Value {
    let record = &head.record;
    let end = head.end.as_ref().map(|(end, _)| end);
    let status = end.map_or(ExecutionStatus::Running, |end| end.status);
    let mut view = Map::new();
    let mut set = |name: &str, value: Value| view.insert(name.to_owned(), value);
    set("executionArn", record.arn.as_str().into());
    set("stateMachineArn", record.state_machine.as_str().into());
    for (name, arn) in qualified_members(record) {
        set(name, arn.to_string().into());
    }
    set("name", record.arn.name().into());
    set("status", status.as_str().into());
    set("startDate", seconds(record.started_at).into());
    if let Some((_, at)) = &head.end {
        set("stopDate", seconds(*at).into());
    }
    if with_data {
        set("input", record.input.as_str().into());
    }
    set("inputDetails", json!({ "included": with_data }));
    if let Some(output) = end.and_then(|end| end.output.as_ref()) {
        if with_data {
            set("output", output.as_str().into());
        }
        set("outputDetails", json!({ "included": with_data }));
    }
    if let Some(header) = &record.trace_header {
        set("traceHeader", header.as_str().into());
    }
    for (name, text) in
        [("error", end.and_then(|end| end.error.as_ref())), ("cause", end.and_then(|end| end.cause.as_ref()))]
    {
        if let Some(text) = text.filter(|_| with_data) {
            set(name, text.as_str().into());
        }
    }
    if let Some(run) = &record.map_run {
        set("mapRunArn", run.arn.as_str().into());
    }
    set("redriveCount", 0.into());
    match status {
        ExecutionStatus::Running | ExecutionStatus::Succeeded => {
            set("redriveStatus", "NOT_REDRIVABLE".into());
            let reason = format!("Execution is {} and cannot be redriven", status.as_str());
            set("redriveStatusReason", reason.into());
        }
        ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted => {
            set("redriveStatus", "REDRIVABLE".into());
        }
    }
    Value::Object(view)
}

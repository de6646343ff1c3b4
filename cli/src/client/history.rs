//! `stepwell history`: the events of an execution as a table.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Client, EndpointArguments, event, print};
use crate::progress::{seconds, shortened};

/// Is what `stepwell history` is told.
#[derive(clap::Args)]
pub(crate) struct HistoryArguments {
    /// The execution, by its ARN.
    execution: String,
    /// Prints the events as the API gives them, one JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

/// Prints a history.
///
/// # Errors
/// What the endpoint refused, in its words.
pub(crate) async fn command(arguments: &HistoryArguments) -> Result<ExitCode> {
    let client = Client::new(&arguments.endpoint)?;
    let mut request = json!({
        "executionArn": arguments.execution,
        "maxResults": 1000,
        "includeExecutionData": arguments.json,
    });
    let mut table = Table::default();
    loop {
        let page = client.call("GetExecutionHistory", &request).await?;
        for event in page["events"].as_array().into_iter().flatten() {
            if arguments.json {
                print(&event.to_string())?;
            } else {
                print(&table.line(event))?;
            }
        }
        if page["nextToken"].is_null() {
            return Ok(ExitCode::SUCCESS);
        }
        request["nextToken"] = page["nextToken"].clone();
    }
}

/// Makes the lines of a table: id, time since the start, kind, and what it is about.
#[derive(Default)]
struct Table {
    started_at: Option<i64>,
}

impl Table {
    fn line(&mut self, event: &Value) -> String {
        let at = event::millis(&event["timestamp"]).unwrap_or_default();
        let elapsed = at - *self.started_at.get_or_insert(at);
        let elapsed = seconds(u64::try_from(elapsed).unwrap_or_default());
        let kind = event["type"].as_str().unwrap_or_default();
        let line =
            format!("{:>6} {elapsed:>10}  {kind:<28} {}", event["id"].as_u64().unwrap_or_default(), about(event));
        line.trim_end().to_owned()
    }
}

/// Says what an event is about: its state, its resource, its failure.
fn about(event: &Value) -> String {
    let Some(details) = event::details(event) else { return String::new() };
    let text = |name: &str| details.get(name).and_then(Value::as_str);
    let index = details.get("index").map(|index| format!("[{index}]")).unwrap_or_default();
    let failure = [text("error"), text("cause")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let parts = [text("name").map(|name| format!("{name}{index}")), text("resource").map(str::to_owned)];
    let failure = Some(shortened(&failure)).filter(|failure| !failure.is_empty());
    parts.into_iter().flatten().chain(failure).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_when_and_what() {
        let mut table = Table::default();
        let line = table.line(&json!({ "id": 1, "type": "ExecutionStarted", "timestamp": 1_700_000_000.5 }));
        assert_eq!(line, "     1     0.000s  ExecutionStarted");
        let details = json!({ "error": "Boom", "cause": "it\nbroke", "resource": "arn:x" });
        let event = json!({
            "id": 12, "type": "TaskFailed", "timestamp": 1_700_000_002.75, "taskFailedEventDetails": details,
        });
        assert_eq!(table.line(&event), "    12     2.250s  TaskFailed                   arn:x  Boom: it broke");
    }
}

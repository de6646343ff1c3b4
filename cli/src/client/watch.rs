//! `stepwell watch`: shows an execution live until it ends.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Client, EndpointArguments, event, print};
use crate::progress::{Progress, seconds};

/// How often the history is looked at while nothing happens: twice, then half as often, and so on, up to the second pause.
const LOOK_FIRST: Duration = Duration::from_millis(100);
const LOOK_LONGEST: Duration = Duration::from_secs(1);

/// Is what `stepwell watch` is told.
#[derive(clap::Args)]
pub(crate) struct WatchArguments {
    /// The execution, by its ARN.
    execution: String,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

/// Shows an execution; the exit code tells whether it succeeded.
///
/// # Errors
/// What the endpoint refused, in its words.
pub(crate) async fn command(arguments: &WatchArguments) -> Result<ExitCode> {
    follow(&Client::new(&arguments.endpoint)?, &arguments.execution).await
}

/// Shows an execution until it ends, then prints its output.
pub(super) async fn follow(client: &Client, arn: &str) -> Result<ExitCode> {
    let mut progress = Progress::new();
    let (mut token, mut shown, mut pause) = (Value::Null, 0, LOOK_FIRST);
    loop {
        let page = page(client, arn, &token).await?;
        let before = shown;
        for event in page["events"].as_array().into_iter().flatten().filter_map(event::read) {
            // The last page is read again until another follows it.
            if event.id.0 > shown {
                shown = event.id.0;
                progress.show(&event);
                if event.kind.is_terminal() {
                    return ended(client, arn, progress, shown).await;
                }
            }
        }
        if !page["nextToken"].is_null() {
            token = page["nextToken"].clone();
            continue;
        }
        pause = if shown > before { LOOK_FIRST } else { pause.saturating_mul(2).min(LOOK_LONGEST) };
        client.runtime.sleep(pause).await;
    }
}

async fn page(client: &Client, arn: &str, token: &Value) -> Result<Value> {
    let mut request = json!({ "executionArn": arn, "maxResults": 1000, "includeExecutionData": false });
    if !token.is_null() {
        request["nextToken"] = token.clone();
    }
    client.call("GetExecutionHistory", &request).await
}

async fn ended(client: &Client, arn: &str, mut progress: Progress, events: u64) -> Result<ExitCode> {
    let execution = client.call("DescribeExecution", &json!({ "executionArn": arn })).await?;
    let text = |name: &str| execution[name].as_str();
    let status = text("status").unwrap_or_default();
    let (from, to) = (event::millis(&execution["startDate"]), event::millis(&execution["stopDate"]));
    let took = from.zip(to).and_then(|(from, to)| u64::try_from(to - from).ok()).unwrap_or_default();
    let mut line = format!("{status} in {}, {events} events", seconds(took));
    let failure = [text("error"), text("cause")].into_iter().flatten().collect::<Vec<_>>().join(": ");
    if !failure.is_empty() {
        line.push_str(&format!("\n  {failure}"));
    }
    progress.finish(&line);
    if let Some(output) = text("output") {
        print(output)?;
    }
    Ok(if status == "SUCCEEDED" { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

//! `stepwell list`: state machines, or the executions of one.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Client, EndpointArguments, event, moment, print};
use crate::progress::seconds;

/// Is what `stepwell list` is told.
#[derive(clap::Args)]
pub(crate) struct ListArguments {
    /// A state machine, by its ARN or its name, whose executions are listed, newest first; without one, state machines are.
    state_machine: Option<String>,
    /// Only executions of this status, such as RUNNING or FAILED.
    #[arg(long, requires = "state_machine")]
    status: Option<String>,
    /// At most so many lines.
    #[arg(long, default_value_t = 100)]
    max: usize,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

/// Prints the list.
///
/// # Errors
/// What the endpoint refused, in its words.
pub(crate) async fn command(arguments: &ListArguments) -> Result<ExitCode> {
    let client = Client::new(&arguments.endpoint)?;
    let mut request = json!({ "maxResults": arguments.max.clamp(1, 1000) });
    let (operation, member) = match &arguments.state_machine {
        Some(machine) => {
            request["stateMachineArn"] = client.state_machine(machine).await?.into();
            if let Some(status) = &arguments.status {
                request["statusFilter"] = status.to_uppercase().into();
            }
            ("ListExecutions", "executions")
        }
        None => ("ListStateMachines", "stateMachines"),
    };
    let mut left = arguments.max;
    while left > 0 {
        let page = client.call(operation, &request).await?;
        for entry in page[member].as_array().into_iter().flatten().take(left) {
            left -= 1;
            print(&line(entry))?;
        }
        if page["nextToken"].is_null() {
            break;
        }
        request["nextToken"] = page["nextToken"].clone();
    }
    Ok(ExitCode::SUCCESS)
}

fn line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    if entry["executionArn"].is_null() {
        return format!("{}  {}", moment(&entry["creationDate"]), text("stateMachineArn"));
    }
    let (from, to) = (event::millis(&entry["startDate"]), event::millis(&entry["stopDate"]));
    let took = from.zip(to).and_then(|(from, to)| u64::try_from(to - from).ok()).map(seconds).unwrap_or_default();
    format!("{}  {:<9} {took:>10}  {}", moment(&entry["startDate"]), text("status"), text("executionArn"))
}

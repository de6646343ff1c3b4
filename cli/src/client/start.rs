//! `stepwell start`: starts an execution, and waits for its end if asked to.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::{Client, EndpointArguments, print, watch};
use crate::run::read_input;

/// Is what `stepwell start` is told.
#[derive(clap::Args)]
pub(crate) struct StartArguments {
    /// The state machine, by its ARN or its name.
    state_machine: String,
    /// The input: JSON, or @FILE to read it from a file.
    #[arg(long, default_value = "{}")]
    input: String,
    /// The name of the execution; without one it gets a random one.
    #[arg(long)]
    name: Option<String>,
    /// Shows the execution until it ends, and prints its output.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

/// Starts an execution; the exit code tells, where it was waited for, whether it succeeded.
///
/// # Errors
/// What the endpoint refused, in its words.
pub(crate) async fn command(arguments: &StartArguments) -> Result<ExitCode> {
    let input = read_input(&arguments.input)?;
    let client = Client::new(&arguments.endpoint)?;
    let machine = client.state_machine(&arguments.state_machine).await?;
    let mut request = json!({ "stateMachineArn": machine, "input": input.as_str() });
    if let Some(name) = &arguments.name {
        request["name"] = name.as_str().into();
    }
    let started = client.call("StartExecution", &request).await?;
    let arn = started["executionArn"].as_str().unwrap_or_default();
    if !arguments.wait {
        print(arn)?;
        return Ok(ExitCode::SUCCESS);
    }
    watch::follow(&client, arn).await
}

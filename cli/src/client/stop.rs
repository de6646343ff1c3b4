//! `stepwell stop`: stops an execution.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::{Client, EndpointArguments};

/// Is what `stepwell stop` is told.
#[derive(clap::Args)]
pub(crate) struct StopArguments {
    /// The execution, by its ARN.
    execution: String,
    /// The error that its end is noted with.
    #[arg(long)]
    error: Option<String>,
    /// The cause that its end is noted with.
    #[arg(long)]
    cause: Option<String>,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

/// Stops an execution.
///
/// # Errors
/// What the endpoint refused, in its words.
pub(crate) async fn command(arguments: &StopArguments) -> Result<ExitCode> {
    let mut request = json!({ "executionArn": arguments.execution });
    for (name, value) in [("error", &arguments.error), ("cause", &arguments.cause)] {
        if let Some(value) = value {
            request[name] = value.as_str().into();
        }
    }
    Client::new(&arguments.endpoint)?.call("StopExecution", &request).await?;
    Ok(ExitCode::SUCCESS)
}

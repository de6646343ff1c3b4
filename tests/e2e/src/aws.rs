//! The `aws` client as a program.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Calls operations by the `aws` client on PATH.
#[derive(Clone, Debug)]
pub struct Aws(());

impl Aws {
    /// Finds the client; nothing where there is none that runs.
    pub fn find() -> Option<Self> {
        let tried = Command::new("aws").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success()).then_some(Self(()))
    }

    /// Calls an operation of the endpoint `url`; operation and members bear the names that they have in the API.
    ///
    /// # Errors
    /// If the client fails, with what it complains of, or prints no JSON.
    pub async fn call(&self, url: &str, operation: &str, members: &[(&str, &str)]) -> Result<Value> {
        let mut command = tokio::process::Command::new("aws");
        command.args(["stepfunctions", "--endpoint-url", url, "--output", "json", &dashed(operation)]);
        for (name, value) in members {
            command.arg(format!("--{}", dashed(name))).arg(value);
        }
        for unwanted in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"] {
            command.env_remove(unwanted);
        }
        let settings = [
            ("AWS_ACCESS_KEY_ID", "123456789012"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_PAGER", ""),
        ];
        let output = command.envs(settings).output().await.context("start aws")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "aws {operation}: {complaint}");
        serde_json::from_slice(&output.stdout).with_context(|| format!("read what aws printed for {operation}"))
    }
}

/// Gives the client's name of an operation or member: `stateMachineArn` is `state-machine-arn`.
fn dashed(name: &str) -> String {
    let mut dashed = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !dashed.is_empty() {
            dashed.push('-');
        }
        dashed.push(letter.to_ascii_lowercase());
    }
    dashed
}

#[cfg(test)]
mod tests {
    use super::dashed;

    #[test]
    fn names_are_those_of_the_client() {
        assert_eq!(dashed("GetExecutionHistory"), "get-execution-history");
        assert_eq!(dashed("stateMachineArn"), "state-machine-arn");
    }
}

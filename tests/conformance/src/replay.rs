//! The suite's own program that makes the calls and compares the answers.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use support::DataDir;
use tokio::process::Command;

use crate::known::Outcome;
use crate::python::Python;

/// Is one run of the suite.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) python: &'a Python,
    pub(crate) suite: &'a Path,
    pub(crate) jobs: u32,
    pub(crate) cases: &'a [String],
}

impl Run<'_> {
    /// Replays the cases and gives what they differ in.
    ///
    /// # Errors
    /// If the program itself fails, rather than a case.
    pub(crate) async fn against(&self, stepwell: &str, neighbours: &str) -> Result<Outcome> {
        let folder = DataDir::new("replay")?;
        let file = folder.file("outcome.json");
        let mut command = Command::from(self.python.command());
        command.arg(self.suite.join("run")).args(["--sfn", stepwell, "--aux", neighbours, "--json"]).arg(&file);
        command.arg("-j").arg(self.jobs.to_string()).args(self.cases).env("PYTHONDONTWRITEBYTECODE", "1");
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.context("start the suite")?;
        let Ok(outcome) = fs::read(&file) else {
            bail!("the suite failed:\n{}", String::from_utf8_lossy(&output.stderr));
        };
        serde_json::from_slice(&outcome).context("read the suite's outcome")
    }
}

//! What stands for AWS's other services.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use support::{DataDir, ProcessGroup, eventually_some, free_port};
use tokio::net::TcpStream;

use crate::python::Python;

/// How long the services may take to load, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
const LOG: &str = "neighbours.log";

/// Is the suite's `aux_server.py`; it ends with this value.
#[derive(Debug)]
pub(crate) struct Neighbours {
    url: String,
    _data: DataDir,
    _process: ProcessGroup,
}

impl Neighbours {
    /// Starts them and waits until they listen.
    ///
    /// # Errors
    /// If they don't.
    pub(crate) async fn start(python: &Python, suite: &Path) -> Result<Self> {
        let (port, data) = (free_port(), DataDir::new("neighbours")?);
        let log = File::create(data.file(LOG))?;
        let mut command = python.command();
        command.arg(suite.join("aux_server.py")).arg(port.to_string()).env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdout(log.try_clone()?).stderr(log);
        let mut process = ProcessGroup::spawn(&mut command, None).context("start aux_server.py")?;
        let mut has_ended = || process.status().is_ok_and(|status| status.is_some());
        let listens = || {
            let ended = has_ended();
            async move { TcpStream::connect(("127.0.0.1", port)).await.is_ok().then_some(true).or(ended.then_some(false)) }
        };
        if !eventually_some(PATIENCE, listens, "aux_server.py listens").await.with_context(|| data.tail(LOG))? {
            bail!("aux_server.py ended:\n{}", data.tail(LOG));
        }
        Ok(Self { url: format!("http://127.0.0.1:{port}"), _data: data, _process: process })
    }

    /// Gives their endpoint.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Gives the variables by which Stepwell finds them. The access key is the account, for both sides.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", &*self.url),
            ("AWS_ACCESS_KEY_ID", "000000000000"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

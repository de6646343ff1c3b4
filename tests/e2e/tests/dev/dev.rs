//! A `stepwell dev` for the tests.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use e2e::{Api, Handlers, PATIENCE};
use support::{DataDir, Program, eventually, free_port};

/// Is a `stepwell dev` that may be killed and started again on its folder.
pub(crate) struct Dev {
    pub(crate) folder: DataDir,
    pub(crate) handlers: Handlers,
    file: PathBuf,
    pub(crate) listen: String,
    pub(crate) running: Program,
}

impl Dev {
    pub(crate) async fn start(task_millis: u32) -> Result<Self> {
        let handlers = Handlers::good(task_millis)?;
        let file = handlers.file();
        Self::start_on(handlers, file).await
    }

    /// Starts it with another file of handlers.
    pub(crate) async fn start_with(file: &Path) -> Result<Self> {
        Self::start_on(Handlers::none()?, file.to_owned()).await
    }

    /// Starts it on a folder that is there.
    pub(crate) async fn start_in(folder: DataDir, handlers: Handlers) -> Result<Self> {
        let file = handlers.file();
        Self::launch_on(folder, handlers, file).await
    }

    /// Starts it in this folder, where the file of handlers may come later.
    pub(crate) async fn start_without_handlers(folder: DataDir) -> Result<Self> {
        Self::launch_on(folder, Handlers::none()?, PathBuf::new()).await
    }

    /// Builds the program.
    pub(crate) async fn build() -> Result<()> {
        Program::build(["cli"]).await
    }

    async fn start_on(handlers: Handlers, file: PathBuf) -> Result<Self> {
        Self::launch_on(DataDir::new("dev")?, handlers, file).await
    }

    async fn launch_on(folder: DataDir, handlers: Handlers, file: PathBuf) -> Result<Self> {
        Self::build().await?;
        let listen = format!("127.0.0.1:{}", free_port());
        let running = launch(&folder, &file, &listen)?;
        let dev = Self { folder, handlers, file, listen, running };
        dev.listening().await?;
        Ok(dev)
    }

    /// Gives the address of its ops port.
    pub(crate) fn ops(&self) -> Result<String> {
        let said = self.running.output();
        let line = said.lines().find_map(|line| line.strip_prefix("Health and metrics: http://")).context("is told")?;
        Ok(line.split('/').next().context("has an address")?.to_owned())
    }

    pub(crate) fn api(&self) -> Result<Api> {
        Api::new(vec![format!("http://{}/", self.listen)])
    }

    async fn listening(&self) -> Result<()> {
        let says = || async { self.running.output().contains("Stepwell listens on") };
        eventually(PATIENCE, says, "stepwell dev listens").await.with_context(|| self.running.output())
    }

    /// Kills it as a power cut would, and starts it again.
    pub(crate) async fn cut(&mut self) -> Result<()> {
        self.running.kill9();
        self.running = launch(&self.folder, &self.file, &self.listen)?;
        self.listening().await
    }
}

fn launch(folder: &DataDir, handlers: &Path, listen: &str) -> Result<Program> {
    let command = Program::command("stepwell")?.arg("dev").arg("--listen").arg(listen);
    let command = command.arg("--data").arg(folder.path()).current_dir(folder.path());
    let is_named = !handlers.as_os_str().is_empty();
    if is_named { command.arg("--handlers").arg(handlers).start() } else { command.start() }
}

/// Runs it where it must refuse to start, and gives what it says.
pub(crate) async fn refusal(data: &std::path::Path) -> Result<String> {
    let program = Program::command("stepwell")?.arg("dev").arg("--listen").arg("127.0.0.1:0").arg("--data").arg(data);
    let program = program.start()?;
    let status = program.wait(PATIENCE).await?;
    ensure!(status.code() == Some(2), "it ended with {status}: {}", program.output());
    Ok(program.output())
}

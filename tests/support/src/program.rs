//! Our own programs as processes: built, started, killed.

use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::task;

use crate::data_dir::DataDir;
use crate::group::ProcessGroup;
use crate::http::http_get;
use crate::wait::eventually_some;

const OUTPUT: &str = "output.log";
/// `cargo xtask test` sets it after building all programs.
const BUILT: &str = "STEPWELL_PROGRAMS_BUILT";
/// With what the variables begin that our programs read as settings.
const SETTINGS: &str = "STEPWELL_";

static BUILD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// One of our programs, running with its output in a file of its own; killed when this value is dropped.
#[derive(Debug)]
pub struct Program {
    name: String,
    group: Mutex<ProcessGroup>,
    data: Arc<DataDir>,
}

/// How a [`Program`] is started.
#[derive(Debug)]
pub struct ProgramCommand {
    name: String,
    path: PathBuf,
    command: Command,
}

impl Program {
    /// Builds the packages' programs with the profile and target folder of this test, once a process. Does
    /// nothing under `cargo xtask test`, which has built them.
    ///
    /// # Errors
    /// If cargo fails; the message has what it printed.
    pub async fn build<const N: usize>(packages: [&str; N]) -> Result<()> {
        if env::var_os(BUILT).is_some() {
            return Ok(());
        }
        let packages = packages.map(str::to_owned);
        task::spawn_blocking(move || {
            let mut built = BUILD.lock().unwrap_or_else(PoisonError::into_inner);
            for package in packages {
                if !built.contains(&package) {
                    build_package(&package)?;
                    built.push(package);
                }
            }
            Ok(())
        })
        .await?
    }

    /// Gives a command that starts the program of that name, from the target folder of this test, without the
    /// settings that stand in this process's own environment.
    ///
    /// # Errors
    /// If there is no such program: then [`Program::build`] wasn't called for its package.
    pub fn command(name: &str) -> Result<ProgramCommand> {
        let path = profile_folder()?.join(name);
        ensure!(path.is_file(), "{} isn't built; call Program::build first", path.display());
        let mut command = Command::new(&path);
        for (variable, _) in env::vars_os() {
            if variable.to_string_lossy().starts_with(SETTINGS) {
                command.env_remove(variable);
            }
        }
        Ok(ProgramCommand { name: name.to_owned(), command, path })
    }

    /// Gives the process id.
    pub fn pid(&self) -> u32 {
        self.group().pid()
    }

    /// Kills it with its children as a power cut would (SIGKILL) and waits for its end. May be called twice.
    pub fn kill9(&self) {
        self.group().kill();
    }

    /// Asks it to end (SIGTERM). Does nothing if it has ended.
    ///
    /// # Errors
    /// If the system refuses the signal.
    pub fn terminate(&self) -> Result<()> {
        Ok(self.group().terminate()?)
    }

    /// Freezes it (SIGSTOP), until [`Self::thaw`].
    ///
    /// # Errors
    /// If the system refuses the signal.
    pub fn freeze(&self) -> Result<()> {
        Ok(self.group().freeze()?)
    }

    /// Lets it go on after [`Self::freeze`].
    ///
    /// # Errors
    /// If the system refuses the signal.
    pub fn thaw(&self) -> Result<()> {
        Ok(self.group().thaw()?)
    }

    /// Gives how it ended, or `None` while it runs.
    ///
    /// # Errors
    /// If the system refuses to tell.
    pub fn status(&self) -> Result<Option<ExitStatus>> {
        Ok(self.group().status()?)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// If it still runs after the time; the message has the end of its output.
    pub async fn wait(&self, timeout: Duration) -> Result<ExitStatus> {
        eventually_some(timeout, || async { self.status().transpose() }, "the program has ended")
            .await
            .with_context(|| self.explain())?
    }

    /// Waits until GET of that URL gives 200.
    ///
    /// # Errors
    /// If it doesn't within the time, or the program ends before; the message has the end of its output.
    pub async fn wait_for_http(&self, url: &str, timeout: Duration) -> Result<()> {
        let poll = || async {
            match self.status() {
                Ok(Some(status)) => Some(Err(anyhow!("it ended with {status}"))),
                Err(error) => Some(Err(error)),
                Ok(None) => http_get(url).await.is_ok_and(|answer| answer.status == 200).then_some(Ok(())),
            }
        };
        eventually_some(timeout, poll, &format!("GET {url} gives 200"))
            .await
            .and_then(|ready| ready)
            .with_context(|| self.explain())
    }

    /// Gives all that it printed so far, standard output and standard error as they came.
    pub fn output(&self) -> String {
        let bytes = fs::read(self.data.file(OUTPUT)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn explain(&self) -> String {
        format!("{} prints at last:\n{}", self.name, self.data.tail(OUTPUT))
    }

    fn group(&self) -> MutexGuard<'_, ProcessGroup> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProgramCommand {
    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the working folder.
    pub fn current_dir(mut self, folder: impl AsRef<std::path::Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Gives where the program lies.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Starts it.
    ///
    /// # Errors
    /// If the system can't start it.
    pub fn start(mut self) -> Result<Program> {
        let data = Arc::new(DataDir::new(&self.name)?);
        let output = File::options().create(true).append(true).open(data.file(OUTPUT))?;
        self.command.stdout(output.try_clone()?).stderr(output);
        let group = ProcessGroup::spawn(&mut self.command, Some(data.path()))
            .with_context(|| format!("start {}", self.path.display()))?;
        Ok(Program { name: self.name, group: Mutex::new(group), data })
    }
}

/// Test executables lie in `target/PROFILE/deps`, programs and their benches in `target/PROFILE`.
fn profile_folder() -> Result<PathBuf> {
    let exe = env::current_exe()?;
    let folder = exe.parent().context("the test executable lies in no folder")?;
    let folder = match folder.file_name() {
        Some(name) if name == "deps" => folder.parent().context("deps lies in no folder")?,
        _ => folder,
    };
    Ok(folder.to_owned())
}

fn build_package(package: &str) -> Result<()> {
    let folder = profile_folder()?;
    let target = folder.parent().context("the profile's folder lies in no folder")?;
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", package, "--bins", "--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .context("start cargo")?;
    ensure!(output.status.success(), "cargo build -p {package} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

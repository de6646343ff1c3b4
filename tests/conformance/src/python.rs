//! Python, and the packages that the suite needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What the suite's README asks for.
const PACKAGES: &[&str] = &["boto3", "jsonpath-ng==1.7.0", "moto[all,server]==5.2.5"];
/// Says, in the folder, what is installed in it.
const INSTALLED: &str = "installed";

/// Is a Python with the packages of the suite.
#[derive(Debug)]
pub(crate) struct Python(PathBuf);

impl Python {
    /// Makes the folder with its own Python and installs what it lacks.
    ///
    /// # Errors
    /// If there is no Python 3 with `venv`, or pip can't install: without a network, for example.
    pub(crate) fn prepare(folder: &Path) -> Result<Self> {
        let python = Self(folder.join("bin/python"));
        let wanted = PACKAGES.join("\n");
        if fs::read_to_string(folder.join(INSTALLED)).is_ok_and(|installed| installed == wanted) {
            return Ok(python);
        }
        println!("==> installing {} in {}", PACKAGES.join(", "), folder.display());
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))
            .context("the replay needs Python 3 with venv (Debian package python3-venv)")?;
        let mut pip = python.command();
        run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES))
            .context("the replay needs packages that pip could not install; is there a network?")?;
        fs::write(folder.join(INSTALLED), wanted)?;
        Ok(python)
    }

    /// Gives a command that runs this Python.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.0)
    }
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {}", command.get_program().display()))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

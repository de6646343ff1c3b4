//! `cargo xtask conformance`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::servers;
use crate::test::{self, BUILT};
use crate::workspace::root;

/// Where the suite of recorded cases lies, from the root: beside the project, of which it is no part.
const SUITE: &str = "../shared/conformance";
/// Where Python's packages go, from the folder of build results.
const PACKAGES: &str = "conformance/python";

/// Replays the recorded cases, if they are there; the arguments are those of the program `conformance`.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let suite = root()?.join(SUITE);
    if !suite.join("run").is_file() {
        println!("==> skipped: no recorded cases are replayed, as there is no {SUITE}/run");
        return Ok(true);
    }
    let suite = suite.canonicalize()?;
    if arguments.iter().any(|argument| argument == "--cluster") {
        servers::ensure()?;
    }
    println!("==> building programs and tests");
    if !test::build(&[])? {
        return Ok(false);
    }
    let programs = programs()?;
    let target = programs.parent().context("the programs lie in no folder")?;
    let mut replay = Command::new(programs.join("conformance"));
    replay.arg("--suite").arg(suite).arg("--packages").arg(target.join(PACKAGES)).env(BUILT, "1").args(arguments);
    Ok(replay.status().context("start conformance")?.success())
}

/// Gives the folder of the programs: this one lies there, too.
fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("xtask lies in no folder")?.to_owned())
}

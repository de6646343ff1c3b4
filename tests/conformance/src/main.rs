//! The program `conformance`: replays recorded cases of AWS Step Functions against Stepwell and compares the outcome with the list
//! of cases known not to pass. `cargo xtask conformance` builds and runs it.
//!
//! ```text
//!                    ┌── HTTP ──► stepwell dev, or coordinators and workers ──┐ Task states
//!  the suite's `run` ┤                                                        ▼
//!                    └── HTTP ───────────────────────────► the suite's `aux_server.py`: moto and Lambda functions
//! ```
//! The suite, `../shared/conformance`, is no part of the project. It needs Python; its packages are installed below the target folder.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "talks to a person who waits"
)]

mod balance;
mod known;
mod neighbours;
mod python;
mod replay;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;

use crate::known::Known;
use crate::neighbours::Neighbours;
use crate::python::Python;
use crate::target::Target;

/// Replays recorded cases of AWS against Stepwell.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of the suite, which holds `run`
    #[arg(long)]
    suite: PathBuf,
    /// Where Python's packages are installed
    #[arg(long)]
    packages: PathBuf,
    /// Run against two coordinators and two workers instead of `stepwell dev`
    #[arg(long)]
    cluster: bool,
    /// How many cases are replayed at once
    #[arg(long, default_value_t = 4)]
    jobs: u32,
    /// Only these: paths below the suite's `cases`, or parts of ids; their differences are shown in full
    cases: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match check(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn check(arguments: &Arguments) -> Result<bool> {
    let known = Known::load()?;
    let python = Python::prepare(&arguments.packages)?;
    let neighbours = Neighbours::start(&python, &arguments.suite).await?;
    let target = if arguments.cluster { Target::cluster(&neighbours).await? } else { Target::dev(&neighbours).await? };
    println!("==> replaying recorded cases against {}", target.name());
    let begun = Instant::now();
    let cases = if arguments.cases.is_empty() { known.selection() } else { arguments.cases.clone() };
    let run = replay::Run { python: &python, suite: &arguments.suite, jobs: arguments.jobs, cases: &cases };
    let outcome = run.against(target.url(), neighbours.url()).await.map(|outcome| {
        let verdict = known.judge(&outcome, arguments.cases.is_empty());
        let (passed, seconds) =
            (outcome.values().filter(|differences| differences.is_empty()).count(), begun.elapsed().as_secs());
        println!("{passed} of {} cases pass on {} in {seconds} s", outcome.len(), target.name());
        verdict
    });
    let verdict = target.finish(outcome).context("the replay failed")?;
    print!("{verdict}");
    Ok(verdict.is_as_expected())
}

//! The `xtask` program: what a developer and CI run.
//!
//! `cargo xtask test` brings the servers that tests need and runs all tests; `cargo xtask verify` runs every
//! other check, one file of `checks/` each.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "talks to a person and measures how long that person waits"
)]

mod checks;
mod deny;
mod servers;
mod test;
mod verify;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer tasks of Stepwell.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run all tests; installs redis-server and rabbitmq-server first where they are missing and root may do so
    Test {
        /// Passed on to `cargo test`, such as `-p store` or `-- name_of_a_test`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run all checks: format, tidiness, dependencies, clippy, rustdoc
    Verify {
        /// Only the checks of these names
        checks: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Test { arguments } => test::run(&arguments),
        Task::Verify { checks } => verify::run(&checks),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

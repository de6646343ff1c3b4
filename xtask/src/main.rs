//! The `xtask` program: what a developer and CI run.
//!
//! `cargo xtask test` brings the servers that tests need and runs all tests; `cargo xtask conformance`
//! replays recorded cases of AWS; `cargo xtask verify` runs every other check, one file of `checks/` each; `cargo xtask images` makes images of the servers.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "talks to a person and measures how long that person waits"
)]

mod checks;
mod conformance;
mod deny;
mod images;
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
    /// Replay what AWS was recorded to answer, if the cases lie in ../shared/conformance
    Conformance {
        /// `--cluster` for two coordinators and two workers; paths or parts of ids choose cases
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Make the Docker images redis:7, rabbitmq:3, haproxy:2 and rust from what this machine has, where they can't be pulled
    Images {
        /// Make them again although they are there
        #[arg(long)]
        again: bool,
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
        Task::Conformance { arguments } => conformance::run(&arguments),
        Task::Images { again } => images::run(again),
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

//! The `stepwell` program.

mod progress;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs AWS Step Functions state machines on your own machine.
#[derive(Parser)]
#[command(name = "stepwell", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one execution of a definition here and now, without a server.
    ///
    /// Progress goes to stderr, the output to stdout. The exit code is 0 only if the execution succeeded, 1 if it ended
    /// otherwise, 2 if it could not be started.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArguments),
}

const RUN_EXAMPLES: &str = "Examples:
  stepwell run workflow.asl.json
  stepwell run workflow.asl.json --input '{\"orderId\": \"12345\"}'
  stepwell run workflow.asl.json --input @order.json --handlers handlers.toml --json";

/// Is what `stepwell run` is told.
#[derive(clap::Args)]
struct RunArguments {
    /// The definition, in Amazon States Language.
    file: PathBuf,
    /// The input: JSON, or @FILE to read it from a file.
    #[arg(long, default_value = "{}")]
    input: String,
    /// The file that declares handlers; `handlers.toml` beside the definition is taken if it is there.
    #[arg(long)]
    handlers: Option<PathBuf>,
    /// Prints a JSON object on how the execution ended, instead of the bare output.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    if let Err(error) = telemetry::init("warn", telemetry::Style::Text) {
        complain(&error.into());
        return ExitCode::from(2);
    }
    let arguments = Arguments::parse();
    let Command::Run(arguments) = arguments.command;
    match run::run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            complain(&error);
            ExitCode::from(2)
        }
    }
}

fn complain(error: &anyhow::Error) {
    use std::io::Write as _;
    // A closed stderr leaves nowhere to complain to.
    drop(writeln!(std::io::stderr(), "stepwell: {error:#}"));
}

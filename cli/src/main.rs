//! The `stepwell` program.

mod client;
mod dev;
mod health;
mod progress;
mod run;
mod test_state;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Runs AWS Step Functions state machines on your own machine.
#[derive(Parser)]
#[command(name = "stepwell", version, after_help = EXAMPLES)]
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
    /// Serves the AWS Step Functions API from this machine: coordinator, worker and store in one process.
    #[command(after_help = DEV_EXAMPLES)]
    Dev(dev::DevArguments),
    /// Runs one state alone, with mocks if wanted, and shows what it comes to.
    ///
    /// The exit code is 0 if the state was left, even by a Catcher, 1 if it failed or would be tried again, and 2 if it could not
    /// be tested.
    #[command(after_help = TEST_EXAMPLES)]
    Test(test_state::TestArguments),
    /// Says what is wrong with definitions, without running them.
    ///
    /// Each fault is printed with AWS's code and words, and the line it is in. The exit code is 1 if there is an error, and 0
    /// if there are at most warnings.
    #[command(after_help = VALIDATE_EXAMPLES)]
    Validate(validate::ValidateArguments),
    /// Asks a coordinator, a worker or `stepwell dev` by its ops port whether it is well.
    #[command(after_help = HEALTH_EXAMPLES)]
    Health(health::HealthArguments),
    /// Starts an execution at an endpoint.
    #[command(after_help = START_EXAMPLES)]
    Start(client::start::StartArguments),
    /// Shows an execution live: states as they are entered and left, attempts, durations.
    ///
    /// The exit code is 0 only if the execution succeeded.
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(client::watch::WatchArguments),
    /// Prints the history of an execution, with the time since its start.
    #[command(after_help = HISTORY_EXAMPLES)]
    History(client::history::HistoryArguments),
    /// Lists state machines, or the executions of one.
    #[command(after_help = LIST_EXAMPLES)]
    List(client::list::ListArguments),
    /// Stops an execution.
    #[command(after_help = STOP_EXAMPLES)]
    Stop(client::stop::StopArguments),
    /// Prints what makes a shell complete these commands.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

const START_EXAMPLES: &str = "Examples:
  stepwell start OrderProcessingWorkflow --input '{\"orderId\": \"12345\"}' --wait
  stepwell start arn:aws:states:us-east-1:123456789012:stateMachine:Orders --name order-1";

const WATCH_EXAMPLES: &str = "Examples:
  stepwell watch arn:aws:states:us-east-1:123456789012:execution:Orders:order-1";

const HISTORY_EXAMPLES: &str = "Examples:
  stepwell history arn:aws:states:us-east-1:123456789012:execution:Orders:order-1
  stepwell history --json arn:aws:states:us-east-1:123456789012:execution:Orders:order-1 | jq .type";

const LIST_EXAMPLES: &str = "Examples:
  stepwell list
  stepwell list Orders --status failed";

const EXAMPLES: &str = "Examples:
  stepwell run workflow.asl.json --input '{\"orderId\": \"12345\"}'
  stepwell dev --handlers handlers.toml
  stepwell start Orders --input @order.json --wait";

const HEALTH_EXAMPLES: &str = "Examples:
  stepwell health
  stepwell health --ready --ops-listen 127.0.0.1:9091";

const STOP_EXAMPLES: &str = "Examples:
  stepwell stop arn:aws:states:us-east-1:123456789012:execution:Orders:order-1 --cause 'not wanted any more'";

const COMPLETIONS_EXAMPLES: &str = "Examples:
  stepwell completions bash > /etc/bash_completion.d/stepwell";

const TEST_EXAMPLES: &str = "Examples:
  stepwell test workflow.asl.json --state Pay --input @order.json --handlers handlers.toml
  stepwell test workflow.asl.json --state Pay --mock '{\"paid\": true}' --trace
  stepwell test workflow.asl.json --state Pay --mock-error Declined:no\\ money --retries 2";

const VALIDATE_EXAMPLES: &str = "Examples:
  stepwell validate workflow.asl.json
  stepwell validate --express statemachines/*.yaml";

const DEV_EXAMPLES: &str = "Examples:
  stepwell dev
  stepwell dev --listen 127.0.0.1:9000 --data /var/lib/stepwell --handlers handlers.toml

The `aws` CLI and the SDKs use it by AWS_ENDPOINT_URL=http://127.0.0.1:8083.";

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
    // Every HTTP client wants one, even where it never speaks TLS. A provider that is there already serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match Arguments::parse().command {
        Command::Run(arguments) => run::command(&arguments).await,
        Command::Dev(arguments) => dev::command(&arguments).await,
        Command::Test(arguments) => test_state::command(&arguments).await,
        Command::Validate(arguments) => validate::command(&arguments),
        Command::Health(arguments) => health::command(&arguments).await,
        Command::Start(arguments) => client::start::command(&arguments).await,
        Command::Watch(arguments) => client::watch::command(&arguments).await,
        Command::History(arguments) => client::history::command(&arguments).await,
        Command::List(arguments) => client::list::command(&arguments).await,
        Command::Stop(arguments) => client::stop::command(&arguments).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "stepwell", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    match done {
        Ok(code) => code,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_has_examples_of_every_command() {
        let program = Arguments::command();
        for command in std::iter::once(&program).chain(program.get_subcommands()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let uses = help.lines().filter(|line| line.starts_with("  stepwell ")).count();
            assert!(help.starts_with("Examples:") && uses > 0, "{}: {help}", command.get_name());
        }
    }
}

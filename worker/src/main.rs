//! The `worker` program.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use settings::{Loaded, Sources};
use worker::{BuildError, Config, FOREIGN_SECTIONS, Worker};

/// Runs handlers for work items of Stepwell and reports their results.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The settings file, in TOML; else the variable STEPWELL_CONFIG names it.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Setting amqp.url: where RabbitMQ is.
    #[arg(long, global = true)]
    amqp_url: Option<String>,
    /// Setting worker.handlers: the file that declares handlers.
    #[arg(long, global = true)]
    handlers: Option<String>,
    /// Setting worker.concurrency: how many handlers run at once.
    #[arg(long, global = true)]
    concurrency: Option<String>,
    /// Setting worker.pool: the pool whose work items it takes.
    #[arg(long, global = true)]
    pool: Option<String>,
    /// Setting worker.name: its name in reports.
    #[arg(long, global = true)]
    name: Option<String>,
    /// Setting ops.listen: address and port for health checks and metrics.
    #[arg(long, global = true)]
    ops_listen: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Works with the settings themselves.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Prints the settings in force, secrets hidden.
    Print,
}

impl Arguments {
    fn sources(&self) -> Sources {
        Sources::of_process(self.config.clone())
            .flag("--amqp-url", "amqp.url", self.amqp_url.as_deref())
            .flag("--handlers", "worker.handlers", self.handlers.as_deref())
            .flag("--concurrency", "worker.concurrency", self.concurrency.as_deref())
            .flag("--pool", "worker.pool", self.pool.as_deref())
            .flag("--name", "worker.name", self.name.as_deref())
            .flag("--ops-listen", "ops.listen", self.ops_listen.as_deref())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever reads this wants to know which setting to change, not where in the program that was noticed.
            let _ = writeln!(std::io::stderr(), "worker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let loaded = settings::load::<Config>(&arguments.sources(), FOREIGN_SECTIONS)?;
    if arguments.command.is_some() {
        return print(loaded);
    }
    let worker = Worker::of_settings(loaded)?.build().map_err(in_words)?;
    worker.run_until_signal().await.context("listen for signals")
}

fn print(loaded: Loaded<Config>) -> anyhow::Result<()> {
    let config = loaded.config.named();
    std::io::stdout().write_all(settings::render(&config).as_bytes())?;
    for key in loaded.unknown {
        writeln!(std::io::stderr(), "{key}")?;
    }
    Ok(config.check()?)
}

fn in_words(error: BuildError) -> anyhow::Error {
    match error {
        BuildError::HandlersFile(_) => anyhow::Error::new(error).context("use the setting worker.handlers"),
        BuildError::Repeated(_) | BuildError::Ops { .. } => error.into(),
    }
}

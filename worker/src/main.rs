//! The `worker` program.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use broker::SharedQueue;
use broker::amqp::AmqpBroker;
use clap::{Parser, Subcommand};
use runtime::Runtime;
use settings::{Loaded, LogFormat, Sources};
use telemetry::{ExportConfig, Registry, Style, Tracer};
use tokio::net::TcpListener;
use tracing::{info, warn};
use worker::ops::{self, Ops};
use worker::{Aws, Config, FOREIGN_SECTIONS, Worker};

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
    let Loaded { config, unknown } = settings::load::<Config>(&arguments.sources(), FOREIGN_SECTIONS)?;
    let config = config.named();
    if arguments.command.is_some() {
        std::io::stdout().write_all(settings::render(&config).as_bytes())?;
        for key in unknown {
            writeln!(std::io::stderr(), "{key}")?;
        }
        return Ok(config.check()?);
    }
    telemetry::init(&config.log.filter, style(config.log.format)).context("use the setting log.filter")?;
    for key in unknown {
        warn!(key = key.key, origin = key.origin, "unknown setting");
    }
    config.check()?;
    work(config).await
}

async fn work(config: Config) -> anyhow::Result<()> {
    // A provider that is there already serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (runtime, metrics) = (Runtime::system(), Registry::new());
    let queue: SharedQueue = Arc::new(AmqpBroker::connect(runtime.clone(), config.broker())?);
    let tracer = match ExportConfig::of_process("stepwell-worker")? {
        Some(export) => {
            info!(endpoint = export.endpoint(), "exporting traces");
            Tracer::start(export, config.worker.name.as_deref().unwrap_or_default(), &runtime, &metrics)?
        }
        None => Tracer::off(),
    };
    let worker = Worker::builder(Arc::clone(&queue), runtime.clone())
        .config(config.worker.clone(), config.work.clone())
        .aws(Aws::of_settings(&config.worker)?)
        .metrics(metrics.clone())
        .tracer(tracer)
        .build()
        .context("use the setting worker.handlers")?;
    if !worker.has_handlers() {
        warn!("no handlers are declared (setting worker.handlers): every work item is reported as unhandled");
    }
    if !config.ops.listen.is_empty() {
        serve(&runtime, &config.ops.listen, Ops { connection: queue.connection(), metrics }).await?;
    }
    info!(name = worker.name(), pool = config.worker.pool, url = %config.amqp.url, "working");
    runtime.spawn(worker.stopper().at_signal().context("listen for signals")?);
    worker.run().await;
    info!("stopped");
    Ok(())
}

async fn serve(runtime: &Runtime, listen: &str, ops: Ops) -> anyhow::Result<()> {
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("listen on {listen} (setting ops.listen)"))?;
    info!(address = %listener.local_addr()?, "serving /healthz, /readyz, /metrics");
    runtime.spawn(async move {
        if let Err(error) = axum::serve(listener, ops::router(ops)).await {
            warn!(error = %error, "the ops port is closed");
        }
    });
    Ok(())
}

fn style(format: LogFormat) -> Style {
    match format {
        LogFormat::Auto => Style::Auto,
        LogFormat::Text => Style::Text,
        LogFormat::Json => Style::Json,
    }
}

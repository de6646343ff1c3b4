//! The `coordinator` program.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use broker::amqp::AmqpBroker;
use broker::{SharedQueue, WorkQueue as _};
use clap::{Parser, Subcommand};
use coordinator::api::Api;
use coordinator::ops::Ops;
use coordinator::serve::{listen, serve, stop_on_signal};
use coordinator::settings::{FOREIGN_SECTIONS, Settings};
use coordinator::{Coordinator, Parts};
use runtime::{Runtime, Task, watch};
use settings::{Loaded, Sources};
use store::{ExecutionStore as _, RedisStore, SharedStore};
use telemetry::{ExportConfig, Registry, Tracer};
use tokio::net::TcpListener;
use tracing::{info, warn};

/// Serves the AWS Step Functions API and advances executions over RabbitMQ and Redis.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The settings file, in TOML; else the variable STEPWELL_CONFIG names it.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    /// Setting redis.url: where Redis is.
    #[arg(long, global = true)]
    redis_url: Option<String>,
    /// Setting amqp.url: where RabbitMQ is.
    #[arg(long, global = true)]
    amqp_url: Option<String>,
    /// Setting api.listen: address and port of the API.
    #[arg(long, global = true)]
    listen: Option<String>,
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
            .flag("--redis-url", "redis.url", self.redis_url.as_deref())
            .flag("--amqp-url", "amqp.url", self.amqp_url.as_deref())
            .flag("--listen", "api.listen", self.listen.as_deref())
            .flag("--ops-listen", "ops.listen", self.ops_listen.as_deref())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever reads this wants to know which setting to change, not where in the program that was noticed.
            let _ = writeln!(std::io::stderr(), "coordinator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Loaded { config, unknown } = settings::load::<Settings>(&arguments.sources(), FOREIGN_SECTIONS)?;
    if arguments.command.is_some() {
        std::io::stdout().write_all(settings::render(&config).as_bytes())?;
        for key in unknown {
            writeln!(std::io::stderr(), "{key}")?;
        }
        return Ok(config.check()?);
    }
    telemetry::init(&config.log.filter, config.log.format.is_json()).context("use the setting log.filter")?;
    for key in unknown {
        warn!(key = key.key, origin = key.origin, "unknown setting");
    }
    config.check()?;
    config.amqp("", 1).check()?;
    coordinate(&config).await
}

async fn coordinate(settings: &Settings) -> anyhow::Result<()> {
    // A provider that is there already serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (runtime, registry) = (Runtime::system(), Registry::new());
    let export = ExportConfig::of_process("stepwell-coordinator")?;
    let (tracing, traced) = (runtime.clone(), registry.clone());
    let stopping = stop_on_signal(&runtime)?;
    let api = Api::new(runtime.clone(), settings.api(), &registry);
    let ops = Ops::new(registry.clone());
    let ports = Ports::open(settings, &runtime, &api, &ops, &stopping).await?;

    let mut stop = stopping.clone();
    let opened = tokio::select! { biased;
        _ = stop.wait_for(|stopping| *stopping) => None,
        opened = RedisStore::open_patiently(settings.redis(), runtime.clone()) => Some(opened),
    };
    let Some(opened) = opened else {
        ports.close().await;
        return Ok(());
    };
    let store = opened.context("open the store on Redis (settings redis.*)")?;
    info!(url = %settings.redis.url, "the store is open");
    let config = settings.amqp(&store.incarnation(), store.events_queues());
    let queue = AmqpBroker::connect(runtime.clone(), config)?;
    ops.attach(store.connection(), queue.connection());
    let (store, queue): (SharedStore, SharedQueue) = (Arc::new(store), Arc::new(queue));
    let (driver, api_settings) = (settings.driver(), settings.api());
    let coordinator = Coordinator::behind(api, Parts { store, queue, runtime, driver, api: api_settings, registry });
    if let Some(export) = export {
        info!(endpoint = export.endpoint(), "exporting traces");
        let tracer = Tracer::start(export, &coordinator.driver().owner().to_string(), &tracing, &traced)?;
        coordinator.trace_to(&tracer);
    }
    coordinator.start();
    info!(owner = %coordinator.driver().owner(), "coordinating");

    let _ = stop.wait_for(|stopping| *stopping).await;
    ports.close().await;
    coordinator.stop(settings.driver.stop_grace.get()).await;
    info!("stopped");
    Ok(())
}

/// Is the ports being served.
struct Ports {
    api: Task,
    ops: Option<Task>,
}

impl Ports {
    async fn open(
        settings: &Settings,
        runtime: &Runtime,
        api: &Api,
        ops: &Ops,
        stopping: &watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let grace = settings.driver.stop_grace.get();
        let spawn = |listener: TcpListener, router: axum::Router| {
            let (own, stopping) = (runtime.clone(), stopping.clone());
            runtime.spawn(async move {
                if let Err(error) = serve(listener, router, &own, stopping, grace).await {
                    tracing::error!(%error, "a port is closed");
                }
            })
        };
        let listener = listen("api.listen", &settings.api.listen).await?;
        let address = listener.local_addr()?;
        info!(%address, "serving the API");
        warn_if_open(&address);
        api.end_polls_when(stopping.clone());
        let api = spawn(listener, api.router());
        let mut served = None;
        if !settings.ops.listen.is_empty() {
            let listener = listen("ops.listen", &settings.ops.listen).await?;
            info!(address = %listener.local_addr()?, "serving /healthz, /readyz, /metrics");
            served = Some(spawn(listener, ops.router()));
        }
        Ok(Self { api, ops: served })
    }

    /// Waits until the requests in hand are answered.
    async fn close(self) {
        // A port that failed has said so in the log.
        let _ = self.api.join().await;
        if let Some(ops) = self.ops {
            let _ = ops.join().await;
        }
    }
}

fn warn_if_open(address: &SocketAddr) {
    if !address.ip().is_loopback() {
        warn!(%address, "anyone who reaches this address may use the API (setting api.auth is none)");
    }
}

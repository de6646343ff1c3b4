//! `stepwell dev`: coordinator, API and worker in one process.

mod handlers;
mod settings;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use broker::{MemoryBroker, SharedQueue, WorkQueue as _};
use coordinator::driver::DriverSettings;
use coordinator::ops::Ops;
use coordinator::serve::{listen, serve, stop_on_signal};
use coordinator::{Coordinator, Parts};
use runtime::{Runtime, Task, watch};
use store::{EmbeddedConfig, EmbeddedStore, ExecutionStore as _, SharedStore};
use telemetry::{ExportConfig, Registry, Tracer};
use tokio::net::TcpListener;
use tracing::warn;

use handlers::Workers;
use settings::Settings;

const EVENTS_QUEUES: u32 = 1;

/// Is what `stepwell dev` is told.
#[derive(clap::Args)]
pub(crate) struct DevArguments {
    /// Where the API listens (setting api.listen); port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The folder that keeps everything; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = ".stepwell")]
    data: PathBuf,
    /// The file that declares handlers (setting worker.handlers); `handlers.toml` in the current folder is taken if it is there.
    #[arg(long, value_name = "FILE")]
    handlers: Option<PathBuf>,
    /// Where /healthz, /readyz and /metrics are served (setting ops.listen).
    #[arg(long, value_name = "ADDRESS:PORT")]
    ops_listen: Option<String>,
    /// The settings file, in TOML; else the variable STEPWELL_CONFIG names it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from serving, in words for a person.
pub(crate) async fn command(arguments: &DevArguments) -> Result<ExitCode> {
    let settings = Settings::load(arguments)?;
    let log = &settings.coordinator.log;
    telemetry::init(&log.filter, log.format.is_json()).context("use the setting log.filter")?;
    settings.warn_of_unknown();
    // A provider that is there already serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = Runtime::system();
    let stopping = stop_on_signal(&runtime)?;
    let server = Server::start(&runtime, &settings, &arguments.data, &stopping).await?;
    let mut stop = stopping;
    let _ = stop.wait_for(|stopping| *stopping).await;
    server.stop(&runtime, &settings).await;
    Ok(ExitCode::SUCCESS)
}

/// Is everything that runs.
struct Server {
    store: EmbeddedStore,
    coordinator: Coordinator,
    worker: Task,
    /// Turns true when the worker is to stop: after the ports, since requests may wait for tasks.
    stop_worker: watch::Sender<bool>,
    ports: Vec<Task>,
}

impl Server {
    async fn start(
        runtime: &Runtime,
        settings: &Settings,
        data: &Path,
        stopping: &watch::Receiver<bool>,
    ) -> Result<Self> {
        let registry = Registry::new();
        ensure!(!data.as_os_str().is_empty(), "use a folder (flag --data): its name is empty");
        let store = EmbeddedStore::open(&EmbeddedConfig::new(data), runtime.clone()).await;
        let store = store.with_context(|| format!("use the folder {} (flag --data)", data.display()))?;
        let broker = MemoryBroker::new(runtime.clone(), EVENTS_QUEUES);
        let tracer = match ExportConfig::of_process("stepwell-dev")? {
            Some(export) => Tracer::start(export, "dev", runtime, &registry)?,
            None => Tracer::off(),
        };
        let workers = Workers::new(&broker, runtime, settings, (&registry, &tracer));
        let worker = workers.build()?;

        let api = listen("api.listen (flag --listen)", &settings.coordinator.api.listen).await?;
        let address = api.local_addr()?;
        let ops = Ops::new(registry.clone());
        ops.attach(store.connection(), broker.connection());
        let (shared, queue): (SharedStore, SharedQueue) = (Arc::new(store.clone()), Arc::new(broker));
        // Nobody can listen to a broker within the process, and its one worker takes everything.
        let driver = DriverSettings {
            notify: false,
            routing: DriverSettings::default().routing,
            ..settings.coordinator.driver()
        };
        let api_settings = settings.coordinator.api();
        let runtime = runtime.clone();
        let coordinator = Coordinator::build(Parts {
            store: shared,
            queue,
            runtime: runtime.clone(),
            driver,
            api: api_settings,
            registry,
        });
        let grace = settings.coordinator.driver.stop_grace.get();
        let spawn = |listener: TcpListener, router| {
            let (own, stopping) = (runtime.clone(), stopping.clone());
            runtime.spawn(async move {
                if let Err(error) = serve(listener, router, &own, stopping, grace).await {
                    tracing::error!(%error, "a port is closed");
                }
            })
        };
        coordinator.api().end_polls_when(stopping.clone());
        let (mut ports, mut ops_address) = (vec![spawn(api, coordinator.router())], None);
        if !settings.coordinator.ops.listen.is_empty() {
            let listener = listen("ops.listen (flag --ops-listen)", &settings.coordinator.ops.listen).await?;
            ops_address = Some(listener.local_addr()?);
            ports.push(spawn(listener, ops.router()));
        }
        coordinator.trace_to(&tracer);
        coordinator.start();
        let (stop_worker, worker_stopping) = watch::channel(false);
        let worker = runtime.spawn(workers.run(worker, worker_stopping));
        welcome(&address, ops_address.as_ref())?;
        Ok(Self { store, coordinator, worker, stop_worker, ports })
    }

    /// Answers what was asked, lets handlers finish within their grace, and ends.
    async fn stop(self, runtime: &Runtime, settings: &Settings) {
        for port in self.ports {
            // A port that failed has said so in the log.
            let _ = port.join().await;
        }
        self.stop_worker.send_replace(true);
        let _ = self.worker.join().await;
        self.coordinator.stop(settings.coordinator.driver.stop_grace.get()).await;
        // Nothing is to use the store any more, nor to complain that it is away.
        runtime.kill();
        self.store.close().await;
    }
}

/// Tells where it listens, and what to try.
fn welcome(address: &SocketAddr, ops: Option<&SocketAddr>) -> io::Result<()> {
    if !address.ip().is_loopback() {
        warn!(%address, "anyone who reaches this address may use the API (setting api.auth is none)");
    }
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "Stepwell listens on http://{address}")?;
    if let Some(ops) = ops {
        writeln!(stdout, "Health and metrics: http://{ops}/readyz, /metrics")?;
    }
    writeln!(stdout, "Try, in another terminal:")?;
    for line in [
        &*format!(
            "export AWS_ENDPOINT_URL=http://{address} AWS_ACCESS_KEY_ID=123456789012 AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1"
        ),
        r#"aws stepfunctions create-state-machine --name Hello --role-arn arn:aws:iam::123456789012:role/Any --definition '{"StartAt": "Greet", "States": {"Greet": {"Type": "Pass", "Result": "Hello!", "End": true}}}'"#,
        "stepwell start Hello --wait",
        "stepwell list Hello",
    ] {
        writeln!(stdout, "  {line}")?;
    }
    stdout.flush()
}

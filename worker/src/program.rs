//! What makes a program a worker: its settings, logs, traces, metrics, its broker, its end.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use broker::SharedQueue;
use broker::amqp::{AmqpBroker, ConfigError};
use runtime::Runtime;
use settings::{Loaded, QueueKind, Sources, Unusable};
use telemetry::{ExportConfig, ExportError, InitError, Registry, Tracer};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::{Aws, AwsError, Config, FOREIGN_SECTIONS, Stopper, Worker, WorkerBuilder};

/// Says why a process can't be a worker. The text names the setting or the variable to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings can't be read.
    #[error(transparent)]
    Settings(#[from] settings::Error),
    /// A setting doesn't fit.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The filter of the log can't be read.
    #[error("use the setting log.filter")]
    Log(#[from] InitError),
    /// A setting of RabbitMQ's doesn't fit.
    #[error(transparent)]
    Broker(#[from] ConfigError),
    /// A variable of OpenTelemetry's doesn't fit.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A variable of AWS's doesn't fit.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl Config {
    /// Gives a worker without a name that of the host with the process id.
    #[must_use]
    pub fn named(mut self) -> Self {
        self.worker.name.get_or_insert_with(default_name);
        self
    }

    /// Gives what the broker is reached with.
    pub fn broker(&self) -> broker::amqp::Config {
        let queue_kind = match self.amqp.queue_kind {
            QueueKind::Quorum => broker::amqp::QueueKind::Quorum,
            QueueKind::Classic => broker::amqp::QueueKind::Classic,
        };
        broker::amqp::Config {
            url: self.amqp.url.expose().to_owned(),
            prefix: self.amqp.prefix.clone(),
            // A worker declares no events queue and no marker: it reports to the queue that an item names.
            events_queues: 0,
            incarnation: String::new(),
            queue_kind,
            connect_timeout: Duration::from_secs(self.amqp.connect_timeout_seconds.into()),
            heartbeat_seconds: self.amqp.heartbeat_seconds,
            connection_name: self.worker.name.clone().unwrap_or_default(),
        }
    }
}

impl Worker {
    /// Begins to build a worker of this process's settings: the file that the variable `STEPWELL_CONFIG` names, then variables
    /// such as `STEPWELL_AMQP__URL`. It does all that the program `worker` does.
    ///
    /// # Errors
    /// As for [`of_settings`](Self::of_settings), and `StartError::Settings` if the file can't be read or a value doesn't fit.
    pub fn of_process() -> Result<WorkerBuilder, StartError> {
        Self::of_settings(settings::load(&Sources::of_process(None), FOREIGN_SECTIONS)?)
    }

    /// Begins to build a worker of settings that were loaded: sets up logs (`log.*`; a subscriber that is there already serves as
    /// well), warns of settings that nobody knows, and does what [`connect`](Self::connect) does.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect), and `StartError::Log` if the filter can't be read.
    pub fn of_settings(loaded: Loaded<Config>) -> Result<WorkerBuilder, StartError> {
        let Loaded { config, unknown } = loaded;
        match telemetry::init(&config.log.filter, config.log.format.is_json()) {
            Ok(()) | Err(InitError::Repeated) => {}
            Err(error @ InitError::Filter(_)) => return Err(error.into()),
        }
        for key in unknown {
            warn!(key = key.key, origin = key.origin, "unknown setting");
        }
        Self::connect(config)
    }

    /// Begins to build a worker on RabbitMQ: all of `config` but its logs, spans exported as OpenTelemetry's variables say
    /// (`OTEL_EXPORTER_OTLP_ENDPOINT` and so on), and functions without a handler called where AWS's variables say. A worker without
    /// a name gets that of the host with the process id. It connects in the background and for ever; within a runtime of tokio only.
    ///
    /// # Errors
    /// [`StartError`] naming the setting or the variable that is wrong.
    pub fn connect(config: Config) -> Result<WorkerBuilder, StartError> {
        config.check()?;
        let config = config.named();
        // A provider that is there already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (runtime, metrics) = (Runtime::system(), Registry::new());
        let queue: SharedQueue = Arc::new(AmqpBroker::connect(runtime.clone(), config.broker())?);
        info!(url = %config.amqp.url, "connecting to RabbitMQ");
        let tracer = tracer(config.worker.name.as_deref().unwrap_or_default(), &runtime, &metrics)?;
        let aws = Aws::of_settings(&config.worker)?;
        let Config { worker, work, ops, amqp: _, log: _ } = config;
        let builder = Self::builder(queue, runtime).config(worker, work);
        Ok(builder.aws(aws).metrics(metrics).tracer(tracer).ops(ops.listen))
    }

    /// Does what [`run`](Self::run) does, until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// If signals can't be listened for.
    pub async fn run_until_signal(self) -> io::Result<()> {
        if !self.has_handlers() {
            warn!("no handlers are declared (setting worker.handlers): every work item is reported as unhandled");
        }
        let signal = self.stopper().at_signal()?;
        info!(name = self.name(), pool = self.pool(), "working");
        let mut running = pin!(self.run());
        tokio::select! { biased;
            () = &mut running => {}
            () = signal => running.await,
        }
        info!("stopped");
        Ok(())
    }
}

impl Stopper {
    /// Stops the worker at SIGTERM or SIGINT, once the future is polled.
    ///
    /// # Errors
    /// If signals can't be listened for.
    pub fn at_signal(&self) -> io::Result<impl Future<Output = ()> + Send + use<>> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stopper = self.clone();
        Ok(async move {
            tokio::select! { biased;
                _ = terminate.recv() => info!("got SIGTERM"),
                _ = interrupt.recv() => info!("got SIGINT"),
            }
            stopper.stop();
        })
    }
}

/// Begins to export spans, if the process's variables say where.
fn tracer(instance: &str, runtime: &Runtime, metrics: &Registry) -> Result<Tracer, ExportError> {
    let Some(export) = ExportConfig::of_process("stepwell-worker")? else { return Ok(Tracer::off()) };
    info!(endpoint = export.endpoint(), "exporting traces");
    Tracer::start(export, instance, runtime, metrics)
}

/// Names the worker after its host and process.
fn default_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    let host = host.map(|host| host.trim().to_owned()).unwrap_or_else(|_| "worker".to_owned());
    format!("{host}-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WorkerConfig;

    #[test]
    fn settings_that_do_not_fit_are_refused() {
        let worker = WorkerConfig { concurrency: 0, ..WorkerConfig::default() };
        let error = Worker::connect(Config { worker, ..Config::default() }).expect_err("is refused");
        assert!(error.to_string().contains("worker.concurrency"), "{error}");
    }

    #[tokio::test]
    async fn a_port_is_taken_when_the_worker_is_built() {
        let config = Config::default();
        let build = |listen: &str| Worker::connect(config.clone()).expect("is right").aws(None).ops(listen).build();
        for listen in ["", "127.0.0.1:0"] {
            assert!(build(listen).is_ok(), "{listen}");
        }
        let error = build("nowhere").expect_err("is no address").to_string();
        assert!(error.contains("nowhere") && error.contains("ops.listen"), "{error}");
    }

    #[tokio::test]
    async fn what_is_stopped_by_hand_does_not_wait_for_a_signal() {
        let worker = Worker::connect(Config::default()).expect("is right").ops("").build().expect("is whole");
        worker.stopper().stop();
        worker.run_until_signal().await.expect("signals can be listened for");
    }
}

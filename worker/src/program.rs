//! What makes a program a worker: its settings, its broker, its end.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use broker::SharedQueue;
use broker::amqp::{AmqpBroker, ConfigError};
use runtime::Runtime;
use settings::{Loaded, QueueKind, Sources};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::{Config, FOREIGN_SECTIONS, Stopper, Worker, WorkerBuilder};

impl Config {
    /// Loads the settings of this process: the file that the variable `STEPWELL_CONFIG` names, then variables such as
    /// `STEPWELL_AMQP__URL`. A worker without a name gets that of the host with the process id.
    ///
    /// # Errors
    /// If the file can't be read, or a value doesn't fit.
    pub fn of_process() -> Result<Self, settings::Error> {
        let Loaded { config, unknown } = settings::load::<Self>(&Sources::of_process(None), FOREIGN_SECTIONS)?;
        for key in unknown {
            warn!(key = key.key, origin = key.origin, "unknown setting");
        }
        Ok(config.named())
    }

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
    /// Begins to build a worker on RabbitMQ, as the settings have it. It connects in the background and for ever; within a
    /// runtime of tokio only.
    ///
    /// # Errors
    /// `ConfigError` naming the setting that is wrong.
    pub fn connect(config: &Config) -> Result<WorkerBuilder, ConfigError> {
        // A provider that is there already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Runtime::system();
        let queue: SharedQueue = Arc::new(AmqpBroker::connect(runtime.clone(), config.broker())?);
        Ok(Self::builder(queue, runtime).config(config.worker.clone(), config.work.clone()))
    }

    /// Does what [`run`](Self::run) does, until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// If signals can't be listened for.
    pub async fn run_until_signal(self) -> io::Result<()> {
        let signal = self.stopper().at_signal()?;
        futures::future::join(self.run(), signal).await;
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

/// Names the worker after its host and process.
fn default_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    let host = host.map(|host| host.trim().to_owned()).unwrap_or_else(|_| "worker".to_owned());
    format!("{host}-{}", std::process::id())
}

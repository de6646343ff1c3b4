//! How a worker is put together.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use broker::SharedQueue;
use model::JsonText;
use outgoing::Outgoing;
use runtime::{Runtime, watch};
use serde::Serialize;
use serde::de::DeserializeOwned;
use telemetry::{Registry as MetricsRegistry, Tracer};

use crate::aws::Aws;
use crate::config::{WorkConfig, WorkerConfig};
use crate::consume::{self, Parts};
use crate::handlers::{
    self, Bounds, Declared, Entry, Handler, HandlersFileError, Kinds, Lambda, Pattern, Registry, Target,
};
use crate::metrics::Metrics;
use crate::ops::{self, Ops};
use crate::{Context, Failure};

/// Says why a worker can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The file of handlers is wrong.
    #[error(transparent)]
    HandlersFile(#[from] HandlersFileError),
    /// Two handlers are declared for one function.
    #[error("declare a handler for {0}: there is one already")]
    Repeated(String),
    /// The port for health checks and metrics can't be had.
    #[error("listen on {listen} (setting ops.listen)")]
    Ops {
        /// What was asked for.
        listen: String,
        /// Why not.
        source: io::Error,
    },
}

/// Collects what a worker is made of.
pub struct WorkerBuilder {
    queue: SharedQueue,
    runtime: Runtime,
    config: WorkerConfig,
    work: WorkConfig,
    metrics: MetricsRegistry,
    aws: Option<Arc<Aws>>,
    tracer: Tracer,
    ops: Option<String>,
    declared: Vec<(Declared, Box<dyn Handler>)>,
}

impl WorkerBuilder {
    pub(crate) fn new(queue: SharedQueue, runtime: Runtime) -> Self {
        let (config, work) = (WorkerConfig::default(), WorkConfig::default());
        Self {
            queue,
            runtime,
            config,
            work,
            metrics: MetricsRegistry::new(),
            aws: None,
            tracer: Tracer::off(),
            ops: None,
            declared: Vec::new(),
        }
    }

    /// Takes over all settings; to be called before the methods that change one.
    #[must_use]
    pub fn config(self, config: WorkerConfig, work: WorkConfig) -> Self {
        Self { config, work, ..self }
    }

    /// Registers an async function for a Lambda function's name, both called by its ARN and through `lambda:invoke`.
    ///
    /// Input and output go through serde. Its error is the task's failure; so is a panic.
    #[must_use]
    pub fn handler<F, Fut, I, O, E>(self, function: &str, handler: F) -> Self
    where
        F: Fn(I, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        I: DeserializeOwned,
        O: Serialize,
        E: Into<Failure>,
    {
        self.declare(Declared::Function(function.to_owned()), handlers::typed(handler))
    }

    /// Registers as [`handler`](Self::handler) does, but hands the JSON text on as it came.
    #[must_use]
    pub fn raw_handler<F, Fut>(self, function: &str, handler: F) -> Self
    where
        F: Fn(JsonText, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<JsonText, Failure>> + Send + 'static,
    {
        self.declare(Declared::Function(function.to_owned()), handlers::raw(handler))
    }

    /// Registers an async function for the resources that a pattern fits, in which `*` stands for any characters. Patterns are
    /// tried in the order of their registration, after the functions' names, and before those of the handlers file.
    #[must_use]
    pub fn resource_handler<F, Fut, I, O, E>(self, pattern: &str, handler: F) -> Self
    where
        F: Fn(I, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        I: DeserializeOwned,
        O: Serialize,
        E: Into<Failure>,
    {
        self.declare(Declared::Resource(Pattern::new(pattern)), handlers::typed(handler))
    }

    /// Registers as [`resource_handler`](Self::resource_handler) does, but hands the JSON text on as it came.
    #[must_use]
    pub fn raw_resource_handler<F, Fut>(self, pattern: &str, handler: F) -> Self
    where
        F: Fn(JsonText, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<JsonText, Failure>> + Send + 'static,
    {
        self.declare(Declared::Resource(Pattern::new(pattern)), handlers::raw(handler))
    }

    fn declare(mut self, declared: Declared, handler: impl Handler) -> Self {
        self.declared.push((declared, Box::new(handler)));
        self
    }

    /// Takes the handlers of a file, too; read by [`build`](Self::build).
    #[must_use]
    pub fn handlers_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.config.handlers = Some(file.into());
        self
    }

    /// Sets how many handlers run at once (at least 1).
    #[must_use]
    pub fn concurrency(mut self, count: u16) -> Self {
        self.config.concurrency = count;
        self
    }

    /// Sets the pool whose work items it takes.
    #[must_use]
    pub fn pool(mut self, pool: impl Into<String>) -> Self {
        self.config.pool = pool.into();
        self
    }

    /// Names the worker in its reports.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = Some(name.into());
        self
    }

    /// Has Lambda functions for which there is no handler called at AWS, or at what stands for it. See [`Aws::of_process`].
    #[must_use]
    pub fn aws(mut self, aws: Option<Aws>) -> Self {
        self.aws = aws.map(Arc::new);
        self
    }

    /// Counts in a registry that others use, too.
    #[must_use]
    pub fn metrics(mut self, registry: MetricsRegistry) -> Self {
        self.metrics = registry;
        self
    }

    /// Exports the spans of its work.
    #[must_use]
    pub fn tracer(mut self, tracer: Tracer) -> Self {
        self.tracer = tracer;
        self
    }

    /// Serves `/healthz`, `/readyz` and `/metrics` at an address and port while it runs; port 0 takes a free one. Empty: nowhere.
    #[must_use]
    pub fn ops(self, listen: impl Into<String>) -> Self {
        Self { ops: Some(listen.into()).filter(|listen| !listen.is_empty()), ..self }
    }

    /// Builds the worker, and takes the port for health checks.
    ///
    /// # Errors
    /// `BuildError` when the handlers file is wrong, a function is declared twice, or the port can't be had.
    pub fn build(self) -> Result<Worker, BuildError> {
        let Self { queue, runtime, config, work, metrics, aws, tracer, ops, declared } = self;
        let mut registry = Registry::default();
        let from_code = declared.into_iter().map(|(declared, handler)| (declared, Entry { handler, slots: None }));
        let (outgoing, output_bytes_max) = (Outgoing::default(), config.output_bytes_max);
        let kinds = Kinds { runtime: &runtime, output_bytes_max, outgoing: &outgoing, aws: aws.as_ref() };
        let from_file = config.handlers.as_deref().map(|file: &Path| handlers::read(file, &kinds)).transpose()?;
        for (declared, entry) in from_code.chain(from_file.into_iter().flatten()) {
            registry.add(declared, entry).map_err(|declared| BuildError::Repeated(declared.to_string()))?;
        }
        if let Some(aws) = aws {
            let target = Target::Aws { aws, function: None };
            let bounds = Bounds { runtime: runtime.clone(), timeout: None, output_bytes_max };
            let handler = Box::new(Lambda { target, bounds, outgoing });
            registry.set_fallback(Entry { handler, slots: None });
        }
        let name = config.name.clone().unwrap_or_else(|| format!("worker-{:08x}", runtime.random() >> 32)).into();
        let served = Ops { connection: queue.connection(), metrics: metrics.clone() };
        let ops = ops.map(|listen| Ok::<_, BuildError>((listener(listen)?, served))).transpose()?;
        let (deliveries_max, metrics) = (work.deliveries_max, Metrics::new(&metrics));
        let parts = Parts { queue, runtime, config, deliveries_max, name, registry, metrics, tracer };
        Ok(Worker { parts, ops, stop: Arc::new(watch::Sender::new(false)) })
    }
}

impl std::fmt::Debug for WorkerBuilder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WorkerBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Consumes a pool's work items and runs handlers for them. Any number may work on one pool, and any may end at any time.
pub struct Worker {
    parts: Parts,
    ops: Option<(TcpListener, Ops)>,
    stop: Arc<watch::Sender<bool>>,
}

impl Worker {
    /// Begins to build a worker.
    pub fn builder(queue: SharedQueue, runtime: Runtime) -> WorkerBuilder {
        WorkerBuilder::new(queue, runtime)
    }

    /// Gives the worker's name.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Gives the pool whose work items it takes.
    pub fn pool(&self) -> &str {
        &self.parts.config.pool
    }

    /// Tells whether it has any handler.
    pub fn has_handlers(&self) -> bool {
        !self.parts.registry.is_empty()
    }

    /// Gives what ends [`run`](Self::run).
    pub fn stopper(&self) -> Stopper {
        Stopper { stop: Arc::clone(&self.stop) }
    }

    /// Works until it is stopped; then finishes what is in hand, for the grace at most, and hands back the rest.
    pub async fn run(self) {
        let stopped = self.stop.subscribe();
        let serving = self.ops.map(|(listener, ops)| self.parts.runtime.spawn(ops::serve(listener, ops)));
        consume::run(self.parts, stopped).await;
        if let Some(serving) = serving {
            serving.abort();
        }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Worker({})", self.name())
    }
}

fn listener(listen: String) -> Result<TcpListener, BuildError> {
    let bound = TcpListener::bind(&listen).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|source| BuildError::Ops { listen, source })
}

/// Stops a worker; cheap to clone. Dropping it stops nothing.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: Arc<watch::Sender<bool>>,
}

impl Stopper {
    /// Has the worker stop consuming and come to its end. Calling it again changes nothing.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

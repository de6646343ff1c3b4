//! Hands spans to a collector, by OTLP and the standard `OTEL_*` variables.
//!
//! ```text
//!  export(group) ──► bounded queue ──► one loop: batches ──► collector
//!                      │ full: dropped      │ fails: again, later, a few times
//!                      ▼                    ▼
//!                    told that it is done (handed over, or given up)
//! ```
//! A collector that is away costs memory up to the queue's bound, a warning, and the spans that find no room.

mod config;
mod queue;
mod sampler;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runtime::Runtime;

pub use config::{ExportConfig, ExportError};
use queue::{Group, Queue};
use sampler::Sampler;

use crate::metrics::Registry;
use crate::{Span, TraceId};

/// Is called once spans were handed over or given up.
pub type Done = Box<dyn FnOnce() + Send>;

/// Takes the spans of one process; cheap to clone. One that is off costs nothing.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Target>>);

enum Target {
    Queue { queue: Queue, sampler: Sampler },
    Memory(Arc<Mutex<Vec<Span>>>),
}

impl Tracer {
    /// Gives a tracer that takes nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// Starts the loop that hands spans to the collector which the configuration names; `instance` tells this process
    /// from others of its service. Needs a tokio context, and a crypto
    /// provider of rustls where the endpoint is `https`.
    ///
    /// # Errors
    /// [`ExportError`] if the exporter can't be built from its variables.
    pub fn start(
        config: ExportConfig,
        instance: &str,
        runtime: &Runtime,
        registry: &Registry,
    ) -> Result<Self, ExportError> {
        let exporter = config.exporter(instance)?;
        let queue = Queue::start(exporter, config.batching, runtime, registry);
        Ok(Self(Some(Arc::new(Target::Queue { queue, sampler: config.sampler }))))
    }

    /// Gives a tracer for tests that keeps the spans in memory, and where it keeps them.
    pub fn in_memory() -> (Self, Arc<Mutex<Vec<Span>>>) {
        let kept = Arc::<Mutex<Vec<Span>>>::default();
        (Self(Some(Arc::new(Target::Memory(Arc::clone(&kept))))), kept)
    }

    /// Tells whether spans go anywhere: if not, none need be made.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Decides whether a trace that begins or goes on here is recorded; `caller` is what its caller decided, if it has one.
    /// While the tracer is off a caller's decision is passed on, and no trace begins.
    pub fn samples(&self, trace: TraceId, caller: Option<bool>) -> bool {
        match self.0.as_deref() {
            None => caller.unwrap_or(false),
            Some(Target::Memory(_)) => caller.unwrap_or(true),
            Some(Target::Queue { sampler, .. }) => sampler.samples(trace, caller),
        }
    }

    /// Takes spans that belong together: they go to the collector in one message, or not at all.
    pub fn export(&self, spans: Vec<Span>, done: Option<Done>) {
        match self.0.as_deref() {
            Some(Target::Queue { queue, .. }) => queue.push(Group { spans, done }),
            Some(Target::Memory(kept)) => {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(spans);
                done.into_iter().for_each(|done| done());
            }
            None => done.into_iter().for_each(|done| done()),
        }
    }

    /// Hands over all that was taken so far, at most for a while; tells whether that was enough.
    pub async fn flush(&self, at_most: Duration) -> bool {
        match self.0.as_deref() {
            Some(Target::Queue { queue, .. }) => queue.flush(at_most).await,
            Some(Target::Memory(_)) | None => true,
        }
    }
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Tracer({})", if self.is_on() { "on" } else { "off" })
    }
}

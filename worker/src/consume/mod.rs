//! Takes work items, has them run, sees to it that each one's end is reported before its delivery is acknowledged.
//!
//! ```text
//!  deliveries ──► admit ──► wait for a slot ──► run ──► report ──► confirmed ──► acknowledged
//!                   │            │ too long       │ 5 min
//!                   │            ▼                ▼
//!                   │       back to the queue   `holding` ──► confirmed ──► acknowledged, again every 10 s
//!                   └─► duplicate, cancelled, late, unhandled, poisoned, unreadable
//! ```

mod admit;
mod cancels;
#[cfg(test)]
mod fixtures;
mod held;
mod lane;
mod reporter;
mod run;
mod spans;
mod table;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker::{Connection, Consumer, SharedQueue};
use runtime::{Runtime, Task, watch};
use telemetry::Tracer;
use tokio::sync::{Notify, Semaphore};
use tracing::{info, warn};
use wire::message::Cancel;

pub(crate) use held::Held;
pub(crate) use lane::Subject;
pub(crate) use reporter::Reporter;

use crate::config::WorkerConfig;
use crate::handlers::Registry;
use crate::metrics::Metrics;
use held::Why;
use lane::BatchLimits;
use spans::Traces;
use table::Table;

/// How long, after the grace, is waited for items that go back to their queue and for last acknowledgements.
const LAST_MOMENTS: Duration = Duration::from_secs(2);

/// Is how far the worker's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Consuming,
    /// Nothing new is taken; what waits goes back, what runs is finished.
    Draining,
}

/// Is what the tasks of a worker share.
pub(crate) struct Shared {
    queue: SharedQueue,
    runtime: Runtime,
    config: WorkerConfig,
    deliveries_max: u32,
    registry: Registry,
    slots: Arc<Semaphore>,
    reporter: Reporter,
    table: Arc<Mutex<Table>>,
    emptied: Arc<Notify>,
    metrics: Metrics,
    traces: Traces,
    phase: watch::Sender<Phase>,
}

/// Is what a worker is made of.
pub(crate) struct Parts {
    pub(crate) queue: SharedQueue,
    pub(crate) runtime: Runtime,
    pub(crate) config: WorkerConfig,
    pub(crate) deliveries_max: u32,
    pub(crate) name: Arc<str>,
    pub(crate) registry: Registry,
    pub(crate) metrics: Metrics,
    pub(crate) tracer: Tracer,
}

/// Consumes until `stop` turns true, then finishes what is in hand within the grace.
pub(crate) async fn run(parts: Parts, mut stop: watch::Receiver<bool>) {
    // Cancels first: one that is sent while the first items arrive must not be missed.
    let mut cancels = parts.queue.consume_cancels();
    let mut deliveries = parts.queue.consume_work(&parts.config.pool, parts.config.prefetch());
    let connection = parts.queue.connection();
    let (shared, sending) = Shared::start(parts);
    shared.runtime.spawn(tell_connection(connection));
    loop {
        tokio::select! { biased;
            () = async { drop(stop.wait_for(|stop| *stop).await) } => break,
            Some(delivery) = cancels.next() => shared.take_cancels(delivery).await,
            Some(delivery) = deliveries.next() => shared.admit(delivery),
            else => break,
        }
    }
    // What comes while the last handlers end is for others.
    deliveries.stop();
    shared.drain(&mut cancels, sending).await;
    shared.registry.close().await;
}

/// Logs the comings and goings of the broker.
async fn tell_connection(mut connection: watch::Receiver<Connection>) {
    let mut last = None;
    loop {
        let now = *connection.borrow_and_update();
        match now {
            Connection::Up { generation } => info!(generation, "connected to the broker"),
            Connection::Blocked => warn!("the broker takes no messages (alarm): reports wait"),
            Connection::Down if last.is_none() => {}
            Connection::Down => warn!("lost the connection to the broker: connecting again"),
        }
        last = Some(now);
        if connection.changed().await.is_err() {
            return;
        }
    }
}

impl Shared {
    fn start(parts: Parts) -> (Arc<Self>, Task) {
        let Parts { queue, runtime, config, deliveries_max, name, registry, metrics, tracer } = parts;
        let traces = Traces { tracer, pool: config.pool.as_str().into(), worker: Arc::clone(&name) };
        let emptied = Arc::<Notify>::default();
        let table = Arc::new(Mutex::new(Table::new(Arc::clone(&emptied), metrics.held.clone())));
        let limits = BatchLimits {
            reports_max: usize::from(config.batch_max.max(1)),
            bytes_max: config.batch_bytes_max,
            publishes_max: config.publishes_max,
        };
        let connections = (Arc::clone(&queue), runtime.clone());
        let (reporter, sending) =
            Reporter::start(name, connections, Arc::clone(&table), limits, metrics.clone(), traces.clone());
        let slots = Arc::new(Semaphore::new(usize::from(config.concurrency.max(1))));
        let phase = watch::Sender::new(Phase::Consuming);
        let shared = Self {
            queue,
            runtime,
            config,
            deliveries_max,
            registry,
            slots,
            reporter,
            table,
            emptied,
            metrics,
            traces,
            phase,
        };
        (Arc::new(shared), sending)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_cancels(&self, delivery: broker::Delivery<Cancel>) {
        let now = self.runtime.now();
        match delivery.content {
            Ok(cancels) => {
                for cancel in cancels {
                    let stopped = self.table().cancel(&cancel, now);
                    if let Some(held) = stopped.first() {
                        let trace_id = held.trace_id();
                        info!(execution = %cancel.execution, trace_id, stopped = stopped.len(), "cancelled tasks");
                    }
                }
            }
            Err(malformed) => warn!(reason = malformed.reason, "passed over a cancel that can't be read"),
        }
        delivery.receipt.ack().await;
    }

    /// Finishes what is in hand. What is not acknowledged then is delivered to another worker.
    async fn drain(&self, cancels: &mut Consumer<Cancel>, sending: Task) {
        // Before it is told: whoever hears of it may count on nothing more being begun.
        self.phase.send_replace(Phase::Draining);
        let held = self.table().len();
        info!(held, "stopping: finishing what is in hand");
        self.emptied(cancels, self.config.grace.get()).await;
        if !self.table().is_empty() {
            warn!(held = self.table().len(), "the grace is over: handing back what still runs");
            self.table().stop_all(Why::Abandoned);
            self.emptied(cancels, LAST_MOMENTS).await;
        }
        self.reporter.finish();
        tokio::select! { biased;
            _ = sending.join() => {}
            () = self.runtime.sleep(LAST_MOMENTS) => self.reporter.abort(),
        }
        if !self.traces.tracer.flush(LAST_MOMENTS).await {
            warn!("some traces were not exported before the end (OTEL_EXPORTER_OTLP_ENDPOINT)");
        }
    }

    /// Waits until nothing is in hand, at most for a while.
    async fn emptied(&self, cancels: &mut Consumer<Cancel>, at_most: Duration) {
        let mut over = pin!(self.runtime.sleep(at_most));
        loop {
            let emptied = self.emptied.notified();
            if self.table().is_empty() {
                return;
            }
            tokio::select! { biased;
                () = emptied => {}
                Some(delivery) = cancels.next() => self.take_cancels(delivery).await,
                () = &mut over => return,
            }
        }
    }
}

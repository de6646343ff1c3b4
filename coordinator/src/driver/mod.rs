//! The driver: the imperative shell around the pure core. It loads, runs, commits, and lets effects leave.
//!
//! ```text
//!  events queues ─► consume ─┐                    ┌─► relay ─► work items
//!  wheel, sweep  ─► local ───┼─► advance ─► store ┼─► wheel
//!  API           ─► start ───┘   (load, run,      ├─► local (wakes, continuations)
//!                   close         commit)         ├─► notify ─► status changes
//!                                                 └─► feed
//! ```
//! Nothing here is the truth: a process may die between any two awaits. What was committed and has not left is in the
//! store's outbox, where the relay of a live coordinator, or else a sweep, finds it.

mod activity;
mod advance;
mod after;
mod backoff;
mod build;
mod cache;
mod callback;
mod calls;
mod close;
mod consume;
mod drivers;
mod entries;
mod error;
mod events;
mod feed;
mod find;
mod history_log;
mod local;
mod log;
mod map_run;
mod metrics;
mod nested;
mod notify;
mod outgoing;
mod reconcile;
mod redispatch;
mod refused;
mod relay;
mod routing;
mod seldom;
mod service;
mod settings;
mod spans;
mod start;
mod sweep;
mod synchronous;
mod tasks;
mod trace;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use broker::SharedQueue;
use runtime::{Runtime, watch};
use store::{OwnerId, SharedStore};
use telemetry::{Registry, Tracer};
use tokio::sync::broadcast;

pub use activity::{PollError, TakenTask};
pub use callback::{CallbackError, CallbackOutcome};
pub use close::{StopError, StopOutcome};
pub use drivers::Drivers;
pub use feed::Progress;
pub use metrics::Metrics;
pub use nested::{name_of, run_of};
pub use routing::{DEFAULT_POOL, Pool, Routing};
pub(crate) use service::is_synchronous_start;
pub use service::{Call, Reply, Service};
pub use settings::{DriverSettings, ExpressSettings};
pub use start::{StartError, StartOutcome, StartRequest};
pub use synchronous::Finished;

use crate::definitions::Definitions;
use crate::timers::Wheel;
use activity::Polls;
use cache::Cache;
use calls::PollCount;
use entries::Entries;
use local::Local;
use notify::Notices;
use outgoing::Outgoing;
use relay::Relay;
use seldom::Seldom;
use service::Attached;
use spans::Traces;
use sweep::HeldPartitions;
use synchronous::Waiters;

/// Is what a driver is made of.
pub struct Parts {
    /// Where executions are kept.
    pub store: SharedStore,
    /// What carries work items and reports.
    pub queue: SharedQueue,
    /// Time, chance and tasks of this process.
    pub runtime: Runtime,
    /// What can be set.
    pub settings: DriverSettings,
    /// The name of this process, anew at each start.
    pub owner: OwnerId,
    /// Where metrics are counted.
    pub registry: Registry,
}

/// Advances executions; cheap to clone.
#[derive(Clone)]
pub struct Driver {
    inner: Arc<Inner>,
}

struct Inner {
    store: SharedStore,
    queue: SharedQueue,
    runtime: Runtime,
    settings: DriverSettings,
    owner: OwnerId,
    partitions: u32,
    definitions: Definitions,
    cache: Cache,
    wheel: Wheel,
    relay: Relay,
    outgoing: Outgoing,
    notices: Notices,
    polls: Polls,
    service: Attached,
    poll_count: PollCount,
    waiters: Waiters,
    told: Entries,
    local: Local,
    feed: broadcast::Sender<Arc<Progress>>,
    metrics: Metrics,
    task_metrics: tasks::TaskMetrics,
    seldom: Seldom,
    held_partitions: HeldPartitions,
    is_over_high_water: AtomicBool,
    /// When the connection to the broker came up last, in milliseconds; 0 before the first time.
    broker_up_at: AtomicU64,
    stopping: watch::Sender<bool>,
    traces: Traces,
}

impl Driver {
    /// Makes a driver. It can start and stop executions at once, and advances them after [`Driver::start`].
    pub fn new(parts: Parts) -> Self {
        let Parts { store, queue, runtime, settings, owner, registry } = parts;
        let (feed, _) = broadcast::channel(settings.feed_kept.max(1));
        let inner = Inner {
            partitions: store.partitions(),
            definitions: Definitions::new(store.clone(), runtime.clone(), settings.cached_definitions),
            cache: Cache::new(&settings),
            wheel: Wheel::new(settings.timers_held),
            relay: Relay::new(settings.relay_waiting),
            outgoing: Outgoing::new(settings.relay_pending),
            notices: Notices::new(),
            polls: Polls::default(),
            service: Attached::default(),
            poll_count: PollCount::default(),
            waiters: Waiters::default(),
            told: Entries::default(),
            local: Local::new(settings.local_running, settings.local_waiting),
            feed,
            metrics: Metrics::new(&registry),
            task_metrics: tasks::TaskMetrics::new(&registry),
            seldom: Seldom::new(registry),
            held_partitions: HeldPartitions::default(),
            is_over_high_water: AtomicBool::new(false),
            broker_up_at: AtomicU64::new(0),
            stopping: watch::Sender::new(false),
            traces: Traces::default(),
            store,
            queue,
            runtime,
            settings,
            owner,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Has traces exported from now on. To be called at most once, before anything else.
    pub fn trace_to(&self, tracer: Tracer) {
        self.inner.traces.attach(tracer);
    }

    /// Has the calls that tasks make of this service answered. To be called at most once, before anything else.
    pub fn answer_calls_by(&self, service: Arc<dyn Service>) {
        self.inner.service.attach(service);
    }

    /// Hands over the spans that wait, at most for a while. To be called at the end.
    pub async fn flush_traces(&self, at_most: Duration) {
        self.inner.flush_spans(at_most).await;
    }

    /// Spawns the driver's loops: consumers of all events queues, relay, timer wheel, sweeps, reconciler, announcements. To be
    /// called once; they run until [`Driver::stop`] or the end of the runtime.
    pub fn start(&self) {
        let inner = &self.inner;
        let spawn = |future: futures::future::BoxFuture<'static, ()>| drop(inner.runtime.spawn(future));
        spawn(Box::pin(inner.clone().watch_broker()));
        spawn(Box::pin(inner.clone().announce_loop()));
        spawn(Box::pin(inner.clone().relay_loop()));
        spawn(Box::pin(inner.clone().pending_loop()));
        spawn(Box::pin(inner.clone().notify_loop()));
        spawn(Box::pin(inner.clone().clear_loop()));
        spawn(Box::pin(inner.clone().wheel_loop()));
        spawn(Box::pin(inner.clone().sweep_loop()));
        spawn(Box::pin(inner.clone().timers_loop()));
        spawn(Box::pin(inner.clone().clean_loop()));
        if !inner.settings.express.is_synchronous {
            // Memory is always there, and bounded by the number of executions.
            spawn(Box::pin(inner.clone().watch_store()));
            spawn(Box::pin(inner.clone().high_water_loop()));
        }
        spawn(Box::pin(inner.clone().kept_data_loop()));
        spawn(Box::pin(inner.clone().lost_items_loop()));
        for index in 0..inner.queue.events_queues() {
            spawn(Box::pin(inner.clone().consume_loop(index)));
        }
    }

    /// Stops taking events in. What is in hand goes on until [`Driver::is_idle`]; what is not done when the process ends comes back
    /// to another coordinator.
    pub fn stop(&self) {
        self.inner.stopping.send_replace(true);
    }

    /// Tells whether nothing is in hand: no delivery, wake or publish, and no entry of the outbox to be cleared.
    pub fn is_idle(&self) -> bool {
        let Inner { metrics, local, outgoing, notices, poll_count, .. } = &*self.inner;
        let is_carrying = metrics.open_deliveries.get() > 0 || !local.is_idle() || !poll_count.is_idle();
        !is_carrying && outgoing.is_idle() && notices.entries.is_idle()
    }

    /// Starts an execution of a state machine.
    ///
    /// # Errors
    /// [`StartError`]; after `Unavailable` the execution may have started, and a repetition finds out.
    pub async fn start_execution(&self, request: StartRequest) -> Result<StartOutcome, StartError> {
        self.inner.start_execution(request).await
    }

    /// Runs an execution to its end, at most so many at once as is set. It goes on when the caller does not wait any more.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn run_execution(&self, request: StartRequest) -> Result<Finished, StartError> {
        self.inner.run_execution(request).await
    }

    /// Tells whether an execution that somebody waits, or waited, for is under way here.
    pub fn runs(&self, execution: &model::ExecutionArn) -> bool {
        self.inner.waiters.has(execution)
    }

    /// Counts the executions that somebody waits, or waited, for.
    pub fn running(&self) -> usize {
        self.inner.waiters.count()
    }

    /// Stops an execution.
    ///
    /// # Errors
    /// [`StopError`]; after `Unavailable` it may have been stopped, and a repetition finds out.
    pub async fn stop_execution(
        &self,
        execution: &model::ExecutionArn,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<StopOutcome, StopError> {
        self.inner.stop_execution(execution, error, cause).await
    }

    /// Gives the next task of an activity to a worker that polls, or nothing if none comes within `wait`. Whoever stops waiting loses none.
    ///
    /// # Errors
    /// [`PollError`] when the store does not answer.
    pub async fn activity_task(
        &self,
        activity: &model::ActivityArn,
        worker: Option<&str>,
        wait: std::time::Duration,
    ) -> Result<Option<TakenTask>, PollError> {
        self.inner.next_activity_task(activity, worker, wait).await
    }

    /// Ends an attempt by its task token, as a caller in this trace asks.
    ///
    /// # Errors
    /// [`CallbackError`]; after `Unavailable` it may have been taken, and a repetition finds out.
    pub async fn call_back(
        &self,
        token: &model::TaskToken,
        callback: &engine::Callback,
        caller: Option<telemetry::TraceContext>,
    ) -> Result<CallbackOutcome, CallbackError> {
        self.inner.call_back(token, callback, caller).await
    }

    /// Says by its task token that an attempt is being worked on.
    ///
    /// # Errors
    /// [`CallbackError`].
    pub async fn keep_alive(&self, token: &model::TaskToken) -> Result<CallbackOutcome, CallbackError> {
        self.inner.keep_alive(token).await
    }

    /// Listens to the history as this driver commits it. A listener that is too slow misses commits
    /// (`RecvError::Lagged`). Costs next to nothing while nobody listens.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Progress>> {
        self.inner.feed.subscribe()
    }

    /// Lists the partitions that this coordinator sweeps: its share among those that are alive.
    pub fn swept_partitions(&self) -> Vec<u32> {
        self.inner.held_partitions.list()
    }

    /// Gives the counters.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Gives the name of this process.
    pub fn owner(&self) -> &OwnerId {
        &self.inner.owner
    }
}

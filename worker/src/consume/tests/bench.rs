//! A worker on a memory broker, and the coordinator's side of that.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use broker::{Connection, Consumer, DeadLetter, Error, MemoryBroker, ReplyTo, SharedQueue, WorkQueue};
use model::{AttemptId, JsonText, Nonce};
use runtime::{Runtime, Task, watch};
use wire::message::{Cancel, Cancelled, Outcome, Report, StatusChange, WorkItem};

use crate::consume::fixtures::{EPOCH, item};
use crate::{Stopper, Worker, WorkerBuilder};

/// How long a publish of reports takes until it is confirmed.
pub(super) const CONFIRM: Duration = Duration::from_millis(5);

/// Is a broker that takes its time over reports and notes how they were batched.
pub(super) struct Spy {
    pub(super) inner: MemoryBroker,
    pub(super) runtime: Runtime,
    pub(super) batches: Mutex<Vec<usize>>,
    /// Whether the connection breaks right after the next confirm.
    pub(super) breaks: AtomicUsize,
}

#[async_trait]
impl WorkQueue for Spy {
    async fn publish_work(&self, pool: &str, reply_to: &ReplyTo, items: &[WorkItem]) -> Result<(), Error> {
        self.inner.publish_work(pool, reply_to, items).await
    }

    async fn publish_reports(&self, to: &ReplyTo, reports: &[Report]) -> Result<(), Error> {
        self.runtime.sleep(CONFIRM).await;
        self.inner.publish_reports(to, reports).await?;
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).push(reports.len());
        if self.breaks.swap(0, Ordering::SeqCst) > 0 {
            self.inner.set_connected(false);
            self.inner.set_connected(true);
        }
        Ok(())
    }

    async fn publish_cancel(&self, cancel: &Cancel) -> Result<(), Error> {
        self.inner.publish_cancel(cancel).await
    }

    async fn publish_status_change(&self, change: &StatusChange) -> Result<(), Error> {
        self.inner.publish_status_change(change).await
    }

    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), Error> {
        self.inner.publish_dead(letter).await
    }

    fn consume_work(&self, pool: &str, prefetch: u16) -> Consumer<WorkItem> {
        self.inner.consume_work(pool, prefetch)
    }

    fn consume_events(&self, index: u32, prefetch: u16) -> Consumer<Report> {
        self.inner.consume_events(index, prefetch)
    }

    fn consume_cancels(&self) -> Consumer<Cancel> {
        self.inner.consume_cancels()
    }

    fn work_queue(&self, pool: &str) -> String {
        self.inner.work_queue(pool)
    }

    fn reply_to(&self, partition: u32) -> ReplyTo {
        self.inner.reply_to(partition)
    }

    fn events_queues(&self) -> u32 {
        self.inner.events_queues()
    }

    async fn depth(&self, pool: &str) -> Result<u64, Error> {
        self.inner.depth(pool).await
    }

    fn connection(&self) -> watch::Receiver<Connection> {
        self.inner.connection()
    }

    async fn has_kept_data(&self) -> Result<bool, Error> {
        self.inner.has_kept_data().await
    }

    async fn mark_data(&self) -> Result<(), Error> {
        self.inner.mark_data().await
    }

    fn with_own_events(&self, name: &str) -> SharedQueue {
        self.inner.with_own_events(name)
    }
}

/// Is one worker, seen from the coordinator's side.
pub(super) struct Bench {
    pub(super) broker: MemoryBroker,
    pub(super) runtime: Runtime,
    pub(super) spy: Arc<Spy>,
    pub(super) process: Runtime,
    pub(super) stopper: Stopper,
    pub(super) worker: Task,
    events: Consumer<Report>,
    ready: Vec<Report>,
}

impl Bench {
    /// Starts a worker with what `build` adds to it.
    pub(super) async fn start(build: impl FnOnce(WorkerBuilder) -> WorkerBuilder) -> Self {
        let (runtime, process) = (Runtime::simulated(1, EPOCH), Runtime::simulated(2, EPOCH));
        let broker = MemoryBroker::new(runtime.clone(), 2);
        let spy = Arc::new(Spy {
            inner: broker.handle(process.clone()),
            runtime: process.clone(),
            batches: Mutex::default(),
            breaks: AtomicUsize::new(0),
        });
        let queue: SharedQueue = Arc::clone(&spy) as SharedQueue;
        let worker = build(Worker::builder(queue, process.clone()).name("w-1")).build().expect("is a worker");
        let stopper = worker.stopper();
        let worker = process.spawn(worker.run());
        let events = broker.consume_events(0, 1000);
        // The worker consumes once it was polled; on one thread that takes a turn or two, and no time.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        Self { broker, runtime, spy, process, stopper, worker, events, ready: Vec::new() }
    }

    pub(super) async fn dispatch(&self, items: &[WorkItem]) {
        let reply_to = self.broker.reply_to(0);
        self.broker.publish_work("default", &reply_to, items).await.expect("the broker is there");
    }

    /// Waits for the next report; the clock runs on meanwhile.
    pub(super) async fn report(&mut self) -> Report {
        while self.ready.is_empty() {
            let delivery = self.events.next().await.expect("the broker is there");
            delivery.receipt.ack().await;
            self.ready = delivery.content.expect("are reports");
        }
        self.ready.remove(0)
    }

    /// Waits for the next report and gives its outcome and its time since the test's begin.
    pub(super) async fn outcome(&mut self) -> (Outcome, u64) {
        let report = self.report().await;
        (report.outcome, report.at.millis_since(EPOCH))
    }

    /// Waits for a while and takes all reports that come meanwhile.
    pub(super) async fn reports_within(&mut self, time: Duration) -> Vec<Report> {
        self.runtime.sleep(time).await;
        let mut reports = std::mem::take(&mut self.ready);
        while let Some(delivery) = self.events.try_next() {
            delivery.receipt.ack().await;
            reports.extend(delivery.content.expect("are reports"));
        }
        reports
    }

    pub(super) async fn cancel(&self, of: Cancelled) {
        let cancel = Cancel { execution: item("r").execution, of };
        self.broker.publish_cancel(&cancel).await.expect("the broker is there");
    }

    /// Kills the worker's process and takes what the broker has for another one.
    pub(super) async fn left_over(self) -> Vec<WorkItem> {
        self.process.kill();
        let _ = self.worker.join().await;
        drop(self.spy);
        let mut other = self.broker.consume_work("default", 1000);
        let mut items = Vec::new();
        while let Some(delivery) = other.try_next() {
            items.extend(delivery.content.expect("are items"));
        }
        items
    }

    pub(super) fn batches(&self) -> Vec<usize> {
        self.spy.batches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Makes the item of one attempt among many.
pub(super) fn numbered(number: u64) -> WorkItem {
    WorkItem { attempt: AttemptId::first(Nonce(number)), ..item("r") }
}

pub(super) fn succeeded(output: &str) -> Outcome {
    Outcome::Succeeded { output: JsonText::trusted(output) }
}

pub(super) fn failed(error: &str, cause: &str) -> Outcome {
    Outcome::Failed { error: Some(error.to_owned()), cause: Some(cause.to_owned()) }
}

/// Adds a handler `Echo` that takes a while and counts its runs.
pub(super) fn slow_echo(builder: WorkerBuilder, time: Duration, runs: &Arc<AtomicUsize>) -> WorkerBuilder {
    let runs = Arc::clone(runs);
    let clock = Runtime::simulated(3, EPOCH);
    builder.raw_handler("Echo", move |input, _| {
        runs.fetch_add(1, Ordering::SeqCst);
        let clock = clock.clone();
        async move {
            clock.sleep(time).await;
            Ok(input)
        }
    })
}

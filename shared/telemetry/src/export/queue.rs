//! The bounded queue of spans, and the loop that empties it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry_sdk::trace::SpanExporter;
use runtime::{Runtime, watch};
use tokio::sync::{mpsc, oneshot};

use super::Done;
use super::config::Batching;
use crate::Span;
use crate::metrics::{Counter, Metric, Registry};

/// How often one message is tried before its spans are given up: half a minute's outage is bridged, and what a collector
/// refuses for good is not kept for ever.
const TRIES_MAX: u32 = 6;
/// How long after a first failure the next try waits, doubled with each further one.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

const EXPORTED: Metric = Metric::new("telemetry_spans_exported_total", "Spans handed to the collector.", &[]);
const DROPPED: Metric =
    Metric::new("telemetry_spans_dropped_total", "Spans given up: the queue was full, or the collector away.", &[]);

/// Is a number of spans that go together.
pub(crate) struct Group {
    pub(crate) spans: Vec<Span>,
    pub(crate) done: Option<Done>,
}

impl Group {
    fn finish(self) {
        self.done.into_iter().for_each(|done| done());
    }
}

enum Order {
    Take(Group),
    Flush(oneshot::Sender<()>),
}

pub(crate) struct Queue {
    // Bounded by `waiting`, which counts spans.
    orders: mpsc::UnboundedSender<Order>,
    shared: Arc<Shared>,
    runtime: Runtime,
}

struct Shared {
    waiting: AtomicUsize,
    queue_max: usize,
    /// Whether a flush was asked for: the process ends, and nothing is tried twice.
    ending: watch::Sender<bool>,
    /// Whether the log has been told of the trouble at hand.
    is_told: AtomicBool,
    exported: Counter,
    dropped: Counter,
}

impl Queue {
    pub(crate) fn start(
        exporter: impl SpanExporter + 'static,
        batching: Batching,
        runtime: &Runtime,
        registry: &Registry,
    ) -> Self {
        let (orders, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            waiting: AtomicUsize::new(0),
            queue_max: batching.queue_max,
            ending: watch::Sender::new(false),
            is_told: AtomicBool::new(false),
            exported: registry.counter(&EXPORTED, &[]),
            dropped: registry.counter(&DROPPED, &[]),
        });
        let sending = Sending { exporter, batching, runtime: runtime.clone(), shared: Arc::clone(&shared) };
        drop(runtime.spawn(sending.run(receiver)));
        Self { orders, shared, runtime: runtime.clone() }
    }

    pub(crate) fn push(&self, group: Group) {
        let count = group.spans.len();
        let waiting = self.shared.waiting.fetch_add(count, Ordering::AcqRel);
        if waiting + count > self.shared.queue_max {
            self.shared.waiting.fetch_sub(count, Ordering::AcqRel);
            self.shared.drop_all(group, "the queue is full (OTEL_BSP_MAX_QUEUE_SIZE)");
        } else if let Err(mpsc::error::SendError(Order::Take(group))) = self.orders.send(Order::Take(group)) {
            group.finish();
        }
    }

    pub(crate) async fn flush(&self, at_most: Duration) -> bool {
        let (done, is_done) = oneshot::channel();
        self.shared.ending.send_replace(true);
        if self.orders.send(Order::Flush(done)).is_err() {
            return false;
        }
        tokio::select! { biased;
            done = is_done => done.is_ok(),
            () = self.runtime.sleep(at_most) => false,
        }
    }
}

impl Shared {
    fn drop_all(&self, group: Group, reason: &str) {
        self.dropped.add(group.spans.len() as u64);
        if !self.is_told.swap(true, Ordering::AcqRel) {
            tracing::warn!(reason, "traces get lost; executions go on");
        }
        group.finish();
    }
}

struct Sending<E> {
    exporter: E,
    batching: Batching,
    runtime: Runtime,
    shared: Arc<Shared>,
}

impl<E: SpanExporter> Sending<E> {
    async fn run(self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut flushes: Vec<oneshot::Sender<()>> = Vec::new();
        while let Some(order) = orders.recv().await {
            let mut batch = Vec::new();
            let mut count = self.accept(order, &mut batch, &mut flushes);
            let due =
                self.runtime.now().plus_millis(i64::try_from(self.batching.delay.as_millis()).unwrap_or(i64::MAX));
            while count < self.batching.batch_max && flushes.is_empty() {
                tokio::select! { biased;
                    order = orders.recv() => match order {
                        Some(order) => count += self.accept(order, &mut batch, &mut flushes),
                        None => break,
                    },
                    () = self.runtime.sleep_until(due) => break,
                }
            }
            self.deliver(batch).await;
            for done in flushes.drain(..) {
                // Whoever asked may have stopped waiting.
                let _: Result<(), ()> = done.send(());
            }
        }
    }

    fn accept(&self, order: Order, batch: &mut Vec<Group>, flushes: &mut Vec<oneshot::Sender<()>>) -> usize {
        match order {
            Order::Take(group) => {
                let count = group.spans.len();
                batch.push(group);
                count
            }
            Order::Flush(done) => {
                flushes.push(done);
                0
            }
        }
    }

    async fn deliver(&self, mut batch: Vec<Group>) {
        let spans: Vec<Span> = batch.iter_mut().flat_map(|group| group.spans.drain(..)).collect();
        if spans.is_empty() {
            return;
        }
        let count = spans.len();
        let failure = self.try_often(&spans).await.err();
        self.shared.waiting.fetch_sub(count, Ordering::AcqRel);
        match failure {
            None => {
                self.shared.exported.add(count as u64);
                if self.shared.is_told.swap(false, Ordering::AcqRel) {
                    tracing::info!("traces are exported again");
                }
                batch.into_iter().for_each(Group::finish);
            }
            Some(reason) => {
                batch.into_iter().for_each(Group::finish);
                self.shared.drop_all(Group { spans, done: None }, &reason);
            }
        }
    }

    async fn try_often(&self, spans: &[Span]) -> Result<(), String> {
        let mut ending = self.shared.ending.subscribe();
        let mut backoff = BACKOFF_FIRST;
        for tried in 1.. {
            let data = spans.iter().cloned().map(Span::into_data).collect();
            let Err(error) = self.exporter.export(data).await else { return Ok(()) };
            if tried >= TRIES_MAX || *ending.borrow() {
                return Err(error.to_string());
            }
            tracing::debug!(%error, tried, "can't hand spans to the collector now");
            if tried == 2 && !self.shared.is_told.swap(true, Ordering::AcqRel) {
                tracing::warn!(%error, "the collector of traces is away (OTEL_EXPORTER_OTLP_ENDPOINT); executions go on");
            }
            tokio::select! { biased;
                _ = ending.wait_for(|ending| *ending) => {}
                () = self.runtime.sleep(self.runtime.jittered(backoff)) => {}
            }
            backoff = backoff.saturating_mul(2);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use model::Timestamp;
    use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
    use opentelemetry_sdk::trace::SpanData;

    use super::*;
    use crate::{Kind, TraceContext};

    /// Is a collector that can be away.
    #[derive(Clone, Debug, Default)]
    struct Collector {
        messages: Arc<Mutex<Vec<usize>>>,
        is_away: Arc<AtomicBool>,
    }

    impl Collector {
        fn messages(&self) -> Vec<usize> {
            self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl SpanExporter for Collector {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            if self.is_away.load(Ordering::Acquire) {
                return Err(OTelSdkError::InternalFailure("away".to_owned()));
            }
            self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(batch.len());
            Ok(())
        }
    }

    struct World {
        collector: Collector,
        queue: Queue,
        runtime: Runtime,
        done: Arc<AtomicUsize>,
    }

    impl World {
        fn new(queue_max: usize) -> Self {
            let (runtime, collector) = (Runtime::simulated(1, Timestamp::default()), Collector::default());
            let batching = Batching { queue_max, batch_max: 4, delay: Duration::from_secs(1) };
            let queue = Queue::start(collector.clone(), batching, &runtime, &Registry::new());
            Self { collector, queue, runtime, done: Arc::default() }
        }

        fn push(&self, count: usize) {
            let context: TraceContext =
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().expect("is a context");
            let span = Span::new(context, None, "x", Kind::Internal, (Timestamp::default(), Timestamp::default()));
            let done = Arc::clone(&self.done);
            let done: Done = Box::new(move || {
                done.fetch_add(1, Ordering::AcqRel);
            });
            self.queue.push(Group { spans: vec![span; count], done: Some(done) });
        }

        fn done(&self) -> usize {
            self.done.load(Ordering::Acquire)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn groups_are_sent_whole_when_enough_wait_or_it_is_time() {
        let world = World::new(100);
        [3, 3, 1].into_iter().for_each(|count| world.push(count));
        world.runtime.sleep(Duration::from_millis(100)).await;
        assert_eq!(world.collector.messages(), [6]);
        world.runtime.sleep(Duration::from_secs(2)).await;
        assert_eq!((world.collector.messages(), world.done()), (vec![6, 1], 3));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_costs_what_finds_no_room_and_nothing_else() {
        let world = World::new(6);
        world.collector.is_away.store(true, Ordering::Release);
        for _ in 0..10 {
            world.push(2);
        }
        assert_eq!((world.done(), world.queue.shared.dropped.get()), (7, 14));
        world.runtime.sleep(Duration::from_secs(5)).await;
        world.collector.is_away.store(false, Ordering::Release);
        world.runtime.sleep(Duration::from_secs(30)).await;
        assert_eq!((world.collector.messages(), world.done()), (vec![4, 2], 10));
        assert_eq!(world.queue.shared.exported.get(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_for_good_is_given_up() {
        let world = World::new(100);
        world.collector.is_away.store(true, Ordering::Release);
        world.push(1);
        world.runtime.sleep(Duration::from_secs(120)).await;
        assert_eq!((world.done(), world.queue.shared.dropped.get()), (1, 1));
        assert_eq!(world.queue.shared.waiting.load(Ordering::Acquire), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flush_sends_at_once_what_waits() {
        let world = World::new(100);
        world.push(1);
        assert!(world.queue.flush(Duration::from_millis(500)).await);
        assert_eq!(world.collector.messages(), [1]);
        world.collector.is_away.store(true, Ordering::Release);
        world.push(1);
        assert!(world.queue.flush(Duration::from_millis(500)).await);
        assert_eq!((world.done(), world.queue.shared.dropped.get()), (2, 1));
    }
}

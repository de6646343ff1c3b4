//! Sends reports, in batches that grow with the load.
//!
//! ```text
//!  handler runs ──► one lane a queue ──► at most N messages on their way ──► confirmed ──► ack
//!                        ▲                              │
//!                        └───── failed: again, later ◄──┘
//! ```
//! A report leaves at once while its lane is free; what becomes ready meanwhile leaves together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use broker::{Connection, DeadLetter, Error, Receipt, ReplyTo, SharedQueue};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use model::Timestamp;
use runtime::{Runtime, Task, watch};
use tokio::sync::mpsc;
use tracing::{debug, error, warn};
use wire::message::{Outcome, REPORT_TYPE, Report, encode_reports};

use super::held::Held;
use super::lane::{BatchLimits, Lane, Subject, Waiting};
use super::spans::Traces;
use super::table::Table;
use crate::Failure;
use crate::handlers::RESPONSE_TOO_LARGE;
use crate::metrics::Metrics;

/// How many reports are taken over between two looks at the lanes.
const TAKEN_MAX: usize = 256;
/// The bytes of a cause that goes without being replaced: no broker is set up to take less.
const CAUSE_SHORT: usize = 1_024;
/// How long a queue may be missing before reports to it become dead letters: its owner declares it again after a
/// restart, or is gone for good.
const UNROUTABLE_MAX_MILLIS: u64 = 300_000;

enum Order {
    Report(Waiting),
    Acknowledge(Vec<Receipt>),
    Finish,
    Abort,
}

/// Takes reports to be sent; cheap to clone.
#[derive(Clone)]
pub(crate) struct Reporter {
    // Bounded by the items in hand, each with at most one report of each subject under way.
    orders: mpsc::UnboundedSender<Order>,
    worker: Arc<str>,
    runtime: Runtime,
}

impl Reporter {
    /// Starts the loop that sends.
    pub(crate) fn start(
        worker: Arc<str>,
        (queue, runtime): (SharedQueue, Runtime),
        table: Arc<Mutex<Table>>,
        limits: BatchLimits,
        metrics: Metrics,
        traces: Traces,
    ) -> (Self, Task) {
        let (orders, to_send) = mpsc::unbounded_channel();
        let connection = queue.connection();
        let sending = Sending {
            queue,
            connection,
            table,
            limits,
            metrics,
            traces,
            runtime: runtime.clone(),
            orders: to_send,
            in_flight: FuturesUnordered::new(),
            lanes: BTreeMap::new(),
            is_finishing: false,
            is_aborted: false,
        };
        let task = runtime.spawn(sending.run());
        (Self { orders, worker, runtime }, task)
    }

    /// Ends the loop as soon as everything ordered so far has left.
    pub(crate) fn finish(&self) {
        self.order(Order::Finish);
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Ends the loop at once.
    pub(crate) fn abort(&self) {
        self.order(Order::Abort);
    }

    /// Sends a report on an item.
    pub(crate) fn send(&self, held: &Arc<Held>, subject: Subject, outcome: Outcome) {
        let report = Report {
            execution: held.item.execution.clone(),
            branch: held.item.branch.clone(),
            attempt: held.item.attempt,
            traceparent: Some(held.traceparent.clone()),
            deliveries: held.item.deliveries.saturating_add(held.redeliveries),
            worker: Some(self.worker.to_string()),
            started_at: held.started_at(),
            at: self.runtime.now(),
            outcome,
        };
        self.order(Order::Report(Waiting { report, subject, held: Arc::clone(held) }));
    }

    /// Acknowledges deliveries that need no report.
    pub(crate) fn acknowledge(&self, receipts: Vec<Receipt>) {
        if !receipts.is_empty() {
            self.order(Order::Acknowledge(receipts));
        }
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            debug!("the process is ending: the broker delivers the item again");
        }
    }
}

enum Flight {
    Published { to: Arc<str>, batch: Vec<Waiting>, result: Result<(), Error> },
    Buried { to: Arc<str>, batch: Vec<Waiting>, result: Result<(), Error> },
    Acknowledged,
}

struct Sending {
    queue: SharedQueue,
    connection: watch::Receiver<Connection>,
    runtime: Runtime,
    table: Arc<Mutex<Table>>,
    limits: BatchLimits,
    metrics: Metrics,
    traces: Traces,
    orders: mpsc::UnboundedReceiver<Order>,
    lanes: BTreeMap<Arc<str>, Lane>,
    in_flight: FuturesUnordered<BoxFuture<'static, Flight>>,
    is_finishing: bool,
    is_aborted: bool,
}

impl Sending {
    async fn run(mut self) {
        let mut taken = Vec::new();
        while !self.is_done() {
            self.launch();
            let put_off = self.lanes.values().filter_map(Lane::not_before).min();
            tokio::select! { biased;
                Some(flight) = self.in_flight.next() => self.land(flight),
                count = self.orders.recv_many(&mut taken, TAKEN_MAX) => {
                    self.is_aborted |= count == 0;
                    taken.drain(..).for_each(|order| self.accept(order));
                }
                Ok(()) = self.connection.changed(), if put_off.is_some() => self.hurry(),
                () = wait_until(&self.runtime, put_off) => {}
            }
        }
    }

    fn is_done(&self) -> bool {
        self.is_aborted || (self.is_finishing && self.lanes.is_empty() && self.in_flight.is_empty())
    }

    fn accept(&mut self, order: Order) {
        match order {
            Order::Report(waiting) => {
                let to = &waiting.held.reply_to.0;
                if let Some(lane) = self.lanes.get_mut(to) {
                    lane.push(waiting);
                } else {
                    let to = Arc::clone(to);
                    self.lanes.entry(to).or_default().push(waiting);
                }
            }
            Order::Acknowledge(receipts) => self.acknowledge(receipts),
            Order::Finish => self.is_finishing = true,
            Order::Abort => self.is_aborted = true,
        }
    }

    /// Lets go of every message that may leave now.
    fn launch(&mut self) {
        let now = self.runtime.now();
        for (to, lane) in &mut self.lanes {
            while let Some(batch) = lane.next_batch(self.limits, now) {
                let expired =
                    lane.unroutable_since.is_some_and(|since| now.millis_since(since) > UNROUTABLE_MAX_MILLIS);
                let (queue, to) = (Arc::clone(&self.queue), Arc::clone(to));
                let flight: BoxFuture<'static, Flight> =
                    if expired { Box::pin(bury(queue, to, batch)) } else { Box::pin(publish(queue, to, batch)) };
                self.in_flight.push(flight);
            }
        }
    }

    fn land(&mut self, flight: Flight) {
        match flight {
            Flight::Acknowledged => {}
            Flight::Published { to, batch, result: Ok(()) } => {
                self.metrics.messages.inc();
                self.metrics.reports.add(u64::try_from(batch.len()).unwrap_or(u64::MAX));
                self.settle(batch);
                self.leave(&to, Lane::confirmed);
            }
            Flight::Buried { to, batch, result: Ok(()) } => {
                self.settle(batch);
                self.leave(&to, Lane::gave_up);
            }
            Flight::Published { to, batch, result: Err(error @ Error::TooLarge { .. }) } => {
                self.shorten(&to, batch, &error);
            }
            Flight::Buried { to, batch, result: Err(error @ Error::TooLarge { .. }) } => {
                self.drop_batch(&to, batch, &error)
            }
            Flight::Published { to, batch, result: Err(error) } | Flight::Buried { to, batch, result: Err(error) } => {
                self.repeat(&to, batch, &error);
            }
        }
    }

    fn leave(&mut self, to: &Arc<str>, landed: impl FnOnce(&mut Lane)) {
        let Some(lane) = self.lanes.get_mut(to) else { return };
        landed(lane);
        if lane.is_idle() {
            self.lanes.remove(to);
        }
    }

    fn repeat(&mut self, to: &Arc<str>, batch: Vec<Waiting>, error: &Error) {
        self.metrics.retries.inc();
        warn!(queue = %to, reports = batch.len(), error = %error, "could not publish reports: repeating");
        let now = self.runtime.now();
        let Some(lane) = self.lanes.get_mut(to) else { return };
        lane.unroutable_since = match error {
            Error::Unroutable(_) => lane.unroutable_since.or(Some(now)),
            Error::Unavailable(_) | Error::Nacked | Error::TooLarge { .. } => None,
        };
        lane.failed(batch, &self.runtime);
    }

    /// Makes smaller messages of one that the broker never takes; of one report with a payload, a failure.
    fn shorten(&mut self, to: &Arc<str>, mut batch: Vec<Waiting>, error: &Error) {
        warn!(queue = %to, reports = batch.len(), %error, "a message of reports is too large: making it smaller");
        match batch.as_mut_slice() {
            [Waiting { report, .. }] => match report.outcome {
                Outcome::Succeeded { .. } | Outcome::Submitted { .. } => report.outcome = unreportable(error),
                Outcome::Failed { cause: Some(ref cause), .. } if cause.len() > CAUSE_SHORT => {
                    report.outcome = unreportable(error);
                }
                Outcome::Started
                | Outcome::Heartbeat
                | Outcome::Holding
                | Outcome::Unhandled
                | Outcome::Failed { .. }
                | Outcome::Poisoned => return self.drop_batch(to, batch, error),
            },
            // By what was too large: several messages that were on their way make it small only once.
            _ => {
                if let Error::TooLarge { bytes, .. } = error {
                    self.limits.bytes_max = self.limits.bytes_max.min(bytes / 2);
                }
            }
        }
        if let Some(lane) = self.lanes.get_mut(to) {
            lane.put_back(batch);
        }
    }

    fn drop_batch(&mut self, to: &Arc<str>, batch: Vec<Waiting>, error: &Error) {
        error!(queue = %to, reports = batch.len(), %error, "dropping reports that the broker never takes");
        self.settle(batch);
        self.leave(to, Lane::gave_up);
    }

    fn hurry(&mut self) {
        if matches!(*self.connection.borrow_and_update(), Connection::Up { .. }) {
            self.lanes.values_mut().for_each(Lane::hurry);
        }
    }

    /// Draws the conclusions from reports that the broker has taken over.
    fn settle(&mut self, batch: Vec<Waiting>) {
        let (mut receipts, now) = (Vec::new(), self.runtime.now());
        {
            let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            for Waiting { held, subject, report } in batch {
                match subject {
                    Subject::Last => {
                        self.traces.reported(&held, &report, now);
                        table.finish(&held);
                        receipts.extend(held.release());
                    }
                    Subject::Holding => {
                        held.end_hold_report();
                        receipts.extend(held.release());
                    }
                    Subject::Heartbeat => held.end_heartbeat(),
                    Subject::Started => {}
                }
            }
        }
        self.acknowledge(receipts);
    }

    fn acknowledge(&mut self, receipts: Vec<Receipt>) {
        if receipts.is_empty() {
            return;
        }
        self.in_flight.push(Box::pin(async move {
            for receipt in receipts {
                receipt.ack().await;
            }
            Flight::Acknowledged
        }));
    }
}

/// Gives what is reported of a task whose result no message carries.
fn unreportable(error: &Error) -> Outcome {
    let (error, cause) = Failure::new(RESPONSE_TOO_LARGE, error.to_string()).into_parts();
    Outcome::Failed { error: Some(error), cause: Some(cause) }
}

async fn wait_until(runtime: &Runtime, at: Option<Timestamp>) {
    match at {
        Some(at) => runtime.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn publish(queue: SharedQueue, to: Arc<str>, batch: Vec<Waiting>) -> Flight {
    let (reports, rest): (Vec<Report>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.report, (waiting.subject, waiting.held))).unzip();
    let result = queue.publish_reports(&ReplyTo(Arc::clone(&to)), &reports).await;
    let again = |(report, (subject, held))| Waiting { report, subject, held };
    Flight::Published { to, batch: reports.into_iter().zip(rest).map(again).collect(), result }
}

async fn bury(queue: SharedQueue, to: Arc<str>, batch: Vec<Waiting>) -> Flight {
    let reports: Vec<Report> = batch.iter().map(|waiting| waiting.report.clone()).collect();
    let letter = DeadLetter {
        reason: "the queue that reports go to is missing".to_owned(),
        queue: to.to_string(),
        kind: Some(REPORT_TYPE.to_owned()),
        reply_to: Some(ReplyTo(Arc::clone(&to))),
        body: encode_reports(&reports),
    };
    warn!(queue = %to, reports = reports.len(), "the queue that reports go to is missing: making them dead letters");
    let result = queue.publish_dead(&letter).await;
    Flight::Buried { to, batch, result }
}

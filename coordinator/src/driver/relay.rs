//! Work items leave after their commit: published concurrently, each with its confirm.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use broker::Connection;
use engine::{Branch, Phase, TaskPhase};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use model::AttemptId;
use store::{OutboxKey, PendingEffect};
use tokio::sync::mpsc;
use wire::message::WorkItem;

use super::Inner;
use super::activity::activity_task;
use super::cache::Known;
use super::error::chain;
use super::local::Item;
use super::refused::Refused;
use super::routing::Pool;
use super::trace;

/// How many items the loop takes at once: a burst of a Map's iterations.
const TAKEN_MAX: usize = 64;
/// How many bytes of payload one message of several items carries, about: as much as a worker's message of reports.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Is a work item to be published.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) partition: u32,
    pub(crate) pool: Pool,
    pub(crate) item: WorkItem,
}

impl Dispatch {
    pub(super) fn key(&self) -> OutboxKey {
        let effect = PendingEffect::Dispatch(self.item.branch.clone(), self.item.attempt);
        OutboxKey { execution: self.item.execution.clone(), effect }
    }
}

/// Is the relay's inbox.
pub(crate) struct Relay {
    sender: mpsc::Sender<Dispatch>,
    receiver: Mutex<Option<mpsc::Receiver<Dispatch>>>,
}

impl Relay {
    pub(crate) fn new(waiting_max: usize) -> Self {
        let (sender, receiver) = mpsc::channel(waiting_max.max(1));
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

/// Gives the open attempt of a branch whose work item the broker must have, or get.
pub(crate) fn outstanding(branch: &Branch) -> Option<&TaskPhase> {
    match &branch.phase {
        Phase::Task(task) if task.delivery.is_with_broker() => Some(task),
        Phase::Task(_) | Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_) => None,
    }
}

impl Inner {
    /// Makes the work item that a branch's open attempt implies.
    pub(super) fn dispatch(&self, known: &Known, branch: &Branch, task: &TaskPhase) -> Dispatch {
        let context = trace::of_publish(known.trace, known.arn(), &branch.path, task.attempt);
        let item = WorkItem {
            execution: known.arn().clone(),
            branch: branch.path.clone(),
            attempt: task.attempt,
            state: branch.state.as_str().to_owned(),
            resource: task.resource.clone(),
            input: task.payload.clone(),
            role_arn: task.role_arn.clone(),
            deadline: task.deadline,
            heartbeat_seconds: task.heartbeat_seconds,
            traceparent: Some(context.to_string()),
            deliveries: task.deliveries,
            dispatched_at: self.runtime.now(),
        };
        Dispatch { partition: known.partition, pool: self.settings.routing.pool(&task.resource).clone(), item }
    }

    /// Hands an item to the relay; where that can't take it, its key is kept, and at last the outbox has it.
    pub(super) fn offer(self: &Arc<Self>, dispatch: Dispatch) {
        let attempt = dispatch.item.attempt;
        if activity_task(&dispatch.item).is_some() {
            if self.outgoing.begin(attempt) {
                self.proceed(Item::Queue(Box::new(dispatch)));
            }
            return;
        }
        if let Some(resource) = self.own_call(&dispatch.item.resource) {
            if self.outgoing.begin(attempt) {
                self.begin_call(&resource, dispatch);
            }
            return;
        }
        if !self.is_broker_up() {
            self.keep_for_later(dispatch.partition, dispatch.key(), attempt);
        } else if self.outgoing.begin(attempt)
            && let Err(error) = self.relay.sender.try_send(dispatch)
        {
            let dispatch = error.into_inner();
            self.keep_for_later(dispatch.partition, dispatch.key(), attempt);
        }
    }

    /// Publishes what the relay is given, many at a time.
    pub(super) async fn relay_loop(self: Arc<Self>) {
        let receiver = self.relay.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut receiver) = receiver else { return };
        let mut publishing = FuturesUnordered::new();
        let mut taken = Vec::with_capacity(TAKEN_MAX);
        loop {
            tokio::select! {
                biased;
                Some(_) = publishing.next(), if !publishing.is_empty() => {}
                count = receiver.recv_many(&mut taken, TAKEN_MAX), if publishing.len() < self.settings.relay_window => {
                    if count == 0 {
                        return;
                    }
                    for message in self.messages(&mut taken) {
                        publishing.push(self.publish(message));
                    }
                }
            }
        }
    }

    /// Puts items into messages: one each, unless their pool takes several, whose reports then go to the same queue.
    fn messages(&self, taken: &mut Vec<Dispatch>) -> Vec<Vec<Dispatch>> {
        let mut messages: Vec<Vec<Dispatch>> = Vec::with_capacity(taken.len());
        let mut open: BTreeMap<(Arc<str>, u32), (usize, usize)> = BTreeMap::new();
        let queues = self.queue.events_queues().max(1);
        for dispatch in taken.drain(..) {
            if dispatch.pool.batch_max <= 1 {
                messages.push(vec![dispatch]);
                continue;
            }
            let bytes = dispatch.item.input.len();
            let (index, filled) =
                open.entry((dispatch.pool.name.clone(), dispatch.partition % queues)).or_insert((usize::MAX, 0));
            match messages.get_mut(*index) {
                Some(message) if message.len() < dispatch.pool.batch_max && *filled + bytes <= BATCH_BYTES_MAX => {
                    *filled += bytes;
                    message.push(dispatch);
                }
                _ => {
                    (*index, *filled) = (messages.len(), bytes);
                    messages.push(vec![dispatch]);
                }
            }
        }
        messages
    }

    /// Publishes one message; tells whether nothing of it is left to publish: the broker has it now, or will never take it.
    pub(super) async fn publish(self: &Arc<Self>, message: Vec<Dispatch>) -> bool {
        let Some(first) = message.first() else { return true };
        if let Some(task) = activity_task(&first.item) {
            return self.queue_activity(first, &task).await;
        }
        let (pool, reply_to) = (first.pool.clone(), self.queue.reply_to(first.partition));
        let mut keys = Vec::with_capacity(message.len());
        let mut items = Vec::with_capacity(message.len());
        for dispatch in message {
            keys.push((dispatch.partition, dispatch.key(), dispatch.item.attempt));
            items.push(dispatch.item);
        }
        match self.queue.publish_work(&pool.name, &reply_to, &items).await {
            Ok(()) => {
                self.metrics.dispatch_messages.inc();
                self.metrics.dispatches.add(keys.len() as u64);
                for (partition, key, attempt) in keys {
                    self.outgoing.left(partition, key, attempt);
                }
                true
            }
            Err(broker::Error::TooLarge { bytes, bytes_max }) if items.len() == 1 => {
                for ((partition, ..), item) in keys.into_iter().zip(items) {
                    self.refuse(Refused {
                        dispatch: Dispatch { partition, pool: pool.clone(), item },
                        bytes,
                        bytes_max,
                    });
                }
                true
            }
            // Of several that are too large together, each is tried again alone.
            Err(error) => {
                self.log_failed_publish(&pool.name, &error);
                for (partition, key, attempt) in keys {
                    self.keep_for_later(partition, key, attempt);
                }
                false
            }
        }
    }

    fn keep_for_later(&self, partition: u32, key: OutboxKey, attempt: AttemptId) {
        self.metrics.dispatches_failed.inc();
        if !self.outgoing.keep(partition, key, attempt) {
            self.metrics.spilled.inc();
        }
    }

    fn log_failed_publish(&self, pool: &str, error: &broker::Error) {
        let is_due = || self.seldom.is_due("publish", pool, self.runtime.now());
        match error {
            broker::Error::Unroutable(_) | broker::Error::Nacked if !is_due() => {}
            broker::Error::Unavailable(_) | broker::Error::TooLarge { .. } => {
                tracing::debug!(pool, error = chain(error), "a work item waits")
            }
            broker::Error::Unroutable(queue) => tracing::warn!(
                pool,
                queue,
                "no queue takes the pool's work items: check the settings `[[pool]]` here and `worker.pool` of the workers, and the queue; trying again"
            ),
            broker::Error::Nacked => tracing::warn!(
                pool,
                queue = self.queue.work_queue(pool),
                "the broker refuses the pool's work items: check the queue's length limit and the broker's disk; trying again"
            ),
        }
    }

    /// Tells whether the broker takes messages now.
    pub(super) fn is_broker_up(&self) -> bool {
        matches!(*self.queue.connection().borrow(), Connection::Up { .. })
    }
}

//! The memory twin: a broker within the process, for `stepwell run`, tests and the simulator.
//!
//! It behaves as RabbitMQ does where that can be seen from outside: FIFO queues, prefetch, redelivery at the head of the queue
//! when a consumer ends, outages, and the loss of all data. It uses neither a clock nor chance nor tasks, and hands messages
//! out in a fixed order, so that a simulated run follows from its seed.
//!
//! Each [`MemoryBroker`] is the connection of one process. [`MemoryBroker::handle`] makes that of another; when the last clone
//! of one is dropped, its consumers end and what they did not acknowledge goes back, as when a process dies.

mod inbox;
mod state;
mod topic;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
pub(crate) use inbox::Inbox;
use runtime::{Runtime, watch};
use state::{Message, QueueKind, State};
use wire::message::{
    Cancel, Report, StatusChange, WorkItem, encode_cancels, encode_items, encode_reports, encode_status_change,
};

use crate::body::Element;
use crate::own_events::{OwnEvents, OwnQueues};
use crate::queue::{
    BODY_BYTES_MAX, Connection, Consumer, DeadLetter, Error, ReplyTo, SharedQueue, Source, WorkQueue, check_size,
};

/// Is one process's connection to a broker in memory; cheap to clone.
#[derive(Clone, Debug)]
pub struct MemoryBroker {
    process: Arc<Process>,
}

#[derive(Debug)]
struct Process {
    shared: Arc<Shared>,
    runtime: Runtime,
    id: u64,
}

#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    connection: watch::Sender<Connection>,
    events_queues: u32,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.shared.state().end_process(self.id);
    }
}

impl MemoryBroker {
    /// Makes an empty broker with `events_queues` (at least 1) events queues, and the connection of the process that `runtime`
    /// stands for.
    pub fn new(runtime: Runtime, events_queues: u32) -> Self {
        let mut state = State::default();
        let events_queues = events_queues.max(1);
        for index in 0..events_queues {
            state.declare(&events_name(index), QueueKind::Durable);
        }
        state.connect();
        let connection = watch::Sender::new(state.connection());
        let shared = Arc::new(Shared { state: Mutex::new(state), connection, events_queues });
        Self::of_process(shared, runtime)
    }

    /// Makes the connection of another process to the same broker.
    #[must_use]
    pub fn handle(&self, runtime: Runtime) -> Self {
        Self::of_process(Arc::clone(&self.process.shared), runtime)
    }

    fn of_process(shared: Arc<Shared>, runtime: Runtime) -> Self {
        let id = shared.state().next_id();
        Self { process: Arc::new(Process { shared, runtime, id }) }
    }

    /// Begins or ends an outage, for all processes: publishes fail, deliveries stop, and what was unacknowledged is delivered
    /// again afterwards, while acknowledgements from before do nothing.
    pub fn set_connected(&self, connected: bool) {
        let mut state = self.state();
        if connected == state.is_connected() {
            return;
        }
        if connected {
            state.connect();
        } else {
            state.disconnect();
        }
        self.process.shared.connection.send_replace(state.connection());
    }

    /// Begins or ends an alarm: publishes fail, deliveries go on. Does nothing during an outage.
    pub fn set_blocked(&self, blocked: bool) {
        let mut state = self.state();
        state.blocked = blocked && state.is_connected();
        self.process.shared.connection.send_replace(state.connection());
    }

    /// Refuses bodies of more bytes from now on, as a server whose `max_message_size` is small.
    pub fn set_body_bytes_max(&self, bytes_max: usize) {
        self.state().body_bytes_max = Some(bytes_max);
    }

    /// Loses every message, every dead letter and the marker, as a broker whose disk is gone; a connection that stood begins
    /// anew.
    pub fn lose_data(&self) {
        self.state().lose_data();
        let was_connected = self.state().is_connected();
        if was_connected {
            self.set_connected(false);
            self.set_connected(true);
        }
    }

    /// Lists the dead letters, the oldest first.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.state().dead.clone()
    }

    /// Binds a new queue to status changes whose topic fits the pattern, as RabbitMQ has it; gives its number.
    pub fn bind_status_changes(&self, pattern: &str) -> usize {
        self.state().topics.bind(pattern)
    }

    /// Takes what a queue of status changes holds: topics with bodies, the oldest first.
    pub fn take_status_changes(&self, queue: usize) -> Vec<(String, Vec<u8>)> {
        self.state().topics.take(queue)
    }

    /// Publishes any body under any type to a queue by its name: what a worker in another language may get wrong.
    ///
    /// # Errors
    /// `Error::Unroutable` if there is no such queue.
    pub fn publish_raw(&self, queue: &str, kind: Option<&str>, body: &[u8]) -> Result<(), Error> {
        let message = Message { kind: kind.map(Into::into), reply_to: None, body: body.into(), redeliveries: 0 };
        self.route(queue, message)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.process.shared.state()
    }

    fn check(&self) -> Result<(), Error> {
        if self.process.runtime.is_killed() {
            return Err(Error::Unavailable("the process is ending".to_owned()));
        }
        match *self.process.shared.connection.borrow() {
            Connection::Up { .. } => Ok(()),
            Connection::Down => Err(Error::Unavailable("there is no connection".to_owned())),
            Connection::Blocked => Err(Error::Unavailable("it takes no messages (alarm)".to_owned())),
        }
    }

    fn check_body(&self, body: &[u8]) -> Result<(), Error> {
        check_size(body.len(), self.state().body_bytes_max.unwrap_or(BODY_BYTES_MAX))
    }

    fn check_reachable(&self) -> Result<(), Error> {
        if self.state().is_connected() {
            return Ok(());
        }
        Err(Error::Unavailable("there is no connection".to_owned()))
    }

    fn route(&self, queue: &str, message: Message) -> Result<(), Error> {
        self.check_body(&message.body)?;
        if self.state().publish(queue, message) { Ok(()) } else { Err(Error::Unroutable(queue.to_owned())) }
    }

    fn consumer<T: Element>(&self, queue: &Arc<str>, kind: QueueKind, prefetch: u16) -> Consumer<T> {
        let mut state = self.state();
        state.declare(queue, kind);
        let subscription = state.subscribe(self.process.id, queue, prefetch);
        drop(state);
        Consumer { source: Source::Memory(Inbox::new(Arc::clone(&self.process.shared), subscription)) }
    }
}

fn message<T: Element>(body: Vec<u8>, reply_to: Option<&ReplyTo>) -> Message {
    Message { kind: Some(T::KIND.into()), reply_to: reply_to.cloned(), body: body.into(), redeliveries: 0 }
}

fn work_name(pool: &str) -> Arc<str> {
    format!("stepwell.work.{pool}").into()
}

fn events_name(index: u32) -> Arc<str> {
    format!("stepwell.events.{index}").into()
}

#[async_trait]
impl WorkQueue for MemoryBroker {
    async fn publish_work(&self, pool: &str, reply_to: &ReplyTo, items: &[WorkItem]) -> Result<(), Error> {
        self.check()?;
        let queue = work_name(pool);
        self.state().declare(&queue, QueueKind::Durable);
        self.route(&queue, message::<WorkItem>(encode_items(items), Some(reply_to)))
    }

    async fn publish_reports(&self, to: &ReplyTo, reports: &[Report]) -> Result<(), Error> {
        self.check()?;
        self.route(&to.0, message::<Report>(encode_reports(reports), None))
    }

    async fn publish_cancel(&self, cancel: &Cancel) -> Result<(), Error> {
        self.check()?;
        let body = encode_cancels(std::slice::from_ref(cancel));
        self.state().publish_to_all(&message::<Cancel>(body, None));
        Ok(())
    }

    async fn publish_status_change(&self, change: &StatusChange) -> Result<(), Error> {
        self.check()?;
        let body = encode_status_change(change);
        self.check_body(&body)?;
        self.state().topics.publish(&change.routing_key(), &body);
        Ok(())
    }

    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), Error> {
        self.check()?;
        self.check_body(&letter.body)?;
        self.state().dead.push(letter.clone());
        Ok(())
    }

    fn consume_work(&self, pool: &str, prefetch: u16) -> Consumer<WorkItem> {
        self.consumer(&work_name(pool), QueueKind::Durable, prefetch)
    }

    fn consume_events(&self, index: u32, prefetch: u16) -> Consumer<Report> {
        self.consumer(&events_name(index), QueueKind::Durable, prefetch)
    }

    fn consume_cancels(&self) -> Consumer<Cancel> {
        let id = self.state().next_id();
        self.consumer(&format!("cancels.{id}").into(), QueueKind::Fanout, u16::MAX)
    }

    fn work_queue(&self, pool: &str) -> String {
        work_name(pool).to_string()
    }

    fn reply_to(&self, partition: u32) -> ReplyTo {
        ReplyTo(events_name(partition % self.process.shared.events_queues))
    }

    fn events_queues(&self) -> u32 {
        self.process.shared.events_queues
    }

    async fn depth(&self, pool: &str) -> Result<u64, Error> {
        self.check_reachable()?;
        Ok(self.state().depth(&work_name(pool)))
    }

    fn connection(&self) -> watch::Receiver<Connection> {
        self.process.shared.connection.subscribe()
    }

    async fn has_kept_data(&self) -> Result<bool, Error> {
        self.check_reachable()?;
        Ok(self.state().marked)
    }

    async fn mark_data(&self) -> Result<(), Error> {
        self.check_reachable()?;
        self.state().marked = true;
        Ok(())
    }

    fn with_own_events(&self, name: &str) -> SharedQueue {
        OwnEvents::shared(self, name)
    }
}

impl OwnQueues for MemoryBroker {
    fn own_queue(&self, name: &str) -> Arc<str> {
        format!("stepwell.events.own.{name}").into()
    }

    fn consume_own(&self, queue: &Arc<str>, prefetch: u16) -> Consumer<Report> {
        self.consumer(queue, QueueKind::Durable, prefetch)
    }
}

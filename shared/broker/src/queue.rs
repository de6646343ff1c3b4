//! What the rest of Stepwell knows of a broker.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use runtime::watch;
use tokio::sync::{mpsc, oneshot};
use wire::message::{Cancel, Report, StatusChange, WorkItem};

use crate::memory::Inbox;

/// Carries work items to workers, their reports back, cancels to all workers, and status changes to whoever listens.
///
/// Twins: `memory` and `amqp`. One behaviour suite runs on both. Every publish resolves only when the
/// broker has taken responsibility (a confirm, and no return); until then nothing is certain, and the caller publishes
/// again or leaves it to the outbox.
#[async_trait]
pub trait WorkQueue: Send + Sync + 'static {
    /// Publishes work items in one message to a pool's queue (`stepwell.work.<pool>`), declaring the queue where it is missing.
    ///
    /// # Errors
    /// `Error::Unavailable` while there is no connection or when it broke before the confirm, `Error::Unroutable` when no
    /// queue took the message, `Error::Nacked` when the broker refused it, `Error::TooLarge` when it would.
    async fn publish_work(&self, pool: &str, reply_to: &ReplyTo, items: &[WorkItem]) -> Result<(), Error>;

    /// Publishes reports in one message to the queue that their items named.
    ///
    /// # Errors
    /// As for `publish_work`.
    async fn publish_reports(&self, to: &ReplyTo, reports: &[Report]) -> Result<(), Error>;

    /// Publishes a cancel to all workers connected now.
    ///
    /// # Errors
    /// As for `publish_work`, but nobody listening is no error.
    async fn publish_cancel(&self, cancel: &Cancel) -> Result<(), Error>;

    /// Publishes a change of an execution's status to whoever has bound a queue to `stepwell.notify` for it.
    ///
    /// # Errors
    /// As for `publish_work`, but nobody listening is no error.
    async fn publish_status_change(&self, change: &StatusChange) -> Result<(), Error>;

    /// Puts what can't be handled into `stepwell.dead`, with its reason.
    ///
    /// # Errors
    /// As for `publish_work`.
    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), Error>;

    /// Consumes a pool's work items, at most `prefetch` unacknowledged at a time; goes on over reconnects until dropped.
    fn consume_work(&self, pool: &str, prefetch: u16) -> Consumer<WorkItem>;

    /// Consumes the events queue `index`; goes on over reconnects until dropped.
    fn consume_events(&self, index: u32, prefetch: u16) -> Consumer<Report>;

    /// Consumes cancels from now on.
    fn consume_cancels(&self) -> Consumer<Cancel>;

    /// Names the queue of a pool's work items.
    fn work_queue(&self, pool: &str) -> String;

    /// Names the events queue of a partition: `partition` modulo the number of events queues.
    fn reply_to(&self, partition: u32) -> ReplyTo;

    /// Tells how many events queues there are.
    fn events_queues(&self) -> u32;

    /// Tells how many items of a pool's queue wait for a consumer.
    ///
    /// # Errors
    /// `Error::Unavailable` without a connection.
    async fn depth(&self, pool: &str) -> Result<u64, Error>;

    /// Watches the connection.
    fn connection(&self) -> watch::Receiver<Connection>;

    /// Tells whether the broker still has the data of this incarnation of the cluster (its marker queue exists).
    ///
    /// # Errors
    /// `Error::Unavailable` without a connection.
    async fn has_kept_data(&self) -> Result<bool, Error>;

    /// Sets the marker of this incarnation: every outstanding item was given to the broker that is there now.
    ///
    /// # Errors
    /// `Error::Unavailable` without a connection.
    async fn mark_data(&self) -> Result<(), Error>;

    /// Gives a handle whose reports come back to a queue of the one process that asks, `stepwell.events.own.<name>`: it has one events
    /// queue, which its consumer declares and the broker removes ten minutes after the last consumer. Such a process keeps what it
    /// waits for in memory, so that the marker of the cluster's data is no matter of this handle: it is always there.
    fn with_own_events(&self, name: &str) -> SharedQueue;
}

/// Is a broker that many share.
pub type SharedQueue = Arc<dyn WorkQueue>;

/// Names the queue that reports go to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplyTo(pub Arc<str>);

impl fmt::Display for ReplyTo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Is the state of the connection to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// There is none yet, or none any more; it is tried again for ever.
    Down,
    /// It stands; each time it does, the generation is a higher one.
    Up {
        /// Counts the connections, from 1.
        generation: u64,
    },
    /// It stands, but the broker takes no messages (an alarm: memory or disk).
    Blocked,
}

/// The most bytes that a body may have: what RabbitMQ takes from version 4 on unless it is set otherwise.
/// Source: `max_message_size`, <https://www.rabbitmq.com/docs/configure#config-items>
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Says why the broker did not do as asked. All but `TooLarge` may pass by themselves.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection, or it broke before the answer.
    #[error("reach the broker: {0}")]
    Unavailable(String),
    /// No queue took the message.
    #[error("route a message to {0}")]
    Unroutable(String),
    /// The broker refused the message.
    #[error("publish: the broker refused the message")]
    Nacked,
    /// The message was not published, since the broker would close the channel over it.
    #[error("publish: a message of {bytes} bytes is over the broker's limit of {bytes_max}")]
    TooLarge {
        /// The size of its body.
        bytes: usize,
        /// The most that it may have: [`BODY_BYTES_MAX`], or less where the server is known to take less.
        bytes_max: usize,
    },
}

/// Refuses a body of more bytes than that.
pub(crate) fn check_size(bytes: usize, bytes_max: usize) -> Result<(), Error> {
    if bytes > bytes_max { Err(Error::TooLarge { bytes, bytes_max }) } else { Ok(()) }
}

/// Is a message that can't be handled, with its reason; kept for a person to look at and put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Why.
    pub reason: String,
    /// The queue that it came from.
    pub queue: String,
    /// The AMQP `type`, where it had one.
    pub kind: Option<String>,
    /// The queue that reports on it go to, where it named one.
    pub reply_to: Option<ReplyTo>,
    /// The body as it came.
    pub body: Vec<u8>,
}

/// Is one message, unacknowledged. Dropping it unacknowledged leaves it with the broker, which delivers it again when the
/// connection or the consumer ends.
#[derive(Debug)]
pub struct Delivery<T> {
    /// The elements of the body, or why they can't be read together with the body.
    pub content: Result<Vec<T>, Malformed>,
    /// How often the broker delivered this message before.
    pub redeliveries: u32,
    /// The queue that reports go to.
    pub reply_to: Option<ReplyTo>,
    /// The queue that it came from.
    pub queue: Arc<str>,
    /// Acknowledges it.
    pub receipt: Receipt,
}

/// Is a body that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Why.
    pub reason: String,
    /// The AMQP `type`, where it had one.
    pub kind: Option<String>,
    /// The body as it came.
    pub body: Vec<u8>,
}

/// Acknowledges a delivery.
#[derive(Debug)]
pub struct Receipt(pub(crate) Box<dyn Acknowledge>);

impl Receipt {
    /// Acknowledges: the broker forgets the message. On a connection that is gone this does nothing, since the broker
    /// delivers the message again.
    pub async fn ack(self) {
        self.0.ack().await;
    }

    /// Tells whether an acknowledgement can still reach the broker: not once the connection or the consumer has ended, since
    /// the broker then delivers the message again.
    pub fn is_live(&self) -> bool {
        self.0.is_live()
    }
}

#[async_trait]
pub(crate) trait Acknowledge: fmt::Debug + Send + Sync {
    async fn ack(self: Box<Self>);
    /// Gives the message back to the head of its queue at once.
    fn requeue(self: Box<Self>);
    fn is_live(&self) -> bool;
}

/// Is an endless flow of deliveries. Dropping it ends the consumption and returns what is unacknowledged.
#[derive(Debug)]
pub struct Consumer<T> {
    pub(crate) source: Source<T>,
}

#[derive(Debug)]
pub(crate) enum Source<T> {
    Amqp(Arrivals<T>),
    Memory(Inbox<T>),
}

/// Is the near end of a subscription that works in the background.
#[derive(Debug)]
pub(crate) struct Arrivals<T> {
    pub(crate) deliveries: mpsc::Receiver<Delivery<T>>,
    /// Ends the subscription, which gets back what was not taken.
    pub(crate) stop: oneshot::Sender<mpsc::Receiver<Delivery<T>>>,
}

impl<T> Consumer<T> {
    /// Waits for the next delivery; `None` only when the broker handle was closed for good. What waited here when its
    /// connection ended is passed over, since the broker delivers it again. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Delivery<T>> {
        match &mut self.source {
            Source::Amqp(arrivals) => loop {
                let delivery = arrivals.deliveries.recv().await?;
                if delivery.receipt.is_live() {
                    return Some(delivery);
                }
            },
            Source::Memory(inbox) => inbox.next().await,
        }
    }

    /// Takes a delivery that is there already.
    pub fn try_next(&mut self) -> Option<Delivery<T>> {
        match &mut self.source {
            Source::Amqp(arrivals) => loop {
                let delivery = arrivals.deliveries.try_recv().ok()?;
                if delivery.receipt.is_live() {
                    return Some(delivery);
                }
            },
            Source::Memory(inbox) => inbox.try_next(),
        }
    }

    /// Ends the consumption and keeps what was taken: that can still be acknowledged, and goes back when its delivery is
    /// dropped. What was not taken yet goes back at once, to the head of the queue, as a redelivery; nothing more comes.
    pub fn stop(self) {
        match self.source {
            // The subscription is gone only when its process is: then all goes back anyway.
            Source::Amqp(arrivals) => drop(arrivals.stop.send(arrivals.deliveries)),
            Source::Memory(inbox) => inbox.stop(),
        }
    }
}

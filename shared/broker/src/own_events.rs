//! A broker's handle with an events queue of its own, to which nobody else listens.

use std::sync::Arc;

use async_trait::async_trait;
use runtime::watch;
use wire::message::{Cancel, Report, StatusChange, WorkItem};

use crate::queue::{Connection, Consumer, DeadLetter, Error, ReplyTo, SharedQueue, WorkQueue};

/// Is a broker on which a single process may have a queue of reports.
pub(crate) trait OwnQueues: WorkQueue + Clone {
    /// Names the queue.
    fn own_queue(&self, name: &str) -> Arc<str>;

    /// Consumes it, declaring it where it is missing.
    fn consume_own(&self, queue: &Arc<str>, prefetch: u16) -> Consumer<Report>;
}

/// Is a handle whose reports come back to one queue; all else goes as with the broker itself.
pub(crate) struct OwnEvents<B> {
    broker: B,
    queue: Arc<str>,
}

impl<B: OwnQueues> OwnEvents<B> {
    pub(crate) fn shared(broker: &B, name: &str) -> SharedQueue {
        Arc::new(Self { queue: broker.own_queue(name), broker: broker.clone() })
    }
}

#[async_trait]
impl<B: OwnQueues> WorkQueue for OwnEvents<B> {
    async fn publish_work(&self, pool: &str, reply_to: &ReplyTo, items: &[WorkItem]) -> Result<(), Error> {
        self.broker.publish_work(pool, reply_to, items).await
    }

    async fn publish_reports(&self, to: &ReplyTo, reports: &[Report]) -> Result<(), Error> {
        self.broker.publish_reports(to, reports).await
    }

    async fn publish_cancel(&self, cancel: &Cancel) -> Result<(), Error> {
        self.broker.publish_cancel(cancel).await
    }

    async fn publish_status_change(&self, change: &StatusChange) -> Result<(), Error> {
        self.broker.publish_status_change(change).await
    }

    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), Error> {
        self.broker.publish_dead(letter).await
    }

    fn consume_work(&self, pool: &str, prefetch: u16) -> Consumer<WorkItem> {
        self.broker.consume_work(pool, prefetch)
    }

    fn consume_events(&self, _index: u32, prefetch: u16) -> Consumer<Report> {
        self.broker.consume_own(&self.queue, prefetch)
    }

    fn consume_cancels(&self) -> Consumer<Cancel> {
        self.broker.consume_cancels()
    }

    fn work_queue(&self, pool: &str) -> String {
        self.broker.work_queue(pool)
    }

    fn reply_to(&self, _partition: u32) -> ReplyTo {
        ReplyTo(Arc::clone(&self.queue))
    }

    fn events_queues(&self) -> u32 {
        1
    }

    async fn depth(&self, pool: &str) -> Result<u64, Error> {
        self.broker.depth(pool).await
    }

    fn connection(&self) -> watch::Receiver<Connection> {
        self.broker.connection()
    }

    /// The marker is the cluster's. What is lost of a single process's items is found item by item.
    async fn has_kept_data(&self) -> Result<bool, Error> {
        Ok(true)
    }

    async fn mark_data(&self) -> Result<(), Error> {
        Ok(())
    }

    fn with_own_events(&self, name: &str) -> SharedQueue {
        self.broker.with_own_events(name)
    }
}

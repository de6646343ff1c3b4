//! The consumer's end of a queue.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::Shared;
use super::state::{Message, Taken};
use crate::body::{Arrival, Element};
use crate::queue::{Acknowledge, Delivery, Receipt};

/// Takes what the broker handed out to one consumer. Dropping it returns what is unacknowledged.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    shared: Arc<Shared>,
    consumer: u64,
    wake: Arc<Notify>,
    /// The second half of a body of which only some elements could be read.
    second: Option<Delivery<T>>,
    read: Read<T>,
}

type Read<T> = fn(Arrival<'_>, Receipt) -> (Delivery<T>, Option<Delivery<T>>);

impl<T> Inbox<T> {
    pub(super) fn new(shared: Arc<Shared>, (consumer, wake): (u64, Arc<Notify>)) -> Self
    where
        T: Element,
    {
        Self { shared, consumer, wake, second: None, read: |arrival, receipt| arrival.into_deliveries(receipt) }
    }

    pub(crate) async fn next(&mut self) -> Option<Delivery<T>> {
        loop {
            match self.take() {
                Ok(delivery) => return Some(delivery),
                Err(Ended(true)) => return None,
                Err(Ended(false)) => self.wake.notified().await,
            }
        }
    }

    pub(crate) fn try_next(&mut self) -> Option<Delivery<T>> {
        self.take().ok()
    }

    fn take(&mut self) -> Result<Delivery<T>, Ended> {
        if let Some(second) = self.second.take().filter(|delivery| delivery.receipt.is_live()) {
            return Ok(second);
        }
        let taken = self.shared.state().take(self.consumer);
        match taken {
            Taken::Message { queue, tag, message } => Ok(self.open(queue, tag, message)),
            Taken::Nothing => Err(Ended(false)),
            Taken::Ended => Err(Ended(true)),
        }
    }

    fn open(&mut self, queue: Arc<str>, tag: u64, message: Message) -> Delivery<T> {
        let receipt = Receipt(Box::new(Tag { shared: Arc::clone(&self.shared), consumer: self.consumer, tag }));
        let arrival = Arrival {
            kind: message.kind.as_deref(),
            body: &message.body,
            redeliveries: message.redeliveries,
            reply_to: message.reply_to,
            queue,
        };
        let (first, second) = (self.read)(arrival, receipt);
        self.second = second;
        first
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        self.shared.state().unsubscribe(self.consumer);
    }
}

struct Ended(bool);

#[derive(Debug)]
struct Tag {
    shared: Arc<Shared>,
    consumer: u64,
    tag: u64,
}

#[async_trait]
impl Acknowledge for Tag {
    async fn ack(self: Box<Self>) {
        self.shared.state().ack(self.consumer, self.tag);
    }

    fn is_live(&self) -> bool {
        self.shared.state().is_unacked(self.consumer, self.tag)
    }
}

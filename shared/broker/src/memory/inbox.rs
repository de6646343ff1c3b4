//! The consumer's end of a queue.

use std::sync::{Arc, MutexGuard};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::Shared;
use super::state::{Message, State, Taken};
use crate::body::{Arrival, Element};
use crate::queue::{Acknowledge, Delivery, Receipt};

/// Takes what the broker handed out to one consumer. Dropping it returns what is unacknowledged.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    place: Arc<Place>,
    wake: Arc<Notify>,
    /// The second half of a body of which only some elements could be read.
    second: Option<Delivery<T>>,
    read: Read<T>,
    is_stopped: bool,
}

type Read<T> = fn(Arrival<'_>, Receipt) -> (Delivery<T>, Option<Delivery<T>>);

impl<T> Inbox<T> {
    pub(super) fn new(shared: Arc<Shared>, (consumer, wake): (u64, Arc<Notify>)) -> Self
    where
        T: Element,
    {
        let place = Arc::new(Place { shared, consumer });
        Self { place, is_stopped: false, wake, second: None, read: |arrival, receipt| arrival.into_deliveries(receipt) }
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

    pub(crate) fn stop(mut self) {
        self.is_stopped = true;
        if let Some(second) = self.second.take() {
            second.receipt.0.requeue();
        }
        self.place.state().stop(self.place.consumer);
    }

    fn take(&mut self) -> Result<Delivery<T>, Ended> {
        if let Some(second) = self.second.take().filter(|delivery| delivery.receipt.is_live()) {
            return Ok(second);
        }
        let taken = self.place.state().take(self.place.consumer);
        match taken {
            Taken::Message { queue, tag, message } => Ok(self.open(queue, tag, message)),
            Taken::Nothing => Err(Ended(false)),
            Taken::Ended => Err(Ended(true)),
        }
    }

    fn open(&mut self, queue: Arc<str>, tag: u64, message: Message) -> Delivery<T> {
        let receipt = Receipt(Box::new(Tag { place: Arc::clone(&self.place), tag }));
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
        if !self.is_stopped {
            self.place.state().unsubscribe(self.place.consumer);
        }
    }
}

/// Is the subscription, which lasts as long as one of its receipts.
#[derive(Debug)]
struct Place {
    shared: Arc<Shared>,
    consumer: u64,
}

impl Place {
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.state().unsubscribe(self.consumer);
    }
}

struct Ended(bool);

#[derive(Debug)]
struct Tag {
    place: Arc<Place>,
    tag: u64,
}

#[async_trait]
impl Acknowledge for Tag {
    async fn ack(self: Box<Self>) {
        self.place.state().ack(self.place.consumer, self.tag);
    }

    fn requeue(self: Box<Self>) {
        self.place.state().give_back(self.place.consumer, self.tag);
    }

    fn is_live(&self) -> bool {
        self.place.state().is_unacked(self.place.consumer, self.tag)
    }
}

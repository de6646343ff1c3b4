//! One channel that publishes, with confirms, for many callers at once.
//!
//! ```text
//!  callers ── request, answer's end ──► publisher ── basic.publish, … ──► server
//!     ▲                                  │    ▲                             │
//!     └──────────── answer ──────────────┘    └─────── confirms, returns ◄──┘
//! ```
//! One task owns the channel: lapin numbers a publish and queues its frames in two steps, which callers on several threads
//! could interleave, so that a confirm would answer the wrong publish.
//!
//! lapin hands a returned message to whichever confirm comes next. So every message bears its number as `message_id`, and an
//! answer is given only when all confirms that are there were looked at: the return of a message reaches us before its confirm.

use std::collections::BTreeSet;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::{mpsc, oneshot};

use super::message::{message_id, number_of};
use crate::queue::Error;

/// How many publishes wait for their confirms at most. RabbitMQ confirms a quorum queue's messages in batches of up to some
/// hundreds per disk write; with 2,000 in flight the disk is always busy, and 4,096 bodies of 256 KiB still fit into memory.
const WINDOW: usize = 4_096;
/// Callers wait here for room in the window; beyond that they wait in `send`.
const BACKLOG: usize = 1_024;

pub(super) struct Request {
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    pub(super) mandatory: bool,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
    pub(super) answer: oneshot::Sender<Result<(), Error>>,
}

/// Makes the way to a publisher, and its end.
pub(super) fn requests() -> (mpsc::Sender<Request>, mpsc::Receiver<Request>) {
    mpsc::channel(BACKLOG)
}

/// Publishes until the channel fails, and tells how; callers whose confirms did not come see their answers dropped.
pub(super) async fn publish(channel: Channel, mut requests: mpsc::Receiver<Request>) -> String {
    let mut publisher =
        Publisher { channel, last_number: 0, in_flight: FuturesUnordered::new(), returned: BTreeSet::new() };
    let mut batch = Vec::new();
    loop {
        let room = WINDOW - publisher.in_flight.len();
        tokio::select! {
            biased;
            Some(settled) = publisher.in_flight.next(), if !publisher.in_flight.is_empty() => {
                if let Err(error) = publisher.settle(settled) {
                    return format!("publish: {error}");
                }
            }
            count = requests.recv_many(&mut batch, room), if room > 0 => {
                if count == 0 {
                    return "publish: nobody does any more".to_owned();
                }
                batch.drain(..).for_each(|request| publisher.push(request));
            }
        }
    }
}

struct Publisher {
    channel: Channel,
    last_number: u64,
    in_flight: FuturesUnordered<BoxFuture<'static, Settled>>,
    /// Messages that came back and whose confirms are still to come.
    returned: BTreeSet<u64>,
}

struct Settled {
    number: u64,
    routing_key: ShortString,
    confirmation: lapin::Result<Confirmation>,
    answer: oneshot::Sender<Result<(), Error>>,
}

impl Publisher {
    fn push(&mut self, request: Request) {
        self.last_number += 1;
        let (number, channel) = (self.last_number, self.channel.clone());
        self.in_flight.push(Box::pin(async move {
            let Request { exchange, routing_key, mandatory, properties, body, answer } = request;
            let properties = properties.with_message_id(message_id(number));
            let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
            let sent = channel.basic_publish(exchange, routing_key.clone(), options, &body, properties).await;
            drop(body);
            let confirmation = match sent {
                Ok(confirm) => confirm.await,
                Err(error) => Err(error),
            };
            Settled { number, routing_key, confirmation, answer }
        }));
    }

    /// Answers for `first` and for all that are confirmed by now.
    fn settle(&mut self, first: Settled) -> Result<(), lapin::Error> {
        let mut all = vec![first];
        // A second look, since the set may end the first one early when a confirm arrives during it.
        let mut looks = 2;
        while looks > 0 {
            let before = all.len();
            while let Some(Some(settled)) = self.in_flight.next().now_or_never() {
                all.push(settled);
            }
            looks = if all.len() > before { 2 } else { looks - 1 };
        }
        for settled in &mut all {
            if let Ok(Confirmation::Ack(message) | Confirmation::Nack(message)) = &mut settled.confirmation {
                self.returned.extend(message.take().as_ref().and_then(number));
            }
        }
        all.into_iter().try_for_each(|settled| self.answer(settled))
    }

    fn answer(&mut self, settled: Settled) -> Result<(), lapin::Error> {
        let (answer, failure) = match settled.confirmation {
            _ if self.returned.remove(&settled.number) => {
                (Err(Error::Unroutable(settled.routing_key.to_string())), None)
            }
            Ok(Confirmation::Ack(_)) => (Ok(()), None),
            Ok(Confirmation::Nack(_) | Confirmation::NotRequested) => (Err(Error::Nacked), None),
            Err(error) => (Err(Error::Unavailable(format!("publish: {error}"))), Some(error)),
        };
        // A caller that went away does not need the answer.
        let _ = settled.answer.send(answer);
        failure.map_or(Ok(()), Err)
    }
}

fn number(message: &BasicReturnMessage) -> Option<u64> {
    number_of(&message.properties)
}

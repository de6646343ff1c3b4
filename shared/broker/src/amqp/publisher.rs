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

use std::future::Future;
use std::sync::Arc;

use futures::future::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, ErrorKind};
use runtime::watch;
use tokio::sync::{mpsc, oneshot};

use super::answers::Answers;
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

impl Request {
    fn refuse(self, error: Error) {
        // A caller that went away does not need the answer.
        let _ = self.answer.send(Err(error));
    }
}

/// Makes the way to a publisher, and its end.
pub(super) fn requests() -> (mpsc::Sender<Request>, mpsc::Receiver<Request>) {
    mpsc::channel(BACKLOG)
}

/// Says that the server has an alarm. It may last for hours, and the server reads nothing meanwhile.
pub(super) fn alarm() -> Error {
    Error::Unavailable("it takes no messages: its memory or disk runs out (alarm)".to_owned())
}

/// Publishes until the channel fails, and tells how; callers whose confirms did not come see their answers dropped. When
/// `blocked` turns true, nobody waits on.
pub(super) async fn publish(
    channel: Channel,
    mut requests: mpsc::Receiver<Request>,
    mut blocked: watch::Receiver<bool>,
) -> String {
    let channel = Arc::new(channel);
    let mut publisher =
        Publisher { in_flight: FuturesUnordered::new(), answers: Answers::default(), settled: Vec::new() };
    let mut batch = Vec::new();
    loop {
        let room = WINDOW - publisher.in_flight.len();
        tokio::select! {
            biased;
            // The session that owns the other end outlives this task.
            Ok(()) = blocked.changed() => if *blocked.borrow_and_update() {
                publisher.answers.refuse_all(alarm);
            },
            Some(settled) = publisher.in_flight.next(), if !publisher.in_flight.is_empty() => {
                if let Err(error) = publisher.settle(settled) {
                    return format!("publish: {error}");
                }
            }
            count = requests.recv_many(&mut batch, room), if room > 0 => {
                if count == 0 {
                    return "publish: nobody does any more".to_owned();
                }
                if *blocked.borrow() {
                    batch.drain(..).for_each(|request| request.refuse(alarm()));
                }
                for request in batch.drain(..) {
                    let (number, message) = publisher.answers.begin(request);
                    publisher.in_flight.push(confirmed(Arc::clone(&channel), number, message));
                }
            }
        }
    }
}

/// Is a request without the end of its answer.
pub(super) struct Message {
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    pub(super) mandatory: bool,
    pub(super) properties: BasicProperties,
    pub(super) body: Vec<u8>,
}

struct Settled {
    number: u64,
    confirmation: lapin::Result<Confirmation>,
}

async fn confirmed(channel: Arc<Channel>, number: u64, message: Message) -> Settled {
    let Message { exchange, routing_key, mandatory, properties, body } = message;
    let properties = properties.with_message_id(message_id(number));
    let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
    let sent = channel.basic_publish(exchange, routing_key, options, &body, properties).await;
    drop(body);
    let confirmation = match sent {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    Settled { number, confirmation }
}

struct Publisher<F> {
    in_flight: FuturesUnordered<F>,
    answers: Answers,
    /// Kept for its memory.
    settled: Vec<Settled>,
}

impl<F: Future<Output = Settled>> Publisher<F> {
    /// Answers for `first` and for all that are confirmed by now.
    fn settle(&mut self, first: Settled) -> Result<(), lapin::Error> {
        self.settled.push(first);
        // A second look, since the set may end the first one early when a confirm arrives during it.
        let mut looks = 2;
        while looks > 0 {
            let before = self.settled.len();
            while let Some(Some(settled)) = self.in_flight.next().now_or_never() {
                self.settled.push(settled);
            }
            looks = if self.settled.len() > before { 2 } else { looks - 1 };
        }
        for settled in &self.settled {
            if let Ok(Confirmation::Ack(Some(message)) | Confirmation::Nack(Some(message))) = &settled.confirmation
                && let Some(number) = number_of(&message.properties)
            {
                self.answers.returned(number);
            }
        }
        let mut failure = Ok(());
        for Settled { number, confirmation } in self.settled.drain(..) {
            match confirmation {
                Ok(Confirmation::Ack(_)) => self.answers.end(number, Ok(())),
                Ok(Confirmation::Nack(_) | Confirmation::NotRequested) => self.answers.end(number, Err(Error::Nacked)),
                Err(error) => {
                    self.answers.end(number, Err(Error::Unavailable(format!("publish: {error}"))));
                    // What the server said is told of one message; the others only know that the channel is closed.
                    if failure.is_ok() || matches!(error.kind(), ErrorKind::ProtocolError(_)) {
                        failure = Err(error);
                    }
                }
            }
        }
        failure
    }
}

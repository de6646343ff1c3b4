//! Consumption of one queue, over reconnects.
//!
//! ```text
//!  server ── deliveries ──► lapin ──► deliver ── bounded ──► Consumer (the caller)
//!     ▲                                                         │ Receipt::ack
//!     └── basic.ack, few ◄── acknowledge ◄────── tags ──────────┘
//! ```
//! Both halves live on one channel and end with it. Tags of a channel that has ended go nowhere: the server delivers those
//! messages again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::join_all;
use lapin::Channel;
use lapin::message::Delivery as Frame;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use runtime::{Runtime, watch};
use tokio::sync::mpsc;

use super::acks::Acks;
use super::fault::Fault;
use super::message::redeliveries;
use super::names::short;
use super::session::Session;
use super::supervisor::Phase;
use crate::body::{Arrival, Element};
use crate::queue::{Acknowledge, Consumer, Delivery, Receipt, ReplyTo, Source};

/// A consumer whose channel failed on a sound connection (its queue was deleted or has other arguments) tries again so often.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Cancels are acknowledged here; this bounds how many wait for the worker.
const CANCELS_PREFETCH: u16 = 1_024;

/// Says what is consumed.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    Pool(String),
    Events(u32),
    Cancels,
}

pub(super) struct Subscription {
    pub(super) subject: Subject,
    pub(super) prefetch: u16,
    pub(super) runtime: Runtime,
    pub(super) phase: watch::Receiver<Phase>,
}

enum Ended {
    /// The caller dropped its consumer.
    Dropped,
    Failed(Fault),
}

impl Subscription {
    /// Consumes in the background until the caller drops the consumer or the broker handle is closed.
    pub(super) fn start<T: Element>(mut self) -> Consumer<T> {
        if matches!(self.subject, Subject::Cancels) {
            self.prefetch = CANCELS_PREFETCH;
        }
        // 0 means "without bound" to RabbitMQ.
        self.prefetch = self.prefetch.max(1);
        let (sender, deliveries) = mpsc::channel(usize::from(self.prefetch));
        let runtime = self.runtime.clone();
        runtime.spawn(async move { self.run::<T>(&sender).await });
        Consumer { source: Source::Amqp(deliveries) }
    }

    async fn run<T: Element>(&mut self, out: &mpsc::Sender<Delivery<T>>) {
        loop {
            let Some(session) = self.next_session(out).await else { return };
            let fault = match self.consume(&session, out).await {
                Ended::Dropped => return,
                Ended::Failed(fault) => fault,
            };
            let generation = session.generation;
            drop(session);
            if self.is_up(generation) {
                let reason = fault.chain();
                tracing::warn!(subject = ?self.subject, %reason, "failed to consume, trying again");
                self.pause(out, generation).await;
            }
        }
    }

    async fn next_session<T>(&mut self, out: &mpsc::Sender<Delivery<T>>) -> Option<Arc<Session>> {
        tokio::select! {
            biased;
            () = out.closed() => None,
            phase = self.phase.wait_for(|phase| matches!(phase, Phase::Up(_))) => match &*phase.ok()? {
                Phase::Up(session) => Some(Arc::clone(session)),
                Phase::Down(_) => None,
            },
        }
    }

    fn is_up(&self, generation: u64) -> bool {
        matches!(&*self.phase.borrow(), Phase::Up(session) if session.generation == generation)
    }

    async fn pause<T>(&mut self, out: &mpsc::Sender<Delivery<T>>, generation: u64) {
        let other = |phase: &Phase| !matches!(phase, Phase::Up(session) if session.generation == generation);
        tokio::select! {
            biased;
            () = out.closed() => {}
            _ = self.phase.wait_for(other) => {}
            () = self.runtime.sleep(self.runtime.jittered(RETRY_INTERVAL)) => {}
        }
    }

    async fn consume<T: Element>(&mut self, session: &Session, out: &mpsc::Sender<Delivery<T>>) -> Ended {
        let (channel, queue, frames) = match self.subscribe(session).await {
            Ok(subscribed) => subscribed,
            Err(fault) => return Ended::Failed(fault),
        };
        let (sender, mut tags) = mpsc::unbounded_channel();
        let mut acks = Acks::default();
        let generation = session.generation;
        let other = |phase: &Phase| !matches!(phase, Phase::Up(session) if session.generation == generation);
        let ended = tokio::select! {
            biased;
            () = out.closed() => Ended::Dropped,
            _ = self.phase.wait_for(other) => Ended::Failed(Fault::Cancelled { queue: queue.to_string() }),
            fault = acknowledge(&channel, &mut acks, &mut tags) => Ended::Failed(fault),
            ended = deliver(frames, &queue, &sender, out) => ended,
        };
        tags.close();
        let mut last = Vec::new();
        while let Ok(tag) = tags.try_recv() {
            last.push(tag);
        }
        // What was acknowledged before the end still counts. The channel closes when it is dropped, behind these frames.
        let _ = send(&channel, acks.add(&mut last)).await;
        ended
    }

    async fn subscribe(&self, session: &Session) -> Result<(Channel, Arc<str>, lapin::Consumer), Fault> {
        let channel = session.consuming_channel().await?;
        let topology = &session.topology;
        let queue = match &self.subject {
            Subject::Pool(pool) => {
                topology.pool(&channel, pool).await?;
                topology.names.work(pool)
            }
            Subject::Events(index) => {
                let name = topology.names.events(*index);
                topology.queue(&channel, &name).await?;
                name
            }
            Subject::Cancels => topology.cancels(&channel).await?,
        };
        let qos = channel.basic_qos(self.prefetch, BasicQosOptions::default()).await;
        qos.map_err(Fault::channel("set the prefetch"))?;
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumed = channel.basic_consume(short(&queue)?, "".into(), options, arguments).await;
        let frames = consumed.map_err(Fault::channel("consume"))?;
        Ok((channel, queue.into(), frames))
    }
}

async fn deliver<T: Element>(
    mut frames: lapin::Consumer,
    queue: &Arc<str>,
    tags: &mpsc::UnboundedSender<u64>,
    out: &mpsc::Sender<Delivery<T>>,
) -> Ended {
    while let Some(frame) = frames.next().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(source) => return Ended::Failed(Fault::Channel { what: "consume", source }),
        };
        let tag = frame.delivery_tag;
        let (first, second) = read::<T>(&frame, queue, tags);
        for delivery in [Some(first), second].into_iter().flatten() {
            if out.send(delivery).await.is_err() {
                return Ended::Dropped;
            }
        }
        if T::ACKNOWLEDGED_ON_ARRIVAL {
            // The other end lives as long as this future.
            let _ = tags.send(tag);
        }
    }
    Ended::Failed(Fault::Cancelled { queue: queue.to_string() })
}

fn read<T: Element>(
    frame: &Frame,
    queue: &Arc<str>,
    tags: &mpsc::UnboundedSender<u64>,
) -> (Delivery<T>, Option<Delivery<T>>) {
    let arrival = Arrival {
        kind: frame.properties.kind().as_ref().map(|kind| kind.as_str()),
        body: &frame.data,
        redeliveries: redeliveries(frame),
        reply_to: frame.properties.reply_to().as_ref().map(|queue| ReplyTo(queue.as_str().into())),
        queue: Arc::clone(queue),
    };
    let receipt: Box<dyn Acknowledge> = if T::ACKNOWLEDGED_ON_ARRIVAL {
        Box::new(Acknowledged)
    } else {
        Box::new(Tag { tag: frame.delivery_tag, tags: tags.clone() })
    };
    arrival.into_deliveries(Receipt(receipt))
}

/// Sends acknowledgements until the channel refuses one. While one batch is on its way, the next gathers.
async fn acknowledge(channel: &Channel, acks: &mut Acks, tags: &mut mpsc::UnboundedReceiver<u64>) -> Fault {
    /// More than any prefetch lets be outstanding is never there at once.
    const BATCH: usize = u16::MAX as usize;
    let mut batch = Vec::new();
    loop {
        tags.recv_many(&mut batch, BATCH).await;
        if let Err(fault) = send(channel, acks.add(&mut batch)).await {
            return fault;
        }
        batch.clear();
    }
}

async fn send(channel: &Channel, acks: Vec<super::acks::Ack>) -> Result<(), Fault> {
    let frame = |ack: super::acks::Ack| channel.basic_ack(ack.tag, BasicAckOptions { multiple: ack.multiple });
    let sent: lapin::Result<Vec<()>> = join_all(acks.into_iter().map(frame)).await.into_iter().collect();
    sent.map(|_| ()).map_err(Fault::channel("acknowledge"))
}

#[derive(Debug)]
struct Tag {
    tag: u64,
    tags: mpsc::UnboundedSender<u64>,
}

#[async_trait]
impl Acknowledge for Tag {
    async fn ack(self: Box<Self>) {
        // The other end is gone when the channel is: the server delivers the message again.
        let _ = self.tags.send(self.tag);
    }

    fn is_live(&self) -> bool {
        !self.tags.is_closed()
    }
}

/// Stands for a message that needs no acknowledgement any more.
#[derive(Debug)]
struct Acknowledged;

#[async_trait]
impl Acknowledge for Acknowledged {
    async fn ack(self: Box<Self>) {}

    fn is_live(&self) -> bool {
        true
    }
}

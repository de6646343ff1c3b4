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
use futures::future::{join, join_all};
use lapin::Channel;
use lapin::message::Delivery as Frame;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::FieldTable;
use runtime::{Runtime, watch};
use tokio::sync::{mpsc, oneshot};

use super::acks::Acks;
use super::fault::Fault;
use super::message::redeliveries;
use super::names::short;
use super::session::Session;
use super::supervisor::Phase;
use crate::body::{Arrival, Element};
use crate::queue::{Acknowledge, Arrivals, Consumer, Delivery, Receipt, ReplyTo, Source};

/// A consumer whose channel failed on a sound connection (its queue was deleted or has other arguments) tries again so often.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Cancels are acknowledged here; this bounds how many wait for the worker.
const CANCELS_PREFETCH: u16 = 1_024;

/// Says what is consumed.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    Pool(String),
    Events(u32),
    /// The reports to this process, by the name of their queue.
    OwnEvents(Arc<str>),
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
    /// The caller stopped its consumer, and all that it took is settled.
    Stopped,
    Failed(Fault),
}

/// Is the way to the caller.
struct Caller<T> {
    out: mpsc::Sender<Delivery<T>>,
    /// Gives back what was not taken.
    stopped: oneshot::Receiver<mpsc::Receiver<Delivery<T>>>,
}

impl<T> Caller<T> {
    /// Waits until the caller wants nothing more, without a connection to tell the server so.
    async fn left(&mut self) {
        tokio::select! { biased;
            () = self.out.closed() => {}
            Ok(_) = &mut self.stopped => {}
        }
    }
}

/// Is what the server is to be told of a delivery.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    Ack(u64),
    Requeue(u64),
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
        let (stop, stopped) = oneshot::channel();
        runtime.spawn(async move { self.run::<T>(Caller { out: sender, stopped }).await });
        Consumer { source: Source::Amqp(Arrivals { deliveries, stop }) }
    }

    async fn run<T: Element>(&mut self, mut caller: Caller<T>) {
        loop {
            let Some(session) = self.next_session(&mut caller).await else { return };
            let fault = match self.consume(&session, &mut caller).await {
                Ended::Dropped | Ended::Stopped => return,
                Ended::Failed(fault) => fault,
            };
            let generation = session.generation;
            drop(session);
            if self.is_up(generation) {
                let reason = fault.chain();
                tracing::warn!(subject = ?self.subject, %reason, "failed to consume, trying again");
                self.pause(&mut caller, generation).await;
            }
        }
    }

    async fn next_session<T>(&mut self, caller: &mut Caller<T>) -> Option<Arc<Session>> {
        tokio::select! {
            biased;
            () = caller.left() => None,
            phase = self.phase.wait_for(|phase| matches!(phase, Phase::Up(_))) => match &*phase.ok()? {
                Phase::Up(session) => Some(Arc::clone(session)),
                Phase::Down(_) => None,
            },
        }
    }

    fn is_up(&self, generation: u64) -> bool {
        matches!(&*self.phase.borrow(), Phase::Up(session) if session.generation == generation)
    }

    async fn pause<T>(&mut self, caller: &mut Caller<T>, generation: u64) {
        let other = |phase: &Phase| !matches!(phase, Phase::Up(session) if session.generation == generation);
        tokio::select! {
            biased;
            () = caller.left() => {}
            _ = self.phase.wait_for(other) => {}
            () = self.runtime.sleep(self.runtime.jittered(RETRY_INTERVAL)) => {}
        }
    }

    async fn consume<T: Element>(&mut self, session: &Session, caller: &mut Caller<T>) -> Ended {
        let (channel, queue, mut frames) = match self.subscribe(session).await {
            Ok(subscribed) => subscribed,
            Err(fault) => return Ended::Failed(fault),
        };
        let (sender, mut verdicts) = mpsc::unbounded_channel();
        let mut acks = Acks::default();
        let Caller { out, stopped } = caller;
        let generation = session.generation;
        let other = |phase: &Phase| !matches!(phase, Phase::Up(session) if session.generation == generation);
        let rest = tokio::select! {
            biased;
            () = out.closed() => Err(Ended::Dropped),
            Ok(rest) = stopped => Ok(rest),
            _ = self.phase.wait_for(other) => Err(Ended::Failed(Fault::Cancelled { queue: queue.to_string() })),
            told = acknowledge(&channel, &mut acks, &mut verdicts) => Err(told.into()),
            ended = deliver(&mut frames, &queue, &sender, out) => Err(ended),
        };
        let ended = match rest {
            Err(ended) => ended,
            Ok(rest) => {
                let wound_up =
                    join(wind_up(&channel, frames, rest, sender), acknowledge(&channel, &mut acks, &mut verdicts));
                tokio::select! {
                    biased;
                    _ = self.phase.wait_for(other) => {}
                    ((), _) = wound_up => {}
                }
                Ended::Stopped
            }
        };
        verdicts.close();
        let mut last = Vec::new();
        while let Ok(verdict) = verdicts.try_recv() {
            last.push(verdict);
        }
        // What was acknowledged before the end still counts. The channel closes when it is dropped, behind these frames.
        let _ = tell(&channel, &mut acks, &last).await;
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
            Subject::OwnEvents(name) => {
                topology.own_events(&channel, name).await?;
                name.to_string()
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

impl From<Result<(), Fault>> for Ended {
    fn from(told: Result<(), Fault>) -> Self {
        told.map_or_else(Ended::Failed, |()| Ended::Dropped)
    }
}

/// Ends the consumption before anything goes back, so that none of it comes here again.
async fn wind_up<T>(
    channel: &Channel,
    mut frames: lapin::Consumer,
    mut rest: mpsc::Receiver<Delivery<T>>,
    verdicts: mpsc::UnboundedSender<Verdict>,
) {
    if channel.basic_cancel(frames.tag(), BasicCancelOptions::default()).await.is_err() {
        // The channel has ended: all goes back.
        return;
    }
    rest.close();
    while let Some(delivery) = rest.recv().await {
        delivery.receipt.0.requeue();
    }
    while let Some(Ok(frame)) = frames.next().await {
        // The other end outlives this one.
        let _ = verdicts.send(Verdict::Requeue(frame.delivery_tag));
    }
}

async fn deliver<T: Element>(
    frames: &mut lapin::Consumer,
    queue: &Arc<str>,
    verdicts: &mpsc::UnboundedSender<Verdict>,
    out: &mpsc::Sender<Delivery<T>>,
) -> Ended {
    while let Some(frame) = frames.next().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(source) => return Ended::Failed(Fault::Channel { what: "consume", source }),
        };
        let tag = frame.delivery_tag;
        let (first, second) = read::<T>(&frame, queue, verdicts);
        for delivery in [Some(first), second].into_iter().flatten() {
            if out.send(delivery).await.is_err() {
                return Ended::Dropped;
            }
        }
        if T::ACKNOWLEDGED_ON_ARRIVAL {
            // The other end lives as long as this future.
            let _ = verdicts.send(Verdict::Ack(tag));
        }
    }
    Ended::Failed(Fault::Cancelled { queue: queue.to_string() })
}

fn read<T: Element>(
    frame: &Frame,
    queue: &Arc<str>,
    verdicts: &mpsc::UnboundedSender<Verdict>,
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
        Box::new(Tag { tag: frame.delivery_tag, verdicts: verdicts.clone() })
    };
    arrival.into_deliveries(Receipt(receipt))
}

/// Tells the server of deliveries until the channel refuses that, or all are settled and no more can come. While one batch is on
/// its way, the next gathers.
async fn acknowledge(
    channel: &Channel,
    acks: &mut Acks,
    verdicts: &mut mpsc::UnboundedReceiver<Verdict>,
) -> Result<(), Fault> {
    /// More than any prefetch lets be outstanding is never there at once.
    const BATCH: usize = u16::MAX as usize;
    let mut batch = Vec::new();
    while verdicts.recv_many(&mut batch, BATCH).await > 0 {
        tell(channel, acks, &batch).await?;
        batch.clear();
    }
    Ok(())
}

async fn tell(channel: &Channel, acks: &mut Acks, verdicts: &[Verdict]) -> Result<(), Fault> {
    let mut tags = Vec::with_capacity(verdicts.len());
    for verdict in verdicts {
        match *verdict {
            Verdict::Ack(tag) => tags.push(tag),
            Verdict::Requeue(tag) => {
                acks.pass(tag);
                let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                channel.basic_nack(tag, options).await.map_err(Fault::channel("give back"))?;
            }
        }
    }
    let acks = acks.add(&mut tags);
    let frame = |ack: super::acks::Ack| channel.basic_ack(ack.tag, BasicAckOptions { multiple: ack.multiple });
    let sent: lapin::Result<Vec<()>> = join_all(acks.into_iter().map(frame)).await.into_iter().collect();
    sent.map(|_| ()).map_err(Fault::channel("acknowledge"))
}

#[derive(Debug)]
struct Tag {
    tag: u64,
    verdicts: mpsc::UnboundedSender<Verdict>,
}

#[async_trait]
impl Acknowledge for Tag {
    async fn ack(self: Box<Self>) {
        // The other end is gone when the channel is: the server delivers the message again.
        let _ = self.verdicts.send(Verdict::Ack(self.tag));
    }

    fn requeue(self: Box<Self>) {
        // As above.
        let _ = self.verdicts.send(Verdict::Requeue(self.tag));
    }

    fn is_live(&self) -> bool {
        !self.verdicts.is_closed()
    }
}

/// Stands for a message that needs no acknowledgement any more.
#[derive(Debug)]
struct Acknowledged;

#[async_trait]
impl Acknowledge for Acknowledged {
    async fn ack(self: Box<Self>) {}

    fn requeue(self: Box<Self>) {}

    fn is_live(&self) -> bool {
        true
    }
}

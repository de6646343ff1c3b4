//! A broker under test, and the hand that breaks it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use broker::amqp::Config;
use broker::{AmqpBroker, Connection, Consumer, DeadLetter, Delivery, Error, MemoryBroker, ReplyTo, SharedQueue};
use lapin::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, ConnectionProperties};
use model::Timestamp;
use runtime::Runtime;
use support::{RabbitServer, eventually_some, shared_rabbit, unique_name};
use wire::message::STATUS_CHANGE_TYPE;

/// Servers share two cores with builds and with other servers.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) enum Twin {
    Memory(MemoryBroker),
    Rabbit(RabbitTwin),
}

pub(crate) struct RabbitTwin {
    pub(crate) server: RabbitServer,
    pub(crate) prefix: String,
}

impl Twin {
    pub(crate) fn memory() -> Self {
        Self::Memory(MemoryBroker::new(Runtime::simulated(1, Timestamp::default()), 2))
    }

    pub(crate) async fn on_shared_rabbit() -> Result<Self> {
        Ok(Self::Rabbit(RabbitTwin { server: shared_rabbit().await?.clone(), prefix: unique_name("t") }))
    }

    pub(crate) async fn on_own_rabbit() -> Result<Self> {
        Ok(Self::Rabbit(RabbitTwin { server: RabbitServer::start().await?, prefix: unique_name("t") }))
    }

    /// Gives the connection of a process of its own, once it stands.
    pub(crate) async fn process(&self) -> Result<SharedQueue> {
        match self {
            Self::Memory(broker) => Ok(Arc::new(broker.handle(Runtime::simulated(1, Timestamp::default())))),
            Self::Rabbit(twin) => {
                let queue: SharedQueue = Arc::new(AmqpBroker::connect(Runtime::system(), twin.config())?);
                is_up(&queue).await?;
                Ok(queue)
            }
        }
    }

    pub(crate) fn name(&self, of: &str) -> String {
        match self {
            Self::Memory(_) => format!("stepwell.{of}"),
            Self::Rabbit(twin) => format!("{}.{of}", twin.prefix),
        }
    }

    /// Publishes what no worker of ours would.
    pub(crate) async fn publish_raw(&self, queue: &str, kind: Option<&str>, body: &[u8]) -> Result<()> {
        match self {
            Self::Memory(broker) => Ok(broker.publish_raw(queue, kind, body)?),
            Self::Rabbit(twin) => twin.publish_raw(queue, kind, body).await,
        }
    }

    /// Binds a queue to status changes.
    pub(crate) async fn listen(&self, pattern: &str) -> Result<Listener> {
        match self {
            Self::Memory(broker) => Ok(Listener::Memory(broker.clone(), broker.bind_status_changes(pattern))),
            Self::Rabbit(twin) => {
                let connection = twin.raw().await?;
                let channel = connection.create_channel().await?;
                let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
                let queue = channel.queue_declare("".into(), options, Default::default()).await?.name().to_string();
                let exchange = format!("{}.notify", twin.prefix);
                let (name, exchange, pattern) = (queue.as_str().into(), exchange.as_str().into(), pattern.into());
                channel.queue_bind(name, exchange, pattern, Default::default(), Default::default()).await?;
                Ok(Listener::Rabbit(Box::new(Bound { _connection: connection, channel, queue })))
            }
        }
    }

    pub(crate) async fn next_dead_letter(&self) -> Result<DeadLetter> {
        match self {
            Self::Memory(broker) => broker.dead_letters().first().cloned().context("there is none"),
            Self::Rabbit(twin) => twin.next_dead_letter().await,
        }
    }

    pub(crate) async fn lose_data(&self) -> Result<()> {
        match self {
            Self::Memory(broker) => broker.lose_data(),
            Self::Rabbit(twin) => twin.delete_queue(&format!("{}.incarnation.i-1", twin.prefix)).await?,
        }
        Ok(())
    }

    /// Ends the server as a power cut does.
    pub(crate) async fn cut(&self) -> Result<()> {
        match self {
            Self::Memory(broker) => broker.set_connected(false),
            Self::Rabbit(twin) => {
                // RabbitMQ 3.10 writes the list of its quorum queues to disk seconds after it made one, and comes back without
                // what the newest held. The case is about queues that were there before.
                twin.server.control(&["eval", "[ok = dets:sync(Table) || Table <- dets:all()]."]).await?;
                twin.server.kill().await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn mend(&self) -> Result<()> {
        match self {
            Self::Memory(broker) => broker.set_connected(true),
            Self::Rabbit(twin) => twin.server.start_again().await?,
        }
        Ok(())
    }

    pub(crate) async fn set_alarm(&self, alarm: bool) -> Result<()> {
        match self {
            Self::Memory(broker) => broker.set_blocked(alarm),
            Self::Rabbit(twin) => {
                let mark = if alarm { "0.0000001" } else { "0.8" };
                twin.server.control(&["set_vm_memory_high_watermark", mark]).await?;
            }
        }
        Ok(())
    }
}

/// Is a queue bound to status changes.
pub(crate) enum Listener {
    Memory(MemoryBroker, usize),
    Rabbit(Box<Bound>),
}

pub(crate) struct Bound {
    _connection: lapin::Connection,
    channel: lapin::Channel,
    queue: String,
}

impl Listener {
    /// Takes so many changes, which have been confirmed, with their topics; more than those would be seen.
    pub(crate) async fn heard(&mut self, count: usize) -> Result<Vec<(String, Vec<u8>)>> {
        let (channel, queue) = match self {
            Self::Memory(broker, queue) => return Ok(broker.take_status_changes(*queue)),
            Self::Rabbit(bound) => (&bound.channel, bound.queue.as_str()),
        };
        let mut heard = Vec::new();
        let get = async || channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.ok()?;
        while heard.len() < count {
            let message = eventually_some(PATIENCE, &get, "a status change comes").await?.delivery;
            let properties = &message.properties;
            ensure!(properties.kind().as_ref().is_some_and(|kind| kind.as_str() == STATUS_CHANGE_TYPE), "has its type");
            ensure!(properties.delivery_mode() == &Some(2), "is persistent");
            heard.push((message.routing_key.to_string(), message.data));
        }
        ensure!(get().await.is_none(), "no more came");
        Ok(heard)
    }
}

impl RabbitTwin {
    pub(crate) fn config(&self) -> Config {
        Config {
            url: self.server.amqp_url(),
            prefix: self.prefix.clone(),
            events_queues: 2,
            incarnation: "i-1".to_owned(),
            heartbeat_seconds: 1,
            ..Config::default()
        }
    }

    pub(crate) async fn raw(&self) -> Result<lapin::Connection> {
        Ok(lapin::Connection::connect(&self.server.amqp_url(), ConnectionProperties::default()).await?)
    }

    pub(crate) async fn delete_queue(&self, name: &str) -> Result<()> {
        let connection = self.raw().await?;
        connection.create_channel().await?.queue_delete(name.into(), QueueDeleteOptions::default()).await?;
        Ok(())
    }

    pub(crate) async fn has_queue(&self, name: &str) -> Result<bool> {
        let connection = self.raw().await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let channel = connection.create_channel().await?;
        Ok(channel.queue_declare(name.into(), options, Default::default()).await.is_ok())
    }

    async fn publish_raw(&self, queue: &str, kind: Option<&str>, body: &[u8]) -> Result<()> {
        let connection = self.raw().await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(Default::default()).await?;
        let properties = BasicProperties::default();
        let properties = if let Some(kind) = kind { properties.with_type(kind.into()) } else { properties };
        let options = BasicPublishOptions::default();
        channel.basic_publish("".into(), queue.into(), options, body, properties).await?.await?;
        Ok(())
    }

    async fn next_dead_letter(&self) -> Result<DeadLetter> {
        let connection = self.raw().await?;
        let channel = connection.create_channel().await?;
        let queue = format!("{}.dead", self.prefix);
        let got = channel.basic_get(queue.as_str().into(), BasicGetOptions { no_ack: true }).await?;
        let message = got.context("there is none")?.delivery;
        ensure!(message.properties.delivery_mode() == &Some(2), "dead letters are persistent");
        let header = |name: &str| {
            let headers = message.properties.headers().as_ref()?;
            let AMQPValue::LongString(text) = headers.inner().get(name)? else { return None };
            Some(text.to_string())
        };
        Ok(DeadLetter {
            reason: header("x-stepwell-reason").context("has a reason")?,
            queue: header("x-stepwell-queue").context("has a queue")?,
            kind: message.properties.kind().as_ref().map(ToString::to_string),
            reply_to: message.properties.reply_to().as_ref().map(|queue| ReplyTo(queue.as_str().into())),
            body: message.data.clone(),
        })
    }
}

/// Publishes as Stepwell does, again as long as the broker refuses: a quorum queue that was made this moment, by two at once, may
/// have no leader yet.
pub(crate) async fn insist(publish: impl AsyncFn() -> Result<(), Error>) -> Result<()> {
    let attempt = async || match publish().await {
        Err(Error::Nacked) => None,
        outcome => Some(outcome),
    };
    Ok(eventually_some(PATIENCE, attempt, "the broker takes the message").await??)
}

/// Takes the next delivery of a consumer that must get one.
pub(crate) async fn next<T>(consumer: &mut Consumer<T>) -> Result<Delivery<T>> {
    let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await.context("waited in vain for a delivery")?;
    delivery.context("the consumer ended")
}

pub(crate) async fn is_up(queue: &SharedQueue) -> Result<u64> {
    let mut connection = queue.connection();
    let up = connection.wait_for(|connection| matches!(connection, Connection::Up { .. }));
    match *tokio::time::timeout(PATIENCE, up).await.context("waited in vain for a connection")?? {
        Connection::Up { generation } => Ok(generation),
        Connection::Down | Connection::Blocked => Ok(0),
    }
}

pub(crate) async fn becomes(queue: &SharedQueue, expect: Connection) -> Result<()> {
    let mut connection = queue.connection();
    let became = connection.wait_for(|connection| *connection == expect);
    tokio::time::timeout(PATIENCE, became).await.with_context(|| format!("waited in vain for {expect:?}"))??;
    Ok(())
}

//! What must exist on the server, declared again after each reconnect.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind, Queue};

use super::config::QueueKind;
use super::fault::Fault;
use super::names::{Names, short};
use super::probe::MajorVersion;

/// How long the queue of one process's reports is kept without a consumer: longer than the process takes to connect again after an
/// outage, and than what it waits for.
const OWN_EVENTS_EXPIRE_MILLIS: i32 = 10 * 60 * 1_000;

/// Knows how queues are declared on the server at hand.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    pub(super) names: Names,
    pub(super) kind: QueueKind,
    pub(super) version: MajorVersion,
    pub(super) events_queues: u32,
}

impl Topology {
    /// Declares what does not depend on a pool.
    pub(super) async fn declare(&self, channel: &Channel) -> Result<(), Fault> {
        self.exchange(channel, &self.names.work_exchange(), ExchangeKind::Direct).await?;
        self.exchange(channel, &self.names.control_exchange(), ExchangeKind::Fanout).await?;
        self.exchange(channel, &self.names.notify_exchange(), ExchangeKind::Topic).await?;
        for index in 0..self.events_queues {
            self.queue(channel, &self.names.events(index)).await?;
        }
        self.queue(channel, &self.names.dead()).await.map(|_| ())
    }

    /// Declares a pool's queue and binds it.
    pub(super) async fn pool(&self, channel: &Channel, pool: &str) -> Result<(), Fault> {
        let (queue, exchange) = (self.names.work(pool), self.names.work_exchange());
        self.queue(channel, &queue).await?;
        bind(channel, &queue, &exchange, pool).await
    }

    /// Declares a queue of the one process that consumes it, and binds it to the cancels; gives its name.
    pub(super) async fn cancels(&self, channel: &Channel) -> Result<String, Fault> {
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare("".into(), options, FieldTable::default()).await;
        let queue = declared.map_err(|source| Fault::declare("a queue for cancels", "exclusive", source))?;
        let name = queue.name().to_string();
        bind(channel, &name, &self.names.control_exchange(), "").await?;
        Ok(name)
    }

    /// Declares the queue of the reports to one process: it outlives a connection, and goes some time after its process. A classic
    /// one, since nobody else takes over what it holds.
    pub(super) async fn own_events(&self, channel: &Channel, name: &str) -> Result<(), Fault> {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(QueueKind::Classic.as_str().into()));
        arguments.insert("x-expires".into(), AMQPValue::LongInt(OWN_EVENTS_EXPIRE_MILLIS));
        let declared = channel.queue_declare(short(name)?, options, arguments).await;
        declared.map(|_| ()).map_err(|source| Fault::Declare { name: name.to_owned(), source })
    }

    /// Declares a durable queue.
    pub(super) async fn queue(&self, channel: &Channel, name: &str) -> Result<Queue, Fault> {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare(short(name)?, options, self.arguments()).await;
        declared.map_err(|source| Fault::declare(name, self.kind.as_str(), source))
    }

    /// The broker must never drop what it delivered often. RabbitMQ 4 does so after 20 deliveries unless told `-1`, which
    /// RabbitMQ 3 takes for "at the first redelivery".
    fn arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(self.kind.as_str().into()));
        if self.kind == QueueKind::Quorum && self.version >= MajorVersion(4) {
            arguments.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(-1));
        }
        arguments
    }

    async fn exchange(&self, channel: &Channel, name: &str, kind: ExchangeKind) -> Result<(), Fault> {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = channel.exchange_declare(short(name)?, kind, options, FieldTable::default()).await;
        declared.map_err(|source| Fault::Declare { name: name.to_owned(), source })
    }
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), Fault> {
    let (queue_name, exchange, key) = (short(queue)?, short(exchange)?, short(key)?);
    let bound = channel.queue_bind(queue_name, exchange, key, QueueBindOptions::default(), FieldTable::default()).await;
    bound.map_err(|source| Fault::Declare { name: queue.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rabbitmq_4_is_told_to_have_no_delivery_limit() {
        let limit = |version, kind| {
            let topology =
                Topology { names: Names::new("stepwell"), kind, version: MajorVersion(version), events_queues: 1 };
            topology.arguments().inner().get("x-delivery-limit").cloned()
        };
        assert_eq!(limit(3, QueueKind::Quorum), None);
        assert_eq!(limit(4, QueueKind::Quorum), Some(AMQPValue::LongLongInt(-1)));
        assert_eq!(limit(4, QueueKind::Classic), None);
        assert_eq!(limit(0, QueueKind::Quorum), None);
    }
}

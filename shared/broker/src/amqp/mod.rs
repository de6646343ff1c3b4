//! RabbitMQ.
//!
//! ```text
//!              ┌ supervisor: connect, declare, watch, begin anew ┐
//!  callers ──► session: publishing connection ── publisher ──────┼──► RabbitMQ
//!  callers ◄── session: consuming connection ─── consumers, acks ┘
//! ```
//! A session is one generation of two connections. Whoever publishes or consumes takes the session that stands; without one,
//! publishes fail at once and consumers wait. docs/formats/messages.md lists the names on the server.
//!
//! RabbitMQ 3.10 has two faults that no client can mend. A server that is killed within some seconds of making a quorum queue may
//! come back with the queue empty, or refusing messages until somebody deletes it. And a consumer of a quorum queue that
//! somebody else deletes and makes again at once is not told, and gets nothing until it connects anew.

mod acks;
mod answers;
mod config;
mod consumer;
mod fault;
mod message;
mod names;
mod probe;
mod publisher;
mod session;
mod supervisor;
mod topology;

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
pub use config::{Config, ConfigError, QueueKind};
use consumer::{Subject, Subscription};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use message::{dead, properties, with_reply_to};
use names::Names;
use runtime::{Runtime, watch};
use session::Session;
use supervisor::{Phase, Supervisor};
use tokio::sync::mpsc;
use wire::message::{
    CONTROL_TYPE, Cancel, REPORT_TYPE, Report, STATUS_CHANGE_TYPE, StatusChange, WORK_TYPE, WorkItem, encode_cancels,
    encode_items, encode_reports, encode_status_change,
};

use crate::body::Element;
use crate::own_events::{OwnEvents, OwnQueues};
use crate::queue::{Connection, Consumer, DeadLetter, Error, ReplyTo, SharedQueue, WorkQueue};

/// Is the connection of this process to RabbitMQ; cheap to clone. When the last clone is dropped the connection closes and
/// consumers end.
#[derive(Clone)]
pub struct AmqpBroker {
    runtime: Runtime,
    names: Names,
    events_queues: u32,
    marker: Arc<str>,
    phase: watch::Receiver<Phase>,
    connection: watch::Receiver<Connection>,
    _handle: mpsc::Sender<Infallible>,
}

impl std::fmt::Debug for AmqpBroker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AmqpBroker").field("names", &self.names).finish_non_exhaustive()
    }
}

impl AmqpBroker {
    /// Begins to connect, in the background and for ever. Needs a tokio context; `amqps://` needs rustls's process-wide
    /// crypto provider.
    ///
    /// # Errors
    /// `ConfigError` naming the setting that is wrong. That the server is away is no error.
    pub fn connect(runtime: Runtime, config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let uri = config.uri()?;
        let (phase, phases) = watch::channel(Phase::Down("there was no connection yet".into()));
        let (state, connection) = watch::channel(Connection::Down);
        let (handle, handles) = mpsc::channel(1);
        let names = Names::new(&config.prefix);
        let marker = names.marker(&config.incarnation).into();
        let events_queues = config.events_queues;
        let supervisor = Supervisor { config, uri, runtime: runtime.clone(), phase, connection: state, handles };
        runtime.spawn(supervisor.run());
        Ok(Self { runtime, names, events_queues, marker, phase: phases, connection, _handle: handle })
    }

    fn session(&self) -> Result<Arc<Session>, Error> {
        match &*self.phase.borrow() {
            Phase::Up(session) => Ok(Arc::clone(session)),
            Phase::Down(reason) => Err(Error::Unavailable(reason.to_string())),
        }
    }

    /// Publishes to a queue by its name.
    async fn publish_to(&self, queue: &str, properties: BasicProperties, body: Vec<u8>) -> Result<(), Error> {
        self.session()?.publish(("", queue), properties, body, MANDATORY).await
    }

    async fn publish_items(
        &self,
        session: &Session,
        pool: &str,
        reply_to: &ReplyTo,
        items: &[WorkItem],
    ) -> Result<(), Error> {
        session.declare_pool(pool).await?;
        let traceparent = only(items, |item| &item.traceparent);
        let properties = with_reply_to(properties(WORK_TYPE, traceparent), reply_to)?;
        session.publish((&self.names.work_exchange(), pool), properties, encode_items(items), MANDATORY).await
    }

    fn consume<T: Element>(&self, subject: Subject, prefetch: u16) -> Consumer<T> {
        let (runtime, phase) = (self.runtime.clone(), self.phase.clone());
        Subscription { subject, prefetch, runtime, phase }.start()
    }
}

const MANDATORY: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };
/// Nobody needs to listen to cancels and status changes.
const TO_WHOEVER_LISTENS: BasicPublishOptions = BasicPublishOptions { mandatory: false, immediate: false };

/// Gives the trace context of a body's only element.
fn only<T>(elements: &[T], traceparent: impl Fn(&T) -> &Option<String>) -> Option<&str> {
    match elements {
        [element] => traceparent(element).as_deref(),
        _ => None,
    }
}

#[async_trait]
impl WorkQueue for AmqpBroker {
    async fn publish_work(&self, pool: &str, reply_to: &ReplyTo, items: &[WorkItem]) -> Result<(), Error> {
        let session = self.session()?;
        let published = self.publish_items(&session, pool, reply_to, items).await;
        if !matches!(published, Err(Error::Unroutable(_))) {
            return published;
        }
        // Somebody deleted the queue.
        session.forget_pool(pool);
        self.publish_items(&session, pool, reply_to, items).await
    }

    async fn publish_reports(&self, to: &ReplyTo, reports: &[Report]) -> Result<(), Error> {
        let traceparent = only(reports, |report| &report.traceparent);
        self.publish_to(&to.0, properties(REPORT_TYPE, traceparent), encode_reports(reports)).await
    }

    async fn publish_cancel(&self, cancel: &Cancel) -> Result<(), Error> {
        let (exchange, body) = (self.names.control_exchange(), encode_cancels(std::slice::from_ref(cancel)));
        let properties = properties(CONTROL_TYPE, None);
        self.session()?.publish((&exchange, ""), properties, body, TO_WHOEVER_LISTENS).await
    }

    async fn publish_status_change(&self, change: &StatusChange) -> Result<(), Error> {
        let (exchange, key) = (self.names.notify_exchange(), change.routing_key());
        let (properties, body) = (properties(STATUS_CHANGE_TYPE, None), encode_status_change(change));
        self.session()?.publish((&exchange, &key), properties, body, TO_WHOEVER_LISTENS).await
    }

    async fn publish_dead(&self, letter: &DeadLetter) -> Result<(), Error> {
        self.publish_to(&self.names.dead(), dead(letter)?, letter.body.clone()).await
    }

    fn consume_work(&self, pool: &str, prefetch: u16) -> Consumer<WorkItem> {
        self.consume(Subject::Pool(pool.to_owned()), prefetch)
    }

    fn consume_events(&self, index: u32, prefetch: u16) -> Consumer<Report> {
        self.consume(Subject::Events(index), prefetch)
    }

    fn consume_cancels(&self) -> Consumer<Cancel> {
        self.consume(Subject::Cancels, 0)
    }

    fn work_queue(&self, pool: &str) -> String {
        self.names.work(pool)
    }

    fn reply_to(&self, partition: u32) -> ReplyTo {
        ReplyTo(self.names.events(partition % self.events_queues.max(1)).into())
    }

    fn events_queues(&self) -> u32 {
        self.events_queues
    }

    async fn depth(&self, pool: &str) -> Result<u64, Error> {
        let found = self.session()?.look(&self.names.work(pool)).await?;
        Ok(found.map_or(0, |queue| u64::from(queue.message_count())))
    }

    fn connection(&self) -> watch::Receiver<Connection> {
        self.connection.clone()
    }

    async fn has_kept_data(&self) -> Result<bool, Error> {
        Ok(self.session()?.look(&self.marker).await?.is_some())
    }

    async fn mark_data(&self) -> Result<(), Error> {
        Ok(self.session()?.declare(&self.marker).await?)
    }

    fn with_own_events(&self, name: &str) -> SharedQueue {
        OwnEvents::shared(self, name)
    }
}

impl OwnQueues for AmqpBroker {
    fn own_queue(&self, name: &str) -> Arc<str> {
        self.names.own_events(name).into()
    }

    fn consume_own(&self, queue: &Arc<str>, prefetch: u16) -> Consumer<Report> {
        self.consume(Subject::OwnEvents(Arc::clone(queue)), prefetch)
    }
}

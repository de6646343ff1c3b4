//! One generation of the connection: from a successful connect until anything on it fails.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection as Link, ConnectionProperties, Queue};
use runtime::{Runtime, Task, watch};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

use super::config::{Config, address};
use super::fault::{Fault, has_code};
use super::names::{Names, short};
use super::probe;
use super::publisher::{self, Request};
use super::topology::Topology;
use crate::queue::{Connection, Error, check_size};

/// How often a connection is looked at that says nothing by itself. lapin tells of most failures at once.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Is a pair of connections: a publisher that the server holds back must not hold back acknowledgements.
pub(super) struct Session {
    pub(super) generation: u64,
    pub(super) topology: Topology,
    body_bytes_max: usize,
    publishing: Link,
    consuming: Link,
    requests: mpsc::Sender<Request>,
    publisher: Task,
    broken: watch::Receiver<Option<String>>,
    blocked: watch::Sender<bool>,
    /// Pools whose queues were declared on this connection.
    pools: Mutex<BTreeSet<String>>,
    declaring: AsyncMutex<()>,
}

impl Session {
    /// Connects and declares; gives up after the configured time. Bodies of more than `body_bytes_max` are refused here.
    pub(super) async fn open(
        config: &Config,
        uri: &AMQPUri,
        runtime: &Runtime,
        (generation, body_bytes_max): (u64, usize),
    ) -> Result<Self, Fault> {
        tokio::select! {
            biased;
            session = Self::establish(config, uri, runtime, (generation, body_bytes_max)) => session,
            () = runtime.sleep(config.connect_timeout) => Err(Fault::Timeout { address: address(uri) }),
        }
    }

    async fn establish(
        config: &Config,
        uri: &AMQPUri,
        runtime: &Runtime,
        (generation, body_bytes_max): (u64, usize),
    ) -> Result<Self, Fault> {
        let version = probe::major_version(uri).await?;
        let publishing = connect(config, uri, "publishing").await?;
        let consuming = connect(config, uri, "consuming").await?;
        let topology = Topology {
            names: Names::new(&config.prefix),
            kind: config.queue_kind,
            version,
            events_queues: config.events_queues,
        };
        topology.declare(&channel(&publishing).await?).await?;
        let confirming = channel(&publishing).await?;
        let selected = confirming.confirm_select(ConfirmSelectOptions::default()).await;
        selected.map_err(Fault::channel("ask for confirms"))?;
        let (requests, queue) = publisher::requests();
        let (break_off, broken) = watch::channel(None);
        let blocked = watch::Sender::new(false);
        let alarms = blocked.subscribe();
        let publisher = runtime.spawn(async move {
            let reason = publisher::publish(confirming, queue, alarms).await;
            break_off.send_replace(Some(reason));
        });
        let (pools, declaring) = (Mutex::default(), AsyncMutex::default());
        Ok(Self {
            generation,
            topology,
            body_bytes_max,
            publishing,
            consuming,
            requests,
            publisher,
            broken,
            blocked,
            pools,
            declaring,
        })
    }

    /// Waits until anything fails, and tells what; meanwhile tells `connection` of alarms.
    pub(super) async fn watch(&self, runtime: &Runtime, connection: &watch::Sender<Connection>) -> String {
        let mut broken = self.broken.clone();
        let mut events = futures::stream::select(self.publishing.events_listener(), self.consuming.events_listener());
        loop {
            let blocked = self.publishing.status().blocked();
            let next = if blocked { Connection::Blocked } else { Connection::Up { generation: self.generation } };
            self.blocked.send_if_modified(|state| std::mem::replace(state, blocked) != blocked);
            connection.send_if_modified(|state| std::mem::replace(state, next) != next);
            tokio::select! {
                biased;
                reason = broken.wait_for(Option::is_some) => return reason.ok().and_then(|reason| reason.clone()).unwrap_or_default(),
                event = events.next() => if let Some(lapin::Event::Error(error)) = event && !self.is_connected() {
                    return error.to_string();
                },
                () = runtime.sleep(LOOK_INTERVAL) => {}
            }
            if !self.is_connected() {
                return "the connection ended".to_owned();
            }
        }
    }

    fn is_connected(&self) -> bool {
        self.publishing.status().connected() && self.consuming.status().connected()
    }

    /// Publishes with a confirm. Refuses what the server would close the channel over, and with it the publishes of everybody else.
    /// Fails at once while the server has an alarm, and when one begins; what was not confirmed by
    /// then the server may still take later.
    pub(super) async fn publish(
        &self,
        (exchange, routing_key): (&str, &str),
        properties: BasicProperties,
        body: Vec<u8>,
        options: BasicPublishOptions,
    ) -> Result<(), Error> {
        check_size(body.len(), self.body_bytes_max)?;
        if *self.blocked.borrow() {
            return Err(publisher::alarm());
        }
        let (answer, confirmed) = oneshot::channel();
        let (exchange, routing_key) = (short(exchange)?, short(routing_key)?);
        let request = Request { exchange, routing_key, mandatory: options.mandatory, properties, body, answer };
        let broke = |what: &str| Error::Unavailable(format!("the connection broke {what}"));
        self.requests.send(request).await.map_err(|_| broke("before the publish"))?;
        confirmed.await.map_err(|_| broke("before the confirm"))?
    }

    /// Declares a pool's queue unless that was done on this connection.
    pub(super) async fn declare_pool(&self, pool: &str) -> Result<(), Fault> {
        if self.knows(pool) {
            return Ok(());
        }
        // One at a time, or thousands of first publishes would open a channel each.
        let _turn = self.declaring.lock().await;
        if self.knows(pool) {
            return Ok(());
        }
        self.topology.pool(&channel(&self.publishing).await?, pool).await?;
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).insert(pool.to_owned());
        Ok(())
    }

    /// Makes the next publish declare the pool's queue again.
    pub(super) fn forget_pool(&self, pool: &str) {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).remove(pool);
    }

    fn knows(&self, pool: &str) -> bool {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).contains(pool)
    }

    pub(super) async fn declare(&self, queue: &str) -> Result<(), Fault> {
        self.topology.queue(&channel(&self.publishing).await?, queue).await.map(|_| ())
    }

    /// Looks at a queue; nothing if there is no such queue.
    pub(super) async fn look(&self, queue: &str) -> Result<Option<Queue>, Fault> {
        let channel = channel(&self.consuming).await?;
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        match channel.queue_declare(short(queue)?, options, FieldTable::default()).await {
            Ok(queue) => Ok(Some(queue)),
            Err(error) if has_code(&error, AMQPSoftError::NOTFOUND) => Ok(None),
            Err(source) => Err(Fault::declare(queue, self.topology.kind.as_str(), source)),
        }
    }

    /// Opens a channel to consume on.
    pub(super) fn consuming_channel(&self) -> impl Future<Output = Result<Channel, Fault>> + Send + '_ {
        channel(&self.consuming)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.publisher.abort();
    }
}

async fn channel(link: &Link) -> Result<Channel, Fault> {
    link.create_channel().await.map_err(Fault::channel("open one"))
}

async fn connect(config: &Config, uri: &AMQPUri, role: &str) -> Result<Link, Fault> {
    let name = format!("{} ({role})", config.connection_name);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    Link::connect_uri(uri.clone(), properties).await.map_err(|source| Fault::open(&address(uri), source))
}

//! The way to Redis: connections, their health, and reconnecting for ever.
//!
//! ```text
//!  commands ──► Link ──► generation of connections ──► Redis
//!                │              ▲ made anew after a failure, checked first
//!                └── kick ──► supervisor ── INFO every second: health, high water
//! ```
//! Commands are never queued during an outage: they fail at once, and the caller decides.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RetryMethod, ServerErrorKind};
use runtime::{Runtime, watch};
use tokio::sync::Notify;

use super::config::{RedisConfig, RedisMode};
use super::connect::{Connection, connect};
use super::meta::Meta;
use super::script::Script;
use super::servers::{self, Servers};
use crate::store::Error;

/// How often Redis is asked for its health and how full it is.
const PROBE: Duration = Duration::from_secs(1);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// After so many failed probes a cluster's connection, which heals itself, is made anew all the same.
const PROBES_FAILED_MAX: u32 = 10;

pub(super) struct Link {
    pub(super) config: RedisConfig,
    runtime: Runtime,
    meta: OnceLock<Meta>,
    current: RwLock<Option<Arc<Generation>>>,
    next: AtomicUsize,
    numbers: AtomicU64,
    connected: watch::Sender<bool>,
    is_over_high_water: AtomicBool,
    kick: Arc<Notify>,
}

/// Is a set of connections that were made together.
pub(super) struct Generation {
    number: u64,
    connections: Vec<Connection>,
    /// How many servers answered when they were made.
    servers: usize,
    /// Carries what waits for replicas.
    pub(super) waiting: Option<Connection>,
}

impl Link {
    /// Connects, checks that Redis fits, and keeps connected from then on.
    pub(super) async fn open(config: RedisConfig, runtime: Runtime) -> Result<Arc<Self>, Error> {
        let link = Arc::new(Self {
            config,
            runtime: runtime.clone(),
            meta: OnceLock::new(),
            current: RwLock::new(None),
            next: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
            connected: watch::Sender::new(false),
            is_over_high_water: AtomicBool::new(false),
            kick: Arc::new(Notify::new()),
        });
        link.renew().await?;
        let (weak, kick) = (Arc::downgrade(&link), Arc::clone(&link.kick));
        runtime.clone().spawn(async move { supervise(weak, kick, runtime).await });
        Ok(link)
    }

    pub(super) fn connection(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }

    /// Gives what was fixed when the store was first used.
    pub(super) fn meta(&self) -> &Meta {
        self.meta.get().expect("a link is opened by connecting once")
    }

    pub(super) fn is_over_high_water(&self) -> bool {
        self.is_over_high_water.load(Ordering::Relaxed)
    }

    pub(super) fn generation(&self) -> Result<Arc<Generation>, Error> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        current.ok_or_else(|| Error::Unavailable(format!("no connection to {}", self.config.shown_url())))
    }

    /// Runs one command.
    pub(super) async fn run<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, Error> {
        let generation = self.generation()?;
        let answer = cmd.query_async(&mut self.pick(&generation)).await;
        answer.map_err(|error| self.failed(generation.number, &error))
    }

    /// Runs commands on keys of one slot.
    pub(super) async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, Error> {
        let generation = self.generation()?;
        let answer = pipeline.query_async(&mut self.pick(&generation)).await;
        answer.map_err(|error| self.failed(generation.number, &error))
    }

    /// Runs a script; a server that doesn't know it yet is told.
    pub(super) async fn script<T: FromRedisValue>(&self, script: &Script, key: &str, cmd: &Cmd) -> Result<T, Error> {
        let generation = self.generation()?;
        let mut connection = self.pick(&generation);
        let mut answer = cmd.query_async(&mut connection).await;
        if matches!(&answer, Err(error) if error.kind() == ServerErrorKind::NoScript.into()) {
            let loaded = connection.load_script(key, script.source).await;
            loaded.map_err(|error| self.failed(generation.number, &error))?;
            answer = cmd.query_async(&mut connection).await;
        }
        answer.map_err(|error| self.failed(generation.number, &error))
    }

    fn pick(&self, generation: &Generation) -> Connection {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % generation.connections.len();
        generation.connections[index].clone()
    }

    /// Tells whether that is new; only then those who watch hear of it.
    fn note_connected(&self, connected: bool) -> bool {
        self.connected.send_if_modified(|was| std::mem::replace(was, connected) != connected)
    }

    /// Notes the failure of a connection, and says what it means for the caller.
    pub(super) fn failed(&self, number: u64, error: &RedisError) -> Error {
        if is_lost(error) && self.config.mode != RedisMode::Cluster {
            self.drop_generation(number, &error.to_string());
        } else if error.is_timeout() || is_lost(error) {
            self.kick.notify_one();
        }
        meaning(error)
    }

    fn drop_generation(&self, number: u64, reason: &str) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|generation| generation.number == number) {
            *current = None;
            self.note_connected(false);
            tracing::warn!(url = self.config.shown_url(), reason, "lost the connection to Redis");
        }
        drop(current);
        self.kick.notify_one();
    }

    /// Makes connections anew, and checks that what they reach fits.
    async fn renew(&self) -> Result<(), Error> {
        let mut connections = Vec::new();
        for _ in 0..self.config.connections.clamp(1, 16) {
            connections.push(connect(&self.config).await.map_err(|error| meaning(&error))?);
        }
        let servers = servers::check(&mut connections[0], &self.config).await?;
        let meta = Meta::settle(&mut connections[0], &self.config, &self.runtime, self.meta.get()).await?;
        self.meta.get_or_init(|| meta);
        let waiting = match self.config.replicas_min {
            0 => None,
            _ => Some(connect(&self.config).await.map_err(|error| meaning(&error))?),
        };
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let generation = Generation { number, connections, servers: servers.count(), waiting };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(generation));
        self.note(&servers);
        self.note_connected(true);
        tracing::info!(url = self.config.shown_url(), "connected to Redis");
        Ok(())
    }

    fn note(&self, servers: &Servers) {
        let is_over = servers.is_over(self.config.high_water);
        if self.is_over_high_water.swap(is_over, Ordering::Relaxed) != is_over {
            tracing::warn!(is_over, high_water = self.config.high_water, "Redis crossed its high-water mark");
        }
    }

    /// Asks every server for its health, and whether it still holds this store; after an outage also whether it still fits.
    async fn probe(&self, generation: &Generation, is_back: bool) -> Result<(), Error> {
        let mut first = generation.connections[0].clone();
        let servers = servers::memory(&mut first).await.map_err(|error| meaning(&error))?;
        // The client leaves out nodes that it can't reach.
        if servers.count() < generation.servers {
            let text = format!("{} of {} nodes answered", servers.count(), generation.servers);
            return Err(Error::Unavailable(text));
        }
        self.note(&servers);
        if is_back {
            servers::check(&mut first, &self.config).await?;
        }
        if let Some(meta) = self.meta.get() {
            meta.verify(&mut first, &self.config).await?;
        }
        for connection in &generation.connections[1..] {
            let pinged: Result<String, _> = redis::cmd("PING").query_async(&mut connection.clone()).await;
            pinged.map_err(|error| meaning(&error))?;
        }
        Ok(())
    }
}

impl Generation {
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// Keeps a link connected until it is dropped.
async fn supervise(link: Weak<Link>, kick: Arc<Notify>, runtime: Runtime) {
    let mut backoff = BACKOFF_MIN;
    let mut failed = 0_u32;
    loop {
        let Some(alive) = link.upgrade() else { return };
        let pause = match alive.generation() {
            Ok(generation) => {
                failed = alive.watch(&generation, failed).await;
                backoff = BACKOFF_MIN;
                PROBE
            }
            Err(_) => match alive.renew().await {
                Ok(()) => PROBE,
                Err(error) => {
                    let retry_millis = backoff.as_millis();
                    if matches!(error, Error::Unfit(_)) {
                        tracing::error!(%error, retry_millis, "this Redis can't be used; nothing goes on until that is put right");
                    } else {
                        tracing::warn!(%error, retry_millis, "failed to connect to Redis");
                    }
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                    alive.runtime.jittered(backoff)
                }
            },
        };
        drop(alive);
        tokio::select! {
            biased;
            () = kick.notified() => {}
            () = runtime.sleep(pause) => {}
        }
    }
}

impl Link {
    /// Probes a generation; gives how many probes have failed in a row.
    async fn watch(&self, generation: &Generation, failed: u32) -> u32 {
        let Err(error) = self.probe(generation, failed > 0).await else {
            if self.note_connected(true) {
                tracing::info!(url = self.config.shown_url(), "reached Redis again");
            }
            return 0;
        };
        let is_unfit = matches!(error, Error::Unfit(_));
        if is_unfit || self.config.mode != RedisMode::Cluster || failed + 1 >= PROBES_FAILED_MAX {
            self.drop_generation(generation.number, &error.to_string());
            return 0;
        }
        if self.note_connected(false) {
            tracing::warn!(url = self.config.shown_url(), %error, "lost a node of the Redis Cluster");
        }
        failed + 1
    }
}

/// Tells whether a connection is of no use any more: it is gone, or leads to a server that doesn't take writes.
fn is_lost(error: &RedisError) -> bool {
    let is_unfit = matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading)
    );
    let is_gone = matches!(error.retry_method(), RetryMethod::Reconnect | RetryMethod::ReconnectFromInitialConnections);
    is_unfit || (is_gone && !error.is_timeout())
}

/// Says what an error of Redis means for a caller.
pub(super) fn meaning(error: &RedisError) -> Error {
    let text = error.to_string();
    let is = |kinds: &[ErrorKind]| kinds.contains(&error.kind());
    match error.code() {
        Some("OOM") => Error::Full(text),
        Some("NOAUTH" | "WRONGPASS" | "NOPERM") => Error::Unfit(text),
        Some("WRONGTYPE") => Error::Corrupt(text),
        _ if is(&[ErrorKind::AuthenticationFailed, ErrorKind::InvalidClientConfig]) => Error::Unfit(text),
        _ if is(&[ErrorKind::UnexpectedReturnType, ErrorKind::Parse]) => Error::Corrupt(text),
        _ => Error::Unavailable(text),
    }
}

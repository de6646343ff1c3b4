//! Redis and RabbitMQ of a test: processes, or containers where `STEPWELL_TEST_SERVERS` is `containers`.

mod container;
mod process;

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};
use async_trait::async_trait;
use support::{RabbitServer, RedisOptions, RedisServer, shared_rabbit, shared_redis};
use tokio::sync::OnceCell;

use container::Container;

/// Says how servers are started: `processes` (the default) or `containers`.
const HOW: &str = "STEPWELL_TEST_SERVERS";

/// Is a server that a test can do harm to. Its data survives all of it but [`Server::start_empty`].
#[async_trait]
pub trait Server: Debug + Send + Sync {
    /// Kills the server (SIGKILL). Does nothing if it is stopped.
    ///
    /// # Errors
    /// If it can't be killed.
    async fn kill(&self) -> Result<()>;

    /// Stops the server in order (SIGTERM). Does nothing if it is stopped.
    ///
    /// # Errors
    /// If it doesn't end in time.
    async fn stop(&self) -> Result<()>;

    /// Starts a stopped server again, with the same port and data, and waits until it answers. Does nothing if it runs.
    ///
    /// # Errors
    /// If it doesn't answer in time.
    async fn start_again(&self) -> Result<()>;

    /// Starts a stopped server again, with the same port and without data.
    ///
    /// # Errors
    /// If it runs, or doesn't answer in time.
    async fn start_empty(&self) -> Result<()>;

    /// Lets the server hang: connections stay open and nothing is answered, until [`Self::thaw`].
    ///
    /// # Errors
    /// If it is stopped.
    fn freeze(&self) -> Result<()>;

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// If it is stopped.
    fn thaw(&self) -> Result<()>;

    /// Gives the end of the server's log.
    fn log_tail(&self) -> String;

    /// Kills the server as a power cut would and starts it again.
    ///
    /// # Errors
    /// If it doesn't come back.
    async fn restart(&self) -> Result<()> {
        self.kill().await?;
        self.start_again().await
    }
}

/// Is a Redis that syncs every write, and a RabbitMQ; cheap to clone.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Holds the state.
    pub redis: Arc<dyn Server>,
    /// Carries the messages.
    pub rabbit: Arc<dyn Server>,
    redis_url: String,
    amqp_url: String,
    databases_given: Arc<AtomicU32>,
}

impl Servers {
    /// Gives the servers that all tests of this process share: only one test at a time may do harm to them.
    ///
    /// # Errors
    /// If they can't be started.
    pub async fn shared() -> Result<Self> {
        static SHARED: OnceCell<Servers> = OnceCell::const_new();
        let start = || async {
            if in_containers()? {
                return Self::start_containers().await;
            }
            let (redis, rabbit) = tokio::try_join!(shared_redis(), shared_rabbit())?;
            Ok(Self::of_processes(redis.clone(), rabbit.clone()))
        };
        SHARED.get_or_try_init(start).await.cloned()
    }

    /// Starts servers that only the caller knows.
    ///
    /// # Errors
    /// If they can't be started.
    pub async fn own() -> Result<Self> {
        if in_containers()? {
            return Self::start_containers().await;
        }
        let (redis, rabbit) = tokio::try_join!(RedisServer::start(RedisOptions::default()), RabbitServer::start())?;
        Ok(Self::of_processes(redis, rabbit))
    }

    /// Gives the URL of a database that no other call gave: `redis://127.0.0.1:PORT/N`.
    pub fn fresh_database(&self) -> String {
        format!("{}/{}", self.redis_url, 1 + self.databases_given.fetch_add(1, Ordering::Relaxed))
    }

    /// Gives the URL of RabbitMQ's virtual host `/`.
    pub fn amqp_url(&self) -> String {
        self.amqp_url.clone()
    }

    fn of_processes(redis: RedisServer, rabbit: RabbitServer) -> Self {
        let (redis_url, amqp_url) = (redis.url(), rabbit.amqp_url());
        Self { redis: Arc::new(redis), rabbit: Arc::new(rabbit), redis_url, amqp_url, databases_given: Arc::default() }
    }

    async fn start_containers() -> Result<Self> {
        let (redis, rabbit) =
            tokio::try_join!(Container::start(container::REDIS), Container::start(container::RABBITMQ))?;
        Ok(Self {
            redis_url: format!("redis://127.0.0.1:{}", redis.port()),
            amqp_url: format!("amqp://guest:guest@127.0.0.1:{}/%2f", rabbit.port()),
            redis: Arc::new(redis),
            rabbit: Arc::new(rabbit),
            databases_given: Arc::default(),
        })
    }
}

fn in_containers() -> Result<bool> {
    match std::env::var(HOW).as_deref() {
        Err(_) | Ok("" | "processes") => Ok(false),
        Ok("containers") => Ok(true),
        Ok(other) => bail!("{HOW} is {other:?}; it may be `processes` or `containers`"),
    }
}

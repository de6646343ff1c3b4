//! Redis and RabbitMQ of a test.

use anyhow::Result;
use support::{RabbitServer, RedisOptions, RedisServer, shared_rabbit, shared_redis};

/// Is a Redis that syncs every write, and a RabbitMQ; cheap to clone.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Holds the state.
    pub redis: RedisServer,
    /// Carries the messages.
    pub rabbit: RabbitServer,
}

impl Servers {
    /// Gives the servers that all tests of this process share: not to be stopped.
    ///
    /// # Errors
    /// If they can't be started.
    pub async fn shared() -> Result<Self> {
        let (redis, rabbit) = tokio::try_join!(shared_redis(), shared_rabbit())?;
        Ok(Self { redis: redis.clone(), rabbit: rabbit.clone() })
    }

    /// Starts servers that only the caller knows.
    ///
    /// # Errors
    /// If they can't be started.
    pub async fn own() -> Result<Self> {
        let (redis, rabbit) = tokio::try_join!(RedisServer::start(RedisOptions::default()), RabbitServer::start())?;
        Ok(Self { redis, rabbit })
    }
}

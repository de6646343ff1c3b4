//! One server of each kind for all tests of a process.
//!
//! Tests share the server but no names: a database of its own on Redis ([`RedisServer::fresh_database`]), a
//! virtual host of its own on RabbitMQ ([`RabbitServer::vhost`]), or names from [`unique_name`](crate::unique_name).
//! A test that stops, restarts or configures a server starts one of its own.

use anyhow::Result;
use tokio::sync::OnceCell;

use crate::rabbit::RabbitServer;
use crate::redis::{RedisOptions, RedisServer};

static REDIS: OnceCell<RedisServer> = OnceCell::const_new();
static RABBIT: OnceCell<RabbitServer> = OnceCell::const_new();

/// Gives the Redis server of this process, started at the first call. It ends with the process.
///
/// # Errors
/// If it can't be started; the next call tries again.
pub async fn shared_redis() -> Result<&'static RedisServer> {
    REDIS.get_or_try_init(|| RedisServer::start(RedisOptions::default())).await
}

/// Gives the RabbitMQ server of this process, started at the first call. It ends with the process.
///
/// # Errors
/// If it can't be started; the next call tries again.
pub async fn shared_rabbit() -> Result<&'static RabbitServer> {
    RABBIT.get_or_try_init(RabbitServer::start).await
}

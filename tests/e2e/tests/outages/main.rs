//! Redis and RabbitMQ die, lose their data or are away at start. These tests take turns, for they share the servers.

mod away;
mod lost;

use anyhow::Result;
use e2e::Servers;
use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Gives the servers, both running, to one test at a time.
async fn servers() -> Result<(Servers, MutexGuard<'static, ()>)> {
    let turn = TURN.lock().await;
    let servers = Servers::shared().await?;
    tokio::try_join!(servers.redis.start_again(), servers.rabbit.start_again())?;
    Ok((servers, turn))
}

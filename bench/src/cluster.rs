//! The processes under measurement: private servers, a coordinator, a worker.

use std::time::Duration;

use anyhow::{Context, Result};
use support::{Program, RabbitServer, RedisOptions, RedisServer, eventually, free_port};

use crate::client::Client;
use crate::process::{Usage, usage};

/// Is what consumers of Stepwell and of the raw limit may hold unacknowledged.
pub(crate) const PREFETCH: u16 = 2_000;

/// Is a running cluster of one coordinator and one worker.
pub(crate) struct Cluster {
    /// The server of the store.
    pub(crate) redis: RedisServer,
    /// The broker.
    pub(crate) rabbit: RabbitServer,
    /// Calls the coordinator.
    pub(crate) client: Client,
    coordinator: Program,
    worker: Program,
}

/// Is what the processes used up to now, by name.
pub(crate) type Usages = Vec<(&'static str, Usage)>;

impl Cluster {
    /// Starts servers and processes, and waits until they are ready.
    pub(crate) async fn start(redis: RedisServer, rabbit: RabbitServer) -> Result<Self> {
        Program::build(["coordinator"]).await?;
        let (api, ops) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let coordinator = Program::command("coordinator")?
            .env("STEPWELL_REDIS__URL", redis.url())
            .env("STEPWELL_AMQP__URL", rabbit.amqp_url())
            .env("STEPWELL_API__LISTEN", &api)
            .env("STEPWELL_OPS__LISTEN", &ops)
            // The 20,000th task of an execution lies far behind AWS's limit of events.
            .env("STEPWELL_LIMITS__EVENTS", "0")
            .start()?;
        let worker = Program::command("bench")?.arg("work").arg(rabbit.amqp_url()).start()?;
        let client = Client::new(format!("http://{api}"), format!("http://{ops}"));
        eventually(Duration::from_secs(60), || client.is_ready(), "the coordinator is ready")
            .await
            .with_context(|| coordinator.output())?;
        Ok(Self { redis, rabbit, client, coordinator, worker })
    }

    /// Reads what each process used up to now.
    pub(crate) fn usages(&self) -> Result<Usages> {
        let server = |pid: Option<u32>| usage(pid.context("find the server's process")?);
        Ok(vec![
            ("coordinator", usage(self.coordinator.pid())?),
            ("worker", usage(self.worker.pid())?),
            ("redis", server(self.redis.pid())?),
            ("rabbitmq", server(self.rabbit.pid())?),
        ])
    }
}

/// Starts a private Redis that writes every commit to disk before it answers.
pub(crate) async fn redis() -> Result<RedisServer> {
    RedisServer::start(RedisOptions::default()).await
}

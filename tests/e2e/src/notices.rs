//! Status changes as somebody hears of them who has bound a queue of their own.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::{Channel, Connection, ConnectionProperties};
use serde_json::Value;
use support::eventually;
use tokio::sync::Mutex;

use crate::{Cluster, PATIENCE};

/// Is a queue that is bound to the status changes of a cluster, and what came into it.
#[derive(Debug)]
pub struct Notices {
    _connection: Connection,
    channel: Channel,
    queue: String,
    /// The ids under which each change of each execution was told.
    heard: Mutex<BTreeMap<(String, String), BTreeSet<String>>>,
}

impl Notices {
    /// Binds a queue to changes whose topic fits the pattern, from now on.
    ///
    /// # Errors
    /// If RabbitMQ refuses.
    pub async fn bind(cluster: &Cluster, pattern: &str) -> Result<Self> {
        let variable = |wanted: &str| {
            let found = cluster.variables().iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str()).with_context(|| format!("the cluster has no {wanted}"))
        };
        let (url, prefix) = (variable("STEPWELL_AMQP__URL")?, variable("STEPWELL_AMQP__PREFIX")?);
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare("".into(), options, Default::default()).await?.name().to_string();
        let exchange = format!("{prefix}.notify");
        let (name, exchange) = (queue.as_str().into(), exchange.as_str().into());
        channel.queue_bind(name, exchange, pattern.into(), Default::default(), Default::default()).await?;
        Ok(Self { _connection: connection, channel, queue, heard: Mutex::default() })
    }

    /// Waits until each of so many executions was told to run and to have this status, each change under one id. Gives how many
    /// messages it took.
    ///
    /// # Errors
    /// If one is missing, or is told under two ids, or something else is told.
    pub async fn all_told(&self, executions: usize, end: &str) -> Result<usize> {
        let count = Mutex::new(0);
        let told = || async {
            let Ok(messages) = self.take().await else { return false };
            *count.lock().await += messages;
            self.heard.lock().await.len() >= 2 * executions
        };
        let told = eventually(PATIENCE, told, &format!("{executions} starts and ends are told")).await;
        let heard = self.heard.lock().await;
        told.with_context(|| format!("{} were", heard.len()))?;
        for ((execution, status), ids) in heard.iter() {
            ensure!(status == "RUNNING" || status == end, "{execution} is told to be {status}");
            ensure!(ids.len() == 1, "{execution} is told to be {status} under {ids:?}");
        }
        ensure!(heard.len() == 2 * executions, "{} changes are told", heard.len());
        Ok(count.into_inner())
    }

    async fn take(&self) -> Result<usize> {
        let mut taken = 0;
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) = self.channel.basic_get(self.queue.as_str().into(), options).await? {
            let envelope: Value = serde_json::from_slice(&message.delivery.data)?;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let detail = &envelope["detail"];
            let change = (text(&detail["executionArn"]), text(&detail["status"]));
            self.heard.lock().await.entry(change).or_default().insert(text(&envelope["id"]));
            taken += 1;
        }
        Ok(taken)
    }
}

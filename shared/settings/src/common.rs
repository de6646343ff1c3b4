//! Sections that several programs have.

use serde::{Deserialize, Serialize};

use crate::Url;

/// Is the section `amqp`: how to reach RabbitMQ, and what is named how there.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Amqp {
    /// `amqp://USER:PASSWORD@HOST:PORT/VHOST`, or `amqps://`; `%2f` is the virtual host `/`. Since 0.1.0.
    pub url: Url,
    /// What every name of a queue or an exchange begins with, so that several clusters share a server. Since 0.1.0.
    pub prefix: String,
    /// How many queues carry reports; fixed when the cluster is first used. Workers need not know. Since 0.1.0.
    pub events_queues: u32,
    /// The kind of all durable queues; the same in all programs of a cluster. Since 0.1.0.
    pub queue_kind: QueueKind,
    /// The longest that one attempt to connect and declare may take. Since 0.1.0.
    pub connect_timeout_seconds: u16,
    /// The interval of AMQP heartbeats; a connection without any sign for twice as long is given up. Since 0.1.0.
    pub heartbeat_seconds: u16,
}

impl Default for Amqp {
    fn default() -> Self {
        Self {
            url: Url::from("amqp://guest:guest@127.0.0.1:5672/%2f"),
            prefix: "stepwell".to_owned(),
            events_queues: 4,
            queue_kind: QueueKind::Quorum,
            connect_timeout_seconds: 10,
            heartbeat_seconds: 5,
        }
    }
}

/// Is the kind of a durable queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueKind {
    /// Replicated over the nodes of a cluster.
    #[default]
    Quorum,
    /// Lies on one node.
    Classic,
}

/// Is the section `ops`: the port for health checks and metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Ops {
    /// Address and port for `/healthz`, `/readyz`, `/metrics`; port 0 takes a free one; empty: none. Since 0.1.0.
    pub listen: String,
}

impl Default for Ops {
    fn default() -> Self {
        Self { listen: "127.0.0.1:0".to_owned() }
    }
}

/// Is the section `log`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// What is logged, in `tracing`'s words: a level, or `target=level` with commas. Since 0.1.0.
    pub filter: String,
    /// How lines look. Since 0.1.0.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        // lapin logs as errors what we ask on purpose (is this queue there?); of what matters we hear as a result.
        Self { filter: "info,lapin=off".to_owned(), format: LogFormat::Auto }
    }
}

/// Is how log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Tells whether lines are JSON, where that does not depend on the terminal.
    pub fn is_json(self) -> Option<bool> {
        match self {
            LogFormat::Auto => None,
            LogFormat::Text => Some(false),
            LogFormat::Json => Some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_replicated_unless_told_otherwise() {
        assert_eq!(Amqp::default().queue_kind, QueueKind::Quorum);
    }
}

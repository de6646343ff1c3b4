//! Sections that several programs have.

use serde::{Deserialize, Serialize};

use crate::Url;

/// Is the section `amqp`: how to reach RabbitMQ.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Amqp {
    /// `amqp://USER:PASSWORD@HOST:PORT/VHOST`, or `amqps://`. Since 0.1.0.
    pub url: Url,
}

impl Default for Amqp {
    fn default() -> Self {
        Self { url: Url::from("amqp://guest:guest@127.0.0.1:5672/%2f") }
    }
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
        Self { filter: "info".to_owned(), format: LogFormat::Auto }
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

//! How to reach Redis, and how it is used.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Is how to reach Redis and how to use it: the section `redis` of the settings. Its debug form hides passwords.
#[derive(Clone, PartialEq)]
pub struct RedisConfig {
    /// `redis://[USER:PASSWORD@]HOST:PORT[/DATABASE]`, or `rediss://` for TLS; with `mode` sentinel or cluster several with commas
    /// between. Since 0.1.0.
    pub url: String,
    /// `single`, `sentinel` or `cluster`. Since 0.1.0.
    pub mode: RedisMode,
    /// With what every key begins: clusters of Stepwell that share a Redis have different ones. Since 0.1.0.
    pub prefix: String,
    /// The name that Sentinel knows the master by; for `mode` sentinel. Since 0.1.0.
    pub sentinel_master: String,
    /// The password of the Sentinels, if they want one. Since 0.1.0.
    pub sentinel_password: Option<String>,
    /// How many partitions executions are spread over; fixed when the store is first used. Since 0.1.0.
    pub partitions: u32,
    /// How many queues carry events to coordinators; fixed when the store is first used. Since 0.1.0.
    pub events_queues: u32,
    /// How many connections carry commands (1 to 16): Redis takes 16 KiB from each before it syncs its file, so with more of them
    /// more commits share a sync. Since 0.1.0.
    pub connections: u32,
    /// How long an answer may take, in milliseconds. Since 0.1.0.
    pub response_timeout_millis: u64,
    /// How long connecting may take, in milliseconds. Since 0.1.0.
    pub connect_timeout_millis: u64,
    /// Whether a Redis without append-only file is taken, which loses every execution when it restarts. Since 0.1.0.
    pub allow_volatile: bool,
    /// How many replicas must have a commit before it is reported as made; 0 asks none. Since 0.1.0.
    pub replicas_min: u32,
    /// How long to wait for those replicas, in milliseconds. Since 0.1.0.
    pub replicas_timeout_millis: u64,
    /// Which share of Redis's `maxmemory` may be filled before new executions are refused; 0 to 1. Since 0.1.0.
    pub high_water: f64,
}

/// Is how Redis is deployed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RedisMode {
    /// One server.
    #[default]
    Single,
    /// A master that Sentinel names.
    Sentinel,
    /// A Redis Cluster.
    Cluster,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            mode: RedisMode::Single,
            prefix: "stepwell".to_owned(),
            sentinel_master: "mymaster".to_owned(),
            sentinel_password: None,
            partitions: 64,
            events_queues: 4,
            connections: 8,
            response_timeout_millis: 5_000,
            connect_timeout_millis: 2_000,
            allow_volatile: false,
            replicas_min: 0,
            replicas_timeout_millis: 1_000,
            high_water: 0.8,
        }
    }
}

impl RedisConfig {
    pub(super) fn urls(&self) -> Vec<String> {
        self.url.split(',').map(|url| url.trim().to_owned()).filter(|url| !url.is_empty()).collect()
    }

    pub(super) fn response_timeout(&self) -> Duration {
        Duration::from_millis(self.response_timeout_millis.max(1))
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_millis.max(1))
    }

    /// Gives the URLs without passwords, for logs.
    pub(super) fn shown_url(&self) -> String {
        self.urls().iter().map(|url| without_password(url)).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisConfig")
            .field("url", &self.shown_url())
            .field("mode", &self.mode)
            .field("prefix", &self.prefix)
            .field("sentinel_master", &self.sentinel_master)
            .field("partitions", &self.partitions)
            .field("events_queues", &self.events_queues)
            .field("connections", &self.connections)
            .field("response_timeout_millis", &self.response_timeout_millis)
            .field("connect_timeout_millis", &self.connect_timeout_millis)
            .field("allow_volatile", &self.allow_volatile)
            .field("replicas_min", &self.replicas_min)
            .field("replicas_timeout_millis", &self.replicas_timeout_millis)
            .field("high_water", &self.high_water)
            .finish_non_exhaustive()
    }
}

const HIDDEN: &str = "(hidden)";

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let Some((user_info, host)) = rest.rsplit_once('@') else { return url.to_owned() };
    match user_info.split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:{HIDDEN}@{host}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_shown_nowhere() {
        let config = RedisConfig {
            url: "rediss://user:se@cret@a:1/2, redis://:secret@b,redis://c".to_owned(),
            sentinel_password: Some("secret".to_owned()),
            ..RedisConfig::default()
        };
        assert_eq!(config.shown_url(), "rediss://user:(hidden)@a:1/2,redis://:(hidden)@b,redis://c");
        let shown = format!("{config:?}");
        assert!(!shown.contains("secret") && !shown.contains("se@cret"), "{shown}");
    }
}

//! Settings of the connection to RabbitMQ. A program fills them from its section `amqp`.

use std::time::Duration;

use lapin::uri::AMQPUri;

/// Says how to reach RabbitMQ, and what is named how there. Every field is since 0.1.
#[derive(Clone)]
pub struct Config {
    /// `amqp.url`: where the server is and who logs in, `amqp://user:password@host:port/vhost` or `amqps://…`; `%2f` is
    /// the virtual host `/`.
    pub url: String,
    /// `amqp.prefix`: what every name of a queue or an exchange begins with, so that several clusters share a server.
    pub prefix: String,
    /// `amqp.events_queues`: how many queues carry reports; fixed when the cluster is first used. 0 for a worker, which
    /// declares none and reports to the queue that an item names.
    pub events_queues: u32,
    /// The id of this incarnation of the cluster, after which the marker queue is named; empty for a worker.
    pub incarnation: String,
    /// `amqp.queue_kind`: the kind of all durable queues.
    pub queue_kind: QueueKind,
    /// `amqp.connect_timeout_seconds`: the longest that one attempt to connect and declare may take.
    pub connect_timeout: Duration,
    /// `amqp.heartbeat_seconds`: the interval of AMQP heartbeats; a connection without any sign for twice as long is given up.
    pub heartbeat_seconds: u16,
    /// The name of the connection as the server's management pages show it.
    pub connection_name: String,
}

/// Is the kind of a durable queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueKind {
    /// Replicated over the nodes of a cluster, and on one node a third faster than a classic one.
    #[default]
    Quorum,
    /// Lies on one node.
    Classic,
}

impl QueueKind {
    /// Names the kind as `amqp.queue_kind` and `x-queue-type` do.
    pub const fn as_str(self) -> &'static str {
        match self {
            QueueKind::Quorum => "quorum",
            QueueKind::Classic => "classic",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned(),
            prefix: "stepwell".to_owned(),
            events_queues: 4,
            incarnation: String::new(),
            queue_kind: QueueKind::default(),
            connect_timeout: Duration::from_secs(10),
            heartbeat_seconds: 5,
            connection_name: "stepwell".to_owned(),
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let url = self.uri().map_or_else(|_| "not a URL".to_owned(), |uri| address(&uri));
        formatter.debug_struct("Config").field("url", &url).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Says which setting is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The URL can't be read.
    #[error("read amqp.url: {0}; it is like amqp://user:password@host:5672/%2f")]
    Url(String),
    /// The prefix is empty, too long, or has characters that names of queues should not have.
    #[error("use amqp.prefix = {0:?}: it takes 1 to 64 letters, digits, `.`, `_` and `-`")]
    Prefix(String),
}

impl Config {
    /// Checks what can be checked without a server.
    ///
    /// # Errors
    /// `ConfigError` naming the setting.
    pub fn check(&self) -> Result<(), ConfigError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.prefix.is_empty() || self.prefix.len() > 64 || !self.prefix.chars().all(plain) {
            return Err(ConfigError::Prefix(self.prefix.clone()));
        }
        self.uri().map(|_| ())
    }

    pub(super) fn uri(&self) -> Result<AMQPUri, ConfigError> {
        let mut uri: AMQPUri = self.url.parse().map_err(ConfigError::Url)?;
        uri.query.heartbeat = Some(self.heartbeat_seconds);
        Ok(uri)
    }
}

/// Shows where a URL points to, without the password.
pub(super) fn address(uri: &AMQPUri) -> String {
    let authority = &uri.authority;
    format!(
        "{}://{}@{}:{} (virtual host {:?})",
        uri.scheme, authority.userinfo.username, authority.host, authority.port, uri.vhost
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_setting_is_named() {
        let check = |config: Config, expect: &str| {
            let error = config.check().expect_err("is refused").to_string();
            assert!(error.contains(expect), "{error}");
        };
        check(Config { url: "localhost".to_owned(), ..Config::default() }, "amqp.url");
        check(Config { url: "http://localhost".to_owned(), ..Config::default() }, "amqp.url");
        check(Config { prefix: String::new(), ..Config::default() }, "amqp.prefix");
        check(Config { prefix: "a b".to_owned(), ..Config::default() }, "amqp.prefix");
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn passwords_are_not_shown() {
        let url = "amqp://me:secret@example.org/%2f".to_owned();
        let text = format!("{:?}", Config { url, ..Config::default() });
        assert!(text.contains("me@example.org:5672") && !text.contains("secret"), "{text}");
    }
}

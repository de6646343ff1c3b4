//! Keeps a session standing: connects for ever, with back-off and jitter.
//!
//! On any failure of a connection or of the publishing channel everything is dropped and a new generation begins; nothing is
//! mended in place, so there is one way to get well and each reconnect proves it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use lapin::uri::AMQPUri;
use runtime::{Runtime, watch};
use tokio::sync::mpsc;

use super::config::Config;
use super::session::Session;
use crate::queue::{BODY_BYTES_MAX, Connection};

/// A server that restarts is back within seconds: the first tries come quickly.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// A server that stays away is asked by every process: each asks this seldom at the end.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// A session that stood for so long was no failure to connect: back-off begins anew.
const STABLE: Duration = Duration::from_secs(10);

/// Is what publishers and consumers see of the connection.
#[derive(Clone)]
pub(super) enum Phase {
    /// There is no session, and why.
    Down(Arc<str>),
    /// There is one.
    Up(Arc<Session>),
}

pub(super) struct Supervisor {
    pub(super) config: Config,
    pub(super) uri: AMQPUri,
    pub(super) runtime: Runtime,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) connection: watch::Sender<Connection>,
    /// Closed when the last handle of the broker is dropped.
    pub(super) handles: mpsc::Receiver<Infallible>,
}

impl Supervisor {
    pub(super) async fn run(mut self) {
        self.keep_connected().await;
        self.down("the broker handle was closed");
    }

    async fn keep_connected(&mut self) {
        let (mut generation, mut failures) = (1, 0_u32);
        let mut body_bytes_max = BODY_BYTES_MAX;
        loop {
            let opened = tokio::select! {
                biased;
                None = self.handles.recv() => return,
                opened = Session::open(&self.config, &self.uri, &self.runtime, (generation, body_bytes_max)) => opened,
            };
            match opened {
                Ok(session) => {
                    let since = self.runtime.instant();
                    let Some(reason) = self.stand(session).await else { return };
                    failures = if since.elapsed() < STABLE { failures + 1 } else { 0 };
                    generation += 1;
                    // Any other end may be that of a server that comes back with other settings.
                    body_bytes_max = told_bytes_max(&reason).unwrap_or(BODY_BYTES_MAX).min(BODY_BYTES_MAX);
                    tracing::warn!(%reason, "the connection to RabbitMQ is lost");
                    self.down(&reason);
                }
                Err(fault) => {
                    failures += 1;
                    let reason = fault.chain();
                    tracing::warn!(%reason, failures, "failed to connect to RabbitMQ, trying again");
                    self.down(&reason);
                }
            }
            tokio::select! {
                biased;
                None = self.handles.recv() => return,
                () = self.runtime.sleep(self.runtime.jittered(backoff(failures))) => {}
            }
        }
    }

    /// Hands the session out until it fails; nothing if all handles are gone first.
    async fn stand(&mut self, session: Session) -> Option<String> {
        let session = Arc::new(session);
        tracing::info!(generation = session.generation, "connected to RabbitMQ");
        self.phase.send_replace(Phase::Up(Arc::clone(&session)));
        tokio::select! {
            biased;
            None = self.handles.recv() => None,
            reason = session.watch(&self.runtime, &self.connection) => Some(reason),
        }
    }

    fn down(&self, reason: &str) {
        self.phase.send_replace(Phase::Down(reason.into()));
        self.connection.send_if_modified(|state| std::mem::replace(state, Connection::Down) != Connection::Down);
    }
}

/// Reads how large a message the server takes, where it ended the channel over a larger one: `PRECONDITION_FAILED - message size 200000 is
/// larger than configured max size 100000`. Source: `check_msg_size` in RabbitMQ's `rabbit_channel.erl`.
fn told_bytes_max(reason: &str) -> Option<usize> {
    let (_, of_size) = reason.split_once("message size ")?;
    let (_, max) = of_size.split_once("max size ")?;
    max.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn backoff(failures: u32) -> Duration {
    let doubled = BACKOFF_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_bound() {
        let millis: Vec<u128> = [0, 1, 2, 3, 6, 7, 40].map(|failures| backoff(failures).as_millis()).into();
        assert_eq!(millis, [100, 100, 200, 400, 3_200, 5_000, 5_000]);
    }

    #[test]
    fn the_limit_of_messages_is_read_from_a_refusal() {
        let check = |reason: &str, expect: Option<usize>| assert_eq!(told_bytes_max(reason), expect, "{reason}");
        let of = |text: &str| {
            format!("publish: protocol error: AMQP soft error: PRECONDITION-FAILED: PRECONDITION_FAILED - {text}")
        };
        check(&of("message size 200000 is larger than configured max size 100000"), Some(100_000));
        check(&of("message size 600000000 is larger than max size 536870912 (more)"), Some(536_870_912));
        check(&of("unknown delivery tag 3"), None);
        check("message size 3 is larger than max size ", None);
    }
}

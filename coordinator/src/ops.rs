//! The ops port: `/healthz`, `/readyz`, `/metrics`.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use broker::Connection;
use runtime::watch;
use telemetry::{METRICS_CONTENT_TYPE, Registry};

/// Is what the ops port tells about; cheap to clone.
#[derive(Clone, Debug)]
pub struct Ops {
    metrics: Registry,
    connections: Arc<OnceLock<Connections>>,
}

#[derive(Debug)]
struct Connections {
    store: watch::Receiver<bool>,
    broker: watch::Receiver<Connection>,
}

impl Ops {
    /// Makes an ops port that is not ready until it is given the connections by [`Ops::attach`].
    pub fn new(metrics: Registry) -> Self {
        Self { metrics, connections: Arc::default() }
    }

    /// Gives it the connections to watch; a second time changes nothing.
    pub fn attach(&self, store: watch::Receiver<bool>, broker: watch::Receiver<Connection>) {
        let _ = self.connections.set(Connections { store, broker });
    }

    /// Gives the routes.
    ///
    /// `/healthz` answers 200 as long as the process lives. `/readyz` answers 200 while the store is connected, else 503: without the
    /// store the API can do nothing, while without the broker it takes executions that go on later. Its text tells of both.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self.clone())
    }

    fn readiness(&self) -> (StatusCode, &'static str) {
        let unready = StatusCode::SERVICE_UNAVAILABLE;
        let Some(connections) = self.connections.get() else {
            return (unready, "waiting for the store (setting redis.url)\n");
        };
        if !*connections.store.borrow() {
            return (
                unready,
                "no connection to the store (setting redis.url), or it is another one than before; see the log\n",
            );
        }
        match *connections.broker.borrow() {
            Connection::Up { .. } => (StatusCode::OK, "ok\n"),
            Connection::Blocked => (StatusCode::OK, "ok; the broker takes no messages at the moment (alarm)\n"),
            Connection::Down => {
                (StatusCode::OK, "ok; no connection to the broker (setting amqp.url): work items wait\n")
            }
        }
    }
}

async fn ready(State(ops): State<Ops>) -> impl IntoResponse {
    ops.readiness()
}

async fn metrics(State(ops): State<Ops>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], ops.metrics.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_who_reaches_the_store() {
        let ops = Ops::new(Registry::new());
        let check = |status: StatusCode, text: &str| {
            let (found, told) = ops.readiness();
            assert!(found == status && told.contains(text), "{found} {told}");
        };
        check(StatusCode::SERVICE_UNAVAILABLE, "waiting for the store");
        let (store, broker) = (watch::Sender::new(false), watch::Sender::new(Connection::Down));
        ops.attach(store.subscribe(), broker.subscribe());
        check(StatusCode::SERVICE_UNAVAILABLE, "no connection to the store");
        store.send_replace(true);
        check(StatusCode::OK, "no connection to the broker");
        broker.send_replace(Connection::Up { generation: 1 });
        check(StatusCode::OK, "ok\n");
    }
}

//! The ops port: `/healthz`, `/readyz`, `/metrics`.

use std::io;
use std::net::TcpListener;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use broker::Connection;
use runtime::watch;
use telemetry::{METRICS_CONTENT_TYPE, Registry};
use tracing::{info, warn};

/// Is what the ops port tells about.
#[derive(Clone, Debug)]
pub struct Ops {
    /// The connection to the broker.
    pub connection: watch::Receiver<Connection>,
    /// The metrics.
    pub metrics: Registry,
}

/// Makes the routes of the ops port.
///
/// `/healthz` answers as long as the process lives; `/readyz` answers 200 while the broker is connected, else 503 with the reason.
pub fn router(ops: Ops) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(ops)
}

/// Serves them for ever, on a port that does not block.
pub(crate) async fn serve(listener: TcpListener, ops: Ops) {
    if let Err(error) = serve_on(listener, ops).await {
        warn!(%error, "the ops port is closed");
    }
}

async fn serve_on(listener: TcpListener, ops: Ops) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    info!(address = %listener.local_addr()?, "serving /healthz, /readyz, /metrics");
    axum::serve(listener, router(ops)).await
}

async fn ready(State(ops): State<Ops>) -> impl IntoResponse {
    match *ops.connection.borrow() {
        Connection::Up { .. } => (StatusCode::OK, "ok\n"),
        Connection::Blocked => (StatusCode::OK, "ok; the broker takes no messages at the moment (alarm)\n"),
        Connection::Down => (StatusCode::SERVICE_UNAVAILABLE, "no connection to the broker (setting amqp.url)\n"),
    }
}

async fn metrics(State(ops): State<Ops>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_CONTENT_TYPE)], ops.metrics.render())
}

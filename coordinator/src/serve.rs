//! Serves HTTP on a port until the process is to stop.

use std::io;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::serve::ListenerExt;
use futures::future::{Either, select};
use runtime::{Runtime, watch};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// Opens a port.
///
/// # Errors
/// An `io::Error` that names the setting, so that whoever reads it knows what to change.
pub async fn listen(setting: &str, address: &str) -> io::Result<TcpListener> {
    let failed = |fault: io::Error| {
        let text =
            format!("listen on {address}: {fault}; the setting {setting} takes another address, like 127.0.0.1:8083");
        io::Error::new(fault.kind(), text)
    };
    TcpListener::bind(address).await.map_err(failed)
}

/// Serves until `stopping` turns true, then lets the requests in hand end within `grace`; what is not done by then is cut off.
///
/// # Errors
/// None: a connection that fails is its own matter.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    runtime: &Runtime,
    stopping: watch::Receiver<bool>,
    grace: Duration,
) -> io::Result<()> {
    // Answers are small and written at once; without this each would wait for the acknowledgement of the one before.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    let served = axum::serve(listener, router).with_graceful_shutdown(stopped(stopping.clone()));
    let overdue = async {
        stopped(stopping).await;
        runtime.sleep(grace).await;
    };
    match select(std::pin::pin!(served.into_future()), std::pin::pin!(overdue)).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => {
            tracing::warn!(?grace, "requests were cut off");
            Ok(())
        }
    }
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // A sender that is gone can't ask any more, and so it has: the process is ending.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Turns SIGTERM and SIGINT into a switch.
///
/// # Errors
/// Where signals can't be listened for.
pub fn stop_on_signal(runtime: &Runtime) -> anyhow::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let (switch, stopping) = watch::channel(false);
    runtime.spawn(async move {
        tokio::select! { biased;
            _ = terminate.recv() => info!("got SIGTERM"),
            _ = interrupt.recv() => info!("got SIGINT"),
        }
        switch.send_replace(true);
    });
    Ok(stopping)
}

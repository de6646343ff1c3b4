//! The tasks of one process.

use std::future::Future;
use std::pin::pin;

use futures::future::{Either, select};
use tokio::sync::watch;

/// Says that a task or a computation ended before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("finish before the process stopped")
    }
}

impl std::error::Error for Stopped {}

/// Stands for a spawned future. Dropping it lets the future go on.
#[derive(Debug)]
pub struct Task {
    handle: tokio::task::JoinHandle<Result<(), Stopped>>,
}

impl Task {
    /// Ends the future at its next await.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Tells whether the future is done or ended.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits until the future is done.
    ///
    /// # Errors
    /// `Stopped` if it was aborted, killed or panicked.
    pub async fn join(self) -> Result<(), Stopped> {
        self.handle.await.unwrap_or(Err(Stopped))
    }
}

pub(crate) struct Group {
    killed: watch::Sender<bool>,
}

impl Default for Group {
    fn default() -> Self {
        Self { killed: watch::Sender::new(false) }
    }
}

impl Group {
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Task {
        let mut killed = self.killed.subscribe();
        let handle = tokio::spawn(async move {
            let kill = pin!(async move { killed.wait_for(|killed| *killed).await.map(|_| ()) });
            // The switch is polled first, so that nothing runs after the kill.
            match select(kill, pin!(future)).await {
                Either::Left((Ok(()), _)) => Err(Stopped),
                Either::Left((Err(_), future)) => {
                    future.await;
                    Ok(())
                }
                Either::Right(((), _)) => Ok(()),
            }
        });
        Task { handle }
    }

    pub(crate) fn kill(&self) {
        self.killed.send_replace(true);
    }

    pub(crate) fn is_killed(&self) -> bool {
        *self.killed.borrow()
    }
}

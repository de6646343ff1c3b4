//! Pauses that grow, and calls of the store that are repeated.

use std::time::Duration;

use store::{Commit, CommitOutcome};

use super::Inner;
use super::error::{Patience, Unable};
use super::settings::DriverSettings;

/// Is a pause that doubles up to a bound.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(settings: &DriverSettings) -> Self {
        Self { next: settings.retry_first, longest: settings.retry_longest }
    }

    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.longest);
        pause
    }
}

impl Inner {
    /// Waits for the next pause of a back-off, with jitter.
    pub(super) async fn back_off(&self, backoff: &mut Backoff) {
        let pause = self.runtime.jittered(backoff.pause());
        self.runtime.sleep(pause).await;
    }

    /// Decides after a failure of the store: waits to try again, or gives up.
    pub(super) async fn bear(
        &self,
        error: store::Error,
        backoff: &mut Backoff,
        patience: Patience<'_>,
    ) -> Result<(), Unable> {
        self.metrics.store_failures.inc();
        match error {
            store::Error::Corrupt(_) | store::Error::Unfit(_) => return Err(Unable::Broken(error.to_string())),
            // Nothing was written, and room is not made while a caller waits.
            store::Error::Full(_) if matches!(patience, Patience::Until(_)) => return Err(Unable::Store(error)),
            store::Error::Unavailable(_) | store::Error::Full(_) => {}
        }
        if patience.has_ended(self.runtime.now()) {
            return Err(Unable::Store(error));
        }
        tracing::debug!(%error, "the store did not answer as it should; trying again");
        self.back_off(backoff).await;
        Ok(())
    }

    /// Makes a commit. It is repeated under its id as long as it may or may not have been made.
    pub(super) async fn commit(&self, commit: &Commit, patience: Patience<'_>) -> Result<CommitOutcome, Unable> {
        let mut backoff = Backoff::new(&self.settings);
        loop {
            match self.store.commit(commit).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => self.bear(error, &mut backoff, patience).await?,
            }
        }
    }
}

/// Repeats a reading call of the store until it succeeds or patience ends.
macro_rules! persist {
    ($inner:expr, $patience:expr, $call:expr) => {{
        let mut backoff = $crate::driver::backoff::Backoff::new(&$inner.settings);
        loop {
            match $call.await {
                Ok(answer) => break answer,
                Err(error) => $inner.bear(error, &mut backoff, $patience).await?,
            }
        }
    }};
}
pub(crate) use persist;

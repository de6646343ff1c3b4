//! The seam for clock, chance, spawning and blocking work.
//!
//! Everything that is not a pure function of its input comes through a [`Runtime`] handle: the coordinator's and the
//! worker's loops, the stores and the brokers hold one and touch neither the system's clock nor its random numbers. So the
//! simulator runs the very same loops with a clock that it moves, numbers that follow from a seed, and a switch that
//! ends a whole "process" between two polls.
//!
//! One handle stands for one process: what it spawns ends when the process is killed.

mod tasks;
pub mod watch;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Nonce, Timestamp};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

pub use tasks::{Stopped, Task};

/// Hands out time, chance, tasks and blocking work; cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    chance: Mutex<StdRng>,
    blocking: Blocking,
    tasks: tasks::Group,
}

enum Clock {
    System,
    /// Tokio's own clock, which a test may pause, counted on from an epoch.
    Counted {
        epoch: Timestamp,
        start: tokio::time::Instant,
    },
}

enum Blocking {
    Pool,
    Inline,
}

impl Runtime {
    /// Makes the runtime of a real process: the system's clock and entropy, tokio's threads.
    pub fn system() -> Self {
        Self::new(Clock::System, StdRng::from_os_rng(), Blocking::Pool)
    }

    /// Makes the runtime of a simulated process: time counts on from `epoch` by tokio's clock (pause it), numbers follow
    /// from `seed`, blocking work runs inline. Needs a tokio context.
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    pub fn simulated(seed: u64, epoch: Timestamp) -> Self {
        let clock = Clock::Counted { epoch, start: tokio::time::Instant::now() };
        Self::new(clock, StdRng::seed_from_u64(seed), Blocking::Inline)
    }

    fn new(clock: Clock, chance: StdRng, blocking: Blocking) -> Self {
        let tasks = tasks::Group::default();
        Self { shared: Arc::new(Shared { clock, chance: Mutex::new(chance), blocking, tasks }) }
    }

    /// Tells the time.
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    pub fn now(&self) -> Timestamp {
        match &self.shared.clock {
            Clock::System => {
                let since_epoch =
                    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
            }
            Clock::Counted { epoch, start } => {
                epoch.plus_millis(i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX))
            }
        }
    }

    /// Tells a time for measuring spans, which never runs backwards.
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    pub fn instant(&self) -> tokio::time::Instant {
        tokio::time::Instant::now()
    }

    /// Gives a random number.
    pub fn random(&self) -> u64 {
        self.shared.chance.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    /// Gives a random nonce.
    pub fn nonce(&self) -> Nonce {
        Nonce(self.random())
    }

    /// Gives a random UUID, version 4, in lower case.
    pub fn uuid(&self) -> String {
        let high = (self.random() & !0xf000) | 0x4000;
        let low = (self.random() & !(0b11 << 62)) | (0b10 << 62);
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }

    /// Gives `base` changed at random by at most a quarter either way, so that many waiters don't wake at once.
    pub fn jittered(&self, base: Duration) -> Duration {
        let share = u32::try_from(self.random() % 512).expect("a remainder of 512 fits a u32");
        base.saturating_mul(768 + share) / 1024
    }

    /// Waits.
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Waits until an instant by the clock of [`Runtime::now`].
    pub async fn sleep_until(&self, deadline: Timestamp) {
        self.sleep(Duration::from_millis(deadline.millis_since(self.now()))).await;
    }

    /// Runs a future beside the others until it is done, its handle aborts it, or the process is killed.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Task {
        self.shared.tasks.spawn(future)
    }

    /// Runs long computation off the async threads.
    ///
    /// # Errors
    /// `Stopped` if it panicked or the process is ending.
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stopped> {
        match self.shared.blocking {
            Blocking::Inline => Ok(work()),
            Blocking::Pool => tokio::task::spawn_blocking(work).await.map_err(|_| Stopped),
        }
    }

    /// Ends every task of this process at its next await, and every one spawned from now on at once.
    pub fn kill(&self) {
        self.shared.tasks.kill();
    }

    /// Tells whether the process was killed.
    pub fn is_killed(&self) -> bool {
        self.shared.tasks.is_killed()
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Runtime")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_counts_on_from_its_epoch() {
        let runtime = Runtime::simulated(1, Timestamp::from_millis(5_000));
        runtime.sleep(Duration::from_millis(1_500)).await;
        assert_eq!(runtime.now(), Timestamp::from_millis(6_500));
        runtime.sleep_until(Timestamp::from_millis(7_000)).await;
        assert_eq!(runtime.now(), Timestamp::from_millis(7_000));
    }

    #[tokio::test]
    async fn chance_follows_from_the_seed() {
        let draw = |seed| {
            let runtime = Runtime::simulated(seed, Timestamp::default());
            (runtime.random(), runtime.uuid())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert_eq!(draw(7).1.len(), 36);
    }

    #[tokio::test(start_paused = true)]
    async fn killing_ends_what_was_spawned() {
        let runtime = Runtime::simulated(1, Timestamp::default());
        let inner = runtime.clone();
        let task = runtime.spawn(async move { inner.sleep(Duration::from_secs(3_600)).await });
        runtime.kill();
        assert!(task.join().await.is_err());
        assert!(runtime.spawn(async {}).join().await.is_err());
    }
}

//! How much time evaluations have taken together.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Sums up the time that evaluations take, of all sessions that share it. It stays on its thread.
#[derive(Clone, Default)]
pub struct Stopwatch(Rc<Sums>);

#[derive(Default)]
struct Sums {
    total: Cell<Duration>,
    lap: Cell<Duration>,
}

impl Stopwatch {
    /// Gives the time of all evaluations.
    pub fn total(&self) -> Duration {
        self.0.total.get()
    }

    /// Gives the time of all evaluations since the last call of [`Stopwatch::begin_lap`].
    pub fn lap(&self) -> Duration {
        self.0.lap.get()
    }

    /// Begins to count a lap anew.
    pub fn begin_lap(&self) {
        self.0.lap.set(Duration::ZERO);
    }

    /// Does work that counts.
    #[expect(
        clippy::disallowed_methods,
        reason = "what an evaluation costs is bounded in time, as jsonata-core bounds each"
    )]
    pub(crate) fn measure<T>(&self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        let took = begun.elapsed();
        self.0.total.set(self.total() + took);
        self.0.lap.set(self.lap() + took);
        result
    }
}

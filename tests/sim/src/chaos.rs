//! Faults at every effect: delays, refusals, lost answers, repetitions, and crashes before and after.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use runtime::Runtime;

/// Decides by its seed what goes wrong; one stands for the whole simulated world.
#[derive(Clone)]
pub struct Chaos {
    shared: Arc<Shared>,
}

struct Shared {
    chance: Mutex<StdRng>,
    calm: AtomicBool,
    /// Whether nobody reaches the store.
    store_is_away: AtomicBool,
    journal: Mutex<String>,
}

/// Is what happens to one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is made and answered.
    Made,
    /// It is made twice.
    Repeated,
    /// It is not made, and the caller is told so.
    Refused,
    /// It is made, but the caller is told that it may not have been.
    AnswerLost,
    /// The process dies before it is made.
    CrashBefore,
    /// The process dies after it is made, before it hears so.
    CrashAfter,
}

impl Chaos {
    /// Makes the chaos of a seed.
    pub fn new(seed: u64) -> Self {
        let chance = Mutex::new(StdRng::seed_from_u64(seed ^ 0x5eed));
        let (calm, store_is_away) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { shared: Arc::new(Shared { chance, calm, store_is_away, journal: Mutex::default() }) }
    }

    /// Ends all faults but delays, so that the world can be seen to come to rest.
    pub fn calm_down(&self) {
        self.shared.calm.store(true, Ordering::Relaxed);
        self.set_store(true);
    }

    /// Begins or ends an outage of the store.
    pub fn set_store(&self, is_up: bool) {
        self.shared.store_is_away.store(!is_up, Ordering::Relaxed);
    }

    /// Tells whether the store can be reached.
    pub fn has_store(&self) -> bool {
        !self.shared.store_is_away.load(Ordering::Relaxed)
    }

    /// Draws the fate of one effect, and notes it.
    pub fn fate(&self, runtime: &Runtime, effect: &str) -> Fate {
        let fate = self.draw_fate();
        self.note(runtime, &format!("{effect}: {fate:?}"));
        fate
    }

    /// Notes what happened, with its time.
    pub fn note(&self, runtime: &Runtime, what: &str) {
        let mut journal = self.shared.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.push_str(&format!("{} {what}\n", runtime.now()));
    }

    /// Gives all that was noted, a line an effect.
    pub fn journal(&self) -> String {
        self.shared.journal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn draw_fate(&self) -> Fate {
        if self.shared.calm.load(Ordering::Relaxed) {
            return Fate::Made;
        }
        match self.draw(1_000) {
            0..15 => Fate::Refused,
            15..30 => Fate::AnswerLost,
            30..50 => Fate::Repeated,
            50..55 => Fate::CrashBefore,
            55..60 => Fate::CrashAfter,
            _ => Fate::Made,
        }
    }

    /// Draws a number below `bound`.
    pub fn draw(&self, bound: u64) -> u64 {
        self.shared.chance.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..bound)
    }

    /// Holds an effect up: mostly not at all, at times so long that others overtake it.
    pub async fn delay(&self, runtime: &Runtime) {
        let millis = match self.draw(20) {
            0..12 => 0,
            12..19 => self.draw(20),
            _ => self.draw(3_000),
        };
        if millis > 0 {
            runtime.sleep(Duration::from_millis(millis)).await;
        }
    }

    /// Ends the process at hand: nothing of it runs any more.
    pub async fn crash<T>(&self, runtime: &Runtime) -> T {
        runtime.kill();
        std::future::pending().await
    }
}

//! The drivers of one process.

use std::sync::Arc;
use std::time::Duration;

use store::{MemoryStore, OwnerId};
use telemetry::Tracer;

use super::{Driver, Parts};

/// How many partitions the memory of synchronous executions has: a round of sweeps costs little for each, and removes a thousand
/// executions that have ended of each.
const PARTITIONS: u32 = 16;

/// Is the driver of executions that the store keeps, and beside it the one of those that a caller waits for.
///
/// The latter have a store in the memory of this process, and an events queue of their own at the broker, so that reports on them come
/// back here.
#[derive(Clone)]
pub struct Drivers {
    /// Drives what the store keeps.
    pub stored: Driver,
    /// Drives what is kept in memory as long as a caller waits.
    pub synchronous: Driver,
}

impl Drivers {
    /// Makes the drivers. Nothing runs before [`Drivers::start`].
    pub fn new(parts: Parts) -> Self {
        // A name that no other driver has: one of a process that is named anew at each start.
        let owner = OwnerId(format!("{}-synchronous", parts.owner).into());
        let synchronous = Driver::new(Parts {
            store: Arc::new(MemoryStore::of_incarnation(parts.runtime.clone(), PARTITIONS, owner.0.clone())),
            queue: parts.queue.with_own_events(&parts.owner.0),
            runtime: parts.runtime.clone(),
            settings: parts.settings.synchronous(),
            owner,
            registry: parts.registry.clone(),
        });
        Self { stored: Driver::new(parts), synchronous }
    }

    /// Has traces exported from now on. To be called at most once, before anything else.
    pub fn trace_to(&self, tracer: &Tracer) {
        self.stored.trace_to(tracer.clone());
        self.synchronous.trace_to(tracer.clone());
    }

    /// Spawns the loops of both. To be called once.
    pub fn start(&self) {
        self.stored.start();
        self.synchronous.start();
    }

    /// Stops taking in reports on what the store keeps: another coordinator goes on with it. What a caller waits for nobody else can go
    /// on with, so that its reports are taken in until [`Drivers::stop`].
    pub fn wind_up(&self) {
        self.stored.stop();
    }

    /// Tells whether nothing is in hand that has to be brought to its end here.
    pub fn is_idle(&self) -> bool {
        self.synchronous.running() == 0 && self.stored.is_idle() && self.synchronous.is_idle()
    }

    /// Stops taking in reports altogether.
    pub fn stop(&self) {
        self.stored.stop();
        self.synchronous.stop();
    }

    /// Hands over the spans that wait, at most for a while. To be called at the end.
    pub async fn flush_traces(&self, at_most: Duration) {
        futures::future::join(self.stored.flush_traces(at_most), self.synchronous.flush_traces(at_most)).await;
    }
}

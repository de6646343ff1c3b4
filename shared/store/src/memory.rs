//! The twin in memory: for one process, for tests and for the simulator. Nothing in it depends on chance or on the order of a hash map.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::ExecutionArn;
use runtime::{Runtime, watch};

use crate::Error;
use crate::local::{Keeper, LocalStore};
use crate::resource::ResourceKey;
use crate::rules::{Map, View};

/// Is a store in memory. All handles share one store, as processes share one Redis.
pub type MemoryStore = LocalStore<Memory>;

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;
type Work = Box<dyn FnOnce() + Send>;

/// Keeps entries in memory.
pub struct Memory {
    entries: Mutex<Entries>,
    connected: watch::Sender<bool>,
    is_over_high_water: AtomicBool,
    /// How many commits of an execution are still to be refused.
    contended: Mutex<BTreeMap<ExecutionArn, u32>>,
    /// What others do before a resource is read the next time.
    meanwhile: Mutex<BTreeMap<ResourceKey, Work>>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contended(&self) -> MutexGuard<'_, BTreeMap<ExecutionArn, u32>> {
        self.contended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meanwhile(&self) -> MutexGuard<'_, BTreeMap<ResourceKey, Work>> {
        self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entries(&self) -> Result<MutexGuard<'_, Entries>, Error> {
        if *self.connected.borrow() {
            return Ok(self.lock());
        }
        Err(Error::Unavailable("the store in memory was disconnected".to_owned()))
    }
}

impl MemoryStore {
    /// Makes an empty store of so many partitions (at least 1), whose clock is the runtime's.
    pub fn new(runtime: Runtime, partitions: u32) -> Self {
        let incarnation = runtime.uuid().into();
        Self::of_incarnation(runtime, partitions, incarnation)
    }

    /// Makes an empty store as above, under an id that its maker knows to be its own.
    pub fn of_incarnation(runtime: Runtime, partitions: u32, incarnation: Arc<str>) -> Self {
        let memory = Memory {
            entries: Mutex::default(),
            connected: watch::Sender::new(true),
            is_over_high_water: AtomicBool::new(false),
            contended: Mutex::default(),
            meanwhile: Mutex::default(),
        };
        Self::over(memory, runtime, partitions, incarnation)
    }

    /// Makes the store unreachable, or reachable again, for all handles. What it holds stays.
    pub fn set_connected(&self, connected: bool) {
        self.keeper().connected.send_replace(connected);
    }

    /// Says that the store is filled over its high-water mark, or is not any more.
    pub fn set_over_high_water(&self, is_over: bool) {
        self.keeper().is_over_high_water.store(is_over, Ordering::Relaxed);
    }

    /// Refuses the next so many commits of an execution, as if other processes were always faster.
    pub fn contend(&self, execution: &ExecutionArn, commits: u32) {
        self.keeper().contended().insert(execution.clone(), commits);
    }

    /// Does something before a resource is read the next time, as if another process did it just then.
    pub fn meanwhile(&self, key: ResourceKey, work: impl FnOnce() + Send + 'static) {
        self.keeper().meanwhile().insert(key, Box::new(work));
    }
}

impl Keeper for Memory {
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn View) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        work(&*self.entries()?)
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Map) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        // No write to memory fails, so that there is nothing to take back.
        work(&mut *self.entries()?)
    }

    fn connection(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }

    fn is_over_high_water(&self) -> bool {
        self.is_over_high_water.load(Ordering::Relaxed)
    }

    fn is_contended(&self, execution: &ExecutionArn) -> bool {
        let mut contended = self.contended();
        let Some(left) = contended.get_mut(execution).filter(|left| **left > 0) else { return false };
        *left -= 1;
        true
    }

    fn reads(&self, key: &ResourceKey) {
        let work = self.meanwhile().remove(key);
        if let Some(work) = work {
            work();
        }
    }
}

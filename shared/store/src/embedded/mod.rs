//! The store in a file: for one process on one machine, durable.
//!
//! ```text
//!  commits, other writes ──► queue ──► writer thread ──► one transaction for all that wait ──► disk ──► answers
//!  reads ──────────────────► blocking pool ──► the last transaction made
//! ```
//! An answer comes once its transaction is on disk. Where that fails (no room, a fault of the disk), all of it is given up, callers are
//! told that the store is away, and the file is opened anew until that succeeds: what was not answered may or may not be there, and
//! commits are repeatable. What a killed process leaves behind is repaired when the file is opened.

mod file;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use redb::Database;
use runtime::{Runtime, watch};
use tokio::sync::oneshot;

use crate::Error;
use crate::local::{Keeper, LocalStore};
use crate::rules::{Map, View};
use file::{Opener, Place};
use writer::{Message, Queue, Work};

/// Is a store in a file of one folder. Only one process at a time can have it open.
pub type EmbeddedStore = LocalStore<Embedded>;

/// Is what can be set about an [`EmbeddedStore`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedConfig {
    /// The folder, made if it is not there.
    pub folder: PathBuf,
    /// How many partitions a new store gets. They spread work over coordinators, and most often here is one.
    pub partitions: u32,
    /// How many bytes of the file are kept in memory.
    pub cache_bytes: usize,
    /// How many bytes must be free on the disk for anything to be written; an eighth of a smaller disk.
    pub room_bytes: u64,
}

impl EmbeddedConfig {
    /// Gives the defaults for a folder: 128 MiB of cache; 32 MiB of room, with which a transaction of many large commits fits.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), partitions: 1, cache_bytes: 128 * 1024 * 1024, room_bytes: 32 * 1024 * 1024 }
    }
}

/// Keeps entries in a file.
pub struct Embedded {
    place: Arc<Place>,
    runtime: Runtime,
    database: Arc<Shared>,
    queue: Queue,
    connected: Arc<watch::Sender<bool>>,
}

/// Is the open file; nothing while it can't be used.
type Shared = RwLock<Option<Database>>;

impl EmbeddedStore {
    /// Opens the store in a folder, or makes it. What a killed process left is repaired first, which reads the whole file.
    ///
    /// # Errors
    /// `Error::Unfit` where the folder can't be used, or another process uses it; `Error::Corrupt` where the file is damaged or of a
    /// later release. The text names the file.
    pub async fn open(config: &EmbeddedConfig, runtime: Runtime) -> Result<Self, Error> {
        let place = Place::new(config);
        Self::open_at(Arc::new(place), runtime, file::opener(config.cache_bytes)).await
    }

    async fn open_at(place: Arc<Place>, runtime: Runtime, opener: Opener) -> Result<Self, Error> {
        let new = file::Meta { incarnation: runtime.uuid(), partitions: place.partitions };
        let own = Arc::clone(&place);
        let opened = runtime.blocking(move || {
            own.make_folder()?;
            let database = own.open(&opener)?;
            let meta = own.meta(&database, new)?;
            Ok((opener, database, meta))
        });
        let stopped = |_| Error::Unavailable("the process is ending".to_owned());
        let (opener, database, meta) = opened.await.map_err(stopped)??;
        let database = Arc::new(Shared::new(Some(database)));
        let connected = Arc::new(watch::Sender::new(true));
        let queue = writer::start(Arc::clone(&place), opener, Arc::clone(&database), Arc::clone(&connected))?;
        let embedded = Embedded { place, runtime: runtime.clone(), database, queue, connected };
        Ok(Self::over(embedded, runtime, meta.partitions, meta.incarnation.into()))
    }

    /// Closes the file once all that waits is written, so that it needs no repair when it is opened again. Afterwards the store is away.
    pub async fn close(&self) {
        let (answer, closed) = oneshot::channel();
        self.keeper().queue.send(Message::Stop(answer));
        // A writer that is gone has closed the file.
        let _ = closed.await;
    }
}

impl Keeper for Embedded {
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn View) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (place, database) = (Arc::clone(&self.place), Arc::clone(&self.database));
        let read = self.runtime.blocking(move || file::read(&place, &database, work)).await;
        let (answer, has_failed) = read.map_err(|_| Error::Unavailable("the process is ending".to_owned()))?;
        if has_failed {
            // The writer sees the fault, too, and opens the file anew.
            self.queue.send(Message::Look);
        }
        answer
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Map) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (work, answer) = Work::new(work);
        self.queue.send(Message::Work(Box::new(work)));
        answer.await.unwrap_or_else(|_| Err(Error::Unavailable("the store is closed".to_owned())))
    }

    fn connection(&self) -> watch::Receiver<bool> {
        self.connected.subscribe()
    }

    fn is_over_high_water(&self) -> bool {
        // A disk without room takes no write at all.
        false
    }
}

//! The file: how it is opened, and its entries as the rules see them.

use std::cell::Cell;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::PoisonError;

use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable, StorageError, Table, TableDefinition};

use super::{EmbeddedConfig, Shared};
use crate::Error;
use crate::rules::{Map, Order, View, Visit};

/// Holds all entries.
pub(super) const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");

const FILE: &str = "stepwell.redb";
const FORMAT: &str = "1";
const META_FORMAT: &[u8] = b"!format";
const META_PARTITIONS: &[u8] = b"!partitions";
const META_INCARNATION: &[u8] = b"!incarnation";

/// Opens the file.
pub(super) type Opener = Box<dyn Fn(&Place) -> Result<Database, DatabaseError> + Send>;

/// Gives what opens the file for real. Every page is checked, so that what was altered is refused now rather than met later.
pub(super) fn opener(cache_bytes: usize) -> Opener {
    Box::new(move |place| {
        let mut builder = Database::builder();
        builder.set_cache_size(cache_bytes).set_check_integrity_on_open(true);
        builder.create(&place.file)
    })
}

/// Is what a store was made with.
#[derive(Debug)]
pub(super) struct Meta {
    pub(super) incarnation: String,
    pub(super) partitions: u32,
}

/// Is where the file is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    /// How many partitions a new store gets.
    pub(super) partitions: u32,
    folder: PathBuf,
    room_bytes: u64,
}

impl Place {
    pub(super) fn new(config: &EmbeddedConfig) -> Self {
        let folder = config.folder.clone();
        Self { file: folder.join(FILE), partitions: config.partitions.max(1), folder, room_bytes: config.room_bytes }
    }

    pub(super) fn make_folder(&self) -> Result<(), Error> {
        let unfit = |error: io::Error| Error::Unfit(format!("make the folder {}: {error}", self.folder.display()));
        std::fs::create_dir_all(&self.folder).map_err(unfit)
    }

    /// Opens the file, and repairs what a killed process left.
    pub(super) fn open(&self, opener: &Opener) -> Result<Database, Error> {
        let file = self.file.display();
        let damaged = |reason: &dyn std::fmt::Display| {
            Error::Corrupt(format!(
                "{file}: it is damaged, or no store of Stepwell's ({reason}); put a copy in its place"
            ))
        };
        // redb panics on some of what it doesn't expect in a file.
        let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| opener(self)));
        match opened.map_err(|_| damaged(&"it could not be read to its end"))? {
            Ok(database) => Ok(database),
            Err(DatabaseError::DatabaseAlreadyOpen) => Err(Error::Unfit(format!(
                "the folder {} is in use by another process; only one at a time can have it",
                self.folder.display()
            ))),
            Err(DatabaseError::Storage(StorageError::Io(error))) if error.kind() != io::ErrorKind::InvalidData => {
                let described = self.describe(error);
                Err(if let Error::Unavailable(text) = described { Error::Unfit(text) } else { described })
            }
            Err(error) => Err(damaged(&error)),
        }
    }

    /// Reads what the store was made with, or notes it in a new one.
    pub(super) fn meta(&self, database: &Database, new: Meta) -> Result<Meta, Error> {
        let failed = |error: redb::Error| Error::Unfit(format!("begin the file {}: {error}", self.file.display()));
        let writing = database.begin_write().map_err(|error| failed(error.into()))?;
        let meta = {
            let table = writing.open_table(ENTRIES).map_err(|error| failed(error.into()))?;
            let mut entries = Writing { place: self, table, has_failed: Cell::new(false), is_dirty: false };
            self.meta_of(&mut entries, new)?
        };
        writing.commit().map_err(|error| failed(error.into()))?;
        Ok(meta)
    }

    fn meta_of(&self, entries: &mut dyn Map, new: Meta) -> Result<Meta, Error> {
        let text = |value: Option<Vec<u8>>| value.map(|value| String::from_utf8_lossy(&value).into_owned());
        match text(entries.get(META_FORMAT)?).as_deref() {
            None => {
                entries.put(META_FORMAT, FORMAT.as_bytes())?;
                entries.put(META_PARTITIONS, new.partitions.to_string().as_bytes())?;
                entries.put(META_INCARNATION, new.incarnation.as_bytes())?;
                Ok(new)
            }
            Some(FORMAT) => {
                let partitions = text(entries.get(META_PARTITIONS)?).and_then(|count| count.parse().ok());
                let meta = partitions.zip(text(entries.get(META_INCARNATION)?));
                let missing = || Error::Corrupt(format!("{}: it does not say what it is", self.file.display()));
                meta.map(|(partitions, incarnation)| Meta { incarnation, partitions }).ok_or_else(missing)
            }
            Some(other) => {
                let file = self.file.display();
                Err(Error::Unfit(format!("{file} has format {other:?}, of a later release; this one knows {FORMAT}")))
            }
        }
    }

    /// Refuses to write while the disk has too little room: a write that fails half-way costs a repair.
    pub(super) fn check_room(&self) -> Result<(), Error> {
        // Where the room can't be told, the write itself will.
        let Ok(disk) = rustix::fs::statvfs(&self.folder) else { return Ok(()) };
        let (free, total) = (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize));
        let wanted = self.room_bytes.min(total / 8);
        if free >= wanted {
            return Ok(());
        }
        let folder = self.folder.display();
        Err(Error::Full(format!("the disk of {folder} has {free} bytes left; {wanted} are wanted")))
    }

    /// Says what a fault of the disk means.
    pub(super) fn describe(&self, error: io::Error) -> Error {
        let text = format!("{}: {error}", self.file.display());
        let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        if is_full { Error::Full(text) } else { Error::Unavailable(text) }
    }

    /// Says what a fault of the file means.
    pub(super) fn fault(&self, error: StorageError) -> Error {
        if let StorageError::Io(error) = error {
            return self.describe(error);
        }
        let text = format!("{}: {error}", self.file.display());
        if matches!(error, StorageError::Corrupted(_)) { Error::Corrupt(text) } else { Error::Unavailable(text) }
    }
}

/// Runs what only reads; tells also whether the file failed.
pub(super) fn read<T>(
    place: &Place,
    database: &Shared,
    work: impl FnOnce(&dyn View) -> Result<T, Error>,
) -> (Result<T, Error>, bool) {
    let database = database.read().unwrap_or_else(PoisonError::into_inner);
    let Some(database) = &*database else {
        let text = format!("{} is not open at the moment", place.file.display());
        return (Err(Error::Unavailable(text)), false);
    };
    let table = database.begin_read().map_err(redb::Error::from);
    let table = table.and_then(|reading| reading.open_table(ENTRIES).map_err(redb::Error::from));
    match table {
        Ok(table) => {
            let reading = Reading { place, table, has_failed: Cell::new(false) };
            let answer = work(&reading);
            (answer, reading.has_failed.get())
        }
        Err(error) => (Err(Error::Unavailable(format!("{}: {error}", place.file.display()))), true),
    }
}

/// Is the entries as a transaction reads them.
struct Reading<'a> {
    place: &'a Place,
    table: redb::ReadOnlyTable<&'static [u8], &'static [u8]>,
    has_failed: Cell<bool>,
}

/// Is the entries as a transaction reads and writes them.
pub(super) struct Writing<'a> {
    pub(super) place: &'a Place,
    pub(super) table: Table<'a, &'static [u8], &'static [u8]>,
    /// Whether the file failed: then the transaction can't be made.
    pub(super) has_failed: Cell<bool>,
    pub(super) is_dirty: bool,
}

impl View for Reading<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        noted(get(&self.table, key), self.place, &self.has_failed)
    }

    fn scan(&self, from: &[u8], to: &[u8], order: Order, visit: &mut Visit<'_>) -> Result<(), Error> {
        noted(scan(&self.table, from, to, order, visit), self.place, &self.has_failed)?
    }
}

impl View for Writing<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        noted(get(&self.table, key), self.place, &self.has_failed)
    }

    fn scan(&self, from: &[u8], to: &[u8], order: Order, visit: &mut Visit<'_>) -> Result<(), Error> {
        noted(scan(&self.table, from, to, order, visit), self.place, &self.has_failed)?
    }
}

impl Map for Writing<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.is_dirty = true;
        let put = self.table.insert(key, value).map(drop);
        noted(put, self.place, &self.has_failed)
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Error> {
        let removed = self.table.remove(key).map(|before| before.is_some());
        self.is_dirty |= noted(removed, self.place, &self.has_failed)?;
        Ok(())
    }
}

fn noted<T>(result: Result<T, StorageError>, place: &Place, has_failed: &Cell<bool>) -> Result<T, Error> {
    result.map_err(|error| {
        has_failed.set(true);
        place.fault(error)
    })
}

fn get(table: &impl ReadableTable<&'static [u8], &'static [u8]>, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

fn scan(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    from: &[u8],
    to: &[u8],
    order: Order,
    visit: &mut Visit<'_>,
) -> Result<Result<(), Error>, StorageError> {
    if from >= to {
        return Ok(Ok(()));
    }
    let mut range = table.range::<&[u8]>(from..to)?;
    let mut next = || if order == Order::Ascending { range.next() } else { range.next_back() };
    while let Some(entry) = next() {
        let (key, value) = entry?;
        match visit(key.value(), value.value()) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

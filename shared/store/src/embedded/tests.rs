//! A disk that fails for a while, injected below redb.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{Database, StorageBackend};
use runtime::Runtime;
use wire::record::DefinitionHash;

use super::file::Place;
use super::{EmbeddedConfig, EmbeddedStore};
use crate::{Error, ExecutionStore as _};

/// Is a file whose disk has no room while the switch is on.
#[derive(Debug)]
struct Failing {
    inner: FileBackend,
    is_full: Arc<AtomicBool>,
}

impl Failing {
    fn check(&self) -> Result<(), io::Error> {
        if self.is_full.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Failing {
    fn len(&self) -> Result<u64, io::Error> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.check()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.check()?;
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.check()?;
        self.inner.write(offset, data)
    }
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn keep(store: &EmbeddedStore, name: &str) -> Result<(), Error> {
    store.put_definition(0, &DefinitionHash(name.into()), name).await
}

async fn has(store: &EmbeddedStore, name: &str) -> bool {
    store.definition(&DefinitionHash(name.into())).await.expect("reads").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_loses_nothing_and_the_store_goes_on() {
    let folder = Folder(std::env::temp_dir().join(format!("stepwell-full-{}", std::process::id())));
    let place = Arc::new(Place::new(&EmbeddedConfig { room_bytes: 0, ..EmbeddedConfig::new(&folder.0) }));
    let is_full = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_full);
    let opener = Box::new(move |place: &Place| {
        let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&place.file)?;
        let failing = Failing { inner: FileBackend::new(file)?, is_full: Arc::clone(&switch) };
        Database::builder().create_with_backend(failing)
    });
    let runtime = Runtime::system();
    let store = EmbeddedStore::open_at(place, runtime.clone(), opener).await.expect("opens");
    keep(&store, "before").await.expect("there is room");
    is_full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let refused = keep(&store, "refused").await.expect_err("there is no room");
        assert!(matches!(refused, Error::Full(_) | Error::Unavailable(_)), "{refused}");
    }
    is_full.store(false, Ordering::SeqCst);
    let mut connection = store.connection();
    let back = connection.wait_for(|is_connected| *is_connected);
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("it comes back").expect("the store lives");
    assert!(has(&store, "before").await);
    keep(&store, "after").await.expect("there is room again");
    assert!(has(&store, "after").await);
    store.close().await;
    assert!(matches!(keep(&store, "late").await, Err(Error::Unavailable(_))));
}

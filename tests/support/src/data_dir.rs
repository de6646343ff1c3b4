//! A temporary folder for one server.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::names::unique_name;

/// The most of a log that goes into an error message, in bytes.
const TAIL_BYTES: usize = 4_000;

/// A new temporary folder, removed with all that is in it when this value is dropped.
#[derive(Debug)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Makes the folder, with `kind` in its name.
    ///
    /// # Errors
    /// If the folder can't be made.
    pub fn new(kind: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(unique_name(&format!("stepwell-{kind}")));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Gives the path of the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives the path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Gives the last 4,000 bytes of a text file in the folder; nothing if it can't be read.
    pub fn tail(&self, name: &str) -> String {
        let bytes = fs::read(self.file(name)).unwrap_or_default();
        let start = bytes.len().saturating_sub(TAIL_BYTES);
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        // A process that was just killed may still be closing files: a second pass takes what it left.
        let _ = fs::remove_dir_all(&self.0).or_else(|_| fs::remove_dir_all(&self.0));
    }
}

//! Suites of cases that the project does not hold itself.

use std::path::{Path, PathBuf};

use crate::skipped;

/// Finds a file or folder of the suites of cases that may lie beside the project, such as `jsonpath/cts.json`: below
/// `../shared/suites`, or where the environment variable `STEPWELL_SUITES` says. Says so where it is not there.
pub fn suite(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites");
    let path = std::env::var_os("STEPWELL_SUITES").map_or_else(beside, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!("the cases of {name}, which is not there"));
    None
}

//! What tests could not do on this machine.

use std::fs::OpenOptions;
use std::io::Write as _;

/// The environment variable that names the file in which `cargo xtask test` collects what was skipped.
const COLLECTED: &str = "STEPWELL_TEST_SKIPPED";

/// Says that a test, or a part of one, was skipped, and why. `cargo xtask test` shows it at the end.
#[expect(clippy::print_stderr, reason = "a test that has nothing to test says so")]
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
    let Some(path) = std::env::var_os(COLLECTED) else { return };
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) {
        // One write, so that tests that end at the same time don't mix their lines.
        let _ = file.write_all(format!("{why}\n").as_bytes());
    }
}

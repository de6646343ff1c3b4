//! `cargo xtask test`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::workspace::{cargo, root};
use crate::{images, servers};

/// Tells the crate `support` that the programs are built, so that no test calls cargo.
pub(crate) const BUILT: &str = "STEPWELL_PROGRAMS_BUILT";
/// Where the end-to-end tests are, a file or folder each.
const END_TO_END: &str = "tests/e2e/tests";
/// Tells the crate `support` in which file to collect what was skipped.
const SKIPPED: &str = "STEPWELL_TEST_SKIPPED";
/// Tells the crate `e2e` how to start its servers.
const SERVERS: &str = "STEPWELL_TEST_SERVERS";

/// Brings the servers, builds the programs that tests start, runs `cargo test` with the arguments and sums up.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let start = Instant::now();
    servers::ensure()?;
    let skipped = skipped_file()?;
    let mut test = cargo();
    test.args(["test", "--no-fail-fast"]).env(SKIPPED, &skipped);
    let mut sums = Sums::default();
    // Tests of chosen packages build the programs themselves if they need them.
    let passed = if arguments.iter().any(|argument| is_choice(argument)) {
        println!("==> running the tests");
        watch(test.args(arguments), &mut sums)?
    } else {
        println!("==> building programs and tests");
        if !build(arguments)? {
            return Ok(false);
        }
        println!("==> running the tests, with servers that are processes");
        let passed = watch(test.arg("--workspace").env(BUILT, "1").args(arguments), &mut sums)?;
        in_containers(arguments, &skipped, &mut sums)? && passed
    };
    show_skipped(&skipped);
    println!("\nall tests took {} s", start.elapsed().as_secs());
    println!("tests: {} passed, {} failed", sums.passed, sums.failed);
    Ok(passed)
}

/// Runs the end-to-end tests once more, with servers in containers, where that is possible.
fn in_containers(arguments: &[String], skipped: &Path, sums: &mut Sums) -> Result<bool> {
    if let Some(why) = images::why_not() {
        println!("\n==> skipped: the end-to-end tests with servers in containers: {why}");
        return Ok(true);
    }
    println!("\n==> running the end-to-end tests, with servers in containers");
    let mut test = cargo();
    // With `-p e2e` cargo would build everything once more, with fewer features.
    test.args(["test", "--no-fail-fast", "--workspace"])
        .env(BUILT, "1")
        .env(SKIPPED, skipped)
        .env(SERVERS, "containers");
    for entry in std::fs::read_dir(root()?.join(END_TO_END))? {
        test.arg("--test").arg(entry?.path().file_stem().context("a test has no name")?);
    }
    watch(test.args(arguments), sums)
}

/// Gives the file for what is skipped, which is not there yet.
fn skipped_file() -> Result<PathBuf> {
    let folder = root()?.join("target");
    std::fs::create_dir_all(&folder).context("make the folder target")?;
    let path = folder.join("skipped-tests.txt");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).context("remove target/skipped-tests.txt"),
        Ok(()) | Err(_) => Ok(path),
    }
}

/// Tells what tests skipped, each once.
fn show_skipped(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: BTreeSet<&str> = text.lines().collect();
    for line in lines {
        println!("==> skipped: {line}");
    }
}

fn is_choice(argument: &str) -> bool {
    argument == "-p" || argument.starts_with("--package")
}

/// Programs and tests in one go, so that they share the crates that they are built from: features that only tests
/// want are features of both.
pub(crate) fn build(arguments: &[String]) -> Result<bool> {
    let mut build = cargo();
    build.args(["build", "--workspace", "--bins", "--tests"]);
    if arguments.iter().any(|argument| argument == "--release" || argument == "-r") {
        build.arg("--release");
    }
    Ok(build.status().context("start cargo build")?.success())
}

fn watch(test: &mut Command, sums: &mut Sums) -> Result<bool> {
    let mut child = test.stdout(Stdio::piped()).spawn().context("start cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        sums.add(&line);
    }
    Ok(child.wait()?.success())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    passed: u64,
    failed: u64,
}

impl Sums {
    /// Takes a line such as `test result: ok. 9 passed; 0 failed; 0 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for count in counts.1.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                Some(_) | None => (),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sums;

    #[test]
    fn results_add_up() {
        let mut sums = Sums::default();
        for line in [
            "running 2 tests",
            "test a ... ok",
            "test result: ok. 9 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        ] {
            sums.add(line);
        }
        assert_eq!(sums, Sums { passed: 12, failed: 2 });
    }
}

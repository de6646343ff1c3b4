//! `cargo xtask test`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::servers;
use crate::workspace::cargo;

/// Tells the crate `support` that the programs are built, so that no test calls cargo.
const BUILT: &str = "STEPWELL_PROGRAMS_BUILT";

/// Brings the servers, builds the programs that tests start, runs `cargo test` with the arguments and sums up.
pub(crate) fn run(arguments: &[String]) -> Result<bool> {
    let start = Instant::now();
    servers::ensure()?;
    let mut test = cargo();
    test.args(["test", "--no-fail-fast"]);
    // Tests of chosen packages build the programs themselves if they need them.
    if !arguments.iter().any(|argument| is_choice(argument)) {
        println!("==> building programs and tests");
        if !build(arguments)? {
            return Ok(false);
        }
        test.arg("--workspace").env(BUILT, "1");
    }
    println!("==> running the tests");
    let (passed, sums) = watch(test.args(arguments))?;
    println!("\nall tests took {} s", start.elapsed().as_secs());
    println!("tests: {} passed, {} failed", sums.passed, sums.failed);
    Ok(passed)
}

fn is_choice(argument: &str) -> bool {
    argument == "-p" || argument.starts_with("--package")
}

/// Programs and tests in one go, so that they share the crates that they are built from: features that only tests
/// want are features of both.
fn build(arguments: &[String]) -> Result<bool> {
    let mut build = cargo();
    build.args(["build", "--workspace", "--bins", "--tests"]);
    if arguments.iter().any(|argument| argument == "--release" || argument == "-r") {
        build.arg("--release");
    }
    Ok(build.status().context("start cargo build")?.success())
}

fn watch(test: &mut Command) -> Result<(bool, Sums)> {
    let mut child = test.stdout(Stdio::piped()).spawn().context("start cargo test")?;
    let output = child.stdout.take().context("cargo test has no output")?;
    let mut sums = Sums::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        sums.add(&line);
    }
    Ok((child.wait()?.success(), sums))
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

//! Validates many definitions with known verdicts, and tells where the verdict differs.
//!
//! Each argument is a file of JSON lines: objects with `definition` (an object, or text), `path` (a name for it),
//! `expect` (`valid`, `invalid` or none) and, if values are filled in at deployment, `placeholder: true`.
//! The exit code is 1 if a verdict differs or a definition took longer than 50 ms.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::Value;

const TIME_MAX: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let mut tally = Tally::default();
    for path in std::env::args().skip(1) {
        match std::fs::read_to_string(&path) {
            Ok(lines) => lines.lines().filter(|line| !line.is_empty()).for_each(|line| tally.judge(line)),
            Err(error) => tally.wrong(&format!("{path}: {error}")),
        }
    }
    say(&format!("{:?}, slowest {:?}", tally.counts, tally.slowest));
    if tally.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[derive(Default)]
struct Tally {
    counts: BTreeMap<&'static str, usize>,
    slowest: Duration,
    failed: bool,
}

impl Tally {
    fn judge(&mut self, line: &str) {
        let case: Value = match serde_json::from_str(line) {
            Ok(case) => case,
            Err(error) => return self.wrong(&format!("a line is not JSON: {error}")),
        };
        let definition = &case["definition"];
        let text = definition.as_str().map_or_else(|| definition.to_string(), str::to_owned);
        let name = case["path"].as_str().unwrap_or("?");
        let options = asl::Options {
            express: case["type"] == "EXPRESS",
            substitutions: case["placeholder"] == true,
            ..asl::Options::default()
        };
        let (findings, taken) = timed(|| asl::validate(&text, options));
        self.slowest = self.slowest.max(taken);
        if taken > TIME_MAX {
            self.wrong(&format!("{name}: took {taken:?}"));
        }
        let errors: Vec<String> = findings
            .iter()
            .filter(|finding| finding.severity == asl::Severity::Error)
            .map(ToString::to_string)
            .collect();
        let kind = match (case["expect"].as_str(), errors.is_empty()) {
            (Some("valid"), true) => "valid, accepted",
            (Some("valid"), false) => "valid, REFUSED",
            (Some("invalid"), true) => "invalid, ACCEPTED",
            (Some("invalid"), false) => "invalid, refused",
            (_, true) => "unknown, accepted",
            (_, false) => "unknown, refused",
        };
        *self.counts.entry(kind).or_default() += 1;
        if matches!(kind, "valid, REFUSED" | "invalid, ACCEPTED") {
            self.wrong(&format!("{name}: {kind}: {}", errors.join("; ")));
        } else if !errors.is_empty() {
            say(&format!("{name}: {kind}: {}", errors.join("; ")));
        }
    }

    fn wrong(&mut self, message: &str) {
        self.failed = true;
        say(&format!("WRONG {message}"));
    }
}

#[expect(clippy::disallowed_methods, reason = "an example may look at the clock")]
fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (act(), begun.elapsed())
}

fn say(line: &str) {
    // A closed stdout leaves nobody to tell.
    drop(writeln!(std::io::stdout(), "{line}"));
}

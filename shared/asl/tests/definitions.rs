//! Validates public definitions, where their suite lies beside the project: those known to be right are accepted, those known to be
//! wrong are refused, none takes long, and what is accepted can be loaded.
//!
//! `definitions/definitions.jsonl` holds an object a line: `definition` (an object, or text), `path` (a name for it), `expect`
//! (`valid`, `invalid` or none) and `type`. With `--nocapture` the test shows why each is refused.
#![expect(clippy::print_stderr, reason = "tells a person how much was compared")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::Value;

const TIME_MAX: Duration = Duration::from_millis(50);

#[test]
fn public_definitions_are_judged_as_expected() {
    let Some(file) = support::suite("definitions/definitions.jsonl") else { return };
    let lines = std::fs::read_to_string(file).expect("the suite can be read");
    let mut tally = Tally::default();
    lines.lines().filter(|line| !line.is_empty()).for_each(|line| tally.judge(line));
    eprintln!("{}{:?}, slowest {:?}", tally.refusals, tally.counts, tally.slowest);
    assert!(!tally.counts.is_empty(), "the suite holds definitions");
    assert!(tally.wrong.is_empty(), "{}", tally.wrong);
}

#[derive(Default)]
struct Tally {
    counts: BTreeMap<&'static str, usize>,
    slowest: Duration,
    refusals: String,
    wrong: String,
}

impl Tally {
    fn judge(&mut self, line: &str) {
        let case: Value = serde_json::from_str(line).expect("a line is JSON");
        let definition = &case["definition"];
        let text = definition.as_str().map_or_else(|| definition.to_string(), str::to_owned);
        let name = case["path"].as_str().unwrap_or("?");
        // As `stepwell validate` does it: many of these are templates.
        let options =
            asl::Options { express: case["type"] == "EXPRESS", substitutions: true, ..asl::Options::default() };
        let (findings, taken) = timed(|| asl::validate(&text, options));
        self.slowest = self.slowest.max(taken);
        if taken > TIME_MAX {
            writeln!(self.wrong, "{name}: took {taken:?}").expect("a text takes it");
        }
        self.load(name, &text);
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
        let line = format!("{name}: {kind}: {}\n", errors.join("; "));
        if matches!(kind, "valid, REFUSED" | "invalid, ACCEPTED") {
            self.wrong.push_str(&line);
        } else if !errors.is_empty() {
            self.refusals.push_str(&line);
        }
    }
}

impl Tally {
    /// Holds that what is accepted can be loaded too, but for what is not supported yet.
    fn load(&mut self, name: &str, text: &str) {
        if asl::validate(text, asl::Options::default()).has_errors() {
            return;
        }
        let faults = asl::Definition::load(text).err();
        let is_loaded = faults.iter().flatten().all(|fault| fault.code == asl::Code::Unsupported);
        *self.counts.entry(if faults.is_none() { "loaded" } else { "accepted, not supported" }).or_default() += 1;
        if !is_loaded {
            writeln!(self.wrong, "{name}: accepted, and then not loaded: {faults:?}").expect("a text takes it");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (act(), begun.elapsed())
}

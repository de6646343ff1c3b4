//! What is replayed, and which of it is known not to pass.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

const FILE: &str = include_str!("../known.toml");
/// How many differences of a case are shown.
const SHOWN: usize = 5;

/// Is what a case differs in, by its id; nothing if it passes.
pub(crate) type Outcome = BTreeMap<String, Vec<String>>;

/// Is the content of `known.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    /// The groups replayed in full.
    groups: Vec<String>,
    /// Single cases of other groups.
    also: Vec<String>,
    /// What does not pass.
    #[serde(rename = "not_passing")]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    reason: String,
    cases: Vec<String>,
}

impl Known {
    /// Reads the file.
    ///
    /// # Errors
    /// If it is malformed, or has a case twice or without a reason.
    pub(crate) fn load() -> Result<Self> {
        let known: Self = toml::from_str(FILE).context("read known.toml")?;
        let mut seen = BTreeSet::new();
        for exception in &known.exceptions {
            ensure!(!exception.reason.is_empty(), "known.toml has an entry without a reason");
            for case in &exception.cases {
                ensure!(seen.insert(case), "known.toml has {case} twice");
            }
        }
        Ok(known)
    }

    /// Gives what is replayed.
    pub(crate) fn selection(&self) -> Vec<String> {
        self.groups.iter().chain(&self.also).cloned().collect()
    }

    /// Compares an outcome with what is known; `complete` tells whether it holds all that is replayed.
    pub(crate) fn judge(&self, outcome: &Outcome, complete: bool) -> Verdict {
        let known: BTreeSet<&str> =
            self.exceptions.iter().flat_map(|exception| &exception.cases).map(String::as_str).collect();
        let mut verdict = Verdict::default();
        for (case, differences) in outcome {
            match (differences.is_empty(), known.contains(&**case)) {
                (false, false) => verdict.failed.push((case.clone(), differences.clone())),
                (true, true) => verdict.passed_though_listed.push(case.clone()),
                (true, false) | (false, true) => {}
            }
        }
        if complete {
            let is_unknown = |case: &&str| !outcome.contains_key(*case);
            verdict.unknown = known.into_iter().filter(is_unknown).map(str::to_owned).collect();
        }
        verdict
    }
}

/// Says where an outcome is not as expected.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    failed: Vec<(String, Vec<String>)>,
    passed_though_listed: Vec<String>,
    unknown: Vec<String>,
}

impl Verdict {
    /// Tells whether everything is as expected.
    pub(crate) fn is_as_expected(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (case, differences) in &self.failed {
            writeln!(formatter, "fails and is not listed: {case}")?;
            for difference in differences.iter().take(SHOWN) {
                writeln!(formatter, "     {difference}")?;
            }
        }
        for case in &self.passed_though_listed {
            writeln!(formatter, "passes, and is listed in tests/conformance/known.toml: {case}")?;
        }
        for case in &self.unknown {
            writeln!(formatter, "is listed in tests/conformance/known.toml, and there is no such case: {case}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_as_listed_counts() {
        let known = Known {
            groups: Vec::new(),
            also: Vec::new(),
            exceptions: vec![Exception { reason: "r".into(), cases: vec!["a".into(), "b".into(), "gone".into()] }],
        };
        let outcome = [("a", vec![]), ("b", vec!["x".to_owned()]), ("c", vec![]), ("d", vec!["y".to_owned()])];
        let outcome: Outcome = outcome.into_iter().map(|(case, differences)| (case.to_owned(), differences)).collect();
        let verdict = known.judge(&outcome, true);
        assert_eq!(verdict.failed, [("d".to_owned(), vec!["y".to_owned()])]);
        assert_eq!(verdict.passed_though_listed, ["a"]);
        assert_eq!(verdict.unknown, ["gone"]);
        assert!(known.judge(&outcome, false).unknown.is_empty());
    }

    #[test]
    fn the_file_can_be_read() -> Result<()> {
        Known::load().map(drop)
    }
}

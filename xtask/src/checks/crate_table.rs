//! The table of ARCHITECTURE.md: which of our crates may use which, and what keeps the pure ones pure.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::Check;
use crate::workspace::{Package, Workspace};

pub(crate) const CHECK: Check = Check {
    name: "crate-table",
    purpose: "our crates use each other only as ARCHITECTURE.md says, and the pure ones stay pure",
    advice: "move the code, or change ARCHITECTURE.md and xtask/src/checks/crate_table.rs together, with an ADR",
    run: find,
};

/// What each crate may use, of ours. Those of `UNBOUND` may use all, and nobody may use them but as said here.
const TABLE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("jsonpath", &[]),
    ("jsonata", &[]),
    ("settings", &[]),
    ("outgoing", &[]),
    ("runtime", &["model"]),
    ("asl", &["model", "jsonpath", "jsonata"]),
    ("engine", &["model", "asl", "jsonpath", "jsonata"]),
    ("wire", &["model"]),
    ("telemetry", &["model", "runtime"]),
    ("store", &["model", "wire", "runtime"]),
    ("broker", &["model", "wire", "runtime"]),
    (
        "coordinator",
        &[
            "model",
            "jsonpath",
            "jsonata",
            "settings",
            "runtime",
            "asl",
            "engine",
            "wire",
            "telemetry",
            "store",
            "broker",
        ],
    ),
    ("worker", &["model", "settings", "runtime", "wire", "telemetry", "broker", "outgoing"]),
    ("xtask", &[]),
];

/// Programs and tests, which see all.
const UNBOUND: &[&str] = &["cli", "rust-worker", "bench", "conformance", "e2e", "fuzz", "sim", "support", "world"];

/// What the tests of any crate may use besides.
const FOR_TESTS: &[&str] = &["support", "world"];

/// No clock, no I/O, no async, no chance.
const PURE: &[&str] = &["model", "jsonpath", "jsonata", "asl", "engine"];

/// Pure crates, each with a foreign one that they tame: it is built from impure ones, but the functions that would use them
/// are replaced, and a test of the wrapper says so.
const TAMED: &[(&str, &str)] = &[("jsonata", "jsonata-core")];

/// What must not be among the crates that a pure one is built from, however far away.
const IMPURE_CRATES: &[&str] = &[
    "async-trait",
    "axum",
    "chrono",
    "config",
    "fastrand",
    "futures",
    "getrandom",
    "hyper",
    "lapin",
    "mio",
    "rand",
    "redis",
    "reqwest",
    "rustix",
    "tokio",
    "tower",
    "tracing",
    "uuid",
];

/// What must not stand in the sources of a pure crate.
const IMPURE_PATHS: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "async fn",
];

/// Sources of pure crates with the one thing of these that they may use: what an evaluation costs is measured where jsonata-core bounds it.
const MEASURED: &[(&str, &str)] = &[("shared/jsonata/src/stopwatch.rs", "Instant::now")];

fn find(workspace: &Workspace) -> Result<Vec<String>> {
    let mut findings: Vec<String> = workspace.members().flat_map(|member| forbidden_edges(workspace, member)).collect();
    for member in workspace.members().filter(|member| PURE.contains(&member.name.as_str())) {
        findings.extend(impure_crates(workspace, member));
        findings.extend(impure_sources(workspace, member)?);
    }
    Ok(findings)
}

fn forbidden_edges(workspace: &Workspace, member: &Package) -> Vec<String> {
    if UNBOUND.contains(&member.name.as_str()) {
        return Vec::new();
    }
    let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == member.name) else {
        return vec![format!("{} is not in the table", member.name)];
    };
    let is_allowed = |name: &str, dev_only: bool| allowed.contains(&name) || dev_only && FOR_TESTS.contains(&name);
    member
        .edges
        .iter()
        .map(|edge| (&workspace.packages[&edge.to], edge.dev_only))
        .filter(|(used, dev_only)| used.is_member && !is_allowed(&used.name, *dev_only))
        .map(|(used, _)| format!("{} must not use {}", member.name, used.name))
        .collect()
}

fn impure_crates(workspace: &Workspace, member: &Package) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![member];
    while let Some(package) = open.pop() {
        if seen.insert(&package.name) {
            let built_from = package.edges.iter().filter(|edge| !edge.dev_only);
            let used = built_from.map(|edge| &workspace.packages[&edge.to]);
            open.extend(used.filter(|used| !TAMED.contains(&(&package.name, &used.name))));
        }
    }
    IMPURE_CRATES
        .iter()
        .filter(|impure| seen.iter().any(|name| name == *impure))
        .map(|impure| format!("{} is pure and must not be built from {impure}", member.name))
        .collect()
}

fn impure_sources(workspace: &Workspace, member: &Package) -> Result<Vec<String>> {
    let folder = member.folder().strip_prefix(&workspace.root)?.join("src");
    let is_source = |file: &Path| file.starts_with(&folder) && file.extension().is_some_and(|ending| ending == "rs");
    let mut findings = Vec::new();
    for file in workspace.files()?.into_iter().filter(|file| is_source(file)) {
        let text = workspace.read(&file)?.unwrap_or_default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let is_allowed = |path: &str| MEASURED.iter().any(|(of, what)| *what == path && file.ends_with(of));
            let found = IMPURE_PATHS.iter().filter(|path| line.contains(**path) && !is_allowed(path));
            findings.extend(found.map(|path| format!("{}:{number}: {path} in a pure crate", file.display())));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::{forbidden_edges, impure_crates};
    use crate::deny::Deny;
    use crate::workspace::made_up::workspace;

    #[test]
    fn the_table_binds_crates_and_their_tests() {
        let members = ["model", "engine", "store", "worker", "support", "cli", "new"];
        let check = |user: &str, edges: &str, expected: &[&str]| {
            let workspace = workspace(&members, edges, Deny::banning(""));
            assert_eq!(forbidden_edges(&workspace, &workspace.packages[user]), expected, "{edges}");
        };
        check("engine", "engine -> model", &[]);
        check("engine", "engine -> store", &["engine must not use store"]);
        check("worker", "worker -> store", &["worker must not use store"]);
        check("worker", "worker ~> store", &["worker must not use store"]);
        check("store", "store ~> support", &[]);
        check("store", "store -> support", &["store must not use support"]);
        check("cli", "cli -> store\ncli -> worker", &[]);
        check("new", "new -> model", &["new is not in the table"]);
    }

    #[test]
    fn purity_reaches_through_other_crates_but_not_into_tests() {
        let check = |edges: &str, expected: &[&str]| {
            let workspace = workspace(&["engine", "asl"], edges, Deny::banning(""));
            assert_eq!(impure_crates(&workspace, &workspace.packages["engine"]), expected, "{edges}");
        };
        check("engine -> serde", &[]);
        check("engine -> asl\nasl -> odd\nodd -> tokio", &["engine is pure and must not be built from tokio"]);
        check("engine ~> proptest\nproptest -> rand", &[]);
        check("engine -> jsonata\njsonata -> jsonata-core\njsonata-core -> rand", &[]);
        check("engine -> jsonata-core\njsonata-core -> rand", &["engine is pure and must not be built from rand"]);
    }
}

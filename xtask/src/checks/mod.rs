//! The checks of `cargo xtask verify`, cheapest first.

mod bans;
mod crate_table;
mod licences;
mod promises;
mod sources;
mod tidy;
mod tools;
mod unused;

use anyhow::Result;

use crate::workspace::Workspace;

/// One check.
pub(crate) struct Check {
    /// How it is called on the command line.
    pub(crate) name: &'static str,
    /// What it makes sure of.
    pub(crate) purpose: &'static str,
    /// What to do when it fails.
    pub(crate) advice: &'static str,
    /// Gives what it found; nothing if all is well.
    pub(crate) run: fn(&Workspace) -> Result<Vec<String>>,
}

/// Gives all checks in the order in which they run.
pub(crate) fn all() -> Vec<Check> {
    vec![
        tools::FORMAT,
        tidy::CHECK,
        promises::CHECK,
        crate_table::CHECK,
        licences::CHECK,
        sources::CHECK,
        bans::CHECK,
        unused::CHECK,
        tools::CLIPPY,
        tools::RUSTDOC,
    ]
}

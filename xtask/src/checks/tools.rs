//! The checks that cargo's own tools make.

use std::process::Command;

use anyhow::{Context, Result};

use super::Check;
use crate::workspace::cargo;

pub(crate) const FORMAT: Check = Check {
    name: "format",
    purpose: "all code is formatted by rustfmt",
    advice: "run cargo fmt --all",
    run: |_| run(cargo().args(["fmt", "--all", "--check"])),
};

pub(crate) const CLIPPY: Check = Check {
    name: "clippy",
    purpose: "clippy and the compiler have no warning",
    advice: "follow the messages above; a lint that is wrong in one place gets #[expect(.., reason = \"..\")] there",
    run: |_| {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "--deny", "warnings"]))
    },
};

pub(crate) const RUSTDOC: Check = Check {
    name: "rustdoc",
    purpose: "the documentation builds without a warning",
    advice: "follow the messages above; most are links to what was renamed",
    run: |_| {
        let words = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked", "--quiet"];
        run(cargo().args(words).env("RUSTDOCFLAGS", "--deny warnings"))
    },
};

fn run(command: &mut Command) -> Result<Vec<String>> {
    let status = command.status().context("start cargo")?;
    Ok(if status.success() { Vec::new() } else { vec![format!("the tool ended with {status}")] })
}

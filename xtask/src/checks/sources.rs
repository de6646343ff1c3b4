//! Every crate comes from crates.io.

use super::Check;
use crate::workspace::Workspace;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) const CHECK: Check = Check {
    name: "sources",
    purpose: "every crate comes from crates.io",
    advice: "take a released version: no git dependency, no other registry, no path outside of the workspace",
    run: |workspace| Ok(find(workspace)),
};

fn find(workspace: &Workspace) -> Vec<String> {
    workspace
        .foreign()
        .filter(|package| package.source.as_deref() != Some(CRATES_IO))
        .map(|package| {
            let source = package.source.as_deref().unwrap_or("a path outside of the workspace");
            format!("{} {} comes from {source}", package.name, package.version)
        })
        .collect()
}

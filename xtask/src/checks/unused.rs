//! Every dependency is named in the sources that may see it.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Check;
use crate::workspace::{Edge, Package, Workspace};

pub(crate) const CHECK: Check = Check {
    name: "unused",
    purpose: "every dependency is used where it is declared",
    advice: "remove it, or move it to [dev-dependencies] if only tests use it; one that is needed unnamed goes to \
             ignored of [package.metadata.cargo-machete] in that Cargo.toml, with the reason",
    run: find,
};

/// Where tests, benches and examples lie, which see all dependencies.
const FOR_TESTS: [&str; 3] = ["tests", "benches", "examples"];

fn find(workspace: &Workspace) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for member in workspace.members() {
        findings.extend(unused_by(member)?);
    }
    Ok(findings)
}

fn unused_by(member: &Package) -> Result<Vec<String>> {
    let folder = member.folder();
    let mut product = sources(&folder.join("src"))?;
    product.extend(fs::read_to_string(folder.join("build.rs")).ok());
    let mut tests = Vec::new();
    for name in FOR_TESTS {
        tests.extend(sources(&folder.join(name))?);
    }
    let unnamed = member.unnamed_dependencies();
    let is_named = |edge: &Edge| {
        let in_tests = edge.dev_only && tests.iter().any(|text| names(text, &edge.crate_name));
        in_tests || product.iter().any(|text| names(text, &edge.crate_name))
    };
    let unused = member.edges.iter().filter(|edge| !is_named(edge) && !is_listed(&unnamed, &edge.crate_name));
    Ok(unused.map(|edge| format!("{} doesn't use {}", member.name, edge.crate_name)).collect())
}

fn is_listed(unnamed: &[&str], crate_name: &str) -> bool {
    unnamed.iter().any(|name| name.replace('-', "_") == crate_name)
}

fn sources(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                texts.push(fs::read_to_string(&path)?);
            }
        }
    }
    Ok(texts)
}

/// Tells whether a line that is no comment has `NAME::`, `use NAME` or `extern crate NAME`.
fn names(text: &str, crate_name: &str) -> bool {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .any(|line| line.match_indices(crate_name).any(|(start, _)| is_path(line, start, crate_name)))
}

fn is_path(line: &str, start: usize, crate_name: &str) -> bool {
    let (before, after) = (&line[..start], &line[start + crate_name.len()..]);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let is_whole = !before.ends_with(is_word) && !after.starts_with(is_word);
    let is_used = after.starts_with("::") || before.ends_with("use ") || before.ends_with("crate ");
    is_whole && is_used && !before.ends_with("crate::")
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_crate_is_named_by_paths_and_imports_only() {
        for (text, expected) in [
            ("use rand::Rng;", true),
            ("use rand;", true),
            ("    let n = rand::random();", true),
            ("#[rand::test]", true),
            ("extern crate rand;", true),
            ("// rand::random()", false),
            ("/// See [`rand::random`].", false),
            ("let rand = 4;", false),
            ("use strand::Rng;", false),
            ("use rand_core::Rng;", false),
            ("use crate::rand::Rng;", false),
        ] {
            assert_eq!(names(text, "rand"), expected, "{text}");
        }
    }
}

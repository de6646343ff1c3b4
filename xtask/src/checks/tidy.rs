//! What no tool of cargo's looks at: size of files, tests that don't run, code that isn't there, paths of one machine.

use std::path::Path;

use anyhow::Result;

use super::Check;
use crate::workspace::Workspace;

pub(crate) const CHECK: Check = Check {
    name: "tidy",
    purpose: "no giant files, no tests that don't run, no gaps, no paths of one machine",
    advice: "split files by state type, command or route; make the test or the code whole, or take it out",
    run: find,
};

/// The bound of style: nine in ten files of well-kept projects are far below.
const LINES_MAX: usize = 700;

/// What must not stand in Rust code, in pieces so that this file passes.
const IN_CODE: &[&str] =
    &[concat!("#[", "ignore"), concat!("todo", "!("), concat!("unimplemented", "!("), concat!("should", "_panic")];

/// How a choice among futures begins, in pieces so that this file passes.
const SELECT: &str = concat!("select", "! {");
const SELECT_AND_MORE: &str = concat!("select", "! { ");

/// Where only one machine keeps something.
const IN_ALL: &[&str] = &[concat!("/work", "/"), concat!("/root", "/"), concat!("/home", "/"), concat!("/Users", "/")];

fn find(workspace: &Workspace) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for file in workspace.files()? {
        if let Some(text) = workspace.read(&file)? {
            findings.extend(examine(&file, &text));
        }
    }
    Ok(findings)
}

fn examine(file: &Path, text: &str) -> Vec<String> {
    let is_code = file.extension().is_some_and(|ending| ending == "rs");
    let in_code = if is_code { IN_CODE } else { &[] };
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let found = in_code.iter().chain(IN_ALL).filter(|needle| has(line, needle));
        findings.extend(found.map(|needle| format!("{}:{number}: {needle}", file.display())));
    }
    if is_code {
        findings.extend(
            unordered_selects(text).map(|number| format!("{}:{number}: a select without biased", file.display())),
        );
    }
    let lines = text.lines().count();
    if is_code && lines > LINES_MAX {
        findings.push(format!("{} has {lines} lines, over {LINES_MAX}", file.display()));
    }
    findings
}

/// Finds lines that begin a choice among futures in an order of chance, which no seed would repeat.
fn unordered_selects(text: &str) -> impl Iterator<Item = usize> {
    let is_ordered = |line: Option<&&str>| line.is_some_and(|line| line.contains("biased;"));
    let lines: Vec<&str> = text.lines().collect();
    let begins = |line: &str| line.trim_end().ends_with(SELECT) || line.contains(SELECT_AND_MORE);
    let found: Vec<usize> = (0..lines.len())
        .filter(|index| begins(lines[*index]) && !is_ordered(lines.get(*index)) && !is_ordered(lines.get(index + 1)))
        .map(|index| index + 1)
        .collect();
    found.into_iter()
}

/// A path of a machine begins a word: a URL that has such a folder further on has none.
fn has(line: &str, needle: &str) -> bool {
    line.match_indices(needle).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !needle.starts_with('/') || before.is_none_or(|c| !c.is_alphanumeric() && !"._-/~}".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{IN_ALL, IN_CODE, LINES_MAX, examine};

    #[test]
    fn gaps_are_found_in_code_and_machine_paths_everywhere() {
        for needle in IN_CODE {
            assert_eq!(examine(Path::new("a.rs"), &format!("x {needle}")).len(), 1, "{needle}");
            assert_eq!(examine(Path::new("a.md"), &format!("x {needle}")).len(), 0, "{needle}");
        }
        for needle in IN_ALL {
            assert_eq!(examine(Path::new("a.md"), &format!("\"{needle}x\"")).len(), 1, "{needle}");
            assert_eq!(examine(Path::new("a.md"), &format!("src{needle}x")).len(), 0, "{needle}");
        }
    }

    #[test]
    fn choices_by_chance_are_found() {
        let found = |text: &str| examine(Path::new("a.rs"), &text.replace("SELECT", super::SELECT));
        assert_eq!(found("    tokio::SELECT\n        biased;\n"), Vec::<String>::new());
        assert_eq!(found("    SELECT biased;\n"), Vec::<String>::new());
        assert_eq!(found("let x = SELECT\n  a = b => c,\n}"), ["a.rs:1: a select without biased"]);
        assert_eq!(found("SELECT a = b => c }").len(), 1);
    }

    #[test]
    fn long_files_are_found() {
        let text = "x\n".repeat(LINES_MAX);
        assert_eq!(examine(Path::new("a.rs"), &text).len(), 0);
        assert_eq!(examine(Path::new("a.rs"), &(text.clone() + "x\n")).len(), 1);
        assert_eq!(examine(Path::new("a.json"), &(text + "x\n")).len(), 0);
    }
}

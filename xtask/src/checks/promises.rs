//! The tests that ARCHITECTURE.md names beside its promises.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::Check;
use crate::workspace::Workspace;

pub(crate) const CHECK: Check = Check {
    name: "promises",
    purpose: "every test that ARCHITECTURE.md names is there",
    advice: "name the test that breaks now when the sentence is broken; where there is none, write it",
    run: find,
};

const PAGE: &str = "ARCHITECTURE.md";

fn find(workspace: &Workspace) -> Result<Vec<String>> {
    let mut functions = BTreeSet::new();
    for file in workspace.files()? {
        if file.extension().is_some_and(|ending| ending == "rs")
            && let Some(text) = workspace.read(&file)?
        {
            functions.extend(text.split("fn ").skip(1).map(|rest| word(rest).to_owned()));
        }
    }
    let page = workspace.read(Path::new(PAGE))?.unwrap_or_default();
    Ok(missing(&page, &functions))
}

fn missing(page: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let rows = (1..).zip(page.lines()).filter(|(_, line)| line.starts_with('|'));
    let named = rows.flat_map(|(number, line)| tests(line).map(move |test| (number, test)));
    let missing = named.filter(|(_, test)| !functions.iter().any(|function| is_named(function, test)));
    missing.map(|(number, test)| format!("{PAGE}:{number}: there is no test {test}")).collect()
}

/// Gives the names in the last cell of a row: code of three words or more. What `…` cuts off stands for all that begin so.
fn tests(row: &str) -> impl Iterator<Item = &str> {
    let cell = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or_default();
    let names = cell.split('`').skip(1).step_by(2).map(|code| code.rsplit(": ").next().unwrap_or_default());
    names.filter(|name| {
        let name = name.trim_end_matches('…');
        name.split('_').count() >= 3 && word(name) == name
    })
}

fn is_named(function: &str, name: &str) -> bool {
    match name.strip_suffix('…') {
        Some(begin) => function.starts_with(begin),
        None => function == name,
    }
}

fn word(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.find(|c| !is_part(c)).map_or(text, |end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn a_name_without_its_test_is_found() {
        let functions = ["a_b_c", "a_b_d_e"].map(str::to_owned).into();
        let check = |row: &str, expected: &[&str]| assert_eq!(missing(row, &functions), expected, "{row}");
        check("| `x_y_z` is said | `store: a_b_c`, `a_b_d…`; `sim` |", &[]);
        check("| a | `guards.rs`, `two_words`, `a.b_c_d`, `A_B_C` |", &[]);
        check("no row `x_y_z`", &[]);
        check(
            "| a | `store: x_y_z`, `a_b_d` |",
            &["ARCHITECTURE.md:1: there is no test x_y_z", "ARCHITECTURE.md:1: there is no test a_b_d"],
        );
    }
}

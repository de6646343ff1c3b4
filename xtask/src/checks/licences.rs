//! Every crate's licence is one that deny.toml allows.

use std::collections::BTreeSet;

use super::Check;
use crate::deny::Licenses;
use crate::workspace::{Package, Workspace};

pub(crate) const CHECK: Check = Check {
    name: "licences",
    purpose: "every crate's licence is allowed",
    advice: "take another crate, or add the licence to [licenses] of deny.toml if it goes with Apache-2.0",
    run: |workspace| Ok(find(workspace)),
};

fn find(workspace: &Workspace) -> Vec<String> {
    let rules = &workspace.deny.licenses;
    workspace.packages.values().filter_map(|package| objection(package, rules)).collect()
}

fn objection(package: &Package, rules: &Licenses) -> Option<String> {
    let who = format!("{} {}", package.name, package.version);
    let Some(expression) = &package.license else {
        return Some(format!("{who} names no licence"));
    };
    let exceptions = rules.exceptions.iter().filter(|exception| exception.name == package.name);
    let allowed: BTreeSet<&str> =
        exceptions.flat_map(|exception| &exception.allow).chain(&rules.allow).map(String::as_str).collect();
    match satisfied(expression, &allowed) {
        Some(true) => None,
        Some(false) => Some(format!("{who} is under {expression}")),
        None => Some(format!("{who} has a licence that can't be read: {expression}")),
    }
}

/// Evaluates an SPDX expression with OR (or the old `/`), AND, WITH and parentheses; `None` if it is none.
fn satisfied(expression: &str, allowed: &BTreeSet<&str>) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let value = any(&mut words, allowed)?;
    words.is_empty().then_some(value)
}

fn any(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> Option<bool> {
    let mut value = both(words, allowed)?;
    while words.pop_if(|word| *word == "OR").is_some() {
        value |= both(words, allowed)?;
    }
    Some(value)
}

fn both(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> Option<bool> {
    let mut value = one(words, allowed)?;
    while words.pop_if(|word| *word == "AND").is_some() {
        value &= one(words, allowed)?;
    }
    Some(value)
}

fn one(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> Option<bool> {
    match words.pop()? {
        "(" => {
            let value = any(words, allowed)?;
            words.pop_if(|word| *word == ")").map(|_| value)
        }
        ")" | "OR" | "AND" | "WITH" => None,
        name if words.pop_if(|word| *word == "WITH").is_some() => {
            let exception = words.pop()?;
            Some(allowed.contains(format!("{name} WITH {exception}").as_str()))
        }
        name => Some(allowed.contains(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    #[test]
    fn expressions_are_evaluated() {
        let allowed = ["MIT", "Apache-2.0", "ISC", "Apache-2.0 WITH LLVM-exception"].into();
        for (expression, expected) in [
            ("MIT", Some(true)),
            ("GPL-3.0", Some(false)),
            ("MIT OR GPL-3.0", Some(true)),
            ("GPL-3.0/MIT", Some(true)),
            ("MIT AND GPL-3.0", Some(false)),
            ("ISC AND (Apache-2.0 OR GPL-3.0)", Some(true)),
            ("GPL-3.0 OR MIT AND ISC", Some(true)),
            ("(GPL-3.0 OR MIT) AND GPL-2.0", Some(false)),
            ("Apache-2.0 WITH LLVM-exception", Some(true)),
            ("MIT WITH LLVM-exception", Some(false)),
            ("(MIT", None),
            ("MIT MIT", None),
            ("OR MIT", None),
            ("", None),
        ] {
            assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
        }
    }
}

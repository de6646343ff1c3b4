//! `cargo xtask verify`.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::checks::{Check, all};
use crate::workspace::Workspace;

/// Runs the checks of those names, or all; prints what each found, and gives whether all passed.
pub(crate) fn run(names: &[String]) -> Result<bool> {
    let checks = selected(names)?;
    let workspace = Workspace::load()?;
    let mut failed = Vec::new();
    for check in &checks {
        if !passes(check, &workspace)? {
            failed.push(check.name);
        }
    }
    match failed.as_slice() {
        [] => println!("\n{} checks passed", checks.len()),
        _ => println!("\n{} of {} checks failed: {}", failed.len(), checks.len(), failed.join(", ")),
    }
    Ok(failed.is_empty())
}

fn selected(names: &[String]) -> Result<Vec<Check>> {
    let known: Vec<&str> = all().iter().map(|check| check.name).collect();
    for name in names {
        ensure!(known.contains(&name.as_str()), "there is no check {name}; the checks are {}", known.join(", "));
    }
    let wanted = |check: &Check| names.is_empty() || names.iter().any(|name| name == check.name);
    Ok(all().into_iter().filter(wanted).collect())
}

fn passes(check: &Check, workspace: &Workspace) -> Result<bool> {
    println!("==> {}: {}", check.name, check.purpose);
    let start = Instant::now();
    let findings = (check.run)(workspace)?;
    for finding in &findings {
        println!("    {finding}");
    }
    let seconds = start.elapsed().as_secs_f32();
    match findings.len() {
        0 => println!("    ok in {seconds:.1} s"),
        _ => println!("    FAILED in {seconds:.1} s. What to do: {}", check.advice),
    }
    Ok(findings.is_empty())
}

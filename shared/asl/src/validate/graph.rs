//! The transitions: every target exists, every state is reached, every machine can end, every name is unique.

use std::collections::BTreeSet;

use crate::diagnostics::Code;
use crate::validate::place::Place;
use crate::validate::report::Report;
use crate::validate::tree::{Object, Tree};

/// Checks a whole definition. What is no name of a state is at fault already and leads nowhere.
pub(crate) fn check(definition: &Object, report: &mut Report) {
    let mut seen = Seen::default();
    check_machine(definition, Place::ROOT, &mut seen, report);
}

#[derive(Default)]
struct Seen<'a> {
    names: BTreeSet<&'a str>,
    labels: BTreeSet<&'a str>,
}

fn check_machine<'a>(machine: &'a Object, place: Place<'_>, seen: &mut Seen<'a>, report: &mut Report) {
    let Some(states) = machine.get("States").and_then(Tree::object) else { return };
    let all = place.field("States");
    for (name, value) in states.members() {
        if !seen.names.insert(name) {
            report.error(Code::DuplicateStateName, format!("Duplicate State name: {name}"), all.field(name));
        }
        let label = value.object().and_then(|state| state.get("Label")).and_then(Tree::string);
        if let Some(label) = label.filter(|label| !seen.labels.insert(label)) {
            let message = format!("Duplicate Label name: {label}");
            report.error(Code::DuplicateLabelName, message, all.field(name).field("Label"));
        }
    }
    let start_at = machine.get("StartAt").and_then(Tree::string);
    if let Some(target) = start_at {
        check_target(target, states, place.field("StartAt"), report);
    }
    for (name, state) in states.members() {
        let here = all.field(name);
        each_target(state, here, &mut |target, place| check_target(target, states, place, report));
    }
    check_reach(start_at, states, all, report);
    for (name, state) in states.members() {
        let here = all.field(name);
        each_nested(state, here, &mut |nested, place| check_machine(nested, place, seen, report));
    }
}

fn check_target(target: &str, states: &Object, place: Place<'_>, report: &mut Report) {
    if !states.has(target) {
        report.error(Code::MissingTransitionTarget, format!("Missing 'Next' target: {target}"), place);
    }
}

/// AWS looks for unreached states only where some state ends the machine.
fn check_reach(start_at: Option<&str>, states: &Object, all: Place<'_>, report: &mut Report) {
    if !states.members().any(|(_, state)| ends(state)) {
        return report.error_at(Code::MissingEndState, "Workflow has no terminal state", None);
    }
    let Some(start_at) = start_at else { return };
    let reached = reached(start_at, states);
    for (name, _) in states.members().filter(|(name, _)| !reached.contains(name)) {
        let message = format!("State \"{name}\" is not reachable.");
        report.error(Code::MissingTransitionTarget, message, all.field(name));
    }
}

fn reached<'a>(start_at: &'a str, states: &'a Object) -> BTreeSet<&'a str> {
    let by_name: std::collections::BTreeMap<&str, &Tree> = states.members().collect();
    let mut reached = BTreeSet::new();
    let mut open = vec![start_at];
    while let Some(name) = open.pop() {
        let Some(state) = by_name.get(name) else { continue };
        if reached.insert(name) {
            each_target(state, Place::ROOT, &mut |target, _| open.push(target));
        }
    }
    reached
}

fn ends(state: &Tree) -> bool {
    let Some(state) = state.object() else { return false };
    match state.get("Type").and_then(Tree::string) {
        Some("Succeed" | "Fail") => true,
        Some(_) | None => state.get("End").and_then(Tree::boolean) == Some(true),
    }
}

/// Visits where a state leads, each with the place that says so.
fn each_target<'a>(state: &'a Tree, place: Place<'_>, visit: &mut impl FnMut(&'a str, Place<'_>)) {
    let Some(state) = state.object() else { return };
    for name in ["Next", "Default"] {
        if let Some(target) = state.get(name).and_then(Tree::string) {
            visit(target, place.field(name));
        }
    }
    for name in ["Catch", "Choices"] {
        let here = place.field(name);
        let entries = state.get(name).and_then(Tree::array).unwrap_or_default();
        for (position, entry) in entries.iter().enumerate() {
            let next = entry.object().and_then(|entry| entry.get("Next")).and_then(Tree::string);
            if let Some(target) = next {
                visit(target, here.index(position).field("Next"));
            }
        }
    }
}

/// Visits the machines in a state, each with its place.
pub(crate) fn each_nested<'a>(state: &'a Tree, place: Place<'_>, visit: &mut impl FnMut(&'a Object, Place<'_>)) {
    let Some(state) = state.object() else { return };
    let here = place.field("Branches");
    let branches = state.get("Branches").and_then(Tree::array).unwrap_or_default();
    for (position, branch) in branches.iter().enumerate() {
        if let Some(branch) = branch.object() {
            visit(branch, here.index(position));
        }
    }
    for name in ["ItemProcessor", "Iterator"] {
        if let Some(processor) = state.get(name).and_then(Tree::object) {
            visit(processor, place.field(name));
        }
    }
}

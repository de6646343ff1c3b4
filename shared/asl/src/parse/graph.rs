//! The transitions: every target exists, every state is reached, every machine can end, every name is unique.

use std::collections::BTreeSet;

use crate::definition::Machine;
use crate::diagnostics::Code;
use crate::name::StateName;
use crate::parse::findings::Findings;
use crate::state::{State, StateKind, Transition};

/// Checks a whole definition, whose fields are right.
pub(crate) fn check(machine: &Machine, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    check_machine(machine, "", &mut names, findings);
}

fn check_machine(machine: &Machine, place: &str, names: &mut BTreeSet<StateName>, findings: &mut Findings) {
    let mut targets = vec![(machine.start_at().clone(), format!("{place}/StartAt"))];
    for state in machine.states() {
        let here = format!("{place}/States/{}", state.name);
        if !names.insert(state.name.clone()) {
            findings.error(Code::DuplicateStateName, format!("Duplicate State name: {}", state.name), &here);
        }
        targets.extend(targets_of(state, &here));
    }
    for (target, pointer) in &targets {
        if machine.state(target.as_str()).is_none() {
            findings.error(Code::MissingTransitionTarget, format!("Missing 'Next' target: {target}"), pointer);
        }
    }
    check_reach(machine, place, findings);
    for state in machine.states() {
        let here = format!("{place}/States/{}", state.name);
        for (nested, pointer) in nested(state, &here) {
            check_machine(nested, &pointer, names, findings);
        }
    }
}

/// AWS looks for unreached states only where some state ends the machine.
fn check_reach(machine: &Machine, place: &str, findings: &mut Findings) {
    if !machine.states().any(|state| ends(state)) {
        findings.error_without_place(Code::MissingEndState, "Workflow has no terminal state");
        return;
    }
    let reached = reached(machine);
    for state in machine.states().filter(|state| !reached.contains(&state.name)) {
        let message = format!("State \"{}\" is not reachable.", state.name);
        findings.error(Code::MissingTransitionTarget, message, &format!("{place}/States/{}", state.name));
    }
}

fn reached(machine: &Machine) -> BTreeSet<StateName> {
    let mut reached = BTreeSet::new();
    let mut open = vec![machine.start_at().clone()];
    while let Some(name) = open.pop() {
        let Some(state) = machine.state(name.as_str()) else {
            continue;
        };
        if reached.insert(name) {
            open.extend(targets_of(state, "").into_iter().map(|(target, _)| target));
        }
    }
    reached
}

fn ends(state: &State) -> bool {
    match state.transition() {
        Some(transition) => transition == &Transition::End,
        None => matches!(state.kind, StateKind::Succeed(_) | StateKind::Fail(_)),
    }
}

/// Lists where a state leads, each with the place that says so.
fn targets_of(state: &State, here: &str) -> Vec<(StateName, String)> {
    let mut targets = Vec::new();
    if let Some(Transition::Next(next)) = state.transition() {
        targets.push((next.clone(), format!("{here}/Next")));
    }
    for (position, catcher) in state.catch().iter().enumerate() {
        targets.push((catcher.next.clone(), format!("{here}/Catch[{position}]/Next")));
    }
    if let StateKind::Choice(choice) = &state.kind {
        for (position, rule) in choice.choices.iter().enumerate() {
            targets.push((rule.next.clone(), format!("{here}/Choices[{position}]/Next")));
        }
        targets.extend(choice.default.iter().map(|default| (default.clone(), format!("{here}/Default"))));
    }
    targets
}

/// Lists the machines in a state, each with its place.
fn nested<'a>(state: &'a State, here: &str) -> Vec<(&'a Machine, String)> {
    match &state.kind {
        StateKind::Parallel(parallel) => {
            let branches = parallel.branches.iter().enumerate();
            branches.map(|(position, branch)| (&**branch, format!("{here}/Branches[{position}]"))).collect()
        }
        StateKind::Map(map) => vec![(&*map.item_processor, format!("{here}/ItemProcessor"))],
        StateKind::Task(_)
        | StateKind::Pass(_)
        | StateKind::Choice(_)
        | StateKind::Wait(_)
        | StateKind::Succeed(_)
        | StateKind::Fail(_) => Vec::new(),
    }
}

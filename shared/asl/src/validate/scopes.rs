//! The variables of nested machines: none has the name of one that is assigned around it.

use std::collections::BTreeSet;

use crate::validate::graph::each_nested;
use crate::validate::place::Place;
use crate::validate::report::Report;
use crate::validate::tree::{Object, Tree};

/// Checks a whole definition.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>, Variable scope.
pub(crate) fn check(definition: &Object, report: &mut Report) {
    check_machine(definition, Place::ROOT, None, report);
}

/// Is what a machine's states assign, and what is assigned around it.
struct Scope<'a> {
    names: BTreeSet<&'a str>,
    outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    fn assigns(&self, name: &str) -> bool {
        self.names.contains(name) || self.outer.is_some_and(|outer| outer.assigns(name))
    }
}

fn check_machine(machine: &Object, place: Place<'_>, outer: Option<&Scope<'_>>, report: &mut Report) {
    let Some(states) = machine.get("States").and_then(Tree::object) else { return };
    // A distributed Map's items run as executions of their own.
    let outer = outer.filter(|_| !is_distributed(machine));
    let mut scope = Scope { names: BTreeSet::new(), outer };
    let all = place.field("States");
    for (name, state) in states.members() {
        each_assigned(state, all.field(name), &mut |variable, place| {
            scope.names.insert(variable);
            if outer.is_some_and(|outer| outer.assigns(variable)) {
                report.schema(format!("The variable name '{variable}' is already assigned in an outer scope"), place);
            }
        });
    }
    for (name, state) in states.members() {
        let here = all.field(name);
        each_nested(state, here, &mut |nested, place| check_machine(nested, place, Some(&scope), report));
    }
}

fn is_distributed(machine: &Object) -> bool {
    let config = machine.get("ProcessorConfig").and_then(Tree::object);
    config.and_then(|config| config.get("Mode")).and_then(Tree::string) == Some("DISTRIBUTED")
}

/// Visits the variables that a state, its rules and its Catchers assign, each with the place that names it.
fn each_assigned<'a>(state: &'a Tree, place: Place<'_>, visit: &mut impl FnMut(&'a str, Place<'_>)) {
    let Some(state) = state.object() else { return };
    each_of(state, place, visit);
    for name in ["Choices", "Catch"] {
        let here = place.field(name);
        let entries = state.get(name).and_then(Tree::array).unwrap_or_default();
        for (position, entry) in entries.iter().enumerate() {
            if let Some(entry) = entry.object() {
                each_of(entry, here.index(position), visit);
            }
        }
    }
}

fn each_of<'a>(object: &'a Object, place: Place<'_>, visit: &mut impl FnMut(&'a str, Place<'_>)) {
    let here = place.field("Assign");
    let Some(assigned) = object.get("Assign").and_then(Tree::object) else { return };
    for (written, _) in assigned.members() {
        visit(written.strip_suffix(".$").unwrap_or(written), here.field(written));
    }
}

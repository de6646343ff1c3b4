//! A definition, and the machines nested in its states.

use crate::definition::QueryLanguage;
use crate::diagnostics::Code;
use crate::validate::fields::{self, SECONDS_MAX};
use crate::validate::place::Place;
use crate::validate::report::Report;
use crate::validate::tree::{Object, Tree};
use crate::validate::{graph, scopes, state};

/// The longest name of a state in characters, as AWS has it.
const STATE_NAME_LENGTH_MAX: usize = 80;

/// Is the language of states that name none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outer {
    pub(crate) language: QueryLanguage,
    /// Whether states may go back to JSONPath where that language is JSONata. AWS refuses it in a machine, and takes it in the
    /// machine that each item of a distributed Map runs.
    pub(crate) may_go_back: bool,
}

/// Checks a whole definition.
pub(crate) fn definition(root: &Tree, report: &mut Report) {
    let Some(object) = report.object(root, Place::ROOT) else { return };
    report.allow_only(object, fields::DEFINITION, Place::ROOT);
    let language = language(object, report);
    if let Some(version) = object.get("Version") {
        report.one_of(version, &["1.0"], Place::ROOT.field("Version"));
    }
    comment(object, Place::ROOT, report);
    if let Some(timeout) = object.get("TimeoutSeconds") {
        report.integer(timeout, 0, SECONDS_MAX, Place::ROOT.field("TimeoutSeconds"));
    }
    machine(object, Outer { language, may_go_back: false }, Place::ROOT, report);
    if !report.has_errors() || report.options().thorough {
        graph::check(object, report);
        scopes::check(object, report);
    }
}

/// Checks `StartAt` and `States`, of a definition or nested in a state.
pub(crate) fn machine(object: &Object, outer: Outer, place: Place<'_>, report: &mut Report) {
    report.require(object, &["States", "StartAt"], place);
    if let Some(start_at) = object.get("StartAt") {
        report.string(start_at, place.field("StartAt"));
    }
    let here = place.field("States");
    let Some(states) = object.get("States").and_then(|states| report.object(states, here)) else { return };
    if states.is_empty() {
        report.schema("Value cannot be empty", here);
    }
    for (name, value) in states.members() {
        let here = here.field(name);
        if name.is_empty() || name.chars().count() > STATE_NAME_LENGTH_MAX {
            let message = format!("A state name must have 1 to {STATE_NAME_LENGTH_MAX} characters");
            report.error(Code::InvalidStateName, message, here);
        }
        state::check(value, outer, here, report);
    }
}

pub(crate) fn comment(object: &Object, place: Place<'_>, report: &mut Report) {
    if let Some(comment) = object.get("Comment") {
        report.string(comment, place.field("Comment"));
    }
}

fn language(object: &Object, report: &mut Report) -> QueryLanguage {
    let Some(field) = object.get("QueryLanguage") else { return QueryLanguage::JsonPath };
    match report.one_of(field, &["JSONPath", "JSONata"], Place::ROOT.field("QueryLanguage")) {
        Some("JSONPath") => QueryLanguage::JsonPath,
        // AWS takes anything else for JSONata.
        Some(_) | None => QueryLanguage::Jsonata,
    }
}

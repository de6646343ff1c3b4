//! Choice states and their rules.

use crate::definition::QueryLanguage;
use crate::validate::fields::{self, Fields};
use crate::validate::machine::comment;
use crate::validate::path::{self, Required};
use crate::validate::place::Place;
use crate::validate::report::Report;
use crate::validate::state::State;
use crate::validate::tree::{Object, Tree};
use crate::validate::{expression, template, variables};

/// The fields of which a rule has exactly one.
const SELECTORS: [&str; 5] = ["And", "Or", "Not", "Variable", "Condition"];

/// Bounds the nesting of `And`, `Or` and `Not`.
const DEPTH_MAX: usize = 64;

/// The fields of a rule beside its operator; only the outermost have all of these.
const RULE: Fields = Fields {
    both: &["Assign", "Comment", "Next"],
    jsonpath: &["And", "Not", "Or", "Variable"],
    jsonata: &["Condition", "Output"],
};
const INNER: Fields =
    Fields { both: &["Comment"], jsonpath: &["And", "Not", "Or", "Variable"], jsonata: &["Condition"] };

/// Checks what is a Choice's own.
pub(crate) fn check(state: State<'_>, report: &mut Report) {
    report.require(state.object, &["Choices"], state.place);
    if let Some(default) = state.get("Default") {
        report.string(default, state.place.field("Default"));
    }
    let place = state.place.field("Choices");
    let rules = state.get("Choices").and_then(|rules| report.filled_array(rules, place)).unwrap_or_default();
    for (position, value) in rules.iter().enumerate() {
        let place = place.index(position);
        if let Some(rule) = report.object(value, place) {
            outermost(rule, state, place, report);
        }
    }
}

fn outermost(rule: &Object, state: State<'_>, place: Place<'_>, report: &mut Report) {
    report.require(rule, &["Next"], place);
    if let Some(next) = rule.get("Next") {
        report.string(next, place.field("Next"));
    }
    variables::check(rule, state.language, place, report);
    match state.language {
        QueryLanguage::JsonPath => condition(rule, RULE, state, 0, place, report),
        QueryLanguage::Jsonata => computed(rule, place, report),
    }
}

/// Checks a rule whose language is JSONata.
fn computed(rule: &Object, place: Place<'_>, report: &mut Report) {
    let operators: Vec<&str> = rule.members().map(|(name, _)| name).filter(|name| operand(name).is_some()).collect();
    fields::check(rule, RULE, &operators, QueryLanguage::Jsonata, place, report);
    for name in operators {
        fields::wrong_language(name, QueryLanguage::Jsonata, place, report);
    }
    comment(rule, place, report);
    report.require(rule, &["Condition"], place);
    expression::field(rule, "Output", place, report);
    let here = place.field("Condition");
    match rule.get("Condition") {
        Some(Tree::Boolean(_)) | None => {}
        Some(condition) => {
            if !expression::is_checked_expression(condition, QueryLanguage::Jsonata, here, report)
                && !report.is_open(condition)
            {
                report.schema("Value must be a JSONata expression that gives a Boolean", here);
            }
        }
    }
}

fn condition(rule: &Object, fields: Fields, state: State<'_>, depth: usize, place: Place<'_>, report: &mut Report) {
    if depth > DEPTH_MAX {
        return report.schema("The conditions are nested too deeply", place);
    }
    let operators: Vec<&str> = rule.members().map(|(name, _)| name).filter(|name| operand(name).is_some()).collect();
    fields::check(rule, fields, &operators, QueryLanguage::JsonPath, place, report);
    comment(rule, place, report);
    if SELECTORS.iter().filter(|name| rule.has(name)).count() != 1 {
        let selectors = SELECTORS.join(", ");
        return report.schema(format!("The object must have only one of the following fields, [{selectors}]"), place);
    }
    if let Some(selector) = ["And", "Or", "Not"].into_iter().find(|name| rule.has(name)) {
        only(selector, &operators, place, report);
    }
    for name in ["And", "Or"] {
        if let Some(parts) = rule.get(name) {
            conditions(parts, state, depth, place.field(name), report);
        }
    }
    if let Some(value) = rule.get("Not") {
        let place = place.field("Not");
        if let Some(part) = report.object(value, place) {
            condition(part, INNER, state, depth + 1, place, report);
        }
    }
    if let Some(variable) = rule.get("Variable") {
        path::check(variable, Required::Reference, place.field("Variable"), report);
        comparison(rule, &operators, state, place, report);
    }
}

/// Finds fault with operators beside `And`, `Or` or `Not`.
fn only(selector: &str, operators: &[&str], place: Place<'_>, report: &mut Report) {
    if !operators.is_empty() {
        let names = operators.join(", ");
        report.schema(format!("There should only be one of the following fields: [{selector}, {names}]"), place);
    }
}

fn conditions(value: &Tree, state: State<'_>, depth: usize, place: Place<'_>, report: &mut Report) {
    let parts = report.filled_array(value, place).unwrap_or_default();
    for (position, part) in parts.iter().enumerate() {
        let place = place.index(position);
        if let Some(part) = report.object(part, place) {
            condition(part, INNER, state, depth + 1, place, report);
        }
    }
}

fn comparison(rule: &Object, operators: &[&str], state: State<'_>, place: Place<'_>, report: &mut Report) {
    match operators {
        [] => report.schema("A comparison operator is required", place),
        [name] => {
            if let (Some(kind), Some(value)) = (operand(name), rule.get(name)) {
                check_operand(kind, name, value, state, place, report);
            }
        }
        _ => {
            let names = operators.join(", ");
            report.schema(format!("There should only be one of the following fields: [{names}]"), place);
        }
    }
}

/// Is what an operator compares with.
#[derive(Clone, Copy)]
enum Operand {
    Text,
    Number,
    Boolean,
    Timestamp,
    Path,
}

/// Finds the operand of an operator by its name.
fn operand(name: &str) -> Option<Operand> {
    if let "IsNull" | "IsPresent" | "IsNumeric" | "IsString" | "IsBoolean" | "IsTimestamp" = name {
        return Some(Operand::Boolean);
    }
    if name == "StringMatches" {
        return Some(Operand::Text);
    }
    let kinds = [
        ("String", Operand::Text),
        ("Numeric", Operand::Number),
        ("Boolean", Operand::Boolean),
        ("Timestamp", Operand::Timestamp),
    ];
    let (rest, kind) = kinds.into_iter().find_map(|(word, kind)| Some((name.strip_prefix(word)?, kind)))?;
    let (comparison, kind) = match rest.strip_suffix("Path") {
        Some(comparison) => (comparison, Operand::Path),
        None => (rest, kind),
    };
    let ordered = matches!(comparison, "LessThan" | "LessThanEquals" | "GreaterThan" | "GreaterThanEquals");
    let fits = comparison == "Equals" || (ordered && !name.starts_with("Boolean"));
    fits.then_some(kind)
}

fn check_operand(kind: Operand, name: &str, value: &Tree, state: State<'_>, place: Place<'_>, report: &mut Report) {
    let here = place.field(name);
    match kind {
        Operand::Text => {
            report.string(value, here);
            template::warn_no_path(name, value, State { place, ..state }, report);
        }
        Operand::Number => {
            report.number(value, here);
        }
        Operand::Boolean => {
            report.boolean(value, here);
        }
        Operand::Timestamp => expression::instant(value, QueryLanguage::JsonPath, here, report),
        Operand::Path => path::check(value, Required::Reference, here, report),
    }
}

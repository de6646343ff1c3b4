//! Payload templates, and what looks as if its author meant one.

use crate::definition::QueryLanguage;
use crate::diagnostics::Code;
use crate::intrinsic::Intrinsic;
use crate::path::DataPath;
use crate::validate::place::Place;
use crate::validate::report::Report;
use crate::validate::state::State;
use crate::validate::tree::{Object, Tree};

/// Checks the template in a field, if it is there.
pub(crate) fn field(object: &Object, name: &str, place: Place<'_>, report: &mut Report) {
    if let Some(value) = object.get(name) {
        check(value, place.field(name), report);
    }
}

/// Checks a template.
pub(crate) fn check(value: &Tree, place: Place<'_>, report: &mut Report) {
    match value {
        Tree::Object(object) => {
            for (name, value) in object.members() {
                if name.ends_with(".$") {
                    computed(name, value, place, report);
                } else {
                    warn_no_dollar(name, value, place, report);
                    check(value, place.field(name), report);
                }
            }
        }
        Tree::Array(elements) => {
            for (position, element) in elements.iter().enumerate() {
                check(element, place.index(position), report);
            }
        }
        Tree::Null | Tree::Boolean(_) | Tree::Number(_) | Tree::String(_) => {}
    }
}

fn computed(name: &str, value: &Tree, place: Place<'_>, report: &mut Report) {
    let text = value.string().unwrap_or_default();
    let fits = DataPath::parse(text).is_ok() || Intrinsic::parse(text).is_ok();
    if !fits && !report.is_open(value) {
        let message = "must be a valid JSONPath or a valid intrinsic function call";
        report.schema(format!("The value for the field '{name}' {message}"), place);
    }
}

/// Warns of a fixed result that its author takes for a template.
pub(crate) fn static_result(value: &Tree, place: Place<'_>, report: &mut Report) {
    match value {
        Tree::Object(object) => {
            for (name, value) in object.members() {
                if name.ends_with(".$") {
                    report.warning(Code::PassResultIsStatic, "The Result of a Pass state is not evaluated", place);
                }
                static_result(value, place.field(name), report);
            }
        }
        Tree::Array(elements) => {
            for (position, element) in elements.iter().enumerate() {
                static_result(element, place.index(position), report);
            }
        }
        Tree::String(text) if looks_computed(text) => {
            report.warning(Code::PassResultIsStatic, "The Result of a Pass state is not evaluated", place);
        }
        Tree::Null | Tree::Boolean(_) | Tree::Number(_) | Tree::String(_) => {}
    }
}

/// Warns of a text that looks like a path, in a field that has a `…Path` beside it.
pub(crate) fn warn_no_path(name: &str, value: &Tree, state: State<'_>, report: &mut Report) {
    let path = value.string().filter(|text| is_path(text));
    if state.language == QueryLanguage::JsonPath && path.is_some() {
        let message = format!("The value of field '{name}' looks like a path, but the name does not end with 'Path'");
        report.warning(Code::NoPath, message, state.place.field(name));
    }
}

fn warn_no_dollar(name: &str, value: &Tree, place: Place<'_>, report: &mut Report) {
    if value.string().is_some_and(looks_computed) {
        let message = format!(
            "The value of field '{name}' looks like a JSONPath or an intrinsic function, but the name does not end with '.$'"
        );
        report.warning(Code::NoDollar, message, place.field(name));
    }
}

fn looks_computed(text: &str) -> bool {
    is_path(text) || (text.starts_with("States.") && Intrinsic::parse(text).is_ok())
}

/// Tells whether a text is a path beyond a doubt: `$5` or a lone `$` may be a price.
pub(crate) fn is_path(text: &str) -> bool {
    (text.starts_with("$.") || text.starts_with("$[") || text.starts_with("$$.")) && DataPath::parse(text).is_ok()
}

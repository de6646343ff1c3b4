//! Fields that hold paths.

use crate::intrinsic::Intrinsic;
use crate::path::{DataPath, Root};
use crate::validate::place::Place;
use crate::validate::report::Report;
use crate::validate::tree::{Object, Tree};

/// Says what a path must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Required {
    /// Any path.
    Any,
    /// One that names a single value.
    Reference,
    /// One that names a single value in the input or a variable.
    Value,
    /// One that names a place in the input, to which a result may go.
    Place,
}

/// Checks a field that may also be missing or `null`.
pub(crate) fn optional(object: &Object, name: &str, required: Required, place: Place<'_>, report: &mut Report) {
    match object.get(name) {
        Some(value) if !value.is_null() => check(value, required, place.field(name), report),
        Some(_) | None => {}
    }
}

/// Checks a path.
pub(crate) fn check(value: &Tree, required: Required, place: Place<'_>, report: &mut Report) {
    let Some(text) = report.string(value, place) else { return };
    if report.is_open(value) {
        return;
    }
    if let Some(message) = fault(text, required) {
        report.schema(message, place);
    }
}

/// Checks a path or a call of an intrinsic function.
pub(crate) fn or_intrinsic(value: &Tree, place: Place<'_>, report: &mut Report) {
    let Some(text) = report.string(value, place) else { return };
    if text.starts_with('$') {
        return check(value, Required::Reference, place, report);
    }
    if Intrinsic::parse(text).is_err() && !report.is_open(value) {
        report.schema("Value must be a valid JSONPath or a valid intrinsic function call", place);
    }
}

fn fault(text: &str, required: Required) -> Option<&'static str> {
    let parsed = DataPath::parse(text);
    if required == Required::Any {
        return parsed.is_err().then_some("Value must be a valid JSONPath.");
    }
    if !text.starts_with('$') {
        return Some("Value is not a Reference Path: Reference path didn't start with '$'");
    }
    let fits = parsed.is_ok_and(|path| match required {
        Required::Place => {
            path.root() == &Root::Input && jsonpath::ReferencePath::try_from(path.path().clone()).is_ok()
        }
        Required::Value => path.root() != &Root::Context && path.path().is_definite(),
        Required::Any | Required::Reference => path.path().is_definite(),
    });
    (!fits).then_some("Value is not a Reference Path")
}

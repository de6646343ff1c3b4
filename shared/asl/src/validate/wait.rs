//! Wait states.

use crate::definition::QueryLanguage;
use crate::validate::expression;
use crate::validate::fields::SECONDS_MAX;
use crate::validate::path::{self, Required};
use crate::validate::report::Report;
use crate::validate::state::{State, transition};

/// Checks what is a Wait's own.
pub(crate) fn check(state: State<'_>, report: &mut Report) {
    transition(state, report);
    let names: &[&str] = match state.language {
        QueryLanguage::JsonPath => &["SecondsPath", "Seconds", "TimestampPath", "Timestamp"],
        QueryLanguage::Jsonata => &["Seconds", "Timestamp"],
    };
    report.exactly_one_of(state.object, names, state.place);
    if let Some(seconds) = state.get("Seconds") {
        expression::integer(seconds, (0, SECONDS_MAX), state.language, state.place.field("Seconds"), report);
    }
    if let Some(timestamp) = state.get("Timestamp") {
        expression::instant(timestamp, state.language, state.place.field("Timestamp"), report);
    }
    for name in ["SecondsPath", "TimestampPath"] {
        if let Some(path) = state.get(name) {
            path::check(path, Required::Value, state.place.field(name), report);
        }
    }
}

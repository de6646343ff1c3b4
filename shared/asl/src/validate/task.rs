//! Task states.

use crate::definition::QueryLanguage;
use crate::validate::fields::SECONDS_MAX;
use crate::validate::path::{self, Required};
use crate::validate::report::Report;
use crate::validate::state::{State, transition};
use crate::validate::{expression, resource, retry, template};

/// Checks what is a Task's own.
pub(crate) fn check(state: State<'_>, report: &mut Report) {
    report.require(state.object, &["Resource"], state.place);
    transition(state, report);
    let resource = resource::check(state, report);
    credentials(state, resource.as_ref(), report);
    for name in ["TimeoutSeconds", "HeartbeatSeconds"] {
        number(state, name, (1, SECONDS_MAX), report);
    }
    retry::retriers(state, report);
    retry::catchers(state, report);
}

/// Checks a number that is stated or computed in field `name` or looked up by `namePath`.
pub(crate) fn number(state: State<'_>, name: &str, bounds: (u64, u64), report: &mut Report) {
    let path_name = format!("{name}Path");
    if state.language == QueryLanguage::JsonPath {
        report.at_most_one_of(state.object, &[name, &path_name], state.place);
        if let Some(path) = state.get(&path_name) {
            path::check(path, Required::Value, state.place.field(&path_name), report);
        }
    }
    if let Some(value) = state.get(name) {
        expression::integer(value, bounds, state.language, state.place.field(name), report);
    }
}

fn credentials(state: State<'_>, resource: Option<&crate::resource::Resource>, report: &mut Report) {
    let Some(value) = state.get("Credentials") else { return };
    let place = state.place.field("Credentials");
    let is_activity = |resource: &crate::resource::Resource| {
        matches!(resource.kind(), crate::resource::ResourceKind::Activity { .. })
    };
    if resource.is_some_and(is_activity) {
        report.schema("The field 'Credentials' is not supported for activities", place);
    }
    if expression::is_checked_expression(value, state.language, place, report) {
        return;
    }
    let Some(object) = report.object(value, place) else { return };
    if !object.has("RoleArn") && !object.has("RoleArn.$") {
        report.schema("The field 'RoleArn' is required but was missing", place);
    }
    match state.language {
        QueryLanguage::JsonPath => template::check(value, place, report),
        QueryLanguage::Jsonata => expression::check(value, place, report),
    }
}

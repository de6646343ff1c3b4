//! One state: its type, its fields, and what states of several types share.

use crate::definition::QueryLanguage;
use crate::validate::fields::{self, TYPES};
use crate::validate::machine::{Outer, comment};
use crate::validate::path::{self, Required};
use crate::validate::place::Place;
use crate::validate::report::{Report, Visible};
use crate::validate::tree::{Object, Tree};
use crate::validate::{choice, expression, map, retry, task, template, variables, wait};

/// Is what the checks of a state's parts need to know of it.
#[derive(Clone, Copy)]
pub(crate) struct State<'a> {
    pub(crate) kind: &'a str,
    pub(crate) object: &'a Object,
    /// The language of its own expressions.
    pub(crate) language: QueryLanguage,
    /// The language of the states nested in it, as long as they don't name one.
    pub(crate) outer: Outer,
    pub(crate) place: Place<'a>,
}

impl<'a> State<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a Tree> {
        self.object.get(name)
    }

    /// Says whether there is a result that `Output` and `Assign` see.
    ///
    /// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html>
    fn result(&self) -> Visible {
        match self.kind {
            "Task" | "Parallel" | "Map" => Visible::Result,
            _ => Visible::Neither,
        }
    }
}

/// Checks a state that stands alone.
pub(crate) fn alone(value: &Tree, report: &mut Report) {
    let outer = Outer { language: QueryLanguage::JsonPath, may_go_back: false };
    check(value, outer, Place::ROOT, report);
}

/// Checks a state in a definition of a language.
pub(crate) fn check(value: &Tree, outer: Outer, place: Place<'_>, report: &mut Report) {
    let Some(object) = report.object(value, place) else { return };
    report.require(object, &["Type"], place);
    let Some(written) = object.get("Type") else { return };
    let Some(kind) = report.string(written, place.field("Type")) else { return };
    let Some(known) = fields::of(kind) else {
        let message = format!("The field 'Type' should have one of these values: [{TYPES}]");
        return report.schema(message, place.field("Type"));
    };
    let language = language(object, outer, place, report);
    fields::check_state(object, known, language, place, report);
    comment(object, place, report);
    let state = State { kind, object, language, outer, place };
    data_flow(state, report);
    report.seeing(state.result(), |report| variables::check(object, language, place, report));
    own(state, report);
}

fn language(object: &Object, outer: Outer, place: Place<'_>, report: &mut Report) -> QueryLanguage {
    let Some(field) = object.get("QueryLanguage") else { return outer.language };
    match report.one_of(field, &["JSONPath", "JSONata"], place.field("QueryLanguage")) {
        Some("JSONPath") if outer.language == QueryLanguage::Jsonata && !outer.may_go_back => {
            let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
            report.schema(message, place);
            QueryLanguage::JsonPath
        }
        Some("JSONPath") => QueryLanguage::JsonPath,
        // AWS takes anything else for JSONata.
        Some(_) | None => QueryLanguage::Jsonata,
    }
}

/// Checks what only some types have.
fn own(state: State<'_>, report: &mut Report) {
    match state.kind {
        "Task" => task::check(state, report),
        "Pass" => pass(state, report),
        "Wait" => wait::check(state, report),
        "Choice" => choice::check(state, report),
        "Parallel" => parallel(state, report),
        "Map" => map::check(state, report),
        "Fail" => fail(state, report),
        _ => {}
    }
}

/// Checks the fields with which a state chooses its input and shapes its output. The fields of the other language are at
/// fault already.
fn data_flow(state: State<'_>, report: &mut Report) {
    let State { object, place, .. } = state;
    match state.language {
        QueryLanguage::JsonPath => {
            for name in ["InputPath", "OutputPath"] {
                path::optional(object, name, Required::Any, place, report);
            }
            path::optional(object, "ResultPath", Required::Place, place, report);
            for name in ["Parameters", "ResultSelector"] {
                template::field(object, name, place, report);
            }
        }
        QueryLanguage::Jsonata => {
            expression::field(object, "Arguments", place, report);
            report.seeing(state.result(), |report| expression::field(object, "Output", place, report));
        }
    }
}

/// Checks `Next` and `End`.
pub(crate) fn transition(state: State<'_>, report: &mut Report) {
    let State { object, place, .. } = state;
    let next = object.get("Next").map(|next| report.string(next, place.field("Next")));
    let ends = object.get("End").map(|end| report.boolean(end, place.field("End")));
    match (next, ends) {
        (Some(_), Some(Some(true))) => {
            report.schema("There should only be one of the following fields: [Next, End]", place);
        }
        (None, None | Some(Some(false))) => {
            report.schema("This object should have only one of the following fields: [Next, End]", place);
        }
        (Some(_), None | Some(_)) | (None, Some(_)) => {}
    }
}

fn pass(state: State<'_>, report: &mut Report) {
    transition(state, report);
    if let Some(result) = state.get("Result") {
        template::static_result(result, state.place.field("Result"), report);
    }
}

fn fail(state: State<'_>, report: &mut Report) {
    for name in ["Error", "Cause"] {
        let path_name = format!("{name}Path");
        report.at_most_one_of(state.object, &[name, &path_name], state.place);
        if let Some(text) = state.get(name) {
            expression::string(text, state.language, state.place.field(name), report);
            template::warn_no_path(name, text, state, report);
        }
        if let Some(source) = state.get(&path_name) {
            path::or_intrinsic(source, state.place.field(&path_name), report);
        }
    }
}

fn parallel(state: State<'_>, report: &mut Report) {
    report.require(state.object, &["Branches"], state.place);
    transition(state, report);
    retry::retriers(state, report);
    retry::catchers(state, report);
    let here = state.place.field("Branches");
    let branches = state.get("Branches").and_then(|branches| report.filled_array(branches, here));
    for (position, branch) in branches.unwrap_or_default().iter().enumerate() {
        let here = here.index(position);
        let Some(branch) = report.object(branch, here) else { continue };
        report.allow_only(branch, fields::BRANCH, here);
        comment(branch, here, report);
        crate::validate::machine::machine(branch, state.outer, here, report);
    }
}

//! `Assign`, in states, choice rules and Catchers.

use crate::definition::QueryLanguage;
use crate::validate::place::Place;
use crate::validate::report::Report;
use crate::validate::tree::Object;
use crate::validate::{expression, template};

/// The longest name of a variable in characters, as AWS has it.
const NAME_LENGTH_MAX: usize = 80;

/// Checks `Assign`, if it is there.
pub(crate) fn check(object: &Object, language: QueryLanguage, place: Place<'_>, report: &mut Report) {
    let Some(value) = object.get("Assign") else { return };
    let place = place.field("Assign");
    // An expression can't be the whole: the names must be known before it runs.
    let Some(assigned) = report.object(value, place) else { return };
    names(assigned, language, place, report);
    match language {
        QueryLanguage::JsonPath => template::check(value, place, report),
        QueryLanguage::Jsonata => expression::check(value, place, report),
    }
}

fn names(assigned: &Object, language: QueryLanguage, place: Place<'_>, report: &mut Report) {
    for (written, _) in assigned.members() {
        let name = match language {
            QueryLanguage::JsonPath => written.strip_suffix(".$").unwrap_or(written),
            QueryLanguage::Jsonata => written,
        };
        if name == "states" {
            report.schema("The variable name 'states' is reserved", place.field(written));
        } else if !is_identifier(name) {
            let rule = format!(
                "begin with a letter, go on with letters, marks, digits and '_', and have at most {NAME_LENGTH_MAX}"
            );
            report.schema(format!("The name of a variable must {rule} characters: '{name}'"), place.field(written));
        }
    }
}

/// Tells whether a name is an identifier as Unicode has it (UAX #31), as AWS demands.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html>, Variable name syntax.
fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(unicode_ident::is_xid_start)
        && letters.all(unicode_ident::is_xid_continue)
        && name.chars().count() <= NAME_LENGTH_MAX
}

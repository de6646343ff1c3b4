//! The first look at a text: is it JSON, and an object?

use crate::diagnostics::Code;
use crate::jackson;
use crate::validate::report::Report;
use crate::validate::tree::Tree;

/// Reads the text, or finds fault with it.
pub(crate) fn parse(text: &str, report: &mut Report) -> Option<Tree> {
    if text.trim_matches([' ', '\t', '\n', '\r']).is_empty() {
        return no_object(report);
    }
    match serde_json::from_str(text) {
        Ok(tree @ Tree::Object(_)) => Some(tree),
        Ok(Tree::Null | Tree::Boolean(_) | Tree::Number(_) | Tree::String(_) | Tree::Array(_)) => no_object(report),
        Err(error) => {
            unreadable(text, &error, report);
            None
        }
    }
}

fn unreadable(text: &str, error: &serde_json::Error, report: &mut Report) {
    let (message, place) = match jackson::explain_with_place(text) {
        Some(explained) => explained,
        None if is_too_deep(error) => {
            return report.error_at(Code::TooDeeplyNested, "The definition is too deeply nested", None);
        }
        None => (reason(error), jackson::place(text, error.line(), error.column())),
    };
    report.error_at(Code::InvalidJsonDescription, format!("{message}\n at {place}"), Some(place));
}

fn is_too_deep(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("recursion limit")
}

/// Words what Jackson does not find fault with, without the place.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    let mut letters = reason.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn no_object(report: &mut Report) -> Option<Tree> {
    report.error_at(Code::SchemaValidationFailed, "Definition must be a valid JSON object", None);
    None
}

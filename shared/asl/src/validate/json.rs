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
            let (message, place) = match jackson::explain_with_place(text) {
                Some((message, place)) => (format!("{message}\n at {place}"), place),
                None => (error.to_string(), format!("line: {}, column: {}", error.line(), error.column())),
            };
            report.error_at(Code::InvalidJsonDescription, message, Some(place));
            None
        }
    }
}

fn no_object(report: &mut Report) -> Option<Tree> {
    report.error_at(Code::SchemaValidationFailed, "Definition must be a valid JSON object", None);
    None
}

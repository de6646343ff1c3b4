//! The first look at a text: is it JSON, and an object?

use crate::diagnostics::Code;
use crate::parse::findings::Findings;
use crate::parse::source::Node;

/// Checks the whole text, so that everything behind may rely on well-formed JSON.
pub(crate) fn check<'a>(text: &'a str, findings: &mut Findings) -> Option<Node<'a>> {
    let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
    if let Some(message) = unrecognised_token(text) {
        findings.error_without_place(Code::InvalidJsonDescription, message);
        return None;
    }
    match serde_json::from_str(trimmed) {
        Ok(serde_json::Value::Object(_)) => Some(Node::root(trimmed)),
        Err(error) if !trimmed.is_empty() => {
            findings.error_without_place(Code::InvalidJsonDescription, error.to_string());
            None
        }
        Ok(_) | Err(_) => {
            let message = "Definition must be a valid JSON object";
            findings.error_without_place(Code::SchemaValidationFailed, message);
            None
        }
    }
}

/// Words the commonest fault, text that is not JSON at all, as Jackson does.
fn unrecognised_token(text: &str) -> Option<String> {
    let start = text.len() - text.trim_start().len();
    let rest = &text[start..];
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$');
    let token = &rest[..rest.find(|character| !is_part(character)).unwrap_or(rest.len())];
    if !token.starts_with(|first: char| first.is_alphabetic()) || matches!(token, "true" | "false" | "null") {
        return None;
    }
    let line = 1 + text[..start].matches('\n').count();
    let line_start = text[..start].rfind('\n').map_or(0, |position| position + 1);
    let column = 1 + text[line_start..start].chars().count() + token.chars().count();
    let expected = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    let source = format!("[Source: (String)\"{text}\"; line: {line}, column: {column}]");
    Some(format!("Unrecognized token '{token}': {expected}\n at {source}"))
}

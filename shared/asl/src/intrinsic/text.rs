//! The functions on strings.

use serde_json::Value;

use crate::intrinsic::evaluate::{Fault, Outcome, string};

/// Fills the `{}` of a template; `\{`, `\}`, `\'` and `\\` stand for the second character.
pub(crate) fn format(template: &str, values: &[&Value]) -> Outcome {
    let mut text = String::with_capacity(template.len());
    let mut values = values.iter();
    let mut characters = template.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some(escaped @ ('\'' | '{' | '}' | '\\'))) => {
                text.push(*escaped);
                characters.next();
            }
            ('{', Some('}')) => {
                characters.next();
                let value = values.next().ok_or(Fault::Count)?;
                text.push_str(&java_text(value));
            }
            ('{' | '}', _) => return Err(Fault::Brace),
            ('\\', _) => return Err(Fault::Arguments),
            (other, _) => text.push(other),
        }
    }
    match values.next() {
        None => Ok(Value::String(text)),
        Some(_) => Err(Fault::Count),
    }
}

/// Renders a value as Java's `toString` of maps and lists does, which is what AWS puts into texts.
fn java_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name}={}", java_text(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Array(elements) => {
            let elements = elements.iter().map(java_text);
            format!("[{}]", elements.collect::<Vec<_>>().join(", "))
        }
        Value::Number(number) => jsonpath::number_text(number),
        Value::Null | Value::Bool(_) => value.to_string(),
    }
}

/// Splits at any of the characters of `splitters`; empty parts are left out.
pub(crate) fn split(text: &Value, splitters: &Value) -> Outcome {
    let (text, splitters) = (string(text)?, string(splitters)?);
    let parts = text.split(|character| splitters.contains(character)).filter(|part| !part.is_empty());
    Ok(Value::Array(parts.map(Value::from).collect()))
}

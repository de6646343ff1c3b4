//! JSONata expressions: `{% … %}` in any text of a field that allows it.

use jsonata::Expression;

use crate::definition::QueryLanguage;
use crate::diagnostics::Code;
use crate::timestamp;
use crate::validate::place::Place;
use crate::validate::report::{Report, Visible};
use crate::validate::tree::{Object, Tree};

/// Checks the expressions in a field, if it is there.
pub(crate) fn field(object: &Object, name: &str, place: Place<'_>, report: &mut Report) {
    if let Some(value) = object.get(name) {
        check(value, place.field(name), report);
    }
}

/// Checks all expressions in a value.
pub(crate) fn check(value: &Tree, place: Place<'_>, report: &mut Report) {
    match value {
        Tree::String(text) => text_of(text, place, report),
        Tree::Array(elements) => {
            for (position, element) in elements.iter().enumerate() {
                check(element, place.index(position), report);
            }
        }
        Tree::Object(object) => {
            for (name, value) in object.members() {
                check(value, place.field(name), report);
            }
        }
        Tree::Null | Tree::Boolean(_) | Tree::Number(_) => {}
    }
}

/// Checks a text that may be an expression if the language is JSONata.
pub(crate) fn string(value: &Tree, language: QueryLanguage, place: Place<'_>, report: &mut Report) {
    let text = report.string(value, place);
    if let (Some(text), QueryLanguage::Jsonata) = (text, language) {
        text_of(text, place, report);
    }
}

/// Checks a whole number within bounds, or an expression if the language is JSONata.
pub(crate) fn integer(
    value: &Tree,
    (least, most): (u64, u64),
    language: QueryLanguage,
    place: Place<'_>,
    report: &mut Report,
) {
    if !is_checked_expression(value, language, place, report) {
        report.integer(value, least, most, place);
    }
}

/// Checks a timestamp, or an expression if the language is JSONata.
pub(crate) fn instant(value: &Tree, language: QueryLanguage, place: Place<'_>, report: &mut Report) {
    if is_checked_expression(value, language, place, report) {
        return;
    }
    let Some(text) = report.string(value, place) else { return };
    if timestamp::parse(text).is_none() && !report.is_open(value) {
        report.schema("String does not match RFC3339 timestamp", place);
    }
}

/// Tells whether a value is an expression, which is then checked.
pub(crate) fn is_checked_expression(
    value: &Tree,
    language: QueryLanguage,
    place: Place<'_>,
    report: &mut Report,
) -> bool {
    let text = value.string().filter(|text| language == QueryLanguage::Jsonata && is_delimited(text));
    if let Some(text) = text {
        text_of(text, place, report);
    }
    text.is_some()
}

fn is_delimited(text: &str) -> bool {
    text.starts_with("{%") || text.ends_with("%}")
}

fn text_of(text: &str, place: Place<'_>, report: &mut Report) {
    if !is_delimited(text) {
        return;
    }
    let inner = text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}"));
    let Some(inner) = inner else {
        return report.schema("A JSONata expression must begin with '{%' and end with '%}'", place);
    };
    let blank = |letter: Option<char>| letter.is_none_or(char::is_whitespace);
    if !inner.is_empty() && !blank(inner.chars().next()) && !blank(inner.chars().next_back()) {
        return report.schema("A JSONata expression must be separated from '{%' and '%}' by blanks", place);
    }
    match Expression::parse(inner) {
        Err(error) => report.error(Code::InvalidJsonataExpression, without_code(&error.message), place),
        Ok(expression) => {
            if let Some(message) = expression.unsupported() {
                report.error(Code::Unsupported, message, place);
            }
            references(&expression, place, report);
        }
    }
}

/// Finds fault with what Step Functions does not offer to expressions.
fn references(expression: &Expression, place: Place<'_>, report: &mut Report) {
    for (member, visible) in [("result", Visible::Result), ("errorOutput", Visible::ErrorOutput)] {
        if expression.uses().states.contains(member) && !report.sees(visible) {
            let message = format!("Field '$states.{member}' does not exist.");
            report.error(Code::UnsupportedJsonataExpression, message, place);
        }
    }
    let (roots, others): (Vec<&String>, Vec<&String>) =
        expression.uses().top_level.iter().partition(|name| *name == "$$");
    if !roots.is_empty() {
        report.error(Code::UnsupportedJsonataExpression, "Reference to '$$' is not supported.", place);
    }
    for name in others {
        let message = format!("Reference to '{name}' at the top level is not supported.");
        report.error(Code::UnsupportedJsonataExpression, message, place);
    }
}

/// Takes off JSONata's code, such as `S0207: `, as AWS does.
fn without_code(message: &str) -> &str {
    let is_code = |code: &str| code.len() == 5 && code[1..].bytes().all(|byte| byte.is_ascii_digit());
    match message.split_once(": ") {
        Some((code, rest)) if code.is_ascii() && is_code(code) => rest,
        Some(_) | None => message,
    }
}

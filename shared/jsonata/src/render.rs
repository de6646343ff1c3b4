//! Renders results as compact JSON, within bounds.

use jsonata_core::value::JValue;

use crate::error::{EvaluationError, MEMORY};
use crate::outcome::{Kind, Outcome};

/// The deepest nesting of a result: what serde_json reads back.
const DEPTH_MAX: usize = 120;
/// The largest absolute value that JavaScript writes without an exponent.
const PLAIN_MAX: f64 = 1e21;

/// Renders a result. Members whose value is nothing are left out; a function within the result is no value.
pub(crate) fn outcome(value: &JValue, bytes_max: usize) -> Result<Outcome, EvaluationError> {
    let kind = match value {
        JValue::Undefined => return Ok(Outcome::Nothing),
        JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => return Ok(Outcome::Function),
        JValue::Null => Kind::Null,
        JValue::Bool(_) => Kind::Boolean,
        JValue::Number(number) if number.is_finite() => Kind::Number,
        JValue::Number(_) | JValue::String(_) => Kind::String,
        JValue::Array(_) => Kind::Array,
        JValue::Object(_) => Kind::Object,
    };
    let mut text = String::new();
    let mut renderer = Renderer { text: &mut text, bytes_max, holds_function: false };
    renderer.value(value, 0)?;
    if renderer.holds_function {
        return Ok(Outcome::Function);
    }
    Ok(Outcome::Value { kind, text })
}

struct Renderer<'a> {
    text: &'a mut String,
    bytes_max: usize,
    holds_function: bool,
}

impl Renderer<'_> {
    fn value(&mut self, value: &JValue, depth: usize) -> Result<(), EvaluationError> {
        if self.text.len() > self.bytes_max {
            return Err(EvaluationError::new(MEMORY));
        }
        if depth > DEPTH_MAX {
            return Err(EvaluationError::new("The result is nested too deeply"));
        }
        match value {
            JValue::Null | JValue::Undefined => self.text.push_str("null"),
            JValue::Bool(true) => self.text.push_str("true"),
            JValue::Bool(false) => self.text.push_str("false"),
            JValue::Number(number) => push_number(self.text, *number),
            JValue::String(string) => push_string(self.text, string),
            JValue::Array(elements) => self.array(elements, depth)?,
            JValue::Object(members) => self.object(members.iter(), depth)?,
            JValue::Lambda(_) | JValue::Builtin { .. } | JValue::Regex { .. } => {
                self.holds_function = true;
            }
        }
        Ok(())
    }

    fn array(&mut self, elements: &[JValue], depth: usize) -> Result<(), EvaluationError> {
        self.text.push('[');
        for (position, element) in elements.iter().enumerate() {
            if position > 0 {
                self.text.push(',');
            }
            self.value(element, depth + 1)?;
        }
        self.text.push(']');
        Ok(())
    }

    fn object<'v>(
        &mut self,
        members: impl Iterator<Item = (&'v String, &'v JValue)>,
        depth: usize,
    ) -> Result<(), EvaluationError> {
        self.text.push('{');
        let present = members.filter(|(_, value)| !matches!(value, JValue::Undefined));
        for (position, (name, value)) in present.enumerate() {
            if position > 0 {
                self.text.push(',');
            }
            push_string(self.text, name);
            self.text.push(':');
            self.value(value, depth + 1)?;
        }
        self.text.push('}');
        Ok(())
    }
}

/// Writes a number as JavaScript does.
pub(crate) fn number(number: f64) -> String {
    let mut text = String::new();
    push_number(&mut text, number);
    text
}

/// Writes a number as JavaScript does; what is no number in JSON becomes a string, as in AWS.
fn push_number(text: &mut String, number: f64) {
    use std::fmt::Write as _;
    // Writing to a String never fails.
    let _ = if number.is_nan() {
        text.write_str("\"NaN\"")
    } else if number.is_infinite() {
        text.write_str(if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" })
    } else if number == 0.0 {
        text.write_str("0")
    } else if number.abs() >= PLAIN_MAX || number.abs() < 1e-6 {
        let scientific = format!("{number:e}");
        match scientific.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => write!(text, "{digits}e+{exponent}"),
            _ => text.write_str(&scientific),
        }
    } else {
        write!(text, "{number}")
    };
}

/// Writes a string with JSON's escapes.
fn push_string(text: &mut String, string: &str) {
    if string.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        text.push('"');
        text.push_str(string);
        text.push('"');
        return;
    }
    text.push_str(&serde_json::Value::from(string).to_string());
}

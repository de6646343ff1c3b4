//! Numbers as Java writes them.

use serde_json::{Number, Value};

/// From here on Java writes a double with an exponent.
const PLAIN_MAX: f64 = 1e7;
/// Below this, too.
const PLAIN_MIN: f64 = 1e-3;

/// Renders a number as Java does: `1.0E30` and `1.23456785E7` for doubles.
pub fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(double) if number.is_f64() => double_text(double),
        Some(_) | None => number.to_string(),
    }
}

/// Renders a value as compact JSON with Java's numbers.
pub fn json_text(value: &Value) -> String {
    let mut text = String::new();
    push_json(value, &mut text);
    text
}

/// Renders a value for a message: a string without its quotes, everything else as JSON.
pub fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| json_text(value), str::to_owned)
}

fn double_text(double: f64) -> String {
    if double == 0.0 || (PLAIN_MIN..PLAIN_MAX).contains(&double.abs()) {
        return format!("{double:?}");
    }
    let text = format!("{double:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

/// Recursion is bounded by the nesting that serde_json parses, 128.
fn push_json(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => text.push_str(&number_text(number)),
        Value::Array(elements) => {
            text.push('[');
            for (position, element) in elements.iter().enumerate() {
                text.push_str(if position == 0 { "" } else { "," });
                push_json(element, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (position, (name, member)) in members.iter().enumerate() {
                text.push_str(if position == 0 { "" } else { "," });
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                push_json(member, text);
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_in_java() {
        let cases = [
            ("[1.0,-0.0,0.001,9999999.5]", "[1.0,-0.0,0.001,9999999.5]"),
            ("[1e7,1.23456785e7,1e30,-1e30]", "[1.0E7,1.23456785E7,1.0E30,-1.0E30]"),
            ("[0.0001,1.5e-7]", "[1.0E-4,1.5E-7]"),
            ("{\"a\":12345678,\"b\":[null,\"é\\n\"]}", "{\"a\":12345678,\"b\":[null,\"é\\n\"]}"),
        ];
        for (text, expect) in cases {
            assert_eq!(json_text(&crate::parse(text).expect(text)), expect);
        }
        assert_eq!(plain_text(&Value::from("a b")), "a b");
    }
}

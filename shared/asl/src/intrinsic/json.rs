//! The functions between JSON and its text.

use serde_json::Value;

use crate::hash_map;
use crate::intrinsic::evaluate::{Fault, Outcome, string};

pub(crate) fn parse(text: &Value) -> Outcome {
    let text = string(text)?;
    // Jackson finds nothing in a blank text, which AWS takes for null.
    if text.trim_matches([' ', '\t', '\n', '\r']).is_empty() {
        return Ok(Value::Null);
    }
    jsonpath::parse(text).map_err(|_| Fault::Arguments)
}

/// Merges the members of two objects, of which the second wins. AWS knows the shallow mode only, and lists the members as a
/// `HashMap` does.
pub(crate) fn merge(first: &Value, second: &Value, deep: &Value) -> Outcome {
    let (Some(first), Some(second)) = (first.as_object(), second.as_object()) else {
        return Err(Fault::Arguments);
    };
    if deep != &Value::Bool(false) {
        return Err(Fault::Arguments);
    }
    let mut merged = first.clone();
    merged.extend(second.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut members: Vec<(String, Value)> = merged.into_iter().collect();
    hash_map::sort(&mut members, |(name, _)| name);
    Ok(Value::Object(members.into_iter().collect()))
}

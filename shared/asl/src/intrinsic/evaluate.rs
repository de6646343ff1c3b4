//! Evaluates calls: arguments first, then the function.

use std::borrow::Cow;

use jsonpath::ReadError;
use serde_json::Value;

use crate::intrinsic::call::{Argument, Function, Intrinsic, IntrinsicError};
use crate::intrinsic::{array, base64, hash, json, math, text};
use crate::path::{DataPath, PathError, Root};
use crate::scope::Scope;

/// Bounds what the arguments of a call weigh together: a call may name the whole input thousands of times, and calls nest.
const ARGUMENTS_WEIGHT_MAX: usize = 16 * 1024 * 1024;
/// What a value weighs beside its texts, of which a byte weighs 1.
const VALUE_WEIGHT: usize = 4;

/// Takes what a value weighs off the room that is left; `false` if it does not fit.
fn fits(value: &Value, room: &mut usize) -> bool {
    let own = match value {
        Value::String(text) => text.len(),
        Value::Object(members) => members.keys().map(String::len).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => 0,
    };
    let Some(left) = room.checked_sub(own + VALUE_WEIGHT) else { return false };
    *room = left;
    match value {
        Value::Array(elements) => elements.iter().all(|element| fits(element, room)),
        Value::Object(members) => members.values().all(|member| fits(member, room)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Is what a function gives: a value, or why there is none.
pub(crate) type Outcome = Result<Value, Fault>;

/// Says why a function gives no value. AWS says no more of what an argument lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An argument is not what the function takes.
    Arguments,
    /// A template has more or fewer places than there are arguments.
    Count,
    /// A template has a brace alone.
    Brace,
    /// The arguments are larger than any payload.
    Size,
}

impl Fault {
    fn render(self, function: Function) -> String {
        let name = function.name();
        match self {
            Fault::Arguments => format!("Invalid arguments in States.{name}"),
            Fault::Count => {
                format!("Invalid arguments in States.{name}: number of arguments do not match the occurrences of {{}}.")
            }
            Fault::Size => format!("The arguments of States.{name} are too large."),
            Fault::Brace => format!("Invalid template in States.{name}: matching '}}' not found for '{{'."),
        }
    }
}

impl Intrinsic {
    /// Evaluates the call.
    ///
    /// # Errors
    /// `IntrinsicError` if a path is missing or an argument is not what the function takes.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, IntrinsicError> {
        let mut values = Vec::with_capacity(self.arguments().len());
        let mut room = ARGUMENTS_WEIGHT_MAX;
        for argument in self.arguments() {
            let value = self.argument(argument, scope)?;
            if !fits(&value, &mut room) {
                return Err(self.error(Fault::Size.render(self.function())));
            }
            values.push(value);
        }
        let values: Vec<&Value> = values.iter().map(AsRef::as_ref).collect();
        self.apply(&values, scope).map_err(|fault| self.error(fault.render(self.function())))
    }

    fn argument<'a>(&'a self, argument: &'a Argument, scope: &'a dyn Scope) -> Result<Cow<'a, Value>, IntrinsicError> {
        match argument {
            Argument::Text { is_open: true, .. } => Err(self.error(Fault::Arguments.render(self.function()))),
            Argument::Text { value, .. } | Argument::Literal(value) => Ok(Cow::Borrowed(value)),
            Argument::Path(path) => path.read_value(scope).map_err(|error| self.error(missing(path, &error, scope))),
            // AWS names the whole call.
            Argument::Call(call) => call.evaluate(scope).map(Cow::Owned).map_err(|error| self.error(error.reason)),
        }
    }

    fn apply(&self, values: &[&Value], scope: &dyn Scope) -> Outcome {
        match (self.function(), values) {
            (Function::Array, elements) => array::array(elements),
            (Function::ArrayContains, [array, wanted]) => array::contains(array, wanted),
            (Function::ArrayGetItem, [array, index]) => array::get_item(array, index),
            (Function::ArrayLength, [array]) => array::length(array),
            (Function::ArrayPartition, [array, size]) => array::partition(array, size),
            (Function::ArrayRange, [first, last, step]) => array::range(first, last, step),
            (Function::ArrayUnique, [array]) => array::unique(array),
            (Function::Base64Decode, [text]) => base64::decode(text),
            (Function::Base64Encode, [text]) => base64::encode(text),
            (Function::Format, [template, rest @ ..]) => text::format(self.written_template(template)?, rest),
            (Function::Hash, [data, algorithm]) => hash::hash(data, algorithm),
            (Function::JsonMerge, [first, second, deep]) => json::merge(first, second, deep),
            (Function::JsonToString, [value]) => Ok(Value::String(jsonpath::json_text(value))),
            (Function::MathAdd, [first, second]) => math::add(first, second),
            (Function::MathRandom, [start, end, seed @ ..]) => math::random(start, end, seed.first().copied(), scope),
            (Function::StringSplit, [text, splitters]) => text::split(text, splitters),
            (Function::StringToJson, [text]) => json::parse(text),
            (Function::Uuid, []) => Ok(math::uuid(scope)),
            (_, _) => Err(Fault::Arguments),
        }
    }

    /// Gives the first argument of `States.Format` as it is written, if it is, else its value.
    fn written_template<'a>(&'a self, value: &'a Value) -> Result<&'a str, Fault> {
        match self.arguments().first() {
            Some(Argument::Text { written, .. }) => Ok(written),
            _ => string(value),
        }
    }
}

/// Says what an argument's path lacks. AWS shows the state's input and the path in it, even of a path into the context object.
fn missing(path: &DataPath, error: &PathError, scope: &dyn Scope) -> String {
    if let Some(reason @ ReadError::NotAnArray { .. }) = error.read() {
        return reason.to_string();
    }
    if error.is_fault() {
        return error.to_string();
    }
    let text = path.to_string();
    let shown = if path.root() == &Root::Context { &text[1..] } else { &text };
    format!("The JsonPath argument for the field '{shown}' could not be found in the input '{}'", scope.input().text())
}

/// Takes a string argument.
pub(crate) fn string(value: &Value) -> Result<&str, Fault> {
    value.as_str().ok_or(Fault::Arguments)
}

/// Takes an array argument.
pub(crate) fn elements(value: &Value) -> Result<&[Value], Fault> {
    value.as_array().map(Vec::as_slice).ok_or(Fault::Arguments)
}

/// Takes a number argument, rounded as Java's `Math.round` does it: halves go up.
pub(crate) fn rounded(value: &Value) -> Result<i64, Fault> {
    if let Some(integer) = value.as_i64() {
        return Ok(integer);
    }
    let number = value.as_f64().ok_or(Fault::Arguments)?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates, as Math.round does")]
    Ok((number + 0.5).floor() as i64)
}

/// Takes a number argument, cut off behind the point, as AWS does it but in `States.MathAdd`.
pub(crate) fn truncated(value: &Value) -> Result<i64, Fault> {
    if let Some(integer) = value.as_i64() {
        return Ok(integer);
    }
    #[expect(clippy::cast_possible_truncation, reason = "saturates, as Java does")]
    value.as_f64().map(|number| number as i64).ok_or(Fault::Arguments)
}

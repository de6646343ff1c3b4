//! Evaluates calls: arguments first, then the function.

use std::borrow::Cow;

use serde_json::Value;

use crate::intrinsic::call::{Argument, Function, Intrinsic, IntrinsicError};
use crate::intrinsic::{array, base64, hash, json, math, text};
use crate::scope::Scope;

/// Is what a function gives: a value, or the reason why there is none.
pub(crate) type Outcome = Result<Value, String>;

impl Intrinsic {
    /// Evaluates the call.
    ///
    /// # Errors
    /// `IntrinsicError` if a path is missing or an argument is not what the function takes.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Value, IntrinsicError> {
        let mut values = Vec::with_capacity(self.arguments().len());
        for argument in self.arguments() {
            values.push(self.argument(argument, scope)?);
        }
        let values: Vec<&Value> = values.iter().map(AsRef::as_ref).collect();
        self.apply(&values, scope).map_err(|reason| self.error(reason))
    }

    fn argument<'a>(&'a self, argument: &'a Argument, scope: &'a dyn Scope) -> Result<Cow<'a, Value>, IntrinsicError> {
        match argument {
            Argument::Text { value, .. } | Argument::Literal(value) => Ok(Cow::Borrowed(value)),
            Argument::Path(path) => path.read_value(scope).map_err(|error| self.error(error.to_string())),
            Argument::Call(call) => call.evaluate(scope).map(Cow::Owned),
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
            (Function::JsonToString, [value]) => Ok(Value::String(value.to_string())),
            (Function::MathAdd, [first, second]) => math::add(first, second),
            (Function::MathRandom, [start, end, seed @ ..]) => math::random(start, end, seed.first().copied(), scope),
            (Function::StringSplit, [text, splitters]) => text::split(text, splitters),
            (Function::StringToJson, [text]) => json::parse(text),
            (Function::Uuid, []) => Ok(math::uuid(scope)),
            (_, _) => Err("Invalid number of arguments.".into()),
        }
    }

    /// Gives the first argument of `States.Format` as it is written, if it is, else its value.
    fn written_template<'a>(&'a self, value: &'a Value) -> Result<&'a str, String> {
        match self.arguments().first() {
            Some(Argument::Text { written, .. }) => Ok(written),
            _ => string(value),
        }
    }
}

/// Takes a string argument.
pub(crate) fn string(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("Expected a string argument, but was: {value}"))
}

/// Takes an array argument.
pub(crate) fn elements(value: &Value) -> Result<&[Value], String> {
    let elements = value.as_array().map(Vec::as_slice);
    elements.ok_or_else(|| format!("Expected an array argument, but was: {value}"))
}

/// Takes a number argument, rounded as Java's `Math.round` does it: halves go up.
pub(crate) fn integer(value: &Value) -> Result<i64, String> {
    if let Some(integer) = value.as_i64() {
        return Ok(integer);
    }
    let number = value.as_f64().ok_or_else(|| format!("Expected a number argument, but was: {value}"))?;
    #[expect(clippy::cast_possible_truncation, reason = "saturates, as Math.round does")]
    Ok((number + 0.5).floor() as i64)
}

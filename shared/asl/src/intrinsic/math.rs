//! The functions on numbers, and those with chance.

use serde_json::Value;

use crate::intrinsic::evaluate::{Fault, Outcome, rounded, truncated};
use crate::scope::{Chance, Scope};

pub(crate) fn add(first: &Value, second: &Value) -> Outcome {
    let sum = rounded(first)?.checked_add(rounded(second)?);
    sum.map(Value::from).ok_or(Fault::Arguments)
}

/// Gives an integer from `start` up to but without `end`.
pub(crate) fn random(start: &Value, end: &Value, seed: Option<&Value>, scope: &dyn Scope) -> Outcome {
    let (start, end) = (truncated(start)?, truncated(end)?);
    if end <= start {
        return Err(Fault::Arguments);
    }
    let bits = match seed {
        Some(seed) => Chance::new(truncated(seed)?.unsigned_abs()).draw(),
        None => scope.chance().draw(),
    };
    let width = i128::from(end) - i128::from(start);
    let value = i128::from(start) + i128::from(bits) % width;
    i64::try_from(value).map(Value::from).map_err(|_| Fault::Arguments)
}

/// Gives a UUID of version 4.
pub(crate) fn uuid(scope: &dyn Scope) -> Value {
    Value::String(scope.chance().uuid())
}

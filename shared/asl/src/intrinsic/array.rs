//! The functions on arrays.

use std::collections::HashSet;

use serde_json::Value;

use crate::intrinsic::evaluate::{Fault, Outcome, elements, truncated};

/// The most elements that `States.ArrayRange` makes, as AWS has it.
const RANGE_MAX: i128 = 1_000;

pub(crate) fn array(values: &[&Value]) -> Outcome {
    Ok(Value::Array(values.iter().map(|value| (*value).clone()).collect()))
}

pub(crate) fn contains(array: &Value, wanted: &Value) -> Outcome {
    Ok(Value::Bool(elements(array)?.contains(wanted)))
}

pub(crate) fn get_item(array: &Value, index: &Value) -> Outcome {
    let index = usize::try_from(truncated(index)?);
    let element = index.ok().and_then(|index| elements(array).ok()?.get(index));
    element.cloned().ok_or(Fault::Arguments)
}

pub(crate) fn length(array: &Value) -> Outcome {
    Ok(Value::from(elements(array)?.len()))
}

pub(crate) fn partition(array: &Value, size: &Value) -> Outcome {
    let chunk = usize::try_from(truncated(size)?).ok().filter(|chunk| *chunk > 0).ok_or(Fault::Arguments)?;
    Ok(Value::Array(elements(array)?.chunks(chunk).map(|chunk| Value::Array(chunk.to_vec())).collect()))
}

pub(crate) fn range(first: &Value, last: &Value, step: &Value) -> Outcome {
    let (first, last, step) = (truncated(first)?, truncated(last)?, truncated(step)?);
    if step == 0 {
        return Err(Fault::Arguments);
    }
    let distance = (i128::from(last) - i128::from(first)) / i128::from(step);
    let backwards = (last < first && step > 0) || (last > first && step < 0);
    let count = if backwards { 0 } else { distance + 1 };
    if count > RANGE_MAX {
        return Err(Fault::Arguments);
    }
    let mut values = Vec::new();
    let mut value = first;
    for _ in 0..count {
        values.push(Value::from(value));
        value = value.saturating_add(step);
    }
    Ok(Value::Array(values))
}

/// Keeps the first of equal elements.
pub(crate) fn unique(array: &Value) -> Outcome {
    let mut seen = HashSet::new();
    Ok(Value::Array(elements(array)?.iter().filter(|element| seen.insert(*element)).cloned().collect()))
}

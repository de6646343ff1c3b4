//! The functions on Base64.

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::intrinsic::evaluate::{Outcome, string};

/// The longest argument in characters, as AWS has it.
const LENGTH_MAX: usize = 10_000;

pub(crate) fn encode(text: &Value) -> Outcome {
    Ok(Value::String(STANDARD.encode(bounded(text)?)))
}

pub(crate) fn decode(text: &Value) -> Outcome {
    let bytes = STANDARD.decode(bounded(text)?).map_err(|error| format!("The string is not valid Base64: {error}"))?;
    Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
}

fn bounded(text: &Value) -> Result<&str, String> {
    let text = string(text)?;
    if text.chars().count() > LENGTH_MAX {
        return Err(format!("The string must not be longer than {LENGTH_MAX} characters"));
    }
    Ok(text)
}

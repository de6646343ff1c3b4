//! The functions on Base64.

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::intrinsic::evaluate::{Fault, Outcome, string};

/// The longest argument in characters, as AWS has it.
const LENGTH_MAX: usize = 10_000;

pub(crate) fn encode(text: &Value) -> Outcome {
    Ok(Value::String(STANDARD.encode(bounded(text)?)))
}

pub(crate) fn decode(text: &Value) -> Outcome {
    let bytes = STANDARD.decode(bounded(text)?).map_err(|_| Fault::Arguments)?;
    Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
}

fn bounded(text: &Value) -> Result<&str, Fault> {
    let text = string(text)?;
    if text.chars().count() > LENGTH_MAX {
        return Err(Fault::Arguments);
    }
    Ok(text)
}

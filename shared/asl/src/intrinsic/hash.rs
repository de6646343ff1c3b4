//! `States.Hash`.

use std::fmt::Write;

use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::intrinsic::evaluate::{Fault, Outcome, string};

/// The longest argument in characters, as AWS has it.
const LENGTH_MAX: usize = 10_000;

pub(crate) fn hash(data: &Value, algorithm: &Value) -> Outcome {
    let data = match data {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => data.to_string(),
    };
    if data.chars().count() > LENGTH_MAX {
        return Err(Fault::Arguments);
    }
    let digest = match string(algorithm)? {
        "MD5" => hex::<Md5>(&data),
        "SHA-1" => hex::<Sha1>(&data),
        "SHA-256" => hex::<Sha256>(&data),
        "SHA-384" => hex::<Sha384>(&data),
        "SHA-512" => hex::<Sha512>(&data),
        _ => return Err(Fault::Arguments),
    };
    Ok(Value::String(digest))
}

fn hex<D: Digest>(data: &str) -> String {
    let mut text = String::new();
    for byte in D::digest(data.as_bytes()) {
        // Writing to a String never fails.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

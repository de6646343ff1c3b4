//! The functions that Step Functions adds: `$partition $range $hash $random $uuid $parse`, and `$shuffle`, whose chance comes
//! from outside here.

use std::fmt::Write as _;

use jsonata_core::value::JValue;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::{FunctionResult, failed};
use crate::error::MEMORY;
use crate::session::Chance;

fn argument_error(position: usize, function: &str) -> jsonata_core::evaluator::EvaluatorError {
    failed(format!("T0410: Argument {position} of function \"{function}\" does not match function signature"))
}

fn arity(
    args: &[JValue],
    least: usize,
    most: usize,
    function: &str,
) -> Result<(), jsonata_core::evaluator::EvaluatorError> {
    if args.len() < least || args.len() > most {
        return Err(argument_error(args.len().min(most) + 1, function));
    }
    Ok(())
}

/// Splits an array into arrays of a size.
pub(super) fn partition(args: &[JValue]) -> FunctionResult {
    arity(args, 2, 2, "partition")?;
    if args[0].is_undefined() {
        return Ok(JValue::Undefined);
    }
    let one = [args[0].clone()];
    let elements: &[JValue] = args[0].as_array().map_or(&one, Vec::as_slice);
    let size = args[1].as_f64().ok_or_else(|| argument_error(2, "partition"))?.floor();
    if size < 1.0 {
        return Err(failed("The chunk size of $partition must be greater than 0"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is at least 1")]
    let size = size as usize;
    let parts = elements.chunks(size).map(|part| JValue::array(part.to_vec())).collect();
    Ok(JValue::array(parts))
}

/// Gives the integers from the first to the last, both included, by steps; all are cut to integers. A single one is no array,
/// and where no step leads to the last there is nothing.
pub(super) fn range(args: &[JValue], most: usize) -> FunctionResult {
    arity(args, 0, 3, "range")?;
    for (position, arg) in args.iter().enumerate() {
        if !arg.is_number() && !arg.is_undefined() {
            return Err(argument_error(position + 1, "range"));
        }
    }
    let numbers: Vec<f64> = args.iter().filter_map(JValue::as_f64).map(f64::trunc).collect();
    let [first, last, step] = numbers[..] else {
        return Ok(JValue::Undefined);
    };
    let count = ((last - first) / step).floor() + 1.0;
    if !count.is_finite() || count < 1.0 {
        return Ok(JValue::Undefined);
    }
    if count > most as f64 {
        return Err(failed(MEMORY));
    }
    let mut numbers = Vec::new();
    let mut position = 0.0;
    while position < count {
        numbers.push(JValue::from_f64(first + position * step));
        position += 1.0;
    }
    Ok(JValue::sequence(numbers))
}

/// Gives the hash of a value in hexadecimal digits; SHA-256 unless an algorithm is named.
pub(super) fn hash(args: &[JValue]) -> FunctionResult {
    arity(args, 1, 2, "hash")?;
    if args[0].is_undefined() {
        return Ok(JValue::Undefined);
    }
    let text = match args[0].as_str() {
        Some(text) => text.to_owned(),
        None => args[0].to_json_string().map_err(|_| argument_error(1, "hash"))?,
    };
    let algorithm = args.get(1).map_or(Some("SHA-256"), JValue::as_str);
    let digest = match algorithm.ok_or_else(|| argument_error(2, "hash"))? {
        "MD5" => hex::<Md5>(&text),
        "SHA-1" => hex::<Sha1>(&text),
        "SHA-256" => hex::<Sha256>(&text),
        "SHA-384" => hex::<Sha384>(&text),
        "SHA-512" => hex::<Sha512>(&text),
        other => return Err(failed(format!("Unknown hash algorithm: {other}"))),
    };
    Ok(JValue::string(digest))
}

fn hex<D: Digest>(text: &str) -> String {
    let mut digits = String::new();
    for byte in D::digest(text.as_bytes()) {
        // Writing to a String never fails.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Parses JSON.
pub(super) fn parse(args: &[JValue]) -> FunctionResult {
    arity(args, 1, 1, "parse")?;
    if args[0].is_undefined() {
        return Ok(JValue::Undefined);
    }
    let text = args[0].as_str().ok_or_else(|| argument_error(1, "parse"))?;
    JValue::from_json_str(text).map_err(|_| failed("Argument 1 of function \"parse\" is not valid JSON"))
}

/// Gives a number from 0 up to but without 1; always the same for the same seed.
pub(super) fn random(args: &[JValue], chance: &Chance) -> FunctionResult {
    arity(args, 0, 1, "random")?;
    match args.first() {
        None | Some(JValue::Undefined) => Ok(JValue::from_f64(chance.fraction())),
        #[expect(clippy::cast_possible_truncation, reason = "Java cuts it off likewise")]
        Some(JValue::Number(seed)) => Ok(JValue::from_f64(Chance::seeded(*seed as i64))),
        Some(_) => Err(argument_error(1, "random")),
    }
}

/// Gives a UUID of version 4.
pub(super) fn uuid(args: &[JValue], chance: &Chance) -> FunctionResult {
    arity(args, 0, 0, "uuid")?;
    let high = chance.draw() & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = chance.draw() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    let digits = format!("{high:016x}{low:016x}");
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Ok(JValue::string(parts.join("-")))
}

/// Gives the elements in another order.
pub(super) fn shuffle(args: &[JValue], chance: &Chance) -> FunctionResult {
    arity(args, 1, 1, "shuffle")?;
    if args[0].is_undefined() {
        return Ok(JValue::Undefined);
    }
    let mut elements = args[0].as_array().cloned().unwrap_or_else(|| vec![args[0].clone()]);
    for last in (1..elements.len()).rev() {
        let other = usize::try_from(chance.draw() % (last as u64 + 1)).unwrap_or(0);
        elements.swap(last, other);
    }
    Ok(JValue::array(elements))
}

//! Builtins of jsonata-core behind checks of their arguments.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError};
use jsonata_core::functions::string;
use jsonata_core::value::JValue;

use super::{FunctionResult, Memory, Need, Terms, failed};
use crate::bounds::Bounds;
use crate::error::{MEMORY, STACK};
use crate::session::options;

/// The longest picture in characters.
const PICTURE_MAX: usize = 256;
/// The largest width in a picture.
const WIDTH_MAX: u32 = 1_000;
/// The largest number that is written in Roman digits, which takes a digit for every thousand.
const ROMAN_MAX: f64 = 1e6;
/// How deep builtins that were given functions may nest.
const NESTED_MAX: u32 = 16;
/// How many elements jsonata-core may compare each with each.
const FEW: usize = 1_000;
/// How many values may be walked over.
const WALK_MAX: usize = 500_000;

/// Calls a builtin with what the guard put in: the last argument is the context item.
pub(super) fn with_context(name: &str, args: &[JValue], terms: &Terms) -> FunctionResult {
    match args.split_last() {
        Some((context, args)) => call(name, args, context, terms),
        None => Err(failed("T1006: Attempted to invoke a non-function")),
    }
}

/// Calls a builtin that was taken as a value: functions such as `$map` give it more arguments than it has parameters.
pub(super) fn as_value(name: &str, args: &[JValue], terms: &Terms) -> FunctionResult {
    let most = match name {
        "distinct" | "base64decode" => 1,
        // `$map($values, $string)` gives an index, `$f := $string; $f($value, true)` a wish.
        "string" if !args.get(1).is_some_and(|wish| matches!(wish, JValue::Bool(_))) => 1,
        "string" | "toMillis" | "formatInteger" | "parseInteger" | "now" | "join" => 2,
        "replace" => 4,
        _ => 3,
    };
    call(name, &args[..args.len().min(most)], &JValue::Undefined, terms)
}

/// Checks the arguments and calls the builtin.
pub(super) fn call(name: &str, args: &[JValue], context: &JValue, terms: &Terms) -> FunctionResult {
    let Terms { moment, bounds, .. } = *terms;
    if name == "now" {
        let mut all = vec![JValue::from_i64(moment.millis)];
        all.extend(args.iter().cloned());
        return call("fromMillis", &all, context, terms);
    }
    match name {
        "pad" => width(args, bounds)?,
        "join" => joined_size(args, bounds)?,
        "replace" => replaced_size(args, context, bounds)?,
        "formatInteger" => roman(args)?,
        "base64decode" => base64(args.first().unwrap_or(context))?,
        "string" | "distinct" => drop(walk(args.first().unwrap_or(context), bounds)?),
        _ => {}
    }
    if !matches!(name, "pad" | "join" | "replace" | "string" | "distinct" | "base64decode") {
        args.iter().filter_map(JValue::as_str).try_for_each(picture)?;
    }
    if let ("distinct", JValue::Array(elements)) = (name, args.first().unwrap_or(context))
        && elements.len() > FEW
    {
        let kept = distinct(elements);
        terms.memory.charge(kept.len() * size_of::<JValue>())?;
        return Ok(if elements.sequence { JValue::sequence(kept) } else { JValue::array(kept) });
    }
    let result = builtin(name, args, context, terms)?;
    match result.as_str() {
        Some(text) if text.len() > bounds.bytes => Err(too_long()),
        _ => terms.memory.charged(&[result], true),
    }
}

thread_local! {
    /// How many calls of builtins that were given functions, which may call such builtins again, are under way.
    static NESTED: Cell<u32> = const { Cell::new(0) };
}

/// Calls the builtin in an evaluator of its own, where nothing hides it.
fn builtin(name: &str, args: &[JValue], context: &JValue, terms: &Terms) -> FunctionResult {
    if !args.iter().any(|arg| arg.is_lambda() || arg.is_builtin()) {
        return call_alone(name, args, context, Evaluator::with_context);
    }
    if NESTED.get() >= NESTED_MAX {
        return Err(failed(STACK));
    }
    NESTED.set(NESTED.get() + 1);
    let result = call_alone(name, args, context, |variables| {
        // Each evaluator has a clock of its own: half the time for each one further in bounds them all.
        let time_millis = terms.bounds.time_millis >> NESTED.get().min(16);
        let mut evaluator = Evaluator::with_options(variables, options(Bounds { time_millis, ..terms.bounds }));
        super::register(&mut evaluator, terms, &Need::AllBut(name));
        evaluator
    });
    NESTED.set(NESTED.get().saturating_sub(1));
    result
}

fn call_alone(
    name: &str,
    args: &[JValue],
    context: &JValue,
    evaluator: impl Fn(Context) -> Evaluator,
) -> FunctionResult {
    let mut variables = Context::new();
    let mut nodes = Vec::with_capacity(args.len());
    for (position, arg) in args.iter().enumerate() {
        let variable = format!("a{position}");
        variables.bind(variable.clone(), arg.clone());
        nodes.push(AstNode::Variable(variable));
    }
    let node = AstNode::Function { name: name.to_owned(), args: nodes, is_builtin: true };
    let mut evaluator = evaluator(variables);
    catch_unwind(AssertUnwindSafe(|| evaluator.evaluate(&node, context)))
        .unwrap_or_else(|_| Err(failed(format!("The arguments of ${name} are not valid"))))
}

fn too_long() -> EvaluatorError {
    failed(MEMORY)
}

fn width(args: &[JValue], bounds: Bounds) -> Result<(), EvaluatorError> {
    let fits = |width: f64| width.abs() <= bounds.bytes as f64;
    // One character of the padding may take four bytes.
    if args.iter().filter_map(JValue::as_f64).all(|width| fits(width * 4.0)) { Ok(()) } else { Err(too_long()) }
}

fn joined_size(args: &[JValue], bounds: Bounds) -> Result<(), EvaluatorError> {
    let Some(elements) = args.first().and_then(JValue::as_array) else {
        return Ok(());
    };
    let separator = args.get(1).and_then(JValue::as_str).map_or(0, str::len);
    let texts: usize = elements.iter().filter_map(JValue::as_str).map(str::len).sum();
    let size = separator.saturating_mul(elements.len()).saturating_add(texts);
    if size <= bounds.bytes { Ok(()) } else { Err(too_long()) }
}

fn replaced_size(args: &[JValue], context: &JValue, bounds: Bounds) -> Result<(), EvaluatorError> {
    let (text, pattern, replacement) = match args {
        [pattern, replacement] => (context, pattern, replacement),
        [text, pattern, replacement, ..] => (text, pattern, replacement),
        _ => return Ok(()),
    };
    let (Some(text), Some(replacement)) = (text.as_str(), replacement.as_str()) else {
        return Ok(());
    };
    let matches = match pattern.as_str() {
        Some("") => 0,
        Some(pattern) => text.matches(pattern).count(),
        None => text.len() + 1,
    };
    // `$0` stands for the whole match: each use of it may add as much as the text holds.
    let references = replacement.matches('$').count();
    let size = matches.saturating_mul(replacement.len()).saturating_add(references.saturating_mul(text.len()));
    if size <= bounds.bytes.saturating_mul(16) { Ok(()) } else { Err(too_long()) }
}

fn roman(args: &[JValue]) -> Result<(), EvaluatorError> {
    let is_roman = args.iter().filter_map(JValue::as_str).any(|picture| picture.contains(['i', 'I']));
    let is_large = args.iter().filter_map(JValue::as_f64).any(|number| number.abs() > ROMAN_MAX);
    if is_roman && is_large { Err(too_long()) } else { Ok(()) }
}

/// Refuses what is no Base64, of which jsonata-core decodes the rest. The padding may be missing, blanks may be within, and the letters
/// may be those of URLs (RFC 4648, section 5).
fn base64(value: &JValue) -> Result<(), EvaluatorError> {
    let Some(text) = value.as_str() else { return Ok(()) };
    let text: String = text.split_ascii_whitespace().collect();
    let letters = text.trim_end_matches('=');
    let is_letter = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'/' | b'-' | b'_');
    let is_known = letters.bytes().all(is_letter);
    let padding = text.len() - letters.len();
    let fits = match letters.len() % 4 {
        0 => padding == 0,
        1 => false,
        used => padding == 0 || used + padding == 4,
    };
    if is_known && fits { Ok(()) } else { Err(failed("Argument 1 of function \"base64decode\" is not valid Base64")) }
}

/// Checks a picture: its length, and the widths behind the commas within its brackets.
fn picture(text: &str) -> Result<(), EvaluatorError> {
    if text.len() > PICTURE_MAX {
        return Err(failed("The picture is too long"));
    }
    for marker in text.split('[').skip(1) {
        let marker = marker.split(']').next().unwrap_or_default();
        let widths = marker.split(',').skip(1).flat_map(|widths| widths.split('-'));
        for width in widths.map(str::trim).filter(|width| !width.is_empty() && *width != "*") {
            if width.chars().all(|character| character.is_ascii_digit())
                && width.parse::<u32>().is_ok_and(|width| width <= WIDTH_MAX)
            {
                continue;
            }
            return Err(failed("A width in the picture is not valid"));
        }
    }
    Ok(())
}

/// Puts two texts together as `&` does.
pub(super) fn concat(args: &[JValue], bounds: Bounds, memory: &Memory) -> FunctionResult {
    let mut text = String::new();
    for arg in args {
        if let Some(part) = arg.as_str() {
            text.push_str(part);
        } else if !arg.is_undefined() {
            walk(arg, bounds)?;
            if let Some(part) = string::string(arg, None)?.as_str() {
                text.push_str(part);
            }
        }
        if text.len() > bounds.bytes {
            return Err(too_long());
        }
    }
    memory.charge(text.len())?;
    Ok(JValue::string(text))
}

/// Gives its argument back if it can be walked over.
pub(super) fn bounded(args: &[JValue], bounds: Bounds, memory: &Memory) -> FunctionResult {
    let value = args.first().cloned().unwrap_or(JValue::Undefined);
    memory.charge(walk(&value, bounds)?)?;
    Ok(value)
}

/// Walks over a value as far as allowed, and gives the bytes that it takes as a text, about. Parts that a value shares with itself
/// count as often as they are met.
fn walk(value: &JValue, bounds: Bounds) -> Result<usize, EvaluatorError> {
    let mut left = WALK_MAX;
    let mut bytes_left = bounds.bytes;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        left = left.checked_sub(1).ok_or_else(too_long)?;
        bytes_left = bytes_left.checked_sub(value.as_str().map_or(0, str::len)).ok_or_else(too_long)?;
        if let JValue::Array(elements) = value {
            open.extend(elements.iter());
        } else if let Some(members) = value.as_object() {
            open.extend(members.values());
        }
    }
    Ok(8 * (WALK_MAX - left) + bounds.bytes - bytes_left)
}

/// Leaves out elements that were there before: jsonata-core compares each with each.
fn distinct(elements: &[JValue]) -> Vec<JValue> {
    let mut seen = BTreeSet::new();
    elements.iter().filter(|element| seen.insert(canonical(element))).cloned().collect()
}

/// Gives the same text for values that are equal, and for no others: members are sorted by name.
fn canonical(value: &JValue) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &JValue, text: &mut String) {
    if let JValue::Array(elements) = value {
        text.push('[');
        for element in elements.iter() {
            write_canonical(element, text);
            text.push(',');
        }
        text.push(']');
    } else if let Some(members) = value.as_object() {
        let sorted: BTreeMap<&String, &JValue> = members.iter().collect();
        text.push('{');
        for (name, member) in sorted {
            text.push_str(&format!("{name:?}:"));
            write_canonical(member, text);
            text.push(',');
        }
        text.push('}');
    } else if let Some(string) = value.as_str() {
        text.push_str(&format!("{string:?}"));
    } else if let Some(number) = value.as_f64() {
        // Both zeros are equal.
        text.push_str(&(number + 0.0).to_string());
    } else {
        text.push_str(&format!("{value:?}"));
    }
}

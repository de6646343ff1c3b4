//! Builtins of jsonata-core behind checks of their arguments.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError};
use jsonata_core::functions::string;
use jsonata_core::value::JValue;

use super::{FunctionResult, Need, failed};
use crate::bounds::Bounds;
use crate::error::{MEMORY, STACK};
use crate::session::{Moment, options};

/// The longest picture in characters.
const PICTURE_MAX: usize = 256;
/// The largest width in a picture.
const WIDTH_MAX: u32 = 1_000;
/// The largest number that is written in Roman digits, which takes a digit for every thousand.
const ROMAN_MAX: f64 = 1e6;
/// How deep builtins that were given functions may nest.
const NESTED_MAX: u32 = 16;
/// How many values may be walked over.
const WALK_MAX: usize = 500_000;

/// Calls a builtin with what the guard put in: the last argument is the context item.
pub(super) fn with_context(name: &str, args: &[JValue], moment: Moment, bounds: Bounds) -> FunctionResult {
    match args.split_last() {
        Some((context, args)) => call(name, args, context, moment, bounds),
        None => Err(failed("T1006: Attempted to invoke a non-function")),
    }
}

/// Checks the arguments and calls the builtin.
pub(super) fn call(name: &str, args: &[JValue], context: &JValue, moment: Moment, bounds: Bounds) -> FunctionResult {
    if name == "now" {
        let mut all = vec![JValue::from_i64(moment.millis)];
        all.extend(args.iter().cloned());
        return call("fromMillis", &all, context, moment, bounds);
    }
    match name {
        "pad" => width(args, bounds)?,
        "join" => joined_size(args, bounds)?,
        "replace" => replaced_size(args, context, bounds)?,
        "formatInteger" => roman(args)?,
        _ => {}
    }
    if !matches!(name, "pad" | "join" | "replace") {
        args.iter().filter_map(JValue::as_str).try_for_each(picture)?;
    }
    let result = builtin(name, args, context, moment, bounds)?;
    match result.as_str() {
        Some(text) if text.len() > bounds.bytes => Err(too_long()),
        _ => Ok(result),
    }
}

thread_local! {
    /// How many calls of builtins that were given functions, which may call such builtins again, are under way.
    static NESTED: Cell<u32> = const { Cell::new(0) };
}

/// Calls the builtin in an evaluator of its own, where nothing hides it.
fn builtin(name: &str, args: &[JValue], context: &JValue, moment: Moment, bounds: Bounds) -> FunctionResult {
    if !args.iter().any(|arg| arg.is_lambda() || arg.is_builtin()) {
        return call_alone(name, args, context, Evaluator::with_context);
    }
    if NESTED.get() >= NESTED_MAX {
        return Err(failed(STACK));
    }
    NESTED.set(NESTED.get() + 1);
    let result = call_alone(name, args, context, |variables| {
        let mut evaluator = Evaluator::with_options(variables, options(bounds));
        super::register(&mut evaluator, moment, bounds, &Need::AllBut(name));
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
pub(super) fn concat(args: &[JValue], bounds: Bounds) -> FunctionResult {
    let mut text = String::new();
    for arg in args {
        if let Some(part) = arg.as_str() {
            text.push_str(part);
        } else if !arg.is_undefined() {
            walk(arg)?;
            if let Some(part) = string::string(arg, None)?.as_str() {
                text.push_str(part);
            }
        }
        if text.len() > bounds.bytes {
            return Err(too_long());
        }
    }
    Ok(JValue::string(text))
}

/// Gives its argument back if it can be walked over.
pub(super) fn bounded(args: &[JValue], _: Bounds) -> FunctionResult {
    let value = args.first().cloned().unwrap_or(JValue::Undefined);
    walk(&value)?;
    Ok(value)
}

/// Walks over a value as far as allowed. Parts that a value shares with itself count as often as they are met.
fn walk(value: &JValue) -> Result<(), EvaluatorError> {
    let mut left = WALK_MAX;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        left = left.checked_sub(1).ok_or_else(|| failed(MEMORY))?;
        if let JValue::Array(elements) = value {
            open.extend(elements.iter());
        } else if let Some(members) = value.as_object() {
            open.extend(members.values());
        }
    }
    Ok(())
}

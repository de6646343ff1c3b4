//! The functions that Step Functions adds to JSONata, and those that are checked, replaced or refused.

mod added;
mod checked;

use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;

use crate::bounds::Bounds;
use crate::expression::Uses;
use crate::guard::{BOUNDED, CHECKED, CONCAT, checked_name};
use crate::session::{Chance, Moment};

/// The most integers that `$range` makes, as AWS has it.
const RANGE_MAX: usize = 360_145;

type Function = Box<dyn Fn(&[JValue]) -> FunctionResult>;

/// Is what a function of ours gives.
pub(crate) type FunctionResult = Result<JValue, EvaluatorError>;

pub(crate) fn failed(message: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.into())
}

/// Says which of the functions an evaluator needs.
pub(crate) enum Need<'a> {
    /// What expressions name.
    Named(&'a Uses),
    /// All but the builtin that the evaluator is for, which it must not replace.
    AllBut(&'a str),
}

impl Need<'_> {
    fn includes(&self, name: &str) -> bool {
        match self {
            Need::Named(uses) => uses.names(name),
            Need::AllBut(own) => *own != name,
        }
    }

    fn builds_up(&self) -> bool {
        match self {
            Need::Named(uses) => uses.binds,
            Need::AllBut(_) => true,
        }
    }
}

/// Registers the functions that are needed.
pub(crate) fn register(evaluator: &mut Evaluator, moment: Moment, bounds: Bounds, need: &Need<'_>) {
    if let Need::Named(uses) = need
        && uses.functions.is_empty()
        && !uses.binds
    {
        return;
    }
    let mut set = |name: &str, function: Function| {
        let registered = evaluator.register_fn_override(name, move |args: &[JValue]| function(args));
        debug_assert!(registered.is_ok(), "none of ours is one that jsonata-core compiles: {name}");
    };
    let mut add = |name: &'static str, function: fn(&[JValue], &Chance, Bounds) -> FunctionResult, chance: &Chance| {
        if need.includes(name) {
            let chance = chance.clone();
            set(name, Box::new(move |args| function(args, &chance, bounds)));
        }
    };
    let chance = Chance::new(moment.seed);
    add("partition", |args, _, _| added::partition(args), &chance);
    add("range", |args, _, bounds| added::range(args, bounds.sequence.min(RANGE_MAX)), &chance);
    add("hash", |args, _, _| added::hash(args), &chance);
    add("parse", |args, _, _| added::parse(args), &chance);
    add("random", |args, chance, _| added::random(args, chance), &chance);
    add("uuid", |args, chance, _| added::uuid(args, chance), &chance);
    add("shuffle", |args, chance, _| added::shuffle(args, chance), &chance);
    add("eval", |_, _, _| Err(failed("T1006: Attempted to invoke a non-function")), &chance);
    if need.includes("millis") {
        set("millis", Box::new(move |_| Ok(JValue::from_i64(moment.millis))));
    }
    for name in CHECKED.into_iter().filter(|name| need.includes(name) || matches!(need, Need::AllBut(_))) {
        set(&checked_name(name), Box::new(move |args| checked::with_context(name, args, moment, bounds)));
        if name != "join" && need.includes(name) {
            set(name, Box::new(move |args| checked::call(name, args, &JValue::Undefined, moment, bounds)));
        }
    }
    if need.builds_up() {
        set(CONCAT, Box::new(move |args| checked::concat(args, bounds)));
        set(BOUNDED, Box::new(move |args| checked::bounded(args, bounds)));
    }
}

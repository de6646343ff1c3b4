//! The functions that Step Functions adds to JSONata, and those that are checked, replaced or refused.

mod added;
mod checked;
mod memory;

use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;

use crate::bounds::Bounds;
use crate::expression::Uses;
use crate::guard::{BOUNDED, CHECKED, CONCAT, ITEMS, JOINED, OWN, TEXTS, WALKERS, checked_name, value_name};
use crate::session::{Chance, Moment};

pub(crate) use memory::Memory;

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

    /// Whether a builtin, by its name or as a value, may be called in its checked form.
    fn may_call(&self, name: &str) -> bool {
        match self {
            Need::Named(uses) => uses.names(name),
            Need::AllBut(_) => true,
        }
    }
}

/// Is on what terms expressions are evaluated.
#[derive(Clone)]
pub(crate) struct Terms {
    pub(crate) moment: Moment,
    pub(crate) bounds: Bounds,
    pub(crate) memory: Memory,
}

/// Registers the functions that are needed.
pub(crate) fn register(evaluator: &mut Evaluator, terms: &Terms, need: &Need<'_>) {
    if let Need::Named(uses) = need
        && !uses.calls
    {
        return;
    }
    let Terms { moment, bounds, .. } = *terms;
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
    for name in CHECKED.into_iter().filter(|name| need.may_call(name)) {
        let with_context = terms.clone();
        set(&checked_name(name), Box::new(move |args| checked::with_context(name, args, &with_context)));
    }
    for name in CHECKED.into_iter().chain(WALKERS).filter(|name| need.may_call(name)) {
        let as_value = terms.clone();
        set(&value_name(name), Box::new(move |args| checked::as_value(name, args, &as_value)));
    }
    let memory = || terms.memory.clone();
    let (texts, items, joined, concatenated, bounded) = (memory(), memory(), memory(), memory(), memory());
    set(JOINED, Box::new(move |args| joined.joined(args)));
    set(TEXTS, Box::new(move |args| texts.charged(args, true)));
    set(ITEMS, Box::new(move |args| items.charged(args, false)));
    set(CONCAT, Box::new(move |args| checked::concat(args, bounds, &concatenated)));
    set(BOUNDED, Box::new(move |args| checked::bounded(args, bounds, &bounded)));
    set(OWN, Box::new(|args| Ok(JValue::Bool(!args.first().is_some_and(JValue::is_builtin)))));
}

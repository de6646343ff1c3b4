//! The functions that Step Functions adds to JSONata, and those that are checked, replaced or refused.

mod added;
mod checked;

use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;

use crate::bounds::Bounds;
use crate::guard::{BOUNDED, CHECKED, CONCAT, checked_name};
use crate::session::{Chance, Moment};

type Function = Box<dyn Fn(&[JValue]) -> FunctionResult>;

/// Is what a function of ours gives.
pub(crate) type FunctionResult = Result<JValue, EvaluatorError>;

pub(crate) fn failed(message: impl Into<String>) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.into())
}

/// Registers all of them; `own` is the builtin that the evaluator is for, which it must not replace.
pub(crate) fn register(evaluator: &mut Evaluator, moment: Moment, bounds: Bounds, own: Option<&str>) {
    let mut set = |name: &str, function: Function| {
        if own == Some(name) {
            return;
        }
        let registered = evaluator.register_fn_override(name, move |args: &[JValue]| function(args));
        debug_assert!(registered.is_ok(), "none of ours is one that jsonata-core compiles: {name}");
    };
    set("partition", Box::new(added::partition));
    set("range", Box::new(move |args| added::range(args, bounds.sequence)));
    set("hash", Box::new(added::hash));
    set("parse", Box::new(added::parse));
    let chance = Chance::new(moment.seed);
    set(
        "random",
        Box::new({
            let chance = chance.clone();
            move |args| added::random(args, &chance)
        }),
    );
    set(
        "uuid",
        Box::new({
            let chance = chance.clone();
            move |args| added::uuid(args, &chance)
        }),
    );
    set("shuffle", Box::new(move |args| added::shuffle(args, &chance)));
    set("millis", Box::new(move |_| Ok(JValue::from_i64(moment.millis))));
    set("eval", Box::new(|_| Err(failed("T1006: Attempted to invoke a non-function"))));
    for name in CHECKED {
        set(&checked_name(name), Box::new(move |args| checked::with_context(name, args, moment, bounds)));
        if name != "join" {
            set(name, Box::new(move |args| checked::call(name, args, &JValue::Undefined, moment, bounds)));
        }
    }
    set(CONCAT, Box::new(move |args| checked::concat(args, bounds)));
    set(BOUNDED, Box::new(move |args| checked::bounded(args, bounds)));
}

//! What the expressions of one state look at, converted once, and their evaluation.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
use jsonata_core::value::JValue;

use crate::bounds::Bounds;
use crate::builtins::{self, Memory, Need, Terms};
use crate::error::{EvaluationError, TIME, worded};
use crate::expression::{Expression, Uses};
use crate::outcome::Outcome;
use crate::render;
use crate::stopwatch::Stopwatch;

/// The odd number nearest to 2^64 divided by the golden ratio.
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Is all that expressions may know of time and chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time in milliseconds since 1970.
    pub millis: i64,
    /// What random numbers and UUIDs follow from.
    pub seed: u64,
}

/// Holds what expressions look at. It stays on its thread.
pub struct Session {
    evaluator: Evaluator,
    bounds: Bounds,
    memory: Memory,
    stopwatch: Stopwatch,
}

impl Session {
    /// Makes a session in which these variables, named without the `$` and given as JSON, are bound, and `$states` with these
    /// members, if there are any. `uses` are what its expressions use, all together.
    ///
    /// # Errors
    /// `EvaluationError` for a text that is not JSON.
    pub fn new<'a>(
        uses: &Uses,
        moment: Moment,
        bounds: Bounds,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
        states: &[(&str, &str)],
    ) -> Result<Self, EvaluationError> {
        let mut context = Context::new();
        for (name, text) in variables {
            context.bind(name.to_owned(), value(text)?);
        }
        if !states.is_empty() {
            let members: Result<Vec<(String, JValue)>, EvaluationError> =
                states.iter().map(|(name, text)| Ok(((*name).to_owned(), value(text)?))).collect();
            context.bind("states".to_owned(), JValue::object(members?.into_iter().collect()));
        }
        let mut evaluator = Evaluator::with_options(context, options(bounds));
        let memory = Memory::default();
        builtins::register(&mut evaluator, &Terms { moment, bounds, memory: memory.clone() }, &Need::Named(uses));
        Ok(Self { evaluator, bounds, memory, stopwatch: Stopwatch::default() })
    }

    /// Has the session share a stopwatch with others.
    #[must_use]
    pub fn timed_by(self, stopwatch: Stopwatch) -> Self {
        Self { stopwatch, ..self }
    }

    /// Evaluates an expression; `$` and `$$` are nothing.
    ///
    /// # Errors
    /// `EvaluationError` if the expression fails or goes beyond a bound.
    pub fn evaluate(&mut self, expression: &Expression) -> Result<Outcome, EvaluationError> {
        self.evaluate_over(expression, &JValue::Undefined)
    }

    /// Evaluates an expression with a JSON document as `$` and `$$`, as Step Functions never does.
    ///
    /// # Errors
    /// As [`Session::evaluate`], and for a text that is not JSON.
    pub fn evaluate_with(&mut self, expression: &Expression, document: &str) -> Result<Outcome, EvaluationError> {
        self.evaluate_over(expression, &value(document)?)
    }

    fn evaluate_over(&mut self, expression: &Expression, document: &JValue) -> Result<Outcome, EvaluationError> {
        if self.stopwatch.lap() >= Duration::from_millis(self.bounds.lap_millis) {
            return Err(EvaluationError::new(TIME));
        }
        self.memory.allow(self.bounds.memory);
        let evaluator = &mut self.evaluator;
        let evaluate = || catch_unwind(AssertUnwindSafe(|| evaluator.evaluate(expression.ast(), document)));
        let evaluated = self.stopwatch.measure(evaluate);
        match evaluated {
            Ok(Ok(value)) => render::outcome(&value, self.bounds.bytes),
            Ok(Err(error)) => Err(EvaluationError::new(worded(error.message(), expression.uses().only_function()))),
            // jsonata-core panics on what it did not expect; the session is not used for more than the state's other fields.
            Err(_) => Err(EvaluationError::new("The expression could not be evaluated")),
        }
    }
}

pub(crate) fn options(bounds: Bounds) -> EvaluatorOptions {
    EvaluatorOptions {
        timeout_ms: Some(bounds.time_millis),
        cancel: None,
        max_stack_depth: Some(bounds.depth),
        max_sequence_length: Some(bounds.sequence),
    }
}

fn value(text: &str) -> Result<JValue, EvaluationError> {
    JValue::from_json_str(text).map_err(|error| {
        // Where that was in the text tells nothing: it is no text that the author has.
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        EvaluationError::new(format!("A value that the expression looks at could not be read: {reason}"))
    })
}

/// Is a sequence of numbers that looks like chance and is fixed by its seed (SplitMix64).
#[derive(Clone)]
pub(crate) struct Chance(Rc<Cell<u64>>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rc::new(Cell::new(seed)))
    }

    pub(crate) fn draw(&self) -> u64 {
        let state = self.0.get().wrapping_add(GOLDEN_GAMMA);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Gives the number from 0 up to but without 1 that follows from a seed at AWS: the first of Java's generator.
    /// Source: <https://docs.oracle.com/javase/8/docs/api/java/util/Random.html>
    pub(crate) fn seeded(seed: i64) -> f64 {
        const MULTIPLIER: u64 = 0x5_deec_e66d;
        const MASK: u64 = (1 << 48) - 1;
        let next = |state: u64| state.wrapping_mul(MULTIPLIER).wrapping_add(0xb) & MASK;
        let first = next((seed.cast_unsigned() ^ MULTIPLIER) & MASK);
        let second = next(first);
        (((first >> 22) << 27) + (second >> 21)) as f64 / (1_u64 << 53) as f64
    }

    /// Gives a number from 0 up to but without 1.
    pub(crate) fn fraction(&self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

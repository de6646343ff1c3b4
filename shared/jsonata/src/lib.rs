//! JSONata as Step Functions has it: the language of `{% … %}`.
//!
//! [`Expression::parse`] once, then evaluate with a [`Session`], which holds what the expressions of one state may look at
//! and converts it once. The language itself is jsonata-core's, but its syntax is judged as JSONata 2.0.6 does, the version
//! that Step Functions runs; here are also the functions that Step Functions adds, the ones that it takes away, and the
//! bounds: no expression takes longer, nests deeper or makes more than [`Bounds`] say, and none panics. Time and chance come
//! in with the session.

mod bounds;
mod builtins;
mod error;
mod expression;
mod grammar;
mod guard;
mod outcome;
mod pattern;
mod render;
mod session;
mod stopwatch;
mod syntax;
mod tokens;

pub use bounds::Bounds;
pub use error::{EvaluationError, SyntaxError};
pub use expression::{Expression, Uses};
pub use outcome::{Kind, Outcome};
pub use session::{Moment, Session};
pub use stopwatch::Stopwatch;

//! Intrinsic functions: `States.Format('Hello, {}', $.name)`.
//!
//! A call is parsed once into an [`Intrinsic`]; evaluating it is pure.

mod array;
mod base64;
mod call;
mod evaluate;
mod hash;
mod json;
mod math;
mod parse;
mod text;

pub use call::{Argument, Function, Intrinsic, IntrinsicError};
pub use parse::SyntaxError;

#[cfg(test)]
mod tests;

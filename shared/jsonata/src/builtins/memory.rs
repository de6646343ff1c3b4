//! How much memory an evaluation may still use.

use std::cell::Cell;
use std::rc::Rc;

use jsonata_core::value::JValue;

use super::{FunctionResult, failed};
use crate::error::MEMORY;

/// What an item of a sequence takes, in bytes, and a member of an object beside its name.
const ITEM: usize = size_of::<JValue>();
const MEMBER: usize = 3 * ITEM;
/// What an item of a join takes, with its object of what was joined.
const JOINED_ITEM: usize = 16 * ITEM;

/// Counts what an evaluation makes against what it is allowed. What it no longer needs is not given back: that is not known.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<Cell<usize>>);

impl Memory {
    /// Begins an evaluation with so many bytes.
    pub(crate) fn allow(&self, bytes: usize) {
        self.0.set(bytes);
    }

    /// Takes bytes off.
    pub(crate) fn charge(&self, bytes: usize) -> Result<(), jsonata_core::evaluator::EvaluatorError> {
        let left = self.0.get().checked_sub(bytes).ok_or_else(|| failed(MEMORY))?;
        self.0.set(left);
        Ok(())
    }

    /// Charges a value whose items are joined with others; gives it back.
    pub(super) fn joined(&self, args: &[JValue]) -> FunctionResult {
        let value = args.first().cloned().unwrap_or(JValue::Undefined);
        self.charge(value.as_array().map_or(1, Vec::len) * JOINED_ITEM)?;
        Ok(value)
    }

    /// Charges a value that was made just now, its texts only if they were, too; gives it back.
    pub(super) fn charged(&self, args: &[JValue], with_texts: bool) -> FunctionResult {
        let value = args.first().cloned().unwrap_or(JValue::Undefined);
        let text = |value: &JValue| if with_texts { value.as_str().map_or(0, str::len) } else { 0 };
        let bytes = if let JValue::Array(elements) = &value {
            let texts: usize = if with_texts { elements.iter().map(text).sum() } else { 0 };
            elements.len() * ITEM + texts
        } else if let Some(members) = value.as_object() {
            members.len() * MEMBER
        } else {
            text(&value)
        };
        self.charge(bytes)?;
        Ok(value)
    }
}

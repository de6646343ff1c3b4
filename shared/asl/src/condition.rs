//! What a Choice state asks of its input.

use std::cmp::Ordering;

use model::Timestamp;
use serde_json::Value;

use crate::path::{DataPath, PathError, Reason};
use crate::query::Query;
use crate::scope::Scope;
use crate::timestamp;

/// Is a compiled condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Holds if all of these hold.
    And(Vec<Condition>),
    /// Holds if any of these holds.
    Or(Vec<Condition>),
    /// Holds if that does not.
    Not(Box<Condition>),
    /// Compares what a path names; a value of another type than the operand never compares.
    Compare {
        /// What is looked at.
        variable: DataPath,
        /// How.
        comparison: Comparison,
        /// With what.
        operand: Operand,
    },
    /// Matches a string against a pattern in which `*` stands for any characters.
    Matches {
        /// What is looked at.
        variable: DataPath,
        /// The texts between the stars, escapes resolved; the pattern itself if it has a backslash that escapes nothing.
        pattern: Result<Vec<Box<str>>, Box<str>>,
    },
    /// Tests the type of what a path names.
    IsType {
        /// What is looked at.
        variable: DataPath,
        /// The type.
        test: TypeTest,
        /// What the answer has to be.
        expected: bool,
    },
    /// Holds if an expression gives true. It is for whom evaluates the state: see [`Condition::as_query`].
    Query(Query),
    /// Holds always or never, as a definition in JSONata may say.
    Constant(bool),
    /// Tests whether a path names anything.
    IsPresent {
        /// What is looked at.
        variable: DataPath,
        /// What the answer has to be.
        expected: bool,
    },
}

/// Is an ordering that a comparison asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `…Equals`.
    Equals,
    /// `…LessThan`.
    LessThan,
    /// `…LessThanEquals`.
    LessThanEquals,
    /// `…GreaterThan`.
    GreaterThan,
    /// `…GreaterThanEquals`.
    GreaterThanEquals,
}

/// Is what a comparison compares with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A string.
    String(Box<str>),
    /// A number.
    Numeric(f64),
    /// A boolean.
    Boolean(bool),
    /// An instant with its sub-millisecond part.
    Timestamp(Timestamp, u32),
    /// The string that a path names.
    StringPath(DataPath),
    /// The number that a path names.
    NumericPath(DataPath),
    /// The boolean that a path names.
    BooleanPath(DataPath),
    /// The instant that a path names.
    TimestampPath(DataPath),
}

/// Is a type to test for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeTest {
    /// Is null.
    Null,
    /// Is a number.
    Numeric,
    /// Is a string.
    String,
    /// Is a boolean.
    Boolean,
    /// Is a string that reads as an RFC 3339 timestamp.
    Timestamp,
}

/// Says that a condition could not be decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// A path names nothing, and the condition is none that tests for that; or what it leads into can't be parsed.
    #[error("{}", invalid(.0))]
    Path(PathError),
    /// A pattern has a backslash that escapes neither a star nor a backslash, which is an error when it is used:
    /// <https://states-language.net/#choice-state>
    #[error("Invalid pattern in StringMatches: open escape backslash found in '{0}'.")]
    Pattern(Box<str>),
}

/// Says why a path can't be compared. AWS does not tell what is missing.
fn invalid(error: &PathError) -> String {
    if error.reason == Reason::Null {
        return error.to_string();
    }
    format!("Invalid path '{}': The choice state's condition path references an invalid value.", error.path)
}

impl Condition {
    /// Tells whether the condition holds.
    ///
    /// # Errors
    /// `ConditionError` if a path names nothing.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<bool, ConditionError> {
        match self {
            Condition::And(parts) => all(parts, scope),
            Condition::Or(parts) => any(parts, scope),
            Condition::Not(inner) => Ok(!inner.evaluate(scope)?),
            Condition::Compare { variable, comparison, operand } => {
                let left = variable.read_value(scope).map_err(ConditionError::Path)?;
                Ok(operand.order(&left, scope)?.is_some_and(|order| comparison.accepts(order)))
            }
            Condition::Matches { variable, pattern } => {
                let value = variable.read_value(scope).map_err(ConditionError::Path)?;
                let pattern = pattern.as_ref().map_err(|pattern| ConditionError::Pattern(pattern.clone()))?;
                Ok(value.as_str().is_some_and(|text| matches(pattern, text)))
            }
            Condition::IsType { variable, test, expected } => {
                let value = variable.read_value(scope).map_err(ConditionError::Path)?;
                Ok(test.accepts(&value) == *expected)
            }
            Condition::IsPresent { variable, expected } => Ok(is_present(variable, scope)? == *expected),
            Condition::Constant(holds) => Ok(*holds),
            // A rule is an expression as a whole, and whoever evaluates it looks at that first.
            Condition::Query(_) => Ok(false),
        }
    }

    /// Gives the expression, if the condition is one.
    pub fn as_query(&self) -> Option<&Query> {
        if let Condition::Query(query) = self { Some(query) } else { None }
    }
}

fn all(parts: &[Condition], scope: &dyn Scope) -> Result<bool, ConditionError> {
    for part in parts {
        if !part.evaluate(scope)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn any(parts: &[Condition], scope: &dyn Scope) -> Result<bool, ConditionError> {
    for part in parts {
        if part.evaluate(scope)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_present(variable: &DataPath, scope: &dyn Scope) -> Result<bool, ConditionError> {
    if variable.path().is_definite() {
        return match variable.read(scope) {
            Err(error) if error.reason == Reason::Null => Err(ConditionError::Path(error)),
            found => Ok(found.is_ok()),
        };
    }
    match variable.read_value(scope) {
        Err(error) if error.is_fault() => Err(ConditionError::Path(error)),
        Err(_) => Ok(false),
        Ok(value) => Ok(value.as_array().is_none_or(|found| !found.is_empty())),
    }
}

impl Operand {
    /// Compares `left` with the operand; `None` if they are not of one comparable type.
    fn order(&self, left: &Value, scope: &dyn Scope) -> Result<Option<Ordering>, ConditionError> {
        let look_up =
            |path: &DataPath| path.read_value(scope).map_err(ConditionError::Path).map(|found| found.into_owned());
        Ok(match self {
            Operand::String(right) => left.as_str().map(|left| compare_text(left, right)),
            Operand::Numeric(right) => left.as_f64().and_then(|left| left.partial_cmp(right)),
            Operand::Boolean(right) => left.as_bool().map(|left| left.cmp(right)),
            Operand::Timestamp(instant, rest) => instant_of(left).map(|left| left.cmp(&(*instant, *rest))),
            Operand::StringPath(path) => {
                let right = look_up(path)?;
                left.as_str().zip(right.as_str()).map(|(left, right)| compare_text(left, right))
            }
            Operand::NumericPath(path) => compare_numbers(left, &look_up(path)?),
            Operand::BooleanPath(path) => {
                let right = look_up(path)?;
                left.as_bool().zip(right.as_bool()).map(|(left, right)| left.cmp(&right))
            }
            Operand::TimestampPath(path) => {
                let right = look_up(path)?;
                instant_of(left).zip(instant_of(&right)).map(|(left, right)| left.cmp(&right))
            }
        })
    }
}

/// Compares as Java does, by UTF-16 code units.
fn compare_text(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}

fn compare_numbers(left: &Value, right: &Value) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn instant_of(value: &Value) -> Option<(Timestamp, u32)> {
    timestamp::parse(value.as_str()?)
}

impl Comparison {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Comparison::Equals => order.is_eq(),
            Comparison::LessThan => order.is_lt(),
            Comparison::LessThanEquals => order.is_le(),
            Comparison::GreaterThan => order.is_gt(),
            Comparison::GreaterThanEquals => order.is_ge(),
        }
    }
}

impl TypeTest {
    fn accepts(self, value: &Value) -> bool {
        match self {
            TypeTest::Null => value.is_null(),
            TypeTest::Numeric => value.is_number(),
            TypeTest::String => value.is_string(),
            TypeTest::Boolean => value.is_boolean(),
            TypeTest::Timestamp => instant_of(value).is_some(),
        }
    }
}

/// Matches the texts between the stars in order, the first at the start and the last at the end.
fn matches(pattern: &[Box<str>], text: &str) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    let Some((last, middle)) = rest.split_last() else {
        return text == &**first;
    };
    let Some(mut text) = text.strip_prefix(&**first) else {
        return false;
    };
    for part in middle {
        let Some(found) = text.find(&**part) else {
            return false;
        };
        text = &text[found + part.len()..];
    }
    text.ends_with(&**last)
}

#[cfg(test)]
mod tests;

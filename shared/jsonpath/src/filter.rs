//! Filters: `[?(@.price < 10 && @.kind == 'book')]`.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::error::ParseError;
use crate::eval::{self, Reading};
use crate::java::number_text;
use crate::parse::{self, Cursor, Place};
use crate::segment::Segment;

/// Is a condition on one value.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

/// Is one side of a comparison.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// `@.a`, from the value under test.
    Current(Vec<Segment>),
    /// `$.a`, from the whole document.
    Root(Vec<Segment>),
    Literal(Value),
    /// A path that was looked up and gave nothing.
    Nothing,
}

/// Is a comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    /// Tells whether `current` passes.
    pub(crate) fn accepts(&self, current: &Value, reading: &Reading<'_>) -> bool {
        match self {
            Filter::And(parts) => parts.iter().all(|part| part.accepts(current, reading)),
            Filter::Or(parts) => parts.iter().any(|part| part.accepts(current, reading)),
            Filter::Not(inner) => !inner.accepts(current, reading),
            Filter::Exists(operand) => operand.value(current, reading).is_some(),
            Filter::Compare(left, comparison, right) => {
                comparison.holds(left.value(current, reading).as_deref(), right.value(current, reading).as_deref())
            }
        }
    }

    /// Looks up what begins with `$`, which is the same for all values under test.
    pub(crate) fn bound(&self, reading: &Reading<'_>) -> Filter {
        let all = |parts: &[Filter]| parts.iter().map(|part| part.bound(reading)).collect();
        match self {
            Filter::And(parts) => Filter::And(all(parts)),
            Filter::Or(parts) => Filter::Or(all(parts)),
            Filter::Not(inner) => Filter::Not(Box::new(inner.bound(reading))),
            Filter::Exists(operand) => Filter::Exists(operand.bound(reading)),
            Filter::Compare(left, comparison, right) => {
                Filter::Compare(left.bound(reading), *comparison, right.bound(reading))
            }
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, current: &'a Value, reading: &Reading<'a>) -> Option<Cow<'a, Value>> {
        match self {
            // `@` matches no scalars, only objects:
            // <https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html>
            Operand::Current(segments) if segments.is_empty() && !current.is_object() => None,
            Operand::Current(segments) => eval::read_under(segments, current, reading).ok(),
            Operand::Root(segments) => eval::read_under(segments, reading.root(), reading).ok(),
            Operand::Literal(value) => Some(Cow::Borrowed(value)),
            Operand::Nothing => None,
        }
    }

    fn bound(&self, reading: &Reading<'_>) -> Operand {
        match self {
            Operand::Current(segments) => Operand::Current(eval::bound(segments, reading)),
            Operand::Root(segments) => {
                let segments = eval::bound(segments, reading);
                let Ok(found) = eval::read_under(&segments, reading.root(), reading) else { return Operand::Nothing };
                eval::count(&found, reading);
                // A reading that is spent gives nothing in the end.
                if reading.is_spent() { Operand::Nothing } else { Operand::Literal(found.into_owned()) }
            }
            Operand::Literal(_) | Operand::Nothing => self.clone(),
        }
    }
}

impl Comparison {
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let (Some(left), Some(right)) = (left, right) else {
            return self == Comparison::NotEqual;
        };
        match self {
            Comparison::Equal => equal(left, right),
            Comparison::NotEqual => !equal(left, right),
            Comparison::Less => order(left, right) == Some(Ordering::Less),
            Comparison::LessOrEqual => matches!(order(left, right), Some(Ordering::Less | Ordering::Equal)),
            Comparison::Greater => order(left, right) == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => matches!(order(left, right), Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// The longest text that spells a number; none needs more for a double.
const NUMBER_TEXT_MAX: usize = 1_024;

/// A number equals a text that spells its value, a text a number whose digits it is: in Jayway the left side decides.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::String(text)) if text.len() > NUMBER_TEXT_MAX => false,
        (Value::Number(_), Value::String(text)) => {
            serde_json::from_str(text).is_ok_and(|number: Number| equal(left, &Value::Number(number)))
        }
        (Value::String(text), Value::Number(number)) => *text == number_text(number),
        (Value::Number(_), Value::Number(_)) => order(left, right) == Some(Ordering::Equal),
        (_, _) => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        return Some(left.cmp(&right));
    }
    if let (Some(left), Some(right)) = (left.as_f64(), right.as_f64()) {
        return left.partial_cmp(&right);
    }
    Some(left.as_str()?.cmp(right.as_str()?))
}

/// Parses what stands behind `[?`, up to but without the closing `]`.
pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Filter, ParseError> {
    cursor.nested(either)
}

fn either(cursor: &mut Cursor<'_>) -> Result<Filter, ParseError> {
    let mut parts = vec![all(cursor)?];
    while take_operator(cursor, "||") {
        parts.push(all(cursor)?);
    }
    Ok(single_or(parts, Filter::Or))
}

fn all(cursor: &mut Cursor<'_>) -> Result<Filter, ParseError> {
    let mut parts = vec![term(cursor)?];
    while take_operator(cursor, "&&") {
        parts.push(term(cursor)?);
    }
    Ok(single_or(parts, Filter::And))
}

fn single_or(mut parts: Vec<Filter>, combine: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            parts.extend(last);
            combine(parts)
        }
    }
}

fn take_operator(cursor: &mut Cursor<'_>, operator: &str) -> bool {
    cursor.skip_blanks();
    cursor.take_text(operator)
}

fn term(cursor: &mut Cursor<'_>) -> Result<Filter, ParseError> {
    cursor.skip_blanks();
    if cursor.take('!') {
        return Ok(Filter::Not(Box::new(cursor.nested(term)?)));
    }
    if cursor.take('(') {
        let inner = cursor.nested(either)?;
        cursor.skip_blanks();
        return if cursor.take(')') { Ok(inner) } else { Err(cursor.error("')' was expected")) };
    }
    comparison(cursor)
}

fn comparison(cursor: &mut Cursor<'_>) -> Result<Filter, ParseError> {
    let left = operand(cursor)?;
    cursor.skip_blanks();
    let Some(operator) = operator(cursor)? else {
        return match left {
            Operand::Current(_) | Operand::Root(_) => Ok(Filter::Exists(left)),
            Operand::Literal(_) | Operand::Nothing => Err(cursor.error("a comparison was expected")),
        };
    };
    Ok(Filter::Compare(left, operator, operand(cursor)?))
}

fn operator(cursor: &mut Cursor<'_>) -> Result<Option<Comparison>, ParseError> {
    let operators = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let found = operators.into_iter().find(|(text, _)| cursor.take_text(text)).map(|(_, comparison)| comparison);
    match (found, cursor.peek()) {
        (Some(comparison), _) => Ok(Some(comparison)),
        (None, None | Some(')' | ']' | '&' | '|')) => Ok(None),
        (None, Some(_)) => Err(cursor.error("this operator is not supported")),
    }
}

fn operand(cursor: &mut Cursor<'_>) -> Result<Operand, ParseError> {
    cursor.skip_blanks();
    if cursor.take('@') {
        return parse::segments(cursor, Place::Filter).map(Operand::Current);
    }
    if cursor.take('$') {
        return parse::segments(cursor, Place::Filter).map(Operand::Root);
    }
    if matches!(cursor.peek(), Some('\'' | '"')) {
        return parse::quoted(cursor).map(|text| Operand::Literal(Value::String(text)));
    }
    let word = cursor.take_while(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '+' | '.'));
    match serde_json::from_str(word) {
        Ok(literal) => Ok(Operand::Literal(literal)),
        // AWS's own examples compare with words that bear no quotes: `@.category==home`.
        Err(_) if word.starts_with(|first: char| first.is_ascii_alphabetic()) && cursor.peek() != Some('(') => {
            Ok(Operand::Literal(Value::from(word)))
        }
        Err(_) => Err(cursor.error("a path or a literal was expected")),
    }
}

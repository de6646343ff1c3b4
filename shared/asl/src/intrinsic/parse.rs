//! The text of a call to an [`Intrinsic`].

use serde_json::Value;

use crate::intrinsic::call::{Argument, Function, Intrinsic};
use crate::path::DataPath;

/// Bounds the nesting of calls; AWS allows ten.
const DEPTH_MAX: usize = 10;
/// Bounds the length of a call, as AWS does.
const LENGTH_MAX: usize = 10_000;

/// Says why a text is no call of an intrinsic function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SyntaxError {
    /// What was wrong, as a lowercase fragment.
    pub reason: String,
}

/// Parses a whole text as one call.
pub(crate) fn call(text: &str) -> Result<Intrinsic, SyntaxError> {
    if text.len() > LENGTH_MAX {
        return Err(error("the call is too long"));
    }
    let mut parser = Parser { text, offset: 0 };
    let call = parser.call(1)?;
    parser.skip_blanks();
    if parser.rest().is_empty() { Ok(call) } else { Err(error("something stands behind the call")) }
}

struct Parser<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Parser<'a> {
    fn call(&mut self, depth: usize) -> Result<Intrinsic, SyntaxError> {
        if depth > DEPTH_MAX {
            return Err(error("calls are nested too deeply"));
        }
        let start = self.offset;
        let name = self.take_while(|character| character.is_ascii_alphanumeric() || character == '.');
        let function = name.strip_prefix("States.").and_then(Function::from_name);
        let function = function.ok_or_else(|| error(format!("there is no function '{name}'")))?;
        self.skip_blanks();
        self.expect('(')?;
        let arguments = self.arguments(depth)?;
        let (least, most) = function.arity();
        if !(least..=most).contains(&arguments.len()) {
            return Err(error(format!("'{name}' does not take {} arguments", arguments.len())));
        }
        Ok(Intrinsic::new(&self.text[start..self.offset], function, arguments))
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Argument>, SyntaxError> {
        let mut arguments = Vec::new();
        self.skip_blanks();
        if self.take(')') {
            return Ok(arguments);
        }
        loop {
            self.skip_blanks();
            arguments.push(self.argument(depth)?);
            self.skip_blanks();
            if self.take(')') {
                return Ok(arguments);
            }
            self.expect(',')?;
        }
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, SyntaxError> {
        let rest = self.rest();
        if rest.starts_with('\'') {
            return self.quoted();
        }
        if rest.starts_with('$') {
            return self.path();
        }
        if rest.starts_with("States.") {
            return self.call(depth + 1).map(Argument::Call);
        }
        let word =
            self.take_while(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '+' | '.'));
        let literal: Result<Value, _> = jsonpath::parse(word);
        literal.map(Argument::Literal).map_err(|_| error("an argument is no string, number, path or call"))
    }

    fn quoted(&mut self) -> Result<Argument, SyntaxError> {
        self.expect('\'')?;
        let start = self.offset;
        let mut value = String::new();
        let mut is_open = false;
        loop {
            let end = self.offset;
            match self.next() {
                None => return Err(error("a string does not end")),
                Some('\'') => {
                    let written = self.text[start..end].into();
                    return Ok(Argument::Text { written, value: Value::String(value), is_open });
                }
                Some('\\') => match self.next() {
                    None => return Err(error("a string does not end")),
                    Some(escaped @ ('\'' | '{' | '}' | '\\')) => value.push(escaped),
                    Some(_) => is_open = true,
                },
                Some(character) => value.push(character),
            }
        }
    }

    /// Takes a path: it ends at a comma, a blank or a closing parenthesis outside its brackets.
    fn path(&mut self) -> Result<Argument, SyntaxError> {
        let mut nesting = 0_usize;
        let mut quote = None;
        let text = self.take_while(|character| {
            match (quote, character) {
                (Some(open), _) if open == character => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') if nesting > 0 => quote = Some(character),
                (None, '[') => nesting += 1,
                (None, ']') => nesting = nesting.saturating_sub(1),
                (None, _) if nesting > 0 => {}
                (None, ',' | ')') => return false,
                (None, _) => return !character.is_whitespace(),
            }
            true
        });
        let path = DataPath::parse(text);
        path.map(Argument::Path).map_err(|cause| error(format!("'{text}' is no path: {cause}")))
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest().chars().next()?;
        self.offset += character.len_utf8();
        Some(character)
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.offset += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), SyntaxError> {
        if self.take(wanted) { Ok(()) } else { Err(error(format!("'{wanted}' was expected"))) }
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'a str {
        let rest = &self.text[self.offset..];
        let end = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.offset += end;
        &rest[..end]
    }

    fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }
}

fn error(reason: impl Into<String>) -> SyntaxError {
    SyntaxError { reason: reason.into() }
}

//! Finds the text of a value inside JSON text without building the whole value.
//!
//! The text is scanned once along the path; what is not on it is skipped over by counting brackets. Skipped parts are
//! only checked as far as skipping needs it: callers hand in text that was checked before.

use serde_json::Value;

use crate::eval::resolve;
use crate::segment::Segment;

/// Finds the value at definite `segments`.
pub(crate) fn read<'a>(segments: &[Segment], text: &'a str) -> Option<&'a str> {
    let mut current = text.trim_matches([' ', '\t', '\n', '\r']);
    for segment in segments {
        current = match segment {
            Segment::Name(name) => member(current, name)?,
            Segment::Index(index) => element(current, *index)?,
            Segment::Names(_)
            | Segment::Indexes(_)
            | Segment::Slice { .. }
            | Segment::Wildcard
            | Segment::Filter(_)
            | Segment::Descend(_) => return None,
        };
    }
    (!current.is_empty()).then_some(current)
}

/// Lists the members of a JSON object by their texts: the name with its quotes and escapes, and the value.
///
/// Gives `None` for what is no object. The text must be JSON; of values only as much is checked as skipping them needs.
pub fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut members = Vec::new();
    each_member(text, |key, value| members.push((key, value)))?;
    Some(members)
}

/// Lists the elements of a JSON array by their texts.
///
/// Gives `None` for what is no array. The text must be JSON; of values only as much is checked as skipping them needs.
pub fn elements(text: &str) -> Option<Vec<&str>> {
    let mut scanner = Scanner::new(text);
    scanner.expect(b'[')?;
    let mut elements = Vec::new();
    if scanner.take(b']') {
        return Some(elements);
    }
    loop {
        elements.push(scanner.value()?);
        if scanner.take(b']') {
            return Some(elements);
        }
        scanner.expect(b',')?;
    }
}

/// Tells whether a raw key, in its quotes, spells `name`.
pub(crate) fn key_is(raw_key: &str, name: &str) -> bool {
    let inner = raw_key.get(1..raw_key.len().saturating_sub(1)).unwrap_or_default();
    if !inner.contains('\\') {
        return inner == name;
    }
    matches!(serde_json::from_str(raw_key), Ok(Value::String(key)) if key == name)
}

fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    each_member(text, |key, value| {
        if key_is(key, name) {
            found = Some(value);
        }
    })?;
    found
}

fn each_member<'a>(text: &'a str, mut visit: impl FnMut(&'a str, &'a str)) -> Option<()> {
    let mut scanner = Scanner::new(text);
    scanner.expect(b'{')?;
    if scanner.take(b'}') {
        return Some(());
    }
    loop {
        let key = scanner.value().filter(|key| key.starts_with('"'))?;
        scanner.expect(b':')?;
        visit(key, scanner.value()?);
        if scanner.take(b'}') {
            return Some(());
        }
        scanner.expect(b',')?;
    }
}

fn element(text: &str, index: i64) -> Option<&str> {
    let elements = elements(text)?;
    elements.get(resolve(index, elements.len())?).copied()
}

struct Scanner<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, offset: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.offset += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> bool {
        self.skip_blanks();
        let found = self.peek() == Some(wanted);
        self.offset += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        self.take(wanted).then_some(())
    }

    /// Skips over one value and gives its text.
    fn value(&mut self) -> Option<&'a str> {
        self.skip_blanks();
        let start = self.offset;
        match self.peek()? {
            b'"' => self.string()?,
            b'{' | b'[' => self.nested()?,
            _ => self.scalar(),
        }
        self.text.get(start..self.offset).filter(|text| !text.is_empty())
    }

    fn string(&mut self) -> Option<()> {
        self.offset = string_end(self.text.as_bytes(), self.offset)?;
        Some(())
    }

    fn nested(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        let mut at = self.offset;
        loop {
            match bytes.get(at)? {
                b'"' => {
                    at = string_end(bytes, at)?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                self.offset = at;
                return Some(());
            }
        }
    }

    fn scalar(&mut self) {
        while self.peek().is_some_and(|byte| !matches!(byte, b',' | b'}' | b']' | b':') && !is_blank(byte)) {
            self.offset += 1;
        }
    }
}

/// Finds the end of the string that begins with the quote at `start`: the offset behind its closing quote.
pub(crate) fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Tells whether a byte is one of the four blanks of JSON.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

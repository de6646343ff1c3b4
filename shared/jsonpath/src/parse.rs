//! Path text to segments.

use std::collections::HashSet;

use crate::error::ParseError;
use crate::filter;
use crate::segment::Segment;

/// Bounds the parts of a path, so that a hostile one cannot cost much.
const SEGMENTS_MAX: usize = 512;

/// Bounds the nesting of filters and parentheses, since parsing and evaluation recurse.
const DEPTH_MAX: usize = 32;

/// Parses a whole path.
pub(crate) fn path(text: &str) -> Result<Vec<Segment>, ParseError> {
    let mut cursor = Cursor::new(text);
    if !cursor.take('$') {
        return Err(cursor.error("a path must begin with '$'"));
    }
    let segments = segments(&mut cursor, Place::Path)?;
    match cursor.peek() {
        None => Ok(segments),
        Some(_) => Err(cursor.error("unexpected character")),
    }
}

/// Says where a path stands, which decides what ends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Alone, up to the end of the text.
    Path,
    /// In a filter, among operators.
    Filter,
}

/// Parses segments until something follows that is none.
pub(crate) fn segments(cursor: &mut Cursor<'_>, place: Place) -> Result<Vec<Segment>, ParseError> {
    let mut segments = Vec::new();
    while let Some(next) = cursor.peek() {
        let segment = match next {
            '.' => dotted(cursor, place)?,
            '[' => bracket(cursor)?,
            _ => break,
        };
        segments.push(segment);
        if segments.len() > SEGMENTS_MAX {
            return Err(cursor.error("the path has too many parts"));
        }
    }
    Ok(segments)
}

fn dotted(cursor: &mut Cursor<'_>, place: Place) -> Result<Segment, ParseError> {
    cursor.take('.');
    if cursor.take('.') {
        return Ok(Segment::Descend(Box::new(after_dot(cursor, place)?)));
    }
    after_dot(cursor, place)
}

fn after_dot(cursor: &mut Cursor<'_>, place: Place) -> Result<Segment, ParseError> {
    match cursor.peek() {
        Some('[') => bracket(cursor),
        Some('*') => {
            cursor.take('*');
            Ok(Segment::Wildcard)
        }
        _ => name(cursor, place),
    }
}

fn name(cursor: &mut Cursor<'_>, place: Place) -> Result<Segment, ParseError> {
    let name = cursor.take_while(|character| is_name_character(character, place));
    if name.is_empty() {
        return Err(cursor.error("a name was expected"));
    }
    // Step Functions has no functions: what looks like one is a name, parentheses and all.
    if cursor.take_text("()") {
        return Ok(Segment::Name(format!("{name}()").into()));
    }
    if cursor.peek() == Some('(') {
        return Err(cursor.error("functions are not supported"));
    }
    Ok(Segment::Name(name.into()))
}

fn is_name_character(character: char, place: Place) -> bool {
    let ends_everywhere = matches!(character, '.' | '[' | ']' | '(' | ')' | '\'' | '"' | '*' | ',' | '?' | '@' | '$')
        || character.is_whitespace()
        || character.is_control();
    let ends_in_filter = matches!(character, '=' | '<' | '>' | '!' | '&' | '|' | '~' | '{' | '}');
    !(ends_everywhere || (place == Place::Filter && ends_in_filter))
}

fn bracket(cursor: &mut Cursor<'_>) -> Result<Segment, ParseError> {
    cursor.take('[');
    cursor.skip_blanks();
    let segment = match cursor.peek() {
        Some('\'' | '"') => names(cursor)?,
        Some('*') => {
            cursor.take('*');
            Segment::Wildcard
        }
        Some('?') => {
            cursor.take('?');
            Segment::Filter(filter::parse(cursor)?)
        }
        Some('0'..='9' | '-' | ':') => numbers(cursor)?,
        Some('(') => from_the_end(cursor)?,
        _ => return Err(cursor.error("a name, an index, '*' or a filter was expected")),
    };
    cursor.skip_blanks();
    if !cursor.take(']') {
        return Err(cursor.error("']' was expected"));
    }
    Ok(segment)
}

/// Parses `(@.length-1)`, the old way to write `-1`.
fn from_the_end(cursor: &mut Cursor<'_>) -> Result<Segment, ParseError> {
    if !cursor.take_text("(@.length") {
        return Err(cursor.error("scripts are not supported"));
    }
    cursor.skip_blanks();
    let index = optional_integer(cursor)?.filter(|index| *index < 0);
    cursor.skip_blanks();
    match (index, cursor.take(')')) {
        (Some(index), true) => Ok(Segment::Index(index)),
        _ => Err(cursor.error("scripts are not supported")),
    }
}

fn names(cursor: &mut Cursor<'_>) -> Result<Segment, ParseError> {
    let mut names = vec![quoted(cursor)?.into_boxed_str()];
    while cursor.take_after_blanks(',') {
        cursor.skip_blanks();
        names.push(quoted(cursor)?.into_boxed_str());
    }
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    match (names.pop(), names.is_empty()) {
        (Some(only), true) => Ok(Segment::Name(only)),
        (last, _) => {
            names.extend(last);
            Ok(Segment::Names(names))
        }
    }
}

/// Parses a quoted name with its escapes.
pub(crate) fn quoted(cursor: &mut Cursor<'_>) -> Result<String, ParseError> {
    let quote = match cursor.peek() {
        Some(quote @ ('\'' | '"')) => quote,
        _ => return Err(cursor.error("a quoted name was expected")),
    };
    cursor.take(quote);
    let mut name = String::new();
    loop {
        match cursor.next() {
            None => return Err(cursor.error("a quoted name does not end")),
            Some(character) if character == quote => return Ok(name),
            // A quote of the other kind needs no escape, and the backslash before it stands for itself.
            Some('\\') if quote == '\'' && cursor.peek() == Some('"') => name.push('\\'),
            Some('\\') => name.push(escaped(cursor)?),
            Some(character) => name.push(character),
        }
    }
}

/// Parses what stands behind a backslash: JSON's escapes, and any other character for itself.
fn escaped(cursor: &mut Cursor<'_>) -> Result<char, ParseError> {
    let character = cursor.next().ok_or_else(|| cursor.error("a quoted name does not end"))?;
    Ok(match character {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => unicode(cursor)?,
        other => other,
    })
}

fn unicode(cursor: &mut Cursor<'_>) -> Result<char, ParseError> {
    let first = code_unit(cursor)?;
    let is_pair = (0xd800..0xdc00).contains(&first) && cursor.take_text("\\u");
    let second = if is_pair { Some(code_unit(cursor)?) } else { None };
    let units = [Some(first), second];
    let character = char::decode_utf16(units.into_iter().flatten()).next().and_then(Result::ok);
    character.ok_or_else(|| cursor.error("a Unicode escape is no character"))
}

fn code_unit(cursor: &mut Cursor<'_>) -> Result<u16, ParseError> {
    let mut digits_left = 4;
    let digits = cursor.take_while(|character| {
        let fits = digits_left > 0 && character.is_ascii_hexdigit();
        digits_left -= usize::from(fits);
        fits
    });
    let unit = u16::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 4);
    unit.ok_or_else(|| cursor.error("a Unicode escape needs four digits"))
}

fn numbers(cursor: &mut Cursor<'_>) -> Result<Segment, ParseError> {
    let first = optional_integer(cursor)?;
    if cursor.take_after_blanks(':') {
        return slice(cursor, first);
    }
    let Some(first) = first else {
        return Err(cursor.error("an index was expected"));
    };
    let mut indexes = vec![first];
    while cursor.take_after_blanks(',') {
        cursor.skip_blanks();
        indexes.push(optional_integer(cursor)?.ok_or_else(|| cursor.error("an index was expected"))?);
    }
    Ok(if indexes.len() == 1 { Segment::Index(first) } else { Segment::Indexes(indexes) })
}

/// Parses a slice. Jayway takes a step and does not look at it.
fn slice(cursor: &mut Cursor<'_>, from: Option<i64>) -> Result<Segment, ParseError> {
    cursor.skip_blanks();
    let to = optional_integer(cursor)?;
    if cursor.take_after_blanks(':') {
        cursor.skip_blanks();
        optional_integer(cursor)?;
    }
    Ok(Segment::Slice { from, to })
}

fn optional_integer(cursor: &mut Cursor<'_>) -> Result<Option<i64>, ParseError> {
    let digits = cursor.take_while(|character| character.is_ascii_digit() || character == '-');
    if digits.is_empty() {
        return Ok(None);
    }
    digits.parse().map(Some).map_err(|_| cursor.error("an index is not an integer"))
}

/// Walks over a text by characters.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    offset: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, offset: 0, depth: 0 }
    }

    /// Runs a parser one level of nesting deeper, since parsing and evaluation recurse.
    pub(crate) fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.depth == DEPTH_MAX {
            return Err(self.error("the path is nested too deeply"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.offset += character.len_utf8();
        Some(character)
    }

    pub(crate) fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.offset += wanted.len_utf8();
        }
        found
    }

    pub(crate) fn take_after_blanks(&mut self, wanted: char) -> bool {
        let before = self.offset;
        self.skip_blanks();
        let found = self.take(wanted);
        if !found {
            self.offset = before;
        }
        found
    }

    pub(crate) fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.offset += end;
        &rest[..end]
    }

    pub(crate) fn take_text(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.offset += wanted.len();
        }
        found
    }

    pub(crate) fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    pub(crate) fn error(&self, reason: impl Into<String>) -> ParseError {
        ParseError { reason: reason.into(), offset: self.offset }
    }
}

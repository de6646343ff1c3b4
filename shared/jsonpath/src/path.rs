//! The two kinds of path and what can be done with them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::error::{ParseError, ReadError, WriteError};
use crate::segment::Segment;
use crate::{eval, parse, raw, write};

/// Is a parsed path. Cloning shares it.
#[derive(Clone)]
pub struct Path {
    text: Arc<str>,
    segments: Arc<[Segment]>,
}

impl Path {
    /// Parses a path that begins with `$`.
    ///
    /// # Errors
    /// `ParseError` for what is no path, and for what Step Functions refuses: functions with arguments, the operators `in` and
    /// `=~`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let segments = parse::path(text)?;
        Ok(Self { text: text.into(), segments: segments.into() })
    }

    /// Gives the path `$`, the whole document.
    pub fn root() -> Self {
        Self { text: "$".into(), segments: Arc::new([]) }
    }

    /// Gives the text that was parsed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells whether the path is `$`.
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// Tells whether the path names at most one value, which reading then gives bare.
    pub fn is_definite(&self) -> bool {
        self.segments.iter().all(Segment::is_definite)
    }

    /// Tells whether the last part of the path names an array's element.
    pub fn ends_in_index(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Index(_)))
    }

    /// Renders the path in Jayway's bracket form, such as `$['a'][0]`.
    pub fn normalised(&self) -> String {
        normalise(&self.segments)
    }

    /// Reads the value, or the array of the values, that the path names.
    ///
    /// # Errors
    /// `ReadError` if a definite path is missing, or an indefinite one matches too many values.
    pub fn read<'a>(&self, document: &'a Value) -> Result<Cow<'a, Value>, ReadError> {
        eval::read(&self.segments, document)
    }

    /// Finds the exact text of the value that a definite path names, without parsing the rest of `document`.
    ///
    /// Gives `None` if the path is not definite, or the value is missing, or the text is not JSON. Of duplicate names
    /// the last one counts.
    pub fn read_raw<'a>(&self, document: &'a str) -> Option<&'a str> {
        raw::read(&self.segments, document)
    }

    /// Reads the path from JSON text and gives JSON text: the very text of the value if the path is definite, else a
    /// compact array.
    ///
    /// # Errors
    /// As `read`, and `ReadError::NotJson`.
    pub fn read_text<'a>(&self, document: &'a str) -> Result<Cow<'a, str>, ReadError> {
        if let Some(text) = self.read_raw(document) {
            return Ok(Cow::Borrowed(text));
        }
        let value = crate::value::parse(document).map_err(|error| ReadError::NotJson(error.to_string()))?;
        Ok(Cow::Owned(self.read(&value)?.to_string()))
    }

    /// Gives the first name or index of a definite path that leads to nothing in JSON text.
    pub fn missing_step(&self, document: &str) -> Option<String> {
        let is_missing = |end: &usize| raw::read(&self.segments[..=*end], document).is_none();
        let missing = (0..self.segments.len()).find(is_missing)?;
        Some(self.segments[missing].step())
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Path").field(&self.text).finish()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Path {}

/// Is a path of names and non-negative indexes: one place in a document, which may be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferencePath(Path);

impl ReferencePath {
    /// Parses a reference path that begins with `$`.
    ///
    /// # Errors
    /// `ParseError` for what is no path, or one that could name several values or counts from the end.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let path = Path::parse(text)?;
        Self::try_from(path)
    }

    /// Gives the path `$`, the whole document.
    pub fn root() -> Self {
        Self(Path::root())
    }

    /// Gives the same path for reading.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// Gives the text that was parsed.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Tells whether the path is `$`.
    pub fn is_root(&self) -> bool {
        self.0.is_root()
    }

    /// Puts `value` at this place of `root` and gives the result. Missing objects on the way are made.
    ///
    /// # Errors
    /// `WriteError` if the path leads through something that is no object, or to an array element that is not there;
    /// AWS calls all of these `States.ReferencePathConflict`.
    pub fn write(&self, root: Value, value: Value) -> Result<Value, WriteError> {
        write::value(self.0.segments(), root, value)
    }

    /// Puts the JSON text `value` at this place of the JSON text `root` and gives the result as compact text. Numbers and
    /// strings that are not on the way keep their form; the path `$` gives `value` as it is.
    ///
    /// # Errors
    /// As `write`, and `WriteError::NotJson`.
    pub fn write_text(&self, root: &str, value: &str) -> Result<String, WriteError> {
        write::text(self.0.segments(), root, value)
    }
}

impl TryFrom<Path> for ReferencePath {
    type Error = ParseError;

    fn try_from(path: Path) -> Result<Self, ParseError> {
        let fits = |segment: &Segment| match segment {
            Segment::Name(_) => true,
            Segment::Index(index) => *index >= 0,
            Segment::Names(_)
            | Segment::Indexes(_)
            | Segment::Slice { .. }
            | Segment::Wildcard
            | Segment::Filter(_)
            | Segment::Descend(_) => false,
        };
        if path.segments.iter().all(fits) {
            Ok(Self(path))
        } else {
            Err(ParseError { reason: "a reference path holds only names and non-negative indexes".into(), offset: 0 })
        }
    }
}

impl fmt::Display for ReferencePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

pub(crate) fn normalise(segments: &[Segment]) -> String {
    let mut text = String::from("$");
    for segment in segments {
        text.push_str(&segment.to_string());
    }
    text
}

#[cfg(test)]
mod tests;

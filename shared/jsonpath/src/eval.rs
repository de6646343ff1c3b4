//! Reads paths from values, as Jayway does it.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::Value;

use crate::error::ReadError;
use crate::java::plain_text;
use crate::path::normalise;
use crate::segment::Segment;

/// Bounds the values that reading one path looks at or copies, which `..` and filters multiply: 40 times what a payload
/// of 256 KiB can hold, some tenths of a second.
const VISITS_MAX: usize = 5_000_000;
/// How many bytes of text that is copied count as one value.
const VISIT_BYTES: usize = 32;

/// Is what one reading may look at: the document for `$` in filters, and how many values are left.
pub(crate) struct Reading<'a> {
    root: &'a Value,
    visits_left: Cell<usize>,
}

impl<'a> Reading<'a> {
    fn new(root: &'a Value) -> Self {
        Self { root, visits_left: Cell::new(VISITS_MAX) }
    }

    pub(crate) fn root(&self) -> &'a Value {
        self.root
    }

    /// Counts a value; `false` says that reading has to stop.
    fn visit(&self) -> bool {
        self.spend(1);
        !self.is_spent()
    }

    fn spend(&self, visits: usize) {
        self.visits_left.set(self.visits_left.get().saturating_sub(visits));
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.visits_left.get() == 0
    }
}

/// Reads from the whole document. An indefinite path finds nothing where the definite part that it begins with is missing;
/// Jayway fails there, Step Functions does not.
pub(crate) fn read<'a>(segments: &[Segment], document: &'a Value) -> Result<Cow<'a, Value>, ReadError> {
    names_come_last(segments)?;
    let reading = Reading::new(document);
    if segments.iter().all(Segment::gives_one) {
        return read_under(segments, document, &reading);
    }
    match read_under(&bound(segments, &reading), document, &reading) {
        Err(error) if error != ReadError::TooMuch => Ok(Cow::Owned(Value::Array(Vec::new()))),
        result => result,
    }
}

fn names_come_last(segments: &[Segment]) -> Result<(), ReadError> {
    let inner = segments.split_last().map_or(&[][..], |(_, inner)| inner);
    match inner.iter().position(|segment| segment.names().is_some()) {
        None => Ok(()),
        Some(position) => Err(ReadError::NamesNotLast(normalise(&segments[..=position]))),
    }
}

/// Looks up what begins with `$` in filters.
pub(crate) fn bound(segments: &[Segment], reading: &Reading<'_>) -> Vec<Segment> {
    segments.iter().map(|segment| segment.bound(reading)).collect()
}

/// Reads from `start`, with an error where the definite part is missing.
pub(crate) fn read_under<'a>(
    segments: &[Segment],
    start: &'a Value,
    reading: &Reading<'_>,
) -> Result<Cow<'a, Value>, ReadError> {
    let definite = segments.iter().take_while(|segment| segment.is_definite()).count();
    let node = read_definite(segments, definite, start)?;
    match &segments[definite..] {
        [] => return Ok(Cow::Borrowed(node)),
        [Segment::Names(names)] if node.is_object() => {
            count(node, reading);
            return if reading.is_spent() { Err(ReadError::TooMuch) } else { Ok(Cow::Owned(picked(names, node))) };
        }
        [names @ Segment::Names(_)] => return Err(not_an_object(names, &segments[..definite])),
        _ => {}
    }
    let mut nodes = vec![node];
    for segment in &segments[definite..] {
        nodes = nodes.into_iter().flat_map(|node| select(segment, node, reading)).collect();
    }
    for node in &nodes {
        count(node, reading);
    }
    if reading.is_spent() {
        return Err(ReadError::TooMuch);
    }
    let names = segments.last().and_then(Segment::names);
    let copy = |node: &Value| names.map_or_else(|| node.clone(), |names| picked(names, node));
    Ok(Cow::Owned(Value::Array(nodes.into_iter().map(copy).collect())))
}

/// Makes an object of those members that are there.
fn picked(names: &[Box<str>], node: &Value) -> Value {
    let there = names.iter().filter_map(|name| node.get(&**name).map(|value| (name.to_string(), value.clone())));
    Value::Object(there.collect())
}

/// Counts what copying a value will cost.
pub(crate) fn count(node: &Value, reading: &Reading<'_>) {
    match node {
        Value::String(text) => reading.spend(text.len() / VISIT_BYTES),
        Value::Object(members) => reading.spend(members.keys().map(String::len).sum::<usize>() / VISIT_BYTES),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
    }
    if reading.visit() {
        for child in children(node) {
            count(child, reading);
        }
    }
}

/// Follows the first `count` segments, which are definite.
fn read_definite<'a>(segments: &[Segment], count: usize, start: &'a Value) -> Result<&'a Value, ReadError> {
    let mut node = start;
    for (position, segment) in segments[..count].iter().enumerate() {
        node = match segment {
            Segment::Name(name) => property(segments, position, name, node)?,
            Segment::Index(index) => element(segments, position, *index, node)?,
            Segment::Names(_)
            | Segment::Indexes(_)
            | Segment::Slice { .. }
            | Segment::Wildcard
            | Segment::Filter(_)
            | Segment::Descend(_) => node,
        };
    }
    Ok(node)
}

fn property<'a>(segments: &[Segment], position: usize, name: &str, node: &'a Value) -> Result<&'a Value, ReadError> {
    let Some(object) = node.as_object() else {
        return Err(not_an_object(&segments[position], &segments[..position]));
    };
    object.get(name).ok_or_else(|| {
        if position + 1 == segments.len() {
            ReadError::NoResults(normalise(segments))
        } else {
            ReadError::MissingProperty(normalise(&segments[..=position]))
        }
    })
}

fn not_an_object(name: &Segment, before: &[Segment]) -> ReadError {
    ReadError::NotAnObject { property: name.to_string(), path: normalise(before) }
}

fn element<'a>(segments: &[Segment], position: usize, index: i64, node: &'a Value) -> Result<&'a Value, ReadError> {
    match node {
        Value::Array(items) => resolve(index, items.len())
            .and_then(|index| items.get(index))
            .ok_or_else(|| ReadError::NoResults(normalise(segments))),
        Value::Null => Err(ReadError::Null(normalise(&segments[..position]))),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            let selector = segments[position..].iter().map(Segment::to_string).collect();
            Err(ReadError::NotAnArray { selector, value: plain_text(node) })
        }
    }
}

/// Turns an index that may count from the end into one from the start.
pub(crate) fn resolve(index: i64, len: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index),
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

/// Applies one segment behind the definite part, where what is missing is left out.
fn select<'a>(segment: &Segment, node: &'a Value, reading: &Reading<'_>) -> Vec<&'a Value> {
    if !reading.visit() {
        return Vec::new();
    }
    match segment {
        Segment::Name(name) => node.get(&**name).into_iter().collect(),
        Segment::Names(_) => {
            if node.is_object() {
                vec![node]
            } else {
                Vec::new()
            }
        }
        Segment::Index(index) => at(node, *index).into_iter().collect(),
        Segment::Indexes(indexes) => indexes.iter().filter_map(|index| at(node, *index)).collect(),
        Segment::Slice { from, to } => slice(node, *from, *to),
        Segment::Wildcard => children(node),
        Segment::Filter(filter) => match node {
            Value::Array(items) => items.iter().filter(|item| filter.accepts(item, reading)).collect(),
            // Jayway tests the object itself, where RFC 9535 tests its members.
            Value::Object(_) if filter.accepts(node, reading) => vec![node],
            Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        },
        Segment::Descend(inner) => {
            let mut found = Vec::new();
            descend(inner, node, reading, &mut found);
            found
        }
    }
}

fn at(node: &Value, index: i64) -> Option<&Value> {
    let items = node.as_array()?;
    items.get(resolve(index, items.len())?)
}

/// Gives the elements of a slice. With both ends there, Jayway counts from one to the other as they are written and takes the
/// indexes on the way, of which negative ones count from the end.
fn slice(node: &Value, from: Option<i64>, to: Option<i64>) -> Vec<&Value> {
    let Some(items) = node.as_array() else {
        return Vec::new();
    };
    let len = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let counted = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from.max(-len), to.min(len)),
        (from, to) => (from.map_or(0, counted).max(0), to.map_or(len, counted).min(len)),
    };
    (from..to).filter_map(|index| at(node, index)).collect()
}

fn children(node: &Value) -> Vec<&Value> {
    match node {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => members.values().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Recursion is bounded by the nesting that serde_json parses, 128.
fn descend<'a>(inner: &Segment, node: &'a Value, reading: &Reading<'_>, found: &mut Vec<&'a Value>) {
    if !reading.visit() {
        return;
    }
    if let Segment::Names(names) = inner {
        reading.spend(names.len());
    }
    match (inner, node) {
        // Every object is tested once, by itself and not as the element of an array.
        (Segment::Filter(_), Value::Array(_)) => {}
        // Jayway looks for objects that have all of the names.
        (Segment::Names(names), _) if names.iter().any(|name| node.get(&**name).is_none()) => {}
        _ => found.extend(select(inner, node, reading)),
    }
    for child in children(node) {
        descend(inner, child, reading, found);
    }
}

//! Puts a value at a reference path.

use serde_json::{Map, Value};

use crate::compact::push_compact;
use crate::error::WriteError;
use crate::path::normalise;
use crate::raw;
use crate::segment::Segment;

/// Puts `value` into a parsed document.
pub(crate) fn value(segments: &[Segment], mut root: Value, value: Value) -> Result<Value, WriteError> {
    let mut slot = &mut root;
    for (position, segment) in segments.iter().enumerate() {
        let here = &segments[..position];
        slot = match segment {
            Segment::Name(name) => {
                let object = slot.as_object_mut().ok_or_else(|| conflict(here, segment))?;
                object.entry(&**name).or_insert_with(|| missing(segments, position))
            }
            Segment::Index(index) => {
                let index = usize::try_from(*index).ok();
                let element = slot.as_array_mut().zip(index).and_then(|(items, index)| items.get_mut(index));
                element.ok_or_else(|| conflict(here, segment))?
            }
            Segment::Names(_)
            | Segment::Indexes(_)
            | Segment::Slice { .. }
            | Segment::Wildcard
            | Segment::Filter(_)
            | Segment::Descend(_) => return Err(conflict(here, segment)),
        };
    }
    *slot = value;
    Ok(root)
}

fn conflict(here: &[Segment], step: &Segment) -> WriteError {
    WriteError::Conflict { step: step.step(), from: normalise(here) }
}

/// A missing value becomes an object if a name follows; otherwise null, which no index can enter.
fn missing(segments: &[Segment], position: usize) -> Value {
    match segments.get(position + 1) {
        Some(Segment::Name(_)) => Value::Object(Map::new()),
        _ => Value::Null,
    }
}

/// Puts `value` into a document's text; gives compact text, or `value` as it is where it replaces the whole.
pub(crate) fn text(segments: &[Segment], root: &str, value: &str) -> Result<String, WriteError> {
    if segments.is_empty() {
        return Ok(value.to_owned());
    }
    let mut written = String::with_capacity(root.len() + value.len() + 32);
    let writer = Writer { segments, value };
    writer.put(0, Some(root.trim()), &mut written)?;
    Ok(written)
}

struct Writer<'a> {
    segments: &'a [Segment],
    value: &'a str,
}

impl Writer<'_> {
    /// Appends what stands at `position` of the path after the write; `old` is what stood there.
    fn put(&self, position: usize, old: Option<&str>, written: &mut String) -> Result<(), WriteError> {
        match self.segments.get(position) {
            None => {
                push_compact(self.value, written);
                Ok(())
            }
            Some(Segment::Index(index)) => self.put_element(position, *index, old, written),
            Some(Segment::Name(name)) => self.put_member(position, name, old.unwrap_or("{}"), written),
            Some(_) => Err(self.conflict(position)),
        }
    }

    fn put_member(&self, position: usize, name: &str, old: &str, written: &mut String) -> Result<(), WriteError> {
        let members = raw::members(old).ok_or_else(|| self.not_an_object(position, old))?;
        let mut last_first = members.iter().rev();
        let target = last_first.find(|(key, _)| raw::key_is(key, name)).map(|(_, value)| *value);
        let mut done = false;
        written.push('{');
        for (key, value) in members {
            if raw::key_is(key, name) {
                if !done {
                    separate(written);
                    written.push_str(key);
                    written.push(':');
                    self.put(position + 1, target, written)?;
                }
                done = true;
                continue;
            }
            separate(written);
            written.push_str(key);
            written.push(':');
            push_compact(value, written);
        }
        if !done {
            separate(written);
            written.push_str(&Value::from(name).to_string());
            written.push(':');
            self.put(position + 1, None, written)?;
        }
        written.push('}');
        Ok(())
    }

    fn put_element(
        &self,
        position: usize,
        index: i64,
        old: Option<&str>,
        written: &mut String,
    ) -> Result<(), WriteError> {
        let elements = old.and_then(raw::elements).ok_or_else(|| self.conflict(position))?;
        let index = usize::try_from(index).ok().filter(|index| *index < elements.len());
        let index = index.ok_or_else(|| self.conflict(position))?;
        written.push('[');
        for (other, element) in elements.into_iter().enumerate() {
            separate(written);
            if other == index {
                self.put(position + 1, Some(element), written)?;
            } else {
                push_compact(element, written);
            }
        }
        written.push(']');
        Ok(())
    }

    fn not_an_object(&self, position: usize, old: &str) -> WriteError {
        if old.starts_with('{') {
            return WriteError::NotJson("an object does not end".into());
        }
        self.conflict(position)
    }

    fn conflict(&self, position: usize) -> WriteError {
        conflict(&self.segments[..position], &self.segments[position])
    }
}

/// Puts a comma unless this is the first member.
fn separate(written: &mut String) {
    if !written.ends_with(['{', '[']) {
        written.push(',');
    }
}

//! Records as they are read. Fields that this version does not know are passed over.

use std::fmt;

use model::{EventId, EventRef, JsonText};
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use super::{RecordError, VERSION};

/// Is how every record of the newest version begins.
const BEGINNING: &[u8] = b"{\"v\":1";

/// Reads a record after a look at its version, so that one of a later release is named as such.
pub(super) fn record<'a, T: Deserialize<'a>>(name: &'static str, text: &'a [u8]) -> Result<T, RecordError> {
    let form = |source| RecordError::Form { record: name, source };
    let is_newest = text.starts_with(BEGINNING) && matches!(text.get(BEGINNING.len()), Some(b',' | b'}'));
    if !is_newest {
        let Version { v: version } = serde_json::from_slice(text).map_err(form)?;
        if version != u64::from(VERSION) {
            return Err(RecordError::Version { record: name, version });
        }
    }
    serde_json::from_slice(text).map_err(form)
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

/// Is the table of a record's payload texts.
pub(super) struct TextTable(Vec<JsonText>);

impl TextTable {
    /// Takes over the texts as they stand.
    pub(super) fn new(texts: &[&RawValue]) -> Self {
        Self(texts.iter().map(|text| JsonText::from_raw(text)).collect())
    }

    /// Gives a text; all who ask for one index share it.
    pub(super) fn get(&self, index: usize) -> Result<JsonText, RecordError> {
        self.0.get(index).cloned().ok_or(RecordError::NoText(index))
    }

    /// Gives the texts of a list of names and indexes.
    pub(super) fn named(&self, list: Vec<(String, usize)>) -> Result<Vec<(String, JsonText)>, RecordError> {
        list.into_iter().map(|(name, index)| Ok((name, self.get(index)?))).collect()
    }
}

/// Is a reference to an event: an id, or `-1 - n` for the event at index n of the commit that wrote it.
#[derive(Clone, Copy)]
pub(super) struct Reference(pub(super) EventRef);

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(ReferenceVisitor)
    }
}

struct ReferenceVisitor;

impl Visitor<'_> for ReferenceVisitor {
    type Value = Reference;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event id, or a negative number for an event of the same commit")
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Reference, E> {
        Ok(Reference(EventRef::Id(EventId(id))))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Reference, E> {
        if let Ok(id) = u64::try_from(number) {
            return self.visit_u64(id);
        }
        let index = u32::try_from(-1 - number).map_err(|_| E::custom("the index of an event is out of bounds"))?;
        Ok(Reference(EventRef::New(index)))
    }
}

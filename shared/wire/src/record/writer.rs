//! Records as they are written: compact JSON, payload texts copied to the byte.

use model::{EventRef, JsonText, Timestamp};
use serde::Serialize;

use super::VERSION;

/// How many texts of the table are looked at for one that is the same: those that repeat lie near each other, and a
/// chunk of very many events must not cost their square.
const LOOK_BACK: usize = 32;

/// Is about what a record takes without its texts.
const RECORD_BYTES: usize = 1024;

/// Renders a record: an object whose first field is the version.
pub(super) fn record(fields: impl FnOnce(&mut Object<'_>, &mut Texts)) -> Vec<u8> {
    let mut out = Vec::with_capacity(RECORD_BYTES);
    let mut texts = Texts::default();
    let mut object = Object::open(&mut out);
    object.value("v", &VERSION);
    fields(&mut object, &mut texts);
    if !texts.0.is_empty() {
        out.reserve(texts.0.iter().map(|text| text.len() + 1).sum::<usize>() + 16);
        Object { out: &mut out, separator: b',' }.list("texts", texts.0.iter(), |out, text| {
            out.extend_from_slice(text.as_str().as_bytes());
        });
    }
    out.push(b'}');
    out
}

/// Collects the payload texts of a record; one that repeats is kept once.
#[derive(Default)]
pub(super) struct Texts(Vec<JsonText>);

impl Texts {
    /// Gives the index of a text in the table.
    pub(super) fn index(&mut self, text: &JsonText) -> usize {
        let near = self.0.iter().enumerate().rev().take(LOOK_BACK);
        if let Some((index, _)) = near.into_iter().find(|(_, known)| known.is_same(text) || *known == text) {
            return index;
        }
        self.0.push(text.clone());
        self.0.len() - 1
    }
}

/// Writes the fields of one object.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    separator: u8,
}

impl<'a> Object<'a> {
    /// Begins an object; [`Object::close`] ends it.
    pub(super) fn open(out: &'a mut Vec<u8>) -> Self {
        Self { out, separator: b'{' }
    }

    /// Ends an object of at least one field.
    pub(super) fn close(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        self.out.push(self.separator);
        self.separator = b',';
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// Writes a number, a text or the like.
    pub(super) fn value(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.name(name);
        json(self.out, value);
    }

    /// Writes a value that is there, and nothing for one that is not.
    pub(super) fn optional(&mut self, name: &str, value: Option<&(impl Serialize + ?Sized)>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// Writes a flag that is set, and nothing for one that is not.
    pub(super) fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.value(name, &true);
        }
    }

    /// Writes a number unless it is 0.
    pub(super) fn count(&mut self, name: &str, value: u32) {
        if value != 0 {
            self.value(name, &value);
        }
    }

    /// Writes an instant.
    pub(super) fn time(&mut self, name: &str, value: Timestamp) {
        self.value(name, &value.as_millis());
    }

    /// Writes an instant that is there.
    pub(super) fn optional_time(&mut self, name: &str, value: Option<Timestamp>) {
        self.optional(name, value.map(Timestamp::as_millis).as_ref());
    }

    /// Writes an id, none of which holds a character that JSON escapes.
    pub(super) fn id(&mut self, name: &str, id: &impl std::fmt::Display) {
        use std::io::Write;
        self.name(name);
        write!(self.out, "\"{id}\"").expect("memory takes every write");
    }

    /// Writes a reference: an id as it is, the event at index n of the commit that writes it as `-1 - n`.
    pub(super) fn event(&mut self, name: &str, event: EventRef) {
        match event {
            EventRef::Id(id) => self.value(name, &id.0),
            EventRef::New(index) => self.value(name, &(-1 - i64::from(index))),
        }
    }

    /// Writes a payload text where it stands.
    pub(super) fn raw(&mut self, name: &str, text: Option<&JsonText>) {
        if let Some(text) = text {
            self.name(name);
            self.out.extend_from_slice(text.as_str().as_bytes());
        }
    }

    /// Writes an object of at least one field.
    pub(super) fn object(&mut self, name: &str, fields: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut object = Object::open(self.out);
        fields(&mut object);
        object.close();
    }

    /// Writes a list, and nothing for an empty one.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl ExactSizeIterator<Item = T>,
        mut item: impl FnMut(&mut Vec<u8>, T),
    ) {
        if items.len() == 0 {
            return;
        }
        self.name(name);
        let mut separator = b'[';
        for value in items {
            self.out.push(separator);
            separator = b',';
            item(self.out, value);
        }
        self.out.push(b']');
    }
}

/// Renders a value of serde's.
pub(super) fn json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("plain values always render into memory");
}

//! JSON that nobody looked inside: the very text that came in.

use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;

/// Is the text of one JSON value, kept to the byte and shared, not cloned.
///
/// A payload that no state changed stays the text that the caller sent, blanks and number forms included, as AWS keeps
/// it. Equality is equality of texts.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JsonText(Arc<str>);

fn nests_too_deep(text: &str) -> bool {
    // Each level takes two bytes, one of which opens it: counting those is far cheaper than to look where they are.
    let opened = || text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    text.len() > 2 * JsonText::NESTING_MAX && opened() > JsonText::NESTING_MAX && nesting(text) > JsonText::NESTING_MAX
}

/// Counts how deep a value nests.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.find(|byte| matches!(byte, b'"' | b'\\')) {
        if byte == b'"' {
            return;
        }
        bytes.next();
    }
}

/// Says that a text is not one JSON value.
#[derive(Debug, thiserror::Error)]
#[error("parse the text as JSON")]
pub struct NotJson(#[from] serde_json::Error);

impl JsonText {
    /// How deep a value may nest: as deep as serde_json parses.
    pub const NESTING_MAX: usize = 127;

    /// Takes a text over after checking that it is one JSON value, nested no deeper than can be parsed; blanks around it are
    /// dropped.
    ///
    /// # Errors
    /// `NotJson` with the place of the fault.
    pub fn parse(text: &str) -> Result<Self, NotJson> {
        let raw: &RawValue = serde_json::from_str(text)?;
        if nests_too_deep(text) {
            // It is parsed for the sake of the error.
            let _: serde_json::Value = serde_json::from_str(text)?;
        }
        Ok(Self(raw.get().into()))
    }

    /// Takes over a raw value, which serde_json has checked already.
    pub fn from_raw(raw: &RawValue) -> Self {
        Self(raw.get().into())
    }

    /// Renders a value compactly.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }

    /// Takes over a text that the caller knows to be one JSON value, unchecked.
    ///
    /// A text that is not would only make the records that hold it unreadable; no memory depends on it.
    pub fn trusted(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Gives the size in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether the value nests deeper than can be parsed, as one may that was put together out of others.
    pub fn is_too_deep(&self) -> bool {
        nests_too_deep(&self.0)
    }

    /// Tells whether the text is empty, which no checked one is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether both share one allocation: a cheap and sure sign of equality.
    pub fn is_same(&self, other: &JsonText) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Parses the text into a value.
    ///
    /// # Errors
    /// `NotJson` only for what `trusted` took over wrongly.
    pub fn to_value(&self) -> Result<serde_json::Value, NotJson> {
        Ok(serde_json::from_str(&self.0)?)
    }

    /// Copies the text into serde_json's raw value.
    ///
    /// # Errors
    /// `NotJson` only for what `trusted` took over wrongly.
    pub fn to_raw(&self) -> Result<Box<RawValue>, NotJson> {
        Ok(RawValue::from_string(self.0.to_string())?)
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for JsonText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_to_the_byte() {
        for text in ["[[1, 2,  3]]", "{\"a\": 1.0}", "\"\\u00e9\"", "-1.5", "null"] {
            assert_eq!(JsonText::parse(text).expect("is JSON").as_str(), text);
        }
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        for text in ["", "not", "{} {}", "{\"a\":}", "[1,]"] {
            assert!(JsonText::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_nests_too_deep_to_be_parsed_is_refused() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let deepest = JsonText::parse(&nested(JsonText::NESTING_MAX)).expect("can be parsed");
        assert!(deepest.to_value().is_ok() && !deepest.is_too_deep());
        assert!(JsonText::parse(&nested(JsonText::NESTING_MAX + 1)).is_err());
        assert!(JsonText::parse(&nested(100_000)).is_err());
        let text = format!("{{\"a\": \"{}\\\"[\", \"b\": {}}}", "[{".repeat(200), nested(JsonText::NESTING_MAX - 1));
        assert!(JsonText::parse(&text).is_ok(), "strings don't nest");
        assert!(JsonText::trusted(nested(200)).is_too_deep());
    }
}

//! Takes the blanks out of JSON text and leaves everything else as it is.

use crate::raw::{is_blank, string_end};

/// Renders JSON text compactly without touching numbers and strings: `{"a": 1.0}` becomes `{"a":1.0}`.
pub fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    push_compact(text, &mut compact);
    compact
}

/// Appends JSON text compactly. What lies between two blanks is copied at once.
pub(crate) fn push_compact(text: &str, compact: &mut String) {
    let bytes = text.as_bytes();
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        if *byte == b'"' {
            at = string_end(bytes, at).unwrap_or(bytes.len());
        } else if is_blank(*byte) {
            compact.push_str(&text[copied..at]);
            at += 1;
            copied = at;
        } else {
            at += 1;
        }
    }
    compact.push_str(&text[copied..]);
}

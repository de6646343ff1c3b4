//! Parses JSON text.

use std::borrow::Cow;

use serde_json::Value;

use crate::raw::{is_blank, string_end};

/// Parses JSON text as Jackson does it: the integer `-0` is 0, which only fractions can be below.
///
/// # Errors
/// What is wrong with the text, or a number that no double holds.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(&with_plain_zeros(text))
}

fn with_plain_zeros(text: &str) -> Cow<'_, str> {
    if !text.contains("-0") {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut plain = String::with_capacity(text.len());
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        if *byte == b'"' {
            at = string_end(bytes, at).unwrap_or(bytes.len());
            continue;
        }
        if is_negative_zero(bytes, at) {
            plain.push_str(&text[copied..at]);
            copied = at + 1;
        }
        at += 1;
    }
    plain.push_str(&text[copied..]);
    Cow::Owned(plain)
}

/// Tells whether an integer `-0` stands at an offset outside strings.
fn is_negative_zero(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| bytes[before]);
    let begins = before.is_none_or(|byte| matches!(byte, b'[' | b',' | b':') || is_blank(byte));
    let goes_on = matches!(bytes.get(at + 2), Some(b'.' | b'e' | b'E' | b'0'..=b'9'));
    begins && bytes[at..].starts_with(b"-0") && !goes_on
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn check(text: &str, expect: &str) {
        assert_eq!(parse(text).expect(text).to_string(), expect, "{text}");
    }

    #[test]
    fn only_integers_lose_their_negative_zero() {
        check("-0", "0");
        check("[-0,-0 ,{\"-0\": -0}]", "[0,0,{\"-0\":0}]");
        check("[-0.0, -0e1, -0.5, 1e-0, 1E-05, -1, -10]", "[-0.0,-0.0,-0.5,1.0,0.00001,-1,-10]");
        check(r#"["-0", "\"-0,", "2026-01-02\\", -0]"#, r#"["-0","\"-0,","2026-01-02\\",0]"#);
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in ["", "-", "-00", "--0", "1-0", "-0x", "\"-0", "[-0", "1e400"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}

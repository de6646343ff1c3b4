//! Takes the blanks out of JSON text and leaves everything else as it is.

/// Renders JSON text compactly without touching numbers and strings: `{"a": 1.0}` becomes `{"a":1.0}`.
pub fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    let mut in_string = false;
    let mut escaped = false;
    for character in text.chars() {
        if !in_string && matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        if character == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && character == '\\' && !escaped;
        compact.push(character);
    }
    compact
}

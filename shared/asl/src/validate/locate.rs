//! From the place of a finding back to the text.

use std::ops::Range;

/// Finds the bytes of `text` that a finding's pointer names: a value, or for what names the whole the first object.
///
/// Gives `None` if the text is not JSON or has no such place. Of members with the same name the last one counts.
pub fn locate(text: &str, pointer: &str) -> Option<Range<usize>> {
    let blank = [' ', '\t', '\n', '\r'];
    let start = text.len() - text.trim_start_matches(blank).len();
    let root = text.trim_matches(blank);
    let pointer = if pointer == "/" { "" } else { pointer };
    let found = find(root, pointer)?;
    // Both are slices of the same text.
    let offset = found.as_ptr() as usize - root.as_ptr() as usize + start;
    Some(offset..offset + found.len())
}

/// A name may hold slashes and brackets, so every member that the pointer may begin with is tried, the longest name last.
fn find<'a>(value: &'a str, pointer: &str) -> Option<&'a str> {
    if pointer.is_empty() {
        return Some(value);
    }
    if let Some(rest) = pointer.strip_prefix('[') {
        let (index, rest) = rest.split_once(']')?;
        let elements = jsonpath::elements(value)?;
        return find(elements.get(index.parse::<usize>().ok()?)?, rest);
    }
    let rest = pointer.strip_prefix('/')?;
    let members = jsonpath::members(value)?;
    let fitting = members.into_iter().rev().filter_map(|(key, value)| {
        let name: String = serde_json::from_str(key).ok()?;
        let rest = rest.strip_prefix(name.as_str())?;
        let ends = rest.is_empty() || rest.starts_with(['/', '[']);
        ends.then(|| find(value, rest)).flatten()
    });
    fitting.min_by_key(|found| std::cmp::Reverse(found.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\n{\"States\": {\"a\": {\"Retry\": [1, {\"x\": \"é\"}]}, \"a/Retry\": 7, \"b[0]\": true}}";

    fn check(pointer: &str, expect: Option<&str>) {
        assert_eq!(locate(TEXT, pointer).map(|range| &TEXT[range]), expect, "{pointer}");
    }

    #[test]
    fn places_are_found_in_the_text() {
        check("/", Some(TEXT.trim()));
        check("/States/a/Retry[1]/x", Some("\"é\""));
        check("/States/a/Retry[0]", Some("1"));
        check("/States/b[0]", Some("true"));
        check("/States/a/Retry[2]", None);
        check("/States/c", None);
        check("no pointer", None);
        assert_eq!(locate("no json", "/States"), None);
    }
}

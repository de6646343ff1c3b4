//! JSON that a definition states. As in a tree of Jackson's, an object has one member of a name: the last one, in the place of the
//! first.

use std::borrow::Cow;
use std::collections::BTreeMap;

use model::JsonText;

/// Takes the blanks out of a value; a text in which no name stands twice stays as it is otherwise.
pub(crate) fn literal(text: &str) -> JsonText {
    let compact = jsonpath::compact(text);
    let text = without_doubles(&compact).into_owned();
    JsonText::trusted(text)
}

/// Keeps of members with the same name the value of the last, in the place of the first.
pub(crate) fn last_of_each<K: Ord, V>(members: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut firsts = BTreeMap::new();
    let places: Vec<usize> =
        members.iter().enumerate().map(|(place, (name, _))| *firsts.entry(name).or_insert(place)).collect();
    if firsts.len() == members.len() {
        return members;
    }
    let mut kept: Vec<Option<(K, V)>> = members.iter().map(|_| None).collect();
    for (place, member) in places.into_iter().zip(members) {
        kept[place] = Some(member);
    }
    kept.into_iter().flatten().collect()
}

fn without_doubles(text: &str) -> Cow<'_, str> {
    let rebuilt = match text.as_bytes().first() {
        Some(b'{') => jsonpath::members(text).and_then(object),
        Some(b'[') => jsonpath::elements(text).and_then(array),
        Some(_) | None => None,
    };
    rebuilt.map_or(Cow::Borrowed(text), Cow::Owned)
}

fn object(members: Vec<(&str, &str)>) -> Option<String> {
    let count = members.len();
    let named = members.into_iter().map(|(key, value)| {
        let name: String = serde_json::from_str(key).unwrap_or_default();
        (name, (key, without_doubles(value)))
    });
    let kept = last_of_each(named.collect());
    let is_same = kept.len() == count && kept.iter().all(|(_, (_, value))| matches!(value, Cow::Borrowed(_)));
    let members = kept.iter().map(|(_, (key, value))| format!("{key}:{value}"));
    (!is_same).then(|| format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
}

fn array(elements: Vec<&str>) -> Option<String> {
    let elements: Vec<Cow<'_, str>> = elements.into_iter().map(without_doubles).collect();
    let is_same = elements.iter().all(|element| matches!(element, Cow::Borrowed(_)));
    (!is_same).then(|| format!("[{}]", elements.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_one_name_counts_in_the_place_of_the_first() {
        for (text, expect) in [
            (r#"{ "a": 1.0, "b": "\u0061 ", "c": [] }"#, r#"{"a":1.0,"b":"\u0061 ","c":[]}"#),
            (r#"{"a": 1, "b": 2, "a": 3}"#, r#"{"a":3,"b":2}"#),
            (r#"{"a": 1, "\u0061": 1e400}"#, r#"{"\u0061":1e400}"#),
            (
                r#"[1, [{"x": {"a": 1, "b": 2.0, "a": {"c": 1, "c": 2}}}], {}]"#,
                r#"[1,[{"x":{"a":{"c":2},"b":2.0}}],{}]"#,
            ),
            (r#""{\"a\": 1, \"a\": 2}""#, r#""{\"a\": 1, \"a\": 2}""#),
        ] {
            assert_eq!(literal(text).as_str(), expect, "{text}");
        }
    }
}

//! A definition's JSON as a tree that keeps what a map would lose: the order of members and those of the same name.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// Is one JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Boolean(bool),
    Number(Number),
    String(String),
    Array(Vec<Tree>),
    Object(Object),
}

/// Is a JSON object. Of members with the same name the last one counts, as everywhere in JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object(Vec<(String, Tree)>);

impl Tree {
    pub(crate) fn object(&self) -> Option<&Object> {
        match self {
            Tree::Object(object) => Some(object),
            Tree::Null | Tree::Boolean(_) | Tree::Number(_) | Tree::String(_) | Tree::Array(_) => None,
        }
    }

    pub(crate) fn array(&self) -> Option<&[Tree]> {
        match self {
            Tree::Array(elements) => Some(elements),
            Tree::Null | Tree::Boolean(_) | Tree::Number(_) | Tree::String(_) | Tree::Object(_) => None,
        }
    }

    pub(crate) fn string(&self) -> Option<&str> {
        match self {
            Tree::String(text) => Some(text),
            Tree::Null | Tree::Boolean(_) | Tree::Number(_) | Tree::Array(_) | Tree::Object(_) => None,
        }
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self {
            Tree::Boolean(truth) => Some(*truth),
            Tree::Null | Tree::Number(_) | Tree::String(_) | Tree::Array(_) | Tree::Object(_) => None,
        }
    }

    pub(crate) fn number(&self) -> Option<&Number> {
        match self {
            Tree::Number(number) => Some(number),
            Tree::Null | Tree::Boolean(_) | Tree::String(_) | Tree::Array(_) | Tree::Object(_) => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Tree::Null)
    }
}

impl Object {
    /// Lists the members as they stand in the text.
    pub(crate) fn members(&self) -> impl DoubleEndedIterator<Item = (&str, &Tree)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Tree> {
        self.members().rev().find(|(member, _)| *member == name).map(|(_, value)| value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Boolean(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Number::from_f64(value).map_or(Tree::Null, Tree::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = access.next_element()? {
            elements.push(element);
        }
        Ok(Tree::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(Object(members)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_their_doubles() {
        let tree: Tree = serde_json::from_str(r#"{"b": 1, "a": [null, true, -2, 1.5, "x"], "b": 2}"#).expect("is JSON");
        let object = tree.object().expect("is an object");
        let names: Vec<&str> = object.members().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "a", "b"]);
        assert_eq!(object.get("b").and_then(Tree::number), Some(&Number::from(2)));
        assert_eq!(object.get("a").and_then(Tree::array).map(<[Tree]>::len), Some(5));
    }
}

//! The definition's JSON, read field by field, each with its place in the text.

use serde_json::Value;

use crate::parse::findings::Findings;
use crate::parse::literal::last_of_each;

/// Is one value of the text with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    text: &'a str,
    pointer: String,
}

/// Is one object of the text with its place. Of fields with the same name only the last one is there.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    pointer: String,
    fields: Vec<(String, Node<'a>)>,
}

impl<'a> Node<'a> {
    /// Takes the whole text, which must be JSON.
    pub(crate) fn root(text: &'a str) -> Self {
        Self { text, pointer: "/".into() }
    }

    /// Gives the exact text.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    pub(crate) fn pointer(&self) -> &str {
        &self.pointer
    }

    pub(crate) fn is_null(&self) -> bool {
        self.text == "null"
    }

    pub(crate) fn is_object(&self) -> bool {
        self.text.starts_with('{')
    }

    pub(crate) fn is_array(&self) -> bool {
        self.text.starts_with('[')
    }

    pub(crate) fn object(&self, findings: &mut Findings) -> Option<Object<'a>> {
        let Some(members) = jsonpath::members(self.text) else {
            return self.expected("Object", findings);
        };
        let mut fields: Vec<(String, Node<'a>)> = Vec::with_capacity(members.len());
        for (key, text) in members {
            let name: String = serde_json::from_str(key).unwrap_or_default();
            let node = Node { text, pointer: child_pointer(&self.pointer, &name) };
            fields.push((name, node));
        }
        Some(Object { pointer: self.pointer.clone(), fields: last_of_each(fields) })
    }

    pub(crate) fn array(&self, findings: &mut Findings) -> Option<Vec<Node<'a>>> {
        let Some(elements) = jsonpath::elements(self.text) else {
            return self.expected("Array", findings);
        };
        let place = |position| format!("{}[{position}]", self.pointer);
        let nodes = elements.into_iter().enumerate();
        Some(nodes.map(|(position, text)| Node { text, pointer: place(position) }).collect())
    }

    pub(crate) fn filled_array(&self, findings: &mut Findings) -> Option<Vec<Node<'a>>> {
        let elements = self.array(findings)?;
        if elements.is_empty() {
            findings.schema("Value cannot be empty", &self.pointer);
            return None;
        }
        Some(elements)
    }

    pub(crate) fn string(&self, findings: &mut Findings) -> Option<String> {
        match self.value() {
            Value::String(text) => Some(text),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.expected("String", findings)
            }
        }
    }

    pub(crate) fn boolean(&self, findings: &mut Findings) -> Option<bool> {
        match self.value().as_bool() {
            Some(boolean) => Some(boolean),
            None => self.expected("Boolean", findings),
        }
    }

    pub(crate) fn number(&self, findings: &mut Findings) -> Option<f64> {
        match self.value().as_f64() {
            Some(number) => Some(number),
            None => self.expected("Number", findings),
        }
    }

    /// Reads a number within bounds.
    pub(crate) fn number_within(&self, least: f64, most: f64, findings: &mut Findings) -> Option<f64> {
        let number = self.number(findings)?;
        if number < least {
            findings.schema(format!("Minimum value is {least:?}"), &self.pointer);
        } else if number > most {
            findings.schema(format!("Maximum value is {most:?}"), &self.pointer);
        } else {
            return Some(number);
        }
        None
    }

    /// Reads an integer within bounds.
    pub(crate) fn integer(&self, least: u64, most: u64, findings: &mut Findings) -> Option<u64> {
        let value = self.value();
        let too_small = value.as_i64().is_some_and(|integer| integer < 0);
        match value.as_u64() {
            Some(integer) if integer > most => {
                findings.schema(format!("Maximum value is {most}"), &self.pointer);
                None
            }
            Some(integer) if integer >= least => Some(integer),
            None if !too_small => self.expected("Integer", findings),
            Some(_) | None => {
                findings.schema(format!("Minimum value is {least}"), &self.pointer);
                None
            }
        }
    }

    /// Reads one of a few words.
    pub(crate) fn one_of(&self, words: &[&str], findings: &mut Findings) -> Option<String> {
        let word = self.string(findings)?;
        if words.contains(&word.as_str()) {
            return Some(word);
        }
        findings.schema(format!("Value should be one of the following: [{}]", words.join(", ")), &self.pointer);
        None
    }

    /// Parses scalars; the text was checked, so that a failure can only be an object's or array's depth.
    fn value(&self) -> Value {
        serde_json::from_str(self.text).unwrap_or(Value::Null)
    }

    fn expected<T>(&self, kind: &str, findings: &mut Findings) -> Option<T> {
        findings.schema(format!("Expected value of type {kind}"), &self.pointer);
        None
    }
}

impl<'a> Object<'a> {
    pub(crate) fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Lists the fields as they stand in the text.
    pub(crate) fn fields(&self) -> &[(String, Node<'a>)] {
        &self.fields
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, node)| node)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Finds fault with the fields that are not there.
    pub(crate) fn require(&self, names: &[&str], findings: &mut Findings) {
        let missing: Vec<&str> = names.iter().copied().filter(|name| !self.has(name)).collect();
        if !missing.is_empty() {
            findings.schema(format!("These fields are required: [{}]", missing.join(", ")), &self.pointer);
        }
    }

    /// Finds fault with fields of other names.
    pub(crate) fn allow_only(&self, names: &[&str], findings: &mut Findings) {
        for (name, _) in &self.fields {
            if !names.contains(&name.as_str()) {
                findings.schema(format!("Field '{name}' is not supported"), &self.pointer);
            }
        }
    }

    /// Finds fault with more than one of some fields.
    pub(crate) fn at_most_one_of(&self, names: &[&str], findings: &mut Findings) -> bool {
        let fits = names.iter().filter(|name| self.has(name)).count() <= 1;
        if !fits {
            let names = names.join(", ");
            findings.schema(format!("There should only be one of the following fields: [{names}]"), &self.pointer);
        }
        fits
    }

    /// Finds fault with none, or more than one, of some fields.
    pub(crate) fn exactly_one_of(&self, names: &[&str], findings: &mut Findings) -> bool {
        if names.iter().any(|name| self.has(name)) {
            return self.at_most_one_of(names, findings);
        }
        let names = names.join(", ");
        findings.schema(format!("This object should have only one of the following fields: [{names}]"), &self.pointer);
        false
    }
}

fn child_pointer(parent: &str, name: &str) -> String {
    if parent == "/" { format!("/{name}") } else { format!("{parent}/{name}") }
}

//! Payload templates.

use std::collections::HashSet;
use std::sync::Arc;

use crate::hash_map;
use crate::intrinsic::Intrinsic;
use crate::parse::findings::Findings;
use crate::parse::literal::{last_of_each, literal};
use crate::parse::source::{Node as Source, Object};
use crate::path::DataPath;
use crate::template::{Node, Template, quote};

/// Reads the template in a field.
pub(crate) fn field(object: &Object<'_>, name: &str, findings: &mut Findings) -> Option<Template> {
    node(object.get(name)?, findings).map(Template::new)
}

/// Reads one member of a template, which may be computed; gives its name without the `.$`.
pub(crate) fn member<'n>(
    name: &'n str,
    value: &Source<'_>,
    place: &str,
    findings: &mut Findings,
) -> Option<(&'n str, Template)> {
    match name.strip_suffix(".$") {
        Some(short) => computed(name, value, place, findings).map(|node| (short, Template::new(node))),
        None => node(value, findings).map(|node| (name, Template::new(node))),
    }
}

fn node(source: &Source<'_>, findings: &mut Findings) -> Option<Node> {
    if !source.text().contains(".$") && !source.text().contains('\\') {
        return Some(Node::Literal(literal(source.text())));
    }
    if source.is_object() {
        return object(&source.object(findings)?, findings);
    }
    if source.is_array() {
        return array(source, findings);
    }
    Some(Node::Literal(literal(source.text())))
}

/// Reads the members of an object. AWS writes what is not computed itself in the order of the definition, and then what is in that of
/// a `HashMap`; of `a` and `a.$` the latter stays.
fn object(source: &Object<'_>, findings: &mut Findings) -> Option<Node> {
    let mut stated: Vec<(&str, Node)> = Vec::new();
    let mut looked_up: Vec<(&str, Node)> = Vec::new();
    for (name, value) in source.fields() {
        match name.strip_suffix(".$") {
            Some(short) => {
                looked_up.extend(computed(name, value, source.pointer(), findings).map(|node| (short, node)));
            }
            None => stated.extend(node(value, findings).map(|node| (&**name, node))),
        }
    }
    if stated.len() + looked_up.len() < source.fields().len() {
        return None;
    }
    hash_map::sort(&mut looked_up, |(name, _)| name);
    let replaced: HashSet<&str> = looked_up.iter().map(|(name, _)| *name).collect();
    stated.retain(|(name, _)| !replaced.contains(name));
    let members = stated.into_iter().chain(looked_up).map(|(name, node)| (quote(name), node));
    Some(Node::Object(last_of_each(members.collect())))
}

fn array(source: &Source<'_>, findings: &mut Findings) -> Option<Node> {
    let elements = source.array(findings)?;
    let nodes: Vec<Node> = elements.iter().filter_map(|element| node(element, findings)).collect();
    (nodes.len() == elements.len()).then_some(Node::Array(nodes))
}

fn computed(name: &str, value: &Source<'_>, place: &str, findings: &mut Findings) -> Option<Node> {
    let text = if value.text().starts_with('"') { value.string(findings)? } else { String::new() };
    let node = match DataPath::parse(&text) {
        Ok(path) => {
            findings.note_path(&path);
            Some(Node::Path(name.into(), path))
        }
        Err(_) => Intrinsic::parse(&text).ok().map(|call| {
            findings.note_call(&call);
            Node::Intrinsic(Arc::new(call))
        }),
    };
    if node.is_none() {
        let message = "must be a valid JSONPath or a valid intrinsic function call";
        findings.schema(format!("The value for the field '{name}' {message}"), place);
    }
    node
}

//! Fields in JSONata.

use std::sync::Arc;

use jsonata::Expression;

use crate::assign::{Assignment, Payload};
use crate::definition::QueryLanguage;
use crate::diagnostics::Code;
use crate::parse::findings::Findings;
use crate::parse::literal::{last_of_each, literal};
use crate::parse::source::{Node, Object};
use crate::parse::template;
use crate::query::{Query, QueryNode, QueryTemplate};
use crate::template::quote;

/// Takes the text between `{%` and `%}`, if the whole text is so.
pub(crate) fn inner(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

/// Reads the template in a field; `place` stands before the field's name in its location.
pub(crate) fn field(object: &Object<'_>, name: &str, place: &str, findings: &mut Findings) -> Option<QueryTemplate> {
    node(object.get(name)?, &format!("{place}{name}"), findings).map(QueryTemplate::new)
}

/// Reads an expression, if the field is a string that holds one.
pub(crate) fn expression(source: &Node<'_>, location: &str, findings: &mut Findings) -> Option<Query> {
    if !source.text().starts_with('"') {
        return None;
    }
    let text = source.string(findings)?;
    compile(inner(&text)?, location, source.pointer(), findings)
}

/// Tells whether the field is a string that holds an expression.
pub(crate) fn is_expression(source: &Node<'_>, findings: &mut Findings) -> bool {
    source.text().starts_with('"') && source.string(findings).is_some_and(|text| inner(&text).is_some())
}

fn compile(text: &str, location: &str, pointer: &str, findings: &mut Findings) -> Option<Query> {
    match Expression::load(text) {
        Ok(expression) => {
            let top_level = &expression.uses().top_level;
            for name in top_level {
                let message = format!("Reference to '{name}' at the top level is not supported.");
                findings.error(Code::UnsupportedJsonataExpression, message, pointer);
            }
            if !top_level.is_empty() {
                return None;
            }
            findings.uses.merge(expression.uses());
            findings.may_be_long |= expression.uses().may_be_long;
            Some(Query::new(expression, location))
        }
        Err(error) => {
            findings.error(Code::InvalidJsonataExpression, error.without_code(), pointer);
            None
        }
    }
}

fn node(source: &Node<'_>, location: &str, findings: &mut Findings) -> Option<QueryNode> {
    if !source.text().contains("%}") && !source.text().contains('\\') {
        return Some(QueryNode::Literal(literal(source.text())));
    }
    if source.is_object() {
        return object(&source.object(findings)?, location, findings);
    }
    if source.is_array() {
        return array(source, location, findings);
    }
    if is_expression(source, findings) {
        return expression(source, location, findings).map(QueryNode::Query);
    }
    Some(QueryNode::Literal(literal(source.text())))
}

fn object(source: &Object<'_>, location: &str, findings: &mut Findings) -> Option<QueryNode> {
    let mut members = Vec::with_capacity(source.fields().len());
    for (name, value) in source.fields() {
        members.extend(node(value, &format!("{location}/{name}"), findings).map(|node| (quote(name), node)));
    }
    (members.len() == source.fields().len()).then_some(QueryNode::Object(members))
}

fn array(source: &Node<'_>, location: &str, findings: &mut Findings) -> Option<QueryNode> {
    let elements = source.array(findings)?;
    let mut nodes = Vec::with_capacity(elements.len());
    for (position, element) in elements.iter().enumerate() {
        nodes.extend(node(element, &format!("{location}[{position}]"), findings));
    }
    (nodes.len() == elements.len()).then_some(QueryNode::Array(nodes))
}

/// Reads a payload in the language at hand.
pub(crate) fn payload(object: &Object<'_>, name: &str, findings: &mut Findings) -> Option<Payload> {
    match findings.language {
        QueryLanguage::JsonPath => template::field(object, name, findings).map(Payload::Template),
        QueryLanguage::Jsonata => field(object, name, "", findings).map(Payload::Query),
    }
}

/// Reads `Assign` in the language at hand; `place` stands before it in locations.
pub(crate) fn assignment(object: &Object<'_>, place: &str, findings: &mut Findings) -> Option<Assignment> {
    let fields = object.get("Assign")?.object(findings)?;
    let mut variables: Vec<(Arc<str>, Payload)> = Vec::with_capacity(fields.fields().len());
    for (name, value) in fields.fields() {
        let (short, payload) = match findings.language {
            QueryLanguage::JsonPath => {
                let (short, template) = template::member(name, value, fields.pointer(), findings)?;
                (short, Payload::Template(template))
            }
            QueryLanguage::Jsonata => {
                let template = node(value, &format!("{place}Assign/{name}"), findings)?;
                (name.as_str(), Payload::Query(QueryTemplate::new(template)))
            }
        };
        variables.push((short.into(), payload));
    }
    Some(Assignment::new(last_of_each(variables)))
}

//! Definition text to a [`Definition`].
//!
//! ```text
//! text ─► source (typed fields, each with its place) ─► machine ─► state ─► choice, map, retry, template, path
//! ```
//! Definitions come here after `validate` has judged them. Findings are collected, not returned at the first: parsing goes
//! on as far as it can.

mod alone;
mod choice;
mod document;
mod fields;
mod findings;
mod literal;
mod map;
mod path;
mod query;
mod retry;
mod source;
mod state;
mod task;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use crate::parse::alone::StateFault;

use crate::definition::{Definition, Machine, QueryLanguage};
use crate::diagnostics::{Code, Diagnostics};
use crate::name::StateName;
use crate::parse::findings::Findings;
use crate::parse::source::{Node, Object};
use crate::validate::{Options, validate};

/// The longest name of a state in characters, as AWS has it.
const STATE_NAME_LENGTH_MAX: usize = 80;

impl Definition {
    /// Validates and parses a definition.
    ///
    /// # Errors
    /// All findings, of which at least one is an error.
    pub fn parse(text: &str) -> Result<Self, Diagnostics> {
        Self::parse_as(text, Options::default())
    }

    /// Validates and parses a definition of which `options` tell what it is for.
    ///
    /// # Errors
    /// As `parse`.
    pub fn parse_as(text: &str, options: Options) -> Result<Self, Diagnostics> {
        let findings = validate(text, options);
        if findings.has_errors() { Err(findings) } else { Self::load(text) }
    }

    /// Parses a definition that was validated before, as one that is stored: what was once accepted stays accepted, even
    /// if validation has become stricter since.
    ///
    /// # Errors
    /// What keeps the text from being read at all.
    pub fn load(text: &str) -> Result<Self, Diagnostics> {
        let mut findings = Findings::default();
        let definition = document::check(text, &mut findings).and_then(|root| parse_definition(&root, &mut findings));
        match (definition, findings.into_diagnostics()) {
            (Some(definition), diagnostics) if !diagnostics.has_errors() => Ok(definition),
            (_, diagnostics) => Err(diagnostics),
        }
    }
}

fn parse_definition(root: &Node<'_>, findings: &mut Findings) -> Option<Definition> {
    let object = root.object(findings)?;
    object.allow_only(fields::DEFINITION, findings);
    let query_language = parse_query_language(&object, findings)?;
    (findings.default_language, findings.language) = (query_language, query_language);
    let version = object.get("Version").and_then(|version| version.one_of(&["1.0"], findings));
    let comment = object.get("Comment").and_then(|comment| comment.string(findings));
    let timeout = object.get("TimeoutSeconds").and_then(|timeout| timeout.integer(0, fields::SECONDS_MAX, findings));
    let machine = parse_machine(&object, findings);
    if findings.has_errors() {
        return None;
    }
    let machine = machine?;
    Some(Definition {
        machine,
        comment,
        version,
        timeout_seconds: timeout,
        query_language,
        may_be_long: findings.may_be_long,
    })
}

/// Parses the language of a definition or a state.
pub(crate) fn parse_query_language(object: &Object<'_>, findings: &mut Findings) -> Option<QueryLanguage> {
    let Some(field) = object.get("QueryLanguage") else {
        return Some(findings.default_language);
    };
    match field.one_of(&["JSONPath", "JSONata"], findings)?.as_str() {
        "JSONPath" => Some(QueryLanguage::JsonPath),
        _ => Some(QueryLanguage::Jsonata),
    }
}

/// Parses `StartAt` and `States`, of a definition or nested in a state.
pub(crate) fn parse_machine(object: &Object<'_>, findings: &mut Findings) -> Option<Arc<Machine>> {
    object.require(&["States", "StartAt"], findings);
    let start_at = object.get("StartAt").and_then(|start_at| start_at.string(findings));
    let states = object.get("States")?.object(findings)?;
    if states.fields().is_empty() {
        findings.schema("Value cannot be empty", states.pointer());
        return None;
    }
    let mut parsed = Vec::new();
    for (name, node) in states.fields() {
        check_name(name, node.pointer(), findings);
        parsed.extend(state::parse(StateName::from(name.as_str()), node, findings));
    }
    let complete = parsed.len() == states.fields().len();
    let start_at = StateName::from(start_at?.as_str());
    complete.then(|| Arc::new(Machine::new(start_at, parsed)))
}

fn check_name(name: &str, pointer: &str, findings: &mut Findings) {
    if name.is_empty() || name.chars().count() > STATE_NAME_LENGTH_MAX {
        let message = format!("A state name must have 1 to {STATE_NAME_LENGTH_MAX} characters");
        findings.error(Code::InvalidStateName, message, pointer);
    }
}

//! Payload templates: JSON in which the values of fields named `….$` are looked up or computed.

use std::sync::Arc;

use model::{JsonText, error_name};
use serde_json::Value;

use crate::intrinsic::{Intrinsic, IntrinsicError};
use crate::path::{DataPath, PathError};
use crate::scope::Scope;

/// Is a compiled payload template. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Template {
    root: Arc<Node>,
}

#[derive(Debug)]
pub(crate) enum Node {
    /// Compact text without anything to compute.
    Literal(JsonText),
    /// A looked-up value, with the name of its field.
    Path(Arc<str>, DataPath),
    /// A computed value.
    Intrinsic(Arc<Intrinsic>),
    /// Members with their names as JSON strings, without the `.$`.
    Object(Vec<(Box<str>, Node)>),
    /// Elements.
    Array(Vec<Node>),
}

/// Says why a template could not be filled in. Its text is what AWS prints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A path is missing.
    #[error("The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'")]
    Missing {
        /// The path as the definition writes it.
        path: String,
        /// The field's name with its `.$`.
        field: String,
        /// The text that `$` stands for.
        input: JsonText,
        /// What exactly was missing.
        source: Box<PathError>,
    },
    /// An intrinsic function failed.
    #[error(transparent)]
    Intrinsic(#[from] IntrinsicError),
}

impl TemplateError {
    /// Gives the error name that AWS reports.
    pub fn error_name(&self) -> &'static str {
        match self {
            TemplateError::Missing { .. } => error_name::RUNTIME,
            TemplateError::Intrinsic(_) => error_name::INTRINSIC_FAILURE,
        }
    }
}

impl Template {
    pub(crate) fn new(root: Node) -> Self {
        Self { root: Arc::new(root) }
    }

    /// Fills the template in and renders it compactly; numbers and strings keep their form.
    ///
    /// # Errors
    /// `TemplateError` for a missing path or a failing intrinsic function.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<JsonText, TemplateError> {
        if let Node::Literal(text) = &*self.root {
            return Ok(text.clone());
        }
        let mut text = String::new();
        write_node(&self.root, scope, &mut text)?;
        Ok(JsonText::trusted(text))
    }
}

fn write_node(node: &Node, scope: &dyn Scope, text: &mut String) -> Result<(), TemplateError> {
    match node {
        Node::Literal(literal) => text.push_str(literal.as_str()),
        Node::Path(field, path) => text.push_str(&look_up(field, path, scope)?),
        Node::Intrinsic(intrinsic) => text.push_str(&intrinsic.evaluate(scope)?.to_string()),
        Node::Object(members) => write_object(members, scope, text)?,
        Node::Array(elements) => write_array(elements, scope, text)?,
    }
    Ok(())
}

fn write_object(members: &[(Box<str>, Node)], scope: &dyn Scope, text: &mut String) -> Result<(), TemplateError> {
    text.push('{');
    for (position, (name, node)) in members.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        text.push_str(name);
        text.push(':');
        write_node(node, scope, text)?;
    }
    text.push('}');
    Ok(())
}

fn write_array(elements: &[Node], scope: &dyn Scope, text: &mut String) -> Result<(), TemplateError> {
    text.push('[');
    for (position, node) in elements.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        write_node(node, scope, text)?;
    }
    text.push(']');
    Ok(())
}

fn look_up(field: &str, path: &DataPath, scope: &dyn Scope) -> Result<String, TemplateError> {
    let found = path.read(scope).map_err(|source| TemplateError::Missing {
        path: path.to_string(),
        field: field.into(),
        input: scope.input().text().clone(),
        source: Box::new(source),
    })?;
    Ok(jsonpath::compact(found.as_str()))
}

/// Renders a member's name as a JSON string.
pub(crate) fn quote(name: &str) -> Box<str> {
    Value::from(name).to_string().into()
}

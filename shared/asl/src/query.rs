//! JSONata in definitions: `{% … %}`, alone or within a template.

use std::sync::Arc;

use jsonata::{Expression, Kind, Outcome, Session};
use model::JsonText;

use crate::template::{TEXT_BYTES_MAX, TOO_LARGE};

/// Is a compiled expression with the place of its field, such as `Output/total` or `Choices[0]/Condition`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    expression: Expression,
    location: Arc<str>,
}

/// Is a compiled template: JSON in which strings of the form `{% … %}` are computed. Cloning shares it.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryTemplate {
    root: Arc<QueryNode>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum QueryNode {
    /// Compact text without anything to compute.
    Literal(JsonText),
    /// A computed value.
    Query(Query),
    /// Members with their names as JSON strings.
    Object(Vec<(Box<str>, QueryNode)>),
    /// Elements.
    Array(Vec<QueryNode>),
}

/// Says why an expression gave no value that its field takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// The place of the field.
    pub location: Arc<str>,
    /// What AWS prints.
    pub message: String,
    /// Whether it is that more came of the whole template than any payload may be.
    pub too_large: bool,
}

/// Gives what expressions look at, made when the first one is evaluated.
pub trait QueryScope {
    /// Gives the session.
    ///
    /// # Errors
    /// What is wrong with a value that expressions look at.
    fn session(&mut self) -> Result<&mut Session, String>;
}

impl Query {
    pub(crate) fn new(expression: Expression, location: &str) -> Self {
        Self { expression, location: location.into() }
    }

    /// Gives the expression.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// Gives the place of the field.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Evaluates the expression, which must give a value of any kind.
    ///
    /// # Errors
    /// `QueryError` in AWS's words if it fails, gives nothing or gives a function.
    pub fn evaluate(&self, scope: &mut dyn QueryScope) -> Result<(Kind, JsonText), QueryError> {
        let session =
            scope.session().map_err(|message| self.error(&format!("threw an error during evaluation: {message}")))?;
        match session.evaluate(&self.expression) {
            Ok(Outcome::Value { kind, text }) => Ok((kind, JsonText::trusted(text))),
            Ok(Outcome::Nothing) => Err(self.error("returned nothing (undefined).")),
            Ok(Outcome::Function) => Err(self.error("returned an unsupported result type.")),
            Err(error) => {
                // AWS ends the sentence only before an error that has a code.
                let end = if error.code().is_some() { '.' } else { ':' };
                Err(self.error(&format!("threw an error during evaluation{end} {error}")))
            }
        }
    }

    /// Evaluates the expression, which must give a value of one kind.
    ///
    /// # Errors
    /// As [`Query::evaluate`], and for a value of another kind.
    pub fn evaluate_to(&self, wanted: Kind, scope: &mut dyn QueryScope) -> Result<JsonText, QueryError> {
        let (kind, text) = self.evaluate(scope)?;
        if kind == wanted { Ok(text) } else { Err(self.unexpected(wanted.as_str(), kind, &text)) }
    }

    /// Makes the error for a value that is not of the kind wanted.
    pub fn unexpected(&self, wanted: &str, kind: Kind, value: &JsonText) -> QueryError {
        let kind = kind.as_str();
        self.error(&format!(
            "returned an unexpected result type. Expected '{wanted}', but was '{kind}' for value: {value}"
        ))
    }

    fn error(&self, what: &str) -> QueryError {
        let message = format!(
            "The JSONata expression '{}' specified for the field '{}' {what}",
            self.expression.as_str(),
            self.location
        );
        QueryError { location: Arc::clone(&self.location), message, too_large: false }
    }
}

impl QueryTemplate {
    pub(crate) fn new(root: QueryNode) -> Self {
        Self { root: Arc::new(root) }
    }

    /// Fills the template in and renders it compactly.
    ///
    /// # Errors
    /// `QueryError` of the first expression that fails.
    pub fn evaluate(&self, scope: &mut dyn QueryScope) -> Result<JsonText, QueryError> {
        match &*self.root {
            QueryNode::Literal(text) => Ok(text.clone()),
            QueryNode::Query(query) => query.evaluate(scope).map(|(_, text)| text),
            root @ (QueryNode::Object(_) | QueryNode::Array(_)) => {
                let mut text = String::new();
                write(root, scope, &mut text)?;
                Ok(JsonText::trusted(text))
            }
        }
    }

    /// Gives the expression, if the whole template is one.
    pub fn as_query(&self) -> Option<&Query> {
        match &*self.root {
            QueryNode::Query(query) => Some(query),
            QueryNode::Literal(_) | QueryNode::Object(_) | QueryNode::Array(_) => None,
        }
    }
}

fn write(node: &QueryNode, scope: &mut dyn QueryScope, text: &mut String) -> Result<(), QueryError> {
    match node {
        QueryNode::Literal(literal) => text.push_str(literal.as_str()),
        QueryNode::Query(query) => {
            text.push_str(query.evaluate(scope)?.1.as_str());
            if text.len() > TEXT_BYTES_MAX {
                let (location, message) = (Arc::clone(&query.location), TOO_LARGE.to_owned());
                return Err(QueryError { location, message, too_large: true });
            }
        }
        QueryNode::Object(members) => {
            text.push('{');
            for (position, (name, node)) in members.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                text.push_str(name);
                text.push(':');
                write(node, scope, text)?;
            }
            text.push('}');
        }
        QueryNode::Array(elements) => {
            text.push('[');
            for (position, node) in elements.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write(node, scope, text)?;
            }
            text.push(']');
        }
    }
    Ok(())
}

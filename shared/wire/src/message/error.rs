//! What is wrong with a body.

use model::{ArnError, IdError};

/// Says why a body, or one element of it, can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The body is not a JSON list.
    #[error("read the body as a JSON list")]
    Body(#[source] serde_json::Error),
    /// An element is not of the form that the page describes.
    #[error("read element {index}")]
    Element {
        /// Its place in the list, from 0.
        index: usize,
        /// Why.
        #[source]
        source: ElementError,
    },
}

impl FormatError {
    /// Gives the error and its sources in one line, for a dead letter or a log.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(source) = next {
            text.push_str(": ");
            text.push_str(&source.to_string());
            next = source.source();
        }
        text
    }
}

/// Says why an element can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ElementError {
    /// A field is missing, twice there, or of another type.
    #[error("read its fields")]
    Fields(#[source] serde_json::Error),
    /// The execution is not the ARN of an execution.
    #[error("read its execution")]
    Execution(#[source] ArnError),
    /// An id is not of its form.
    #[error("read an id")]
    Id(#[source] IdError),
    /// A field that this kind of element needs is missing.
    #[error("find the field `{field}`, which {kind:?} needs")]
    Missing {
        /// The field.
        field: &'static str,
        /// The element's kind.
        kind: &'static str,
    },
    /// The element says something that this version does not know.
    #[error("know the {field} {kind:?}")]
    UnknownKind {
        /// The field that holds the kind.
        field: &'static str,
        /// The kind.
        kind: String,
    },
}

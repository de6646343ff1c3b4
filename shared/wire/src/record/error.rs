//! What is wrong with a record.

use model::{ArnError, IdError};

/// Says why a record can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A later release wrote it in a form that this one does not know.
    #[error("read a {record} of version {version}: this release reads versions up to {newest}", newest = super::VERSION)]
    Version {
        /// What it is.
        record: &'static str,
        /// Its version.
        version: u64,
    },
    /// It is not of the form that the page describes.
    #[error("read a {record}")]
    Form {
        /// What it is.
        record: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The execution or state machine is not an ARN.
    #[error("read the ARN of a record")]
    Arn(#[from] ArnError),
    /// A path, scope or attempt is not of its form.
    #[error("read an id of a record")]
    Id(#[from] IdError),
    /// It names something that this release does not know.
    #[error("know the {field} {value:?} of a record")]
    Unknown {
        /// The field.
        field: &'static str,
        /// What it says.
        value: String,
    },
    /// It refers to a text that is not in its table.
    #[error("find text {0} of a record, which has fewer")]
    NoText(usize),
    /// It was compressed and can't be expanded.
    #[error("expand a compressed record: {0}")]
    Compressed(String),
}

impl RecordError {
    /// Gives the error and its sources in one line.
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

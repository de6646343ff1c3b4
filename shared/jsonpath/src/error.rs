//! What can go wrong with a path: when it is parsed, read or written.

/// Says why a text is not a path that Step Functions takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at offset {offset}")]
pub struct ParseError {
    /// What was wrong, as a lowercase fragment.
    pub reason: String,
    /// Where, in bytes from the start of the path.
    pub offset: usize,
}

/// Says why a path gave no value. The texts are Jayway's, as AWS passes them on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The last part of the path, or an array element on the way, is missing. Holds the whole normalised path.
    #[error("No results for path: {0}")]
    NoResults(String),
    /// A name before the last part is missing. Holds the normalised path up to that name.
    #[error("Missing property in path {0}")]
    MissingProperty(String),
    /// A name was asked of a value that is no object.
    #[error("Property {property} not found in path {path}")]
    NotAnObject {
        /// The normalised name that was asked for, such as `['a']`.
        property: String,
        /// The normalised path of the value.
        path: String,
    },
    /// Something follows several names in one bracket. Holds the normalised path up to them.
    #[error("Multi properties can only be used as path leafs: {0}")]
    NamesNotLast(String),
    /// An index was asked of a value that is no array.
    #[error("Filter: {selector} can only be applied to arrays. Current context is: {value}")]
    NotAnArray {
        /// The index with all that follows it, normalised, such as `[0]['a']`.
        selector: String,
        /// The value as compact JSON, a string without its quotes.
        value: String,
    },
    /// An index was asked of null. Holds the normalised path of the null.
    #[error("The path {0} is null")]
    Null(String),
    /// The path matches or tests too many values.
    #[error("the path matches too many values")]
    TooMuch,
    /// The document that was to be read is not JSON.
    #[error("the document is not JSON: {0}")]
    NotJson(String),
}

/// Says why a value could not be put at a reference path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A name leads into what is neither an object nor missing, or an index to no element of an array.
    #[error("the step \"{step}\" leads nowhere from {from}")]
    Conflict {
        /// The name or the index.
        step: String,
        /// The normalised path of the value that it leads nowhere from.
        from: String,
    },
    /// The document that was to be written to is not JSON.
    #[error("the document is not JSON: {0}")]
    NotJson(String),
}

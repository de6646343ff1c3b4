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
    #[error(
        "Expected to find an object with property ['{property}'] in path {path} but found '{found}'. This is not a json \
         object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonNodeJsonProvider'."
    )]
    NotAnObject {
        /// The name that was asked for.
        property: String,
        /// The normalised path of the value.
        path: String,
        /// The kind of the value as Jayway's provider names it.
        found: &'static str,
    },
    /// An index was asked of a value that is no array.
    #[error("Filter: {selector} can only be applied to arrays. Current context is: {value}")]
    NotAnArray {
        /// The normalised selector, such as `[0]`.
        selector: String,
        /// The value as compact JSON.
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
    /// The path leads through a value that is neither an object nor missing. Holds the normalised path of that value.
    #[error("the value at {0} is not an object")]
    NotAnObject(String),
    /// The path leads into an array that is missing or is no array. Holds the normalised path of that value.
    #[error("the value at {0} is not an array")]
    NotAnArray(String),
    /// The path names an array element that does not exist. Holds its normalised path.
    #[error("there is no array element at {0}")]
    NoElement(String),
    /// The document that was to be written to is not JSON.
    #[error("the document is not JSON: {0}")]
    NotJson(String),
}

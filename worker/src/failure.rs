//! How handlers fail.

use std::fmt;

use model::JsonText;
use serde::{Deserialize, Serialize};

/// The error name of a failure that names none.
const UNNAMED: &str = "Lambda.Unknown";

/// Is what a handler failed with: an error name, and a text as the cause, which as a Lambda function's is a JSON object.
///
/// Any error type turns into one with `?`: its name is the type's, its message the chain of errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    error: String,
    cause: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    error_type: &'a str,
    error_message: &'a str,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(rename = "errorType", borrow)]
    error_type: std::borrow::Cow<'a, str>,
}

impl Failure {
    /// Makes a failure whose cause is an object of `errorType` and `errorMessage`.
    pub fn new(error: impl Into<String>, message: impl AsRef<str>) -> Self {
        let error = error.into();
        let object = Object { error_type: &error, error_message: message.as_ref() };
        let cause = serde_json::to_string(&object).expect("two strings can always be rendered");
        Self { error, cause }
    }

    /// Makes a failure whose cause is this text as it is.
    pub fn with_cause(error: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { error: error.into(), cause: cause.into() }
    }

    /// Makes a failure whose cause is this JSON text to the byte. Its error name is the text's `errorType`.
    pub fn from_object(object: JsonText) -> Self {
        let error = error_type(object.as_str()).unwrap_or_else(|| UNNAMED.to_owned());
        Self { error, cause: object.as_str().to_owned() }
    }

    /// Gives the failure with its cause rendered anew, if that is JSON.
    pub(crate) fn compacted(self, compact: impl Fn(&str) -> String) -> Self {
        if JsonText::parse(&self.cause).is_err() {
            return self;
        }
        Self { cause: compact(&self.cause), error: self.error }
    }

    /// Gives error name and cause.
    pub(crate) fn into_parts(self) -> (String, String) {
        (self.error, self.cause)
    }

    /// Gives the error name, which `ErrorEquals` is compared with.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// Gives the cause.
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.error, self.cause)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut next = error.source();
        while let Some(source) = next {
            message.push_str(&format!(": {source}"));
            next = source.source();
        }
        let path = std::any::type_name::<E>();
        let path = path.split('<').next().unwrap_or(path);
        Self::new(path.rsplit("::").next().unwrap_or(path), message)
    }
}

/// Gives the `errorType` of a JSON text that is an object with one.
pub(crate) fn error_type(text: &str) -> Option<String> {
    serde_json::from_str::<Named<'_>>(text).ok().map(|named| named.error_type.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("charge the card")]
    struct Declined(#[source] std::num::ParseIntError);

    #[test]
    fn errors_become_failures_with_their_chain() {
        let failure = Failure::from(Declined("x".parse::<u8>().expect_err("is no number")));
        assert_eq!(failure.error(), "Declined");
        let expect = r#"{"errorType":"Declined","errorMessage":"charge the card: invalid digit found in string"}"#;
        assert_eq!(failure.cause(), expect);
    }

    #[test]
    fn an_object_is_kept_to_the_byte() {
        let check = |text: &str, error: &str| {
            let failure = Failure::from_object(JsonText::parse(text).expect("is JSON"));
            assert_eq!((failure.error(), failure.cause()), (error, text));
        };
        check(r#"{"errorMessage": "no",  "errorType": "Lambda.ServiceException"}"#, "Lambda.ServiceException");
        check(r#"{"errorType": "caf\u00e9"}"#, "café");
        check(r#"{"errorMessage": "no"}"#, "Lambda.Unknown");
        check(r#"{"errorType": 3}"#, "Lambda.Unknown");
        check(r#""text""#, "Lambda.Unknown");
    }
}

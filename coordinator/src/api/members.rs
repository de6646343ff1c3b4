//! The members of a request's body, each of the type that the model gives it, or AWS's SerializationException.

use serde_json::{Map, Value};

use super::checks::Checks;
use super::error::ApiError;

/// Holds the members of a structure; unknown ones are ignored, and null is as good as none, as with AWS.
#[derive(Debug)]
pub(crate) struct Members(Map<String, Value>);

impl Members {
    /// Reads a request's body.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|fault| ApiError::serialization(format!("Malformed JSON: {fault}")))?;
        match value {
            Value::Object(members) => Ok(Self(members)),
            Value::Array(_) => Err(ApiError::serialization(LIST)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Err(ApiError::serialization("The body is not a JSON object"))
            }
        }
    }

    /// Holds members that are there already.
    pub(crate) fn of(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// Takes a text out.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(mismatch(&other, "a String"))
            }
        }
    }

    /// Takes a whole number out. One that no i64 holds is cut to the greatest or least that does, so that its range is
    /// judged, not its type.
    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.take(name) {
            Value::Null => Ok(None),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Ok(Some(whole)),
                (None, Some(float)) if float.fract() == 0.0 => Ok(Some(float as i64)),
                (None, _) => Err(mismatch(&Value::Number(number), "an Integer")),
            },
            other @ (Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                Err(mismatch(&other, "an Integer"))
            }
        }
    }

    /// Takes a truth value out.
    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.take(name) {
            Value::Null => Ok(None),
            Value::Bool(truth) => Ok(Some(truth)),
            other @ (Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                Err(mismatch(&other, "a Boolean"))
            }
        }
    }

    /// Takes a structure out.
    pub(crate) fn structure(&mut self, name: &str) -> Result<Option<Members>, ApiError> {
        let value = self.take(name);
        if value.is_null() { Ok(None) } else { structure(value).map(Some) }
    }

    /// Takes a list of structures out.
    pub(crate) fn structures(&mut self, name: &str) -> Result<Option<Vec<Members>>, ApiError> {
        match self.take(name) {
            Value::Null => Ok(None),
            Value::Array(elements) => {
                elements.into_iter().map(structure).collect::<Result<Vec<Members>, ApiError>>().map(Some)
            }
            Value::Object(_) => Err(ApiError::serialization(STRUCTURE)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Err(ApiError::serialization("Expected list or null"))
            }
        }
    }

    /// Takes a list of texts out.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let text = |value| match value {
            Value::String(text) => Ok(text),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(mismatch(&other, "a String"))
            }
        };
        match self.take(name) {
            Value::Null => Ok(None),
            Value::Array(elements) => elements.into_iter().map(text).collect::<Result<_, _>>().map(Some),
            Value::Object(_) => Err(ApiError::serialization(STRUCTURE)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Err(ApiError::serialization("Expected list or null"))
            }
        }
    }

    fn take(&mut self, name: &str) -> Value {
        self.0.get_mut(name).map(Value::take).unwrap_or_default()
    }
}

/// Reads what is asked about something: its ARN, and whether its data are to be shown.
pub(super) fn described(mut members: Members, arn_member: &str) -> Result<(String, bool), ApiError> {
    let mut checks = Checks::default();
    let arn = members.text(arn_member)?;
    let included = members.text("includedData")?;
    checks.required(arn_member, arn.as_ref());
    checks.length(arn_member, arn.as_deref(), 1, 256);
    checks.one_of("includedData", included.as_deref(), &["ALL_DATA", "METADATA_ONLY"]);
    checks.finish()?;
    Ok((arn.unwrap_or_default(), included.as_deref() != Some("METADATA_ONLY")))
}

const LIST: &str = "Start of list found where not expected";
const STRUCTURE: &str = "Start of structure or map found where not expected.";

fn structure(value: Value) -> Result<Members, ApiError> {
    match value {
        Value::Object(members) => Ok(Members(members)),
        Value::Array(_) => Err(ApiError::serialization(LIST)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(ApiError::serialization("Expected null"))
        }
    }
}

fn mismatch(found: &Value, wanted: &str) -> ApiError {
    let token = match found {
        Value::Array(_) => return ApiError::serialization(LIST),
        Value::Object(_) => return ApiError::serialization(STRUCTURE),
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
    };
    ApiError::serialization(format!("{token} can not be converted to {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Members {
        Members::parse(text.as_bytes()).expect("is an object")
    }

    #[test]
    fn members_are_taken_by_type() {
        let mut found = members(r#"{"a":"x","n":5,"t":true,"s":{"b":"y"},"l":[{"k":"v"}],"z":null,"other":[1]}"#);
        assert_eq!(found.text("a"), Ok(Some("x".to_owned())));
        assert_eq!(found.integer("n"), Ok(Some(5)));
        assert_eq!(found.boolean("t"), Ok(Some(true)));
        let inner = found.structure("s").expect("is a structure").map(|mut inner| inner.text("b"));
        assert_eq!(inner, Some(Ok(Some("y".to_owned()))));
        assert_eq!(found.structures("l").expect("is a list").map(|list| list.len()), Some(1));
        assert_eq!((found.text("z"), found.text("missing")), (Ok(None), Ok(None)));
    }

    #[test]
    fn other_types_are_refused_in_the_words_of_aws() {
        let text = |body: &str| members(body).text("f").expect_err("is refused").message;
        let check = |found: String, expect: &str| assert_eq!(found, expect);
        check(text(r#"{"f":1}"#), "NUMBER_VALUE can not be converted to a String");
        check(text(r#"{"f":true}"#), "TRUE_VALUE can not be converted to a String");
        check(text(r#"{"f":["x"]}"#), "Start of list found where not expected");
        check(text(r#"{"f":{}}"#), "Start of structure or map found where not expected.");
        let integer = |body: &str| members(body).integer("f").expect_err("is refused").message;
        check(integer(r#"{"f":"1"}"#), "STRING_VALUE can not be converted to an Integer");
        check(integer(r#"{"f":1.5}"#), "NUMBER_VALUE can not be converted to an Integer");
        let structure = |body: &str| members(body).structure("f").expect_err("is refused").message;
        check(structure(r#"{"f":"x"}"#), "Expected null");
        let list = |body: &str| members(body).structures("f").expect_err("is refused").message;
        check(list(r#"{"f":"x"}"#), "Expected list or null");
        check(list(r#"{"f":["x"]}"#), "Expected null");
    }

    #[test]
    fn numbers_out_of_range_are_numbers() {
        let integer = |body: &str| members(body).integer("f");
        assert_eq!(integer(r#"{"f":99999999999999999999999}"#), Ok(Some(i64::MAX)));
        assert_eq!(integer(r#"{"f":-99999999999999999999999}"#), Ok(Some(i64::MIN)));
        assert_eq!(integer(r#"{"f":3.0}"#), Ok(Some(3)));
    }

    #[test]
    fn bodies_that_are_no_objects_are_refused() {
        for body in ["", "{", "null", "[]", "\"x\"", "{\"a\":1,}", "{} {}", "\u{feff}{}"] {
            let error = Members::parse(body.as_bytes()).expect_err("is refused");
            assert_eq!(error.code, super::super::error::ErrorCode::SerializationException, "{body}");
        }
        assert!(Members::parse(b"{\"a\":\"\xff\"}").is_err());
    }
}

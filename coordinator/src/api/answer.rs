//! What goes back to the caller.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use model::Timestamp;
use serde::Serialize;
use serde_json::{Number, Value, json};

use super::error::{ApiError, ErrorCode};

/// How long a caller is asked to wait when the store can't be reached: about what a restart of it takes.
const RETRY_AFTER_SECONDS: u16 = 1;

/// Is the body of a good answer, as JSON text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer(Vec<u8>);

impl Answer {
    /// Gives the text.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Renders a body.
    pub(crate) fn render(body: &impl Serialize) -> Result<Self, ApiError> {
        let text = serde_json::to_vec(body).map_err(|fault| {
            tracing::error!(error = %fault, "an answer can't be rendered");
            ApiError::new(ErrorCode::InternalFailure, "The answer can't be rendered.")
        })?;
        Ok(Self(text))
    }
}

/// Makes the HTTP response of an answer or error.
pub(crate) fn respond(outcome: Result<Answer, ApiError>, content_type: &'static str, request_id: &str) -> Response {
    let (status, body, kind) = match outcome {
        Ok(Answer(body)) => (StatusCode::OK, body, None),
        Err(error) => {
            let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
            (status, error_body(&error).to_string().into_bytes(), Some(error.code))
        }
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(code) = kind {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(code.name()));
    }
    if kind == Some(ErrorCode::ServiceUnavailable) {
        headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    }
    response
}

/// Gives the body of an error. Faults of the protocol bear their text as `Message`, all others as `message`: so the real service does.
fn error_body(error: &ApiError) -> Value {
    if error.code == ErrorCode::SerializationException {
        return json!({ "__type": error.kind(), "Message": error.message });
    }
    json!({ "__type": error.kind(), "message": error.message })
}

/// Renders an instant as AWS JSON does: seconds since the epoch, with milliseconds after the point.
pub(crate) fn seconds(at: Timestamp) -> Number {
    // Exact to the millisecond for the next 200,000 years.
    Number::from_f64(at.as_millis() as f64 / 1_000.0).unwrap_or_else(|| Number::from(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_seconds_with_milliseconds() {
        let check = |millis, expect: &str| assert_eq!(seconds(Timestamp::from_millis(millis)).to_string(), expect);
        check(1_700_000_000_123, "1700000000.123");
        check(1_700_000_000_120, "1700000000.12");
        check(1_700_000_000_000, "1700000000.0");
        check(9_999_999_999_999, "9999999999.999");
    }

    #[test]
    fn errors_say_what_they_are_in_body_and_header() {
        let error = ApiError::quoting(ErrorCode::InvalidName, "Invalid Name", "a b");
        let response = respond(Err(error.clone()), "application/x-amz-json-1.0", "id-1");
        assert_eq!(response.status(), 400);
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("x-amzn-errortype"), Some("InvalidName"));
        assert_eq!(header("x-amzn-requestid"), Some("id-1"));
        assert_eq!(header("content-type"), Some("application/x-amz-json-1.0"));
        assert_eq!(header("retry-after"), None);
        let expect = json!({
            "__type": "com.amazonaws.swf.service.v2.model#InvalidName",
            "message": "Invalid Name: 'a b'",
        });
        assert_eq!(error_body(&error), expect);
    }

    #[test]
    fn a_store_that_is_away_asks_to_come_again() {
        let error = ApiError::from(store::Error::Unavailable("refused".to_owned()));
        let response = respond(Err(error), "application/x-amz-json-1.0", "id");
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers().get("retry-after").map(HeaderValue::as_bytes), Some(b"1".as_slice()));
    }
}

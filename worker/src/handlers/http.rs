//! The kind `http`: a POST for each task, JSON both ways.

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use model::JsonText;
use outgoing::{NoReply, Outgoing, Reply};
use serde::Serialize;

use super::lambda::quoted;
use super::limit::{Bounds, too_large};
use super::{Answer, Call, Handler};
use crate::Failure;
use crate::failure::error_type;

/// How many bytes of a refusal's body are quoted: a JSON error or a short page fits, and so does the cause in AWS's limit of
/// 32,768 characters even if every byte is escaped.
const BODY_QUOTED: usize = 4096;

/// Posts each task to a URL.
pub(crate) struct Http {
    pub(crate) url: Uri,
    /// Sent along with every request.
    pub(crate) headers: HeaderMap,
    pub(crate) bounds: Bounds,
    pub(crate) outgoing: Outgoing,
}

impl Handler for Http {
    fn run(&self, call: Call) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let made = async { self.execute(&call).await.unwrap_or_else(Answer::Failed) };
            self.bounds.hold(&call.context, made).await
        })
    }
}

impl Http {
    async fn execute(&self, call: &Call) -> Result<Answer, Failure> {
        let reply = self.outgoing.send(self.request(call), self.bounds.output_bytes_max).await;
        let reply = reply.map_err(|error| match error {
            NoReply::Unreachable(text) => Failure::new("States.Http.Socket", format!("post to {}: {text}", self.url)),
            NoReply::TooLarge(bytes_max) => too_large(bytes_max),
        })?;
        match reply.status {
            StatusCode::ACCEPTED => Ok(Answer::Submitted(acceptance(&reply))),
            status if status.is_success() => output(&reply).map(Answer::Output),
            _ => Err(refusal(&reply)),
        }
    }

    fn request(&self, call: &Call) -> Request<Full<Bytes>> {
        let context = &call.context;
        let input = Bytes::copy_from_slice(call.input.as_str().as_bytes());
        let mut request = Request::new(Full::new(input));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            http::header::USER_AGENT,
            HeaderValue::from_static(concat!("stepwell/", env!("CARGO_PKG_VERSION"))),
        );
        let deadline = context.deadline().map(|deadline| deadline.as_millis().to_string());
        let values = [
            ("traceparent", Some(context.traceparent().to_owned())),
            ("stepwell-execution", Some(context.execution().as_str().to_owned())),
            ("stepwell-branch", Some(context.branch().to_string())),
            ("stepwell-attempt", Some(context.attempt().to_string())),
            ("stepwell-state", Some(context.state().to_owned())),
            ("stepwell-function", call.function.as_deref().map(str::to_owned)),
            ("stepwell-role-arn", context.role_arn().map(str::to_owned)),
            ("stepwell-deadline", deadline),
            ("stepwell-task-token", Some(context.task_token())),
        ];
        for (name, value) in values {
            // A name with control characters can't be sent, and is for information only.
            if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
        request
    }
}

/// Gives what a callee said that took the task over. It is kept for the history alone, so that any text will do.
fn acceptance(reply: &Reply) -> JsonText {
    output(reply).unwrap_or_else(|_| JsonText::trusted(quoted(&String::from_utf8_lossy(&reply.body))))
}

fn output(reply: &Reply) -> Result<JsonText, Failure> {
    if reply.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(JsonText::trusted("null"));
    }
    let wrong = |reason: String| Failure::new("Runtime.MarshalError", format!("read the reply as JSON: {reason}"));
    let raw: &serde_json::value::RawValue =
        serde_json::from_slice(&reply.body).map_err(|error| wrong(error.to_string()))?;
    Ok(JsonText::from_raw(raw))
}

/// Gives the failure that a status other than 2xx stands for: that of the body if it is an error's object.
fn refusal(reply: &Reply) -> Failure {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Cause<'a> {
        status_code: u16,
        status_text: &'a str,
        response_body: &'a str,
    }
    let object = std::str::from_utf8(&reply.body).ok().map(str::trim).filter(|text| error_type(text).is_some());
    if let Some(object) = object {
        return Failure::from_object(JsonText::trusted(object));
    }
    let code = reply.status.as_u16();
    let body = String::from_utf8_lossy(&reply.body[..reply.body.len().min(BODY_QUOTED)]);
    let status_text = reply.status.canonical_reason().unwrap_or_default();
    let cause = Cause { status_code: code, status_text, response_body: &body };
    let cause = serde_json::to_string(&cause).expect("texts and a number can always be rendered");
    Failure::with_cause(format!("States.Http.StatusCode.{code}"), cause)
}

/// Reads the URL of a handler.
pub(crate) fn url(text: &str) -> Result<Uri, String> {
    let expected = "expected a URL, such as \"http://127.0.0.1:9000/charge\" or one with https";
    let uri: Uri = text.parse().map_err(|error| format!("{text:?} is no URL ({error}): {expected}"))?;
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
            Err("a URL with a user and password is not taken: write an Authorization header into `headers`".to_owned())
        }
        (Some("http" | "https"), Some(_)) => Ok(uri),
        (Some(_) | None, Some(_) | None) => Err(format!("{text:?} is no URL with http or https: {expected}")),
    }
}

/// Reads a header of a handler. `${NAME}` in its value stands for the environment's variable.
pub(crate) fn header(
    name: &str,
    value: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(HeaderName, HeaderValue), String> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("{name:?} is no header's name: letters, digits and `-` are allowed"))?;
    let mut expanded = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let (variable_name, after) = after.split_once('}').ok_or("`${` without `}`: write ${NAME}".to_owned())?;
        let found = variable(variable_name);
        let found =
            found.ok_or_else(|| format!("the environment has no variable {variable_name:?}, which a header names"))?;
        expanded.push_str(before);
        expanded.push_str(&found);
        rest = after;
    }
    expanded.push_str(rest);
    let mut expanded = HeaderValue::from_str(&expanded).map_err(|_| {
        format!(
            "the value of {name:?} has characters that a header can't have: ASCII without control characters is allowed"
        )
    })?;
    expanded.set_sensitive(true);
    Ok((header, expanded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: StatusCode, body: &str) -> Reply {
        Reply { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_reply_is_the_output() {
        let check = |body: &str, expect: &str| {
            assert_eq!(output(&reply(StatusCode::OK, body)).expect("is JSON").as_str(), expect, "{body}");
        };
        check(r#" {"a":  1.0} "#, r#"{"a":  1.0}"#);
        check("", "null");
        check(" \n", "null");
        let failure = output(&reply(StatusCode::OK, "<html>")).expect_err("is not JSON");
        assert_eq!(failure.error(), "Runtime.MarshalError");
        let check = |body: &str, expect: &str| {
            assert_eq!(acceptance(&reply(StatusCode::ACCEPTED, body)).as_str(), expect);
        };
        check(r#"{"job":  7}"#, r#"{"job":  7}"#);
        check("", "null");
        check("come \"later\"", r#""come \"later\"""#);
    }

    #[test]
    fn a_refusal_is_a_failure_by_its_status_or_its_body() {
        let check = |status: StatusCode, body: &str, error: &str, cause: &str| {
            let failure = refusal(&reply(status, body));
            assert_eq!((failure.error(), failure.cause()), (error, cause));
        };
        check(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "States.Http.StatusCode.503",
            r#"{"StatusCode":503,"StatusText":"Service Unavailable","ResponseBody":"busy"}"#,
        );
        check(StatusCode::CONFLICT, r#"{"errorType": "Sold"}"#, "Sold", r#"{"errorType": "Sold"}"#);
        let long = refusal(&reply(StatusCode::BAD_GATEWAY, &"x".repeat(100_000)));
        assert!(long.cause().len() < BODY_QUOTED + 100);
    }

    #[test]
    fn headers_may_name_variables() {
        let variable = |name: &str| (name == "TOKEN").then(|| "t".to_owned());
        let value =
            |text: &str| header("X-Key", text, variable).map(|(_, value)| value.to_str().expect("is text").to_owned());
        assert_eq!(value("Bearer ${TOKEN}!"), Ok("Bearer t!".to_owned()));
        assert!(value("${NONE}").is_err_and(|reason| reason.contains("NONE")));
        assert!(value("${TOKEN").is_err());
        assert!(value("a\nb").is_err());
        assert!(header("a b", "", variable).is_err());
    }
}

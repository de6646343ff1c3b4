//! The two ways a Task names a Lambda function, and what AWS makes of the function's answer.

use std::borrow::Cow;

use model::{JsonText, Timestamp};
use runtime::Runtime;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Answer;
use crate::Failure;

/// The resource of the optimised integration; a suffix such as `.waitForTaskToken` may follow.
const INVOKE: &str = ":states:::lambda:invoke";

/// Is what a resource names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named<'a> {
    /// A function's ARN: its input is the state's, its output the task's.
    Function(&'a str),
    /// `lambda:invoke`: function and payload stand in the parameters.
    Invoke,
    Other,
}

impl<'a> Named<'a> {
    pub(crate) fn of(resource: &'a str) -> Self {
        if let Some(function) = function_of_arn(resource) {
            return Named::Function(function);
        }
        let rest =
            resource.strip_prefix("arn:").and_then(|rest| rest.find(INVOKE).map(|at| &rest[at + INVOKE.len()..]));
        match rest {
            Some(suffix) if suffix.is_empty() || suffix.starts_with('.') => Named::Invoke,
            Some(_) | None => Named::Other,
        }
    }
}

/// Gives NAME of `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:ALIAS]`.
fn function_of_arn(text: &str) -> Option<&str> {
    let mut parts = text.split(':');
    let head = [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let name = parts.next()?;
    (head[0] == "arn" && head[2] == "lambda" && head[5] == "function" && !name.is_empty()).then_some(name)
}

/// Gives NAME of what `FunctionName` may be: NAME, `NAME:ALIAS`, `ACCOUNT:function:NAME[:ALIAS]` or the ARN.
fn function_of_name(text: &str) -> &str {
    if let Some(name) = function_of_arn(text) {
        return name;
    }
    let mut parts = text.split(':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_account), Some("function"), Some(name)) => name,
        (Some(name), _, _) => name,
        (None, _, _) => text,
    }
}

/// Is what the parameters of `lambda:invoke` say.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// `FunctionName` as it was written.
    pub(crate) function: String,
    pub(crate) payload: JsonText,
    pub(crate) qualifier: Option<String>,
    pub(crate) invocation_type: Option<String>,
    pub(crate) client_context: Option<String>,
    pub(crate) log_type: Option<String>,
}

impl Parameters {
    pub(crate) fn read(parameters: &JsonText) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Raw<'a> {
            #[serde(borrow)]
            function_name: Cow<'a, str>,
            #[serde(borrow, default, deserialize_with = "present")]
            payload: Option<&'a RawValue>,
            qualifier: Option<String>,
            invocation_type: Option<String>,
            client_context: Option<String>,
            log_type: Option<String>,
        }
        let raw: Raw<'_> = serde_json::from_str(parameters.as_str())
            .map_err(|error| Failure::new("Lambda.ValidationException", format!("read the parameters: {error}")))?;
        Ok(Self {
            function: raw.function_name.into_owned(),
            payload: payload(raw.payload),
            qualifier: raw.qualifier,
            invocation_type: raw.invocation_type,
            client_context: raw.client_context,
            log_type: raw.log_type,
        })
    }

    /// Gives the function's name alone.
    pub(crate) fn name(&self) -> &str {
        function_of_name(&self.function)
    }
}

/// Gives what the function gets. As AWS has it: a text that is JSON stands for what it says, and nothing for an empty object.
fn payload(raw: Option<&RawValue>) -> JsonText {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return JsonText::trusted("{}") };
    let within = serde_json::from_str::<String>(raw.get()).ok().and_then(|text| JsonText::parse(&text).ok());
    within.unwrap_or_else(|| JsonText::from_raw(raw))
}

/// Reads a member that may be `null` and is there all the same.
pub(crate) fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Turns a function's answer into that of `lambda:invoke`.
pub(crate) fn invoke_answer(answer: Answer, runtime: &Runtime, traceparent: &str) -> Answer {
    let response = |payload, status| response(payload, status, runtime, traceparent).render();
    match answer {
        Answer::Output(output) => Answer::Output(response(output, 200)),
        Answer::Submitted(output) => Answer::Submitted(response(output, 202)),
        Answer::Failed(failure) => Answer::Failed(failure.compacted(compact)),
        Answer::PastDeadline => Answer::PastDeadline,
    }
}

fn response(payload: JsonText, status: u16, runtime: &Runtime, traceparent: &str) -> Response {
    let (request_id, now) = (runtime.uuid(), runtime.now());
    let headers = vec![
        ("Connection".to_owned(), "keep-alive".to_owned()),
        ("Content-Length".to_owned(), payload.len().to_string()),
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("Date".to_owned(), http_date(now)),
        ("X-Amz-Executed-Version".to_owned(), LATEST.to_owned()),
        ("X-Amzn-Trace-Id".to_owned(), xray(traceparent)),
        ("x-amzn-Remapped-Content-Length".to_owned(), "0".to_owned()),
        ("x-amzn-RequestId".to_owned(), request_id.clone()),
    ];
    let version = Some(LATEST.to_owned());
    Response { payload, status, version, request_id, headers, log_result: None }
}

/// The version of a function that has no other.
const LATEST: &str = "$LATEST";

/// Is an answer of the Invoke API.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) payload: JsonText,
    pub(crate) status: u16,
    pub(crate) version: Option<String>,
    pub(crate) request_id: String,
    /// Sorted by name.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) log_result: Option<String>,
}

impl Response {
    /// Renders the output of `lambda:invoke`.
    pub(crate) fn render(&self) -> JsonText {
        let optional = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("\"{name}\":{},", quoted(value))).unwrap_or_default()
        };
        let headers = |open: &str, close: &str| {
            let member = |(name, value): &(String, String)| format!("{}:{open}{}{close}", quoted(name), quoted(value));
            self.headers.iter().map(member).collect::<Vec<_>>().join(",")
        };
        let (version, log) = (optional("ExecutedVersion", &self.version), optional("LogResult", &self.log_result));
        let (lists, values) = (headers("[", "]"), headers("", ""));
        let (payload, status, request) = (compact(self.payload.as_str()), self.status, quoted(&self.request_id));
        JsonText::trusted(format!(
            "{{{version}{log}\"Payload\":{payload},\"SdkHttpMetadata\":{{\"AllHttpHeaders\":{{{lists}}},\
             \"HttpHeaders\":{{{values}}},\"HttpStatusCode\":{status}}},\"SdkResponseMetadata\":{{\"RequestId\":{request}}},\
             \"StatusCode\":{status}}}"
        ))
    }
}

/// Renders a text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can always be rendered")
}

fn http_date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Renders a W3C trace context as X-Ray does.
fn xray(traceparent: &str) -> String {
    let trace = traceparent.split('-').nth(1).filter(|trace| trace.len() == 32 && trace.is_ascii());
    let (seconds, rest) = trace.unwrap_or("00000000000000000000000000000000").split_at(8);
    format!("root=1-{seconds}-{rest};sampled=0")
}

/// Renders a JSON text compactly: no blanks between tokens, strings without needless escapes, numbers as they are.
pub(crate) fn compact(text: &str) -> String {
    let mut compacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = rest.find('"') {
        compacted.extend(rest[..quote].split_ascii_whitespace());
        let end = quote + string_len(&rest[quote..]);
        compacted.push_str(&plain(&rest[quote..end]));
        rest = &rest[end..];
    }
    compacted.extend(rest.split_ascii_whitespace());
    compacted
}

/// Gives the length of the string token that `text` begins with, quotes included.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn plain(token: &str) -> Cow<'_, str> {
    if !token.contains('\\') {
        return Cow::Borrowed(token);
    }
    let text = serde_json::from_str::<String>(token).and_then(|text| serde_json::to_string(&text));
    text.map_or(Cow::Borrowed(token), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_name_functions() {
        let check = |resource: &str, expect: Named<'_>| assert_eq!(Named::of(resource), expect, "{resource}");
        check("arn:aws:lambda:us-east-1:123456789012:function:Pay", Named::Function("Pay"));
        check("arn:aws-cn:lambda:cn-north-1:123456789012:function:Pay:live", Named::Function("Pay"));
        check("arn:aws:lambda:us-east-1:123456789012:layer:Pay", Named::Other);
        check("arn:aws:lambda:us-east-1:123456789012:function:", Named::Other);
        check("arn:aws:states:::lambda:invoke", Named::Invoke);
        check("arn:aws-us-gov:states:::lambda:invoke.waitForTaskToken", Named::Invoke);
        check("arn:aws:states:::lambda:invoked", Named::Other);
        check("arn:aws:states:::sqs:sendMessage", Named::Other);
        check("Pay", Named::Other);
    }

    #[test]
    fn parameters_name_function_and_payload() {
        let check = |parameters: &str, function: &str, payload: &str| {
            let read = Parameters::read(&JsonText::trusted(parameters)).expect("are parameters");
            assert_eq!((read.name(), read.payload.as_str()), (function, payload), "{parameters}");
        };
        check(r#"{"FunctionName":"Pay"}"#, "Pay", "{}");
        check(r#"{"FunctionName":"Pay:live","Payload":{"a": 1.0}}"#, "Pay", r#"{"a": 1.0}"#);
        check(r#"{"Payload":null,"FunctionName":"123456789012:function:Pay:1"}"#, "Pay", "{}");
        check(r#"{"FunctionName":"arn:aws:lambda:r:1:function:Pay:live","Payload":"{ }"}"#, "Pay", "{ }");
        check(r#"{"FunctionName":"Pay","Payload":"a text"}"#, "Pay", r#""a text""#);
        check(r#"{"FunctionName":"Pay","Payload":"\"a text\""}"#, "Pay", r#""a text""#);
        for wrong in ["{}", "[]", r#"{"FunctionName":1}"#] {
            let failure = Parameters::read(&JsonText::trusted(wrong)).expect_err("are none");
            assert_eq!(failure.error(), "Lambda.ValidationException");
        }
    }

    #[test]
    fn texts_are_compacted() {
        let check = |text: &str, expect: &str| assert_eq!(compact(text), expect);
        check("{ \"a b\" : [ 1.0 ,\n -2E3, \"c \\\" d\" ] }", r#"{"a b":[1.0,-2E3,"c \" d"]}"#);
        check(r#" "caf\u00e9 \/ \n" "#, "\"café / \\n\"");
        check(" null ", "null");
        check(r#"["\\", "x"]"#, r#"["\\","x"]"#);
    }

    #[test]
    fn the_response_is_that_of_aws() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let output = Answer::Output(JsonText::trusted(r#"{"ok": true}"#));
        let runtime = Runtime::system();
        let Answer::Output(text) = invoke_answer(output, &runtime, trace) else { panic!("it is an output") };
        let text = text.as_str();
        let value: serde_json::Value = serde_json::from_str(text).expect("is JSON");
        assert!(text.starts_with(r#"{"ExecutedVersion":"$LATEST","Payload":{"ok":true},"SdkHttpMetadata":{"AllHttp"#));
        let http = &value["SdkHttpMetadata"];
        assert_eq!(http_date(Timestamp::from_millis(1_585_248_237_000)), "Thu, 26 Mar 2020 18:43:57 GMT");
        assert_eq!(http["HttpHeaders"]["X-Amzn-Trace-Id"], "root=1-4bf92f35-77b34da6a3ce929d0e0e4736;sampled=0");
        assert_eq!(http["AllHttpHeaders"]["Content-Length"][0], "12");
        assert_eq!(http["HttpStatusCode"], 200);
        assert_eq!(value["SdkResponseMetadata"]["RequestId"], http["HttpHeaders"]["x-amzn-RequestId"]);
        assert_eq!(value["StatusCode"], 200);
    }
}

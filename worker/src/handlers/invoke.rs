//! The kind `lambda`: Lambda's Invoke API, and what AWS makes of its answers.

use std::borrow::Cow;
use std::sync::Arc;

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use model::JsonText;
use outgoing::{NoReply, Outgoing, Reply};
use serde::Deserialize;
use telemetry::TraceContext;

use super::lambda::{Named, Parameters, Response, compact, quoted};
use super::limit::{Bounds, too_large};
use super::{Answer, Call, Handler};
use crate::aws::sign::Scope;
use crate::aws::{Aws, Client, NotAssumed, Role, Session, encoded};
use crate::failure::error_type;
use crate::{Context, Failure};

/// The errors that the SDK, which AWS makes these calls with, has a class for. It takes all others for `AWSLambdaException`.
const MODELLED: &[&str] = &[
    "CodeArtifactUserFailedException",
    "EC2AccessDeniedException",
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "EFSIOException",
    "EFSMountConnectivityException",
    "EFSMountFailureException",
    "EFSMountTimeoutException",
    "ENILimitReachedException",
    "InvalidParameterValueException",
    "InvalidRequestContentException",
    "InvalidRuntimeException",
    "InvalidSecurityGroupIDException",
    "InvalidSubnetIDException",
    "InvalidZipFileException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "RecursiveInvocationException",
    "RequestTooLargeException",
    "ResourceConflictException",
    "ResourceNotFoundException",
    "ResourceNotReadyException",
    "SerializedRequestEntityTooLargeException",
    "ServiceException",
    "SnapStartException",
    "SnapStartNotReadyException",
    "SnapStartTimeoutException",
    "SubnetIPAddressLimitReachedException",
    "TooManyRequestsException",
    "UnsupportedMediaTypeException",
];

/// Headers of Lambda's answers as they are on the wire, where that is not each word with a capital.
const WIRE_NAMES: &[&str] = &["x-amzn-ErrorType", "x-amzn-Remapped-Content-Length", "x-amzn-RequestId"];

/// Is where a function is called.
#[derive(Clone)]
pub(crate) enum Target {
    /// At Lambda: the function that the task names, or another one.
    Aws { aws: Arc<Aws>, function: Option<String> },
    /// At a runtime interface emulator.
    Emulator(Uri),
}

/// Calls Lambda functions.
pub(crate) struct Lambda {
    pub(crate) target: Target,
    pub(crate) bounds: Bounds,
    pub(crate) outgoing: Outgoing,
}

impl Handler for Lambda {
    fn run(&self, call: Call) -> BoxFuture<'_, Answer> {
        Box::pin(async move { self.bounds.hold(&call.context, self.execute(&call)).await })
    }

    fn answers_invoke(&self) -> bool {
        true
    }
}

/// Is what the task wants of which function.
struct Wish<'a> {
    parameters: Parameters,
    /// Whether the output is the whole response.
    is_invoke: bool,
    context: &'a Context,
}

impl Wish<'_> {
    fn of(call: &Call) -> Result<Wish<'_>, Failure> {
        let context = &call.context;
        if Named::of(context.resource()) == Named::Invoke {
            let parameters = Parameters::read(&call.input)?;
            return Ok(Wish { parameters, is_invoke: true, context });
        }
        let parameters = Parameters {
            function: context.resource().to_owned(),
            payload: call.input.clone(),
            qualifier: None,
            invocation_type: None,
            client_context: None,
            log_type: None,
        };
        Ok(Wish { parameters, is_invoke: false, context })
    }
}

impl Lambda {
    async fn execute(&self, call: &Call) -> Result<JsonText, Failure> {
        let wish = Wish::of(call)?;
        let request = match &self.target {
            Target::Aws { aws, function } => self.to_aws(aws, function.as_deref(), &wish).await?,
            Target::Emulator(uri) => headed(uri.clone(), &wish)?.map(Full::new),
        };
        let reply = self.outgoing.send(request, self.bounds.output_bytes_max).await.map_err(|error| match error {
            NoReply::Unreachable(text) => client_failure(format!("Unable to execute HTTP request: {text}")),
            NoReply::TooLarge(bytes_max) => too_large(bytes_max),
        })?;
        if !reply.status.is_success() {
            return Err(refusal(&reply));
        }
        let payload = payload(&reply, &wish);
        if has_failed(&reply, &payload, matches!(self.target, Target::Emulator(_))) {
            return Err(failure(payload, wish.is_invoke));
        }
        Ok(if wish.is_invoke { response(reply, payload).render() } else { payload })
    }

    async fn to_aws(
        &self,
        aws: &Aws,
        function: Option<&str>,
        wish: &Wish<'_>,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let function = function.unwrap_or(&wish.parameters.function);
        let execution = wish.context.execution();
        let region = region_of(function).or(aws.region()).unwrap_or(execution.region());
        let mut uri =
            format!("{}/2015-03-31/functions/{}/invocations", aws.endpoint("lambda", region), encoded(function));
        if let Some(qualifier) = &wish.parameters.qualifier {
            uri = format!("{uri}?Qualifier={}", encoded(qualifier));
        }
        let uri = uri.parse().map_err(|error| client_failure(format!("{uri} is no URL: {error}")))?;
        let request = headed(uri, wish)?;
        let session = self.session(aws, wish.context).await?;
        let state_machine = execution.state_machine();
        let (account, at) = (state_machine.account(), self.bounds.runtime.now());
        let scope = Scope { service: "lambda", region, account, at };
        let signed = match &session {
            Some(session) => session.credentials.request(&scope, request),
            None => aws.request(&scope, request),
        };
        signed.map_err(|error| client_failure(format!("sign the request: {error}")))
    }

    /// Gives the session of the role that the state's Credentials name. A function without an account is one of the role's account.
    async fn session(&self, aws: &Aws, context: &Context) -> Result<Option<Arc<Session>>, Failure> {
        let Some(role_arn) = context.role_arn() else { return Ok(None) };
        let execution = context.execution();
        let region = aws.region().unwrap_or(execution.region()).to_owned();
        let role = Role { role_arn: role_arn.to_owned(), state_machine: execution.state_machine(), region };
        let client = Client { runtime: &self.bounds.runtime, outgoing: &self.outgoing };
        let session = aws.assume(role, client).await;
        session.map(Some).map_err(|error| match error {
            NotAssumed::Unavailable(text) => client_failure(text),
            NotAssumed::Refused(refusal) => Failure::with_cause("States.TaskFailed", refusal.cause(role_arn)),
        })
    }
}

/// Makes the request with what the parameters say in headers.
fn headed(uri: Uri, wish: &Wish<'_>) -> Result<Request<Bytes>, Failure> {
    let Parameters { payload, invocation_type, client_context, log_type, .. } = &wish.parameters;
    let kind = invocation_type.as_deref().unwrap_or("RequestResponse");
    let mut request = Request::post(uri)
        .header("Content-Type", "application/json")
        .header("User-Agent", concat!("stepwell/", env!("CARGO_PKG_VERSION")))
        .header("X-Amz-Invocation-Type", kind);
    let optional = [("X-Amz-Client-Context", client_context), ("X-Amz-Log-Type", log_type)];
    for (name, value) in optional {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    if let Ok(trace) = wish.context.traceparent().parse::<TraceContext>() {
        request = request.header("X-Amzn-Trace-Id", trace.to_xray());
    }
    let request = request.body(Bytes::copy_from_slice(payload.as_str().as_bytes()));
    request.map_err(|error| client_failure(error.to_string()))
}

fn client_failure(cause: String) -> Failure {
    Failure::with_cause("Lambda.SdkClientException", cause)
}

/// Gives REGION of a function's ARN.
fn region_of(function: &str) -> Option<&str> {
    function.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2)).filter(|region| !region.is_empty())
}

/// Gives what the function gave; what is not JSON is a text.
fn payload(reply: &Reply, wish: &Wish<'_>) -> JsonText {
    let text = String::from_utf8_lossy(&reply.body);
    if text.is_empty() {
        return JsonText::trusted(if wish.is_invoke { "{}" } else { "null" });
    }
    JsonText::parse(&text).unwrap_or_else(|_| JsonText::trusted(quoted(&text)))
}

/// Tells whether the payload is an error's object. The runtime interface emulator doesn't say so in a header.
fn has_failed(reply: &Reply, payload: &JsonText, is_emulator: bool) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Object<'a> {
        #[serde(borrow)]
        error_message: Cow<'a, str>,
        #[serde(borrow)]
        error_type: Cow<'a, str>,
    }
    let is_object = || {
        serde_json::from_str::<Object<'_>>(payload.as_str())
            .is_ok_and(|object| !(object.error_message.is_empty() && object.error_type.is_empty()))
    };
    reply.headers.contains_key("x-amz-function-error") || (is_emulator && is_object())
}

/// Gives the failure of a function.
fn failure(payload: JsonText, is_invoke: bool) -> Failure {
    if error_type(payload.as_str()).is_none() {
        let cause = "The cause could not be determined because Lambda did not return an error type. Returned payload:";
        return Failure::with_cause("Lambda.Unknown", format!("{cause} {}", payload.as_str()));
    }
    let failure = Failure::from_object(payload);
    if is_invoke { failure.compacted(compact) } else { failure }
}

/// Gives the failure that an answer of Lambda itself is, in the words of AWS's SDK.
fn refusal(reply: &Reply) -> Failure {
    #[derive(Default, Deserialize)]
    struct Body {
        #[serde(rename = "__type")]
        kind: Option<String>,
        #[serde(rename = "Message", alias = "message")]
        message: Option<String>,
    }
    let body: Body = serde_json::from_slice(&reply.body).unwrap_or_default();
    let code = reply.header("x-amzn-errortype").map(str::to_owned).or(body.kind);
    // The service may say `namespace#Code:http://...`.
    let code =
        code.as_deref().and_then(|code| code.split(':').next()?.rsplit('#').next()).filter(|code| !code.is_empty());
    let name = code.filter(|code| MODELLED.contains(code)).unwrap_or("AWSLambdaException");
    let cause = format!(
        "{} (Service: AWSLambda; Status Code: {}; Error Code: {}; Request ID: {}; Proxy: null)",
        body.message.as_deref().unwrap_or("null"),
        reply.status.as_u16(),
        code.unwrap_or("null"),
        reply.header("x-amzn-requestid").unwrap_or("null"),
    );
    Failure::with_cause(format!("Lambda.{name}"), cause)
}

fn response(reply: Reply, payload: JsonText) -> Response {
    let text = |name: &str| reply.header(name).map(str::to_owned);
    Response {
        payload,
        status: reply.status.as_u16(),
        version: text("x-amz-executed-version"),
        request_id: text("x-amzn-requestid").unwrap_or_default(),
        log_result: text("x-amz-log-result"),
        headers: wire_headers(&reply.headers),
    }
}

/// Gives headers by their names on the wire, of which the HTTP library keeps small letters only.
fn wire_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let named = |name: &str| match WIRE_NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => (*known).to_owned(),
        None => name.split('-').map(capital).collect::<Vec<_>>().join("-"),
    };
    let text = |name: &http::HeaderName, value: &http::HeaderValue| {
        Some((named(name.as_str()), value.to_str().ok()?.to_owned()))
    };
    let mut headers: Vec<_> = headers.iter().filter_map(|(name, value)| text(name, value)).collect();
    headers.sort();
    headers.dedup_by(|later, first| later.0 == first.0);
    headers
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn reply(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Reply {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().expect("is a name"), value.parse().expect("is a value")));
        let status = StatusCode::from_u16(status).expect("is a status");
        Reply { status, headers: headers.collect(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn refusals_are_in_the_words_of_the_sdk() {
        let check = |reply: Reply, error: &str, cause: &str| {
            let failure = refusal(&reply);
            assert_eq!((failure.error(), failure.cause()), (error, cause));
        };
        let id = ("x-amzn-requestid", "r-1");
        check(
            reply(
                404,
                &[("x-amzn-errortype", "ResourceNotFoundException:http://x/"), id],
                r#"{"Message":"Function not found: f"}"#,
            ),
            "Lambda.ResourceNotFoundException",
            "Function not found: f (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: r-1; \
             Proxy: null)",
        );
        check(
            reply(403, &[id], r#"{"__type":"a.b#AccessDeniedException","message":"User x"}"#),
            "Lambda.AWSLambdaException",
            "User x (Service: AWSLambda; Status Code: 403; Error Code: AccessDeniedException; Request ID: r-1; Proxy: null)",
        );
        check(
            reply(502, &[], "<html>"),
            "Lambda.AWSLambdaException",
            "null (Service: AWSLambda; Status Code: 502; Error Code: null; Request ID: null; Proxy: null)",
        );
    }

    #[test]
    fn failures_are_the_functions_objects() {
        let object = r#"{"errorMessage": "no",  "errorType": "E"}"#;
        let direct = failure(JsonText::trusted(object), false);
        assert_eq!((direct.error(), direct.cause()), ("E", object));
        let invoke = failure(JsonText::trusted(object), true);
        assert_eq!(invoke.cause(), r#"{"errorMessage":"no","errorType":"E"}"#);
        let unknown = failure(JsonText::trusted(r#"{"errorMessage":"timed out"}"#), false);
        assert_eq!(unknown.error(), "Lambda.Unknown");
        assert!(unknown.cause().ends_with(r#"Returned payload: {"errorMessage":"timed out"}"#), "{}", unknown.cause());
    }

    #[test]
    fn headers_have_their_names_on_the_wire() {
        let reply = reply(200, &[("x-amzn-requestid", "r"), ("x-amz-executed-version", "1"), ("date", "d")], "");
        let expect = [("Date", "d"), ("X-Amz-Executed-Version", "1"), ("x-amzn-RequestId", "r")];
        let expect = expect.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(wire_headers(&reply.headers), expect);
    }

    #[test]
    fn a_function_may_name_its_region() {
        assert_eq!(region_of("arn:aws:lambda:eu-west-1:1:function:f"), Some("eu-west-1"));
        assert_eq!((region_of("f"), region_of("123456789012:function:f")), (None, None));
    }
}

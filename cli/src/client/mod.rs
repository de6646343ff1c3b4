//! Commands against an endpoint: any that serves the AWS Step Functions API.

mod event;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod watch;

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use http::{Request, Uri};
use outgoing::{Body, Outgoing};
use runtime::Runtime;
use serde_json::{Value, json};

/// Where Stepwell listens unless told otherwise.
const ENDPOINT: &str = "http://127.0.0.1:8083";
/// Is the account where no access key names one; nobody checks the secret.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
/// The largest answer: a page of a history, a thousand events each with the largest payloads.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// A request that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Is where requests go.
#[derive(clap::Args)]
pub(crate) struct EndpointArguments {
    /// Where the API is, with http or https; else the variables AWS_ENDPOINT_URL_SFN or AWS_ENDPOINT_URL name it, else it is http://127.0.0.1:8083.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

/// Sends requests.
pub(crate) struct Client {
    http: Outgoing,
    endpoint: Uri,
    authorization: String,
    runtime: Runtime,
}

impl Client {
    fn new(arguments: &EndpointArguments) -> Result<Self> {
        let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = arguments.endpoint_url.clone();
        let endpoint = endpoint.or_else(|| named("AWS_ENDPOINT_URL_SFN")).or_else(|| named("AWS_ENDPOINT_URL"));
        let key = named("AWS_ACCESS_KEY_ID").unwrap_or_else(|| ACCOUNT.to_owned());
        let region = named("AWS_REGION").or_else(|| named("AWS_DEFAULT_REGION")).unwrap_or_else(|| REGION.to_owned());
        Ok(Self {
            http: Outgoing::default(),
            endpoint: url(endpoint.as_deref().unwrap_or(ENDPOINT))?,
            authorization: format!("AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/states/aws4_request"),
            runtime: Runtime::system(),
        })
    }

    /// Calls an operation.
    async fn call(&self, operation: &str, request: &Value) -> Result<Value> {
        let request = Request::post(&self.endpoint)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
            .header("authorization", &self.authorization)
            .body(Body::from(request.to_string()))
            .context("make a request (variables AWS_ACCESS_KEY_ID and AWS_REGION)")?;
        let answer = tokio::select! { biased;
            answer = self.http.send(request, ANSWER_BYTES_MAX) => answer.map_err(anyhow::Error::from),
            () = self.runtime.sleep(TIMEOUT) => Err(anyhow!("there was no answer within {} s", TIMEOUT.as_secs())),
        };
        let answer = answer
            .with_context(|| format!("reach {} (flag --endpoint-url); is `stepwell dev` running?", self.endpoint))?;
        let status = answer.status;
        let body: Value =
            serde_json::from_slice(&answer.body).with_context(|| format!("read an answer of {status}"))?;
        if status.is_success() {
            return Ok(body);
        }
        let kind = body["__type"].as_str().unwrap_or("an error").rsplit('#').next().unwrap_or_default();
        let message = body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default();
        bail!("{kind}: {message}")
    }

    /// Gives the ARN of a state machine that may be given by its name.
    async fn state_machine(&self, given: &str) -> Result<String> {
        if given.starts_with("arn:") {
            return Ok(given.to_owned());
        }
        let mut request = json!({ "maxResults": 1000 });
        loop {
            let page = self.call("ListStateMachines", &request).await?;
            let machines = page["stateMachines"].as_array().cloned().unwrap_or_default();
            if let Some(machine) = machines.iter().find(|machine| machine["name"] == given) {
                return Ok(machine["stateMachineArn"].as_str().unwrap_or_default().to_owned());
            }
            if page["nextToken"].is_null() {
                return Err(anyhow!("there is no state machine {given}; `stepwell list` lists them"));
            }
            request["nextToken"] = page["nextToken"].clone();
        }
    }
}

/// Reads the URL of an endpoint.
fn url(text: &str) -> Result<Uri> {
    let uri: Option<Uri> = text.parse().ok();
    uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https"))).ok_or_else(|| {
        anyhow!(
            "{text:?} is no endpoint (flag --endpoint-url): write a URL such as {ENDPOINT}, with http:// or https://"
        )
    })
}

/// Prints a line on stdout. A closed stdout ends the command.
fn print(text: &str) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// Renders a time of the API, in seconds, as people read it.
fn moment(seconds: &Value) -> String {
    event::millis(seconds).map_or_else(String::new, |millis| {
        jiff::Timestamp::from_millisecond(millis).map(|at| format!("{at:.3}")).unwrap_or_default()
    })
}

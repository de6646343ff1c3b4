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
use runtime::Runtime;
use serde_json::{Value, json};

/// Where Stepwell listens unless told otherwise.
const ENDPOINT: &str = "http://127.0.0.1:8083";
/// Is the account where no access key names one; nobody checks the secret.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
/// A request that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Is where requests go.
#[derive(clap::Args)]
pub(crate) struct EndpointArguments {
    /// Where the API is; else the variables AWS_ENDPOINT_URL_SFN or AWS_ENDPOINT_URL name it, else it is http://127.0.0.1:8083.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

/// Sends requests.
pub(crate) struct Client {
    http: reqwest::Client,
    endpoint: String,
    authorization: String,
    runtime: Runtime,
}

impl Client {
    fn new(arguments: &EndpointArguments) -> Result<Self> {
        // A provider that is there already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = arguments.endpoint_url.clone();
        let endpoint = endpoint.or_else(|| named("AWS_ENDPOINT_URL_SFN")).or_else(|| named("AWS_ENDPOINT_URL"));
        let key = named("AWS_ACCESS_KEY_ID").unwrap_or_else(|| ACCOUNT.to_owned());
        let region = named("AWS_REGION").or_else(|| named("AWS_DEFAULT_REGION")).unwrap_or_else(|| REGION.to_owned());
        Ok(Self {
            http: reqwest::Client::builder().timeout(TIMEOUT).build().context("make a client")?,
            endpoint: endpoint.unwrap_or_else(|| ENDPOINT.to_owned()),
            authorization: format!("AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/states/aws4_request"),
            runtime: Runtime::system(),
        })
    }

    /// Calls an operation.
    async fn call(&self, operation: &str, request: &Value) -> Result<Value> {
        let sent = self.http.post(&self.endpoint).body(request.to_string());
        let sent = sent.header("content-type", "application/x-amz-json-1.0");
        let sent = sent.header("x-amz-target", format!("AWSStepFunctions.{operation}"));
        let unreachable = || format!("reach {} (flag --endpoint-url); is `stepwell dev` running?", self.endpoint);
        let answer = sent.header("authorization", &self.authorization).send().await.with_context(unreachable)?;
        let status = answer.status();
        let text = answer.text().await.with_context(unreachable)?;
        let body: Value = serde_json::from_str(&text).with_context(|| format!("read an answer of {status}"))?;
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

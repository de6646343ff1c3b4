//! A client of the API that survives the death of a coordinator.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use support::eventually_some;

use crate::PATIENCE;

/// The account of the tests: an access key id of twelve digits.
const ACCOUNT: &str = "123456789012";
const ROLE: &str = "arn:aws:iam::123456789012:role/StepFunctionsExecutionRole";
/// Longer than a coordinator lets a request take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(40);

/// Calls the coordinators of a cluster; cheap to clone.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    urls: Arc<[String]>,
    turn: Arc<AtomicUsize>,
}

/// Is what a coordinator answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, if it is JSON; else null.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Reply {
    /// Gives AWS's name of the error, without its namespace; empty if there is none.
    pub fn error(&self) -> &str {
        let kind = self.body.get("__type").and_then(Value::as_str).unwrap_or_default();
        kind.rsplit('#').next().unwrap_or_default()
    }
}

impl Api {
    /// Makes a client of the coordinators with these URLs.
    ///
    /// # Errors
    /// If the HTTP client can't be made.
    pub fn new(urls: Vec<String>) -> Result<Self> {
        // The client panics without one, though it speaks plain HTTP here; one that is there already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).build()?;
        Ok(Self { http, urls: urls.into(), turn: Arc::default() })
    }

    /// Gives the URL of a coordinator.
    ///
    /// # Panics
    /// If there is no such coordinator.
    pub fn url(&self, coordinator: usize) -> &str {
        &self.urls[coordinator]
    }

    /// Gives a client of one of the coordinators only.
    ///
    /// # Panics
    /// If there is no such coordinator.
    pub fn only(&self, coordinator: usize) -> Self {
        Self { urls: [self.urls[coordinator].clone()].into(), ..self.clone() }
    }

    /// Begins a request as an SDK makes it, to a coordinator in turn, without body.
    pub fn request(&self, operation: &str) -> reqwest::RequestBuilder {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let credential = format!("{ACCOUNT}/20260101/us-east-1/states/aws4_request");
        self.http
            .post(&self.urls[turn % self.urls.len()])
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"),
            )
    }

    /// Gives the HTTP client, for requests that no SDK makes.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Calls an operation once.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn try_call(&self, operation: &str, body: &Value) -> Result<Reply> {
        send(self.request(operation).body(body.to_string())).await
    }

    /// Calls an operation as an SDK does: repeats it, at the next coordinator, while there is no answer, or 503.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn call(&self, operation: &str, body: &Value) -> Result<Reply> {
        let answered = || async { self.try_call(operation, body).await.ok().filter(|reply| reply.status != 503) };
        eventually_some(PATIENCE, answered, &format!("a coordinator answers {operation}")).await
    }

    /// Calls an operation that must go well, and gives the answer's body.
    ///
    /// # Errors
    /// If it doesn't; the message has the answer.
    pub async fn ask(&self, operation: &str, body: &Value) -> Result<Value> {
        let reply = self.call(operation, body).await?;
        ensure!(reply.status == 200, "{operation} {body} gave {}: {}", reply.status, reply.text);
        Ok(reply.body)
    }

    /// Creates a state machine and gives its ARN.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn create(&self, name: &str, definition: &Value) -> Result<String> {
        let body = json!({ "name": name, "definition": definition.to_string(), "roleArn": ROLE });
        text(&self.ask("CreateStateMachine", &body).await?, "stateMachineArn")
    }

    /// Creates a state machine of type EXPRESS and gives its ARN.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn create_express(&self, name: &str, definition: &Value) -> Result<String> {
        let body = json!({ "name": name, "definition": definition.to_string(), "roleArn": ROLE, "type": "EXPRESS" });
        text(&self.ask("CreateStateMachine", &body).await?, "stateMachineArn")
    }

    /// Runs an execution of type EXPRESS, waits for its end, and gives what was answered.
    ///
    /// # Errors
    /// If it is refused, or does not end with that status.
    pub async fn run(&self, machine: &str, input: &Value, status: &str) -> Result<Value> {
        let body = json!({ "stateMachineArn": machine, "input": input.to_string() });
        let seen = self.ask("StartSyncExecution", &body).await?;
        ensure!(seen["status"] == status, "wanted {status}, got {seen}");
        Ok(seen)
    }

    /// Starts an execution, or finds it started by an earlier try whose answer was lost, and gives its ARN.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn start(&self, machine: &str, name: &str, input: &Value) -> Result<String> {
        let body = json!({ "stateMachineArn": machine, "name": name, "input": input.to_string() });
        let reply = self.call("StartExecution", &body).await?;
        match (reply.status, reply.error()) {
            (200, _) => text(&reply.body, "executionArn"),
            // The earlier try's execution has already ended.
            (400, "ExecutionAlreadyExists") => Ok(execution_arn(machine, name)),
            (status, _) => bail!("StartExecution {name} gave {status}: {}", reply.text),
        }
    }

    /// Describes an execution.
    ///
    /// # Errors
    /// If there is none.
    pub async fn describe(&self, execution: &str) -> Result<Value> {
        self.ask("DescribeExecution", &json!({ "executionArn": execution })).await
    }

    /// Gives an execution's status.
    ///
    /// # Errors
    /// If there is no such execution.
    pub async fn status(&self, execution: &str) -> Result<String> {
        text(&self.describe(execution).await?, "status")
    }

    /// Waits for an execution's end and gives its description.
    ///
    /// # Errors
    /// If it doesn't end with that status; the message has the description and the end of the history.
    pub async fn ended(&self, execution: &str, status: &str) -> Result<Value> {
        let over = || async {
            let seen = self.describe(execution).await;
            let running = seen.as_ref().is_ok_and(|seen| seen["status"] == "RUNNING");
            (!running).then_some(seen)
        };
        let waited = eventually_some(PATIENCE, over, &format!("{execution} has ended")).await;
        let Ok(seen) = waited else {
            bail!("{execution} doesn't end; its history ends with {}", self.last_events(execution).await?)
        };
        let seen = seen?;
        let last = if seen["status"] == status { String::new() } else { self.last_events(execution).await? };
        ensure!(seen["status"] == status, "wanted {status}, got {seen}; its history ends with {last}");
        Ok(seen)
    }

    /// Stops an execution.
    ///
    /// # Errors
    /// If there is none.
    pub async fn stop(&self, execution: &str) -> Result<Value> {
        let body = json!({ "executionArn": execution, "error": "Stopped", "cause": "by the test" });
        self.ask("StopExecution", &body).await
    }

    /// Gives an execution's whole history, page by page.
    ///
    /// # Errors
    /// If there is no such execution.
    pub async fn history(&self, execution: &str) -> Result<Vec<Value>> {
        let mut events = Vec::new();
        let mut body = json!({ "executionArn": execution, "maxResults": 1000 });
        loop {
            let mut page = self.ask("GetExecutionHistory", &body).await?;
            let found = page["events"].as_array_mut().context("a page of the history has no events")?;
            events.append(found);
            match page.get("nextToken") {
                Some(token) => body["nextToken"] = token.clone(),
                None => return Ok(events),
            }
        }
    }

    async fn last_events(&self, execution: &str) -> Result<String> {
        let body = json!({ "executionArn": execution, "maxResults": 8, "reverseOrder": true });
        Ok(self.ask("GetExecutionHistory", &body).await?["events"].to_string())
    }
}

/// Sends a request once.
///
/// # Errors
/// If there is no answer.
pub async fn send(request: reqwest::RequestBuilder) -> Result<Reply> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let text = answer.text().await?;
    Ok(Reply { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), text })
}

fn text(answer: &Value, name: &str) -> Result<String> {
    Ok(answer[name].as_str().with_context(|| format!("there is no {name} in {answer}"))?.to_owned())
}

fn execution_arn(machine: &str, name: &str) -> String {
    format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"))
}

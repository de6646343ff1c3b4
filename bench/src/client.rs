//! A client of the coordinator's API, as small as a benchmark needs it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Calls one coordinator.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    api: String,
    ops: String,
}

const ROLE: &str = "arn:aws:iam::123456789012:role/bench";
const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=123456789012/20260101/us-east-1/states/aws4_request, \
                         SignedHeaders=host, Signature=0";

impl Client {
    /// Makes a client of the API and the ops port at these addresses (`http://HOST:PORT`).
    pub(crate) fn new(api: String, ops: String) -> Self {
        // The client panics without one, though it speaks plain HTTP here; one that is there already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { http: reqwest::Client::new(), api, ops }
    }

    /// Calls an operation.
    pub(crate) async fn call(&self, operation: &str, body: &Value) -> Result<Value> {
        let request = self
            .http
            .post(&self.api)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
            .header("authorization", SIGNATURE)
            .body(body.to_string());
        let answer = request.send().await.with_context(|| format!("call {operation}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{operation}: {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Creates a state machine and gives its ARN.
    pub(crate) async fn create(&self, name: &str, definition: &Value) -> Result<String> {
        let body = json!({ "name": name, "definition": definition.to_string(), "roleArn": ROLE });
        text(&self.call("CreateStateMachine", &body).await?, "stateMachineArn")
    }

    /// Starts an execution and gives its ARN.
    pub(crate) async fn start(&self, machine: &str, input: &str) -> Result<String> {
        let body = json!({ "stateMachineArn": machine, "input": input });
        text(&self.call("StartExecution", &body).await?, "executionArn")
    }

    /// Tells how long an ended execution took, in milliseconds; nothing while it runs.
    ///
    /// # Errors
    /// When the execution ended otherwise than by success.
    pub(crate) async fn millis_taken(&self, execution: &str) -> Result<Option<f64>> {
        let seen = self.call("DescribeExecution", &json!({ "executionArn": execution })).await?;
        match text(&seen, "status")?.as_str() {
            "RUNNING" => Ok(None),
            "SUCCEEDED" => {
                let at = |name: &str| seen.get(name).and_then(Value::as_f64).context("read a date");
                Ok(Some((at("stopDate")? - at("startDate")?) * 1000.0))
            }
            other => anyhow::bail!("{execution} ended {other}: {seen}"),
        }
    }

    /// Reads the sum of all series of a metric of the coordinator; 0 where there is none.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64> {
        let page = self.http.get(format!("{}/metrics", self.ops)).send().await?.text().await?;
        Ok(sum_of(&page, name))
    }

    /// Tells whether the coordinator is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        matches!(self.http.get(format!("{}/readyz", self.ops)).send().await, Ok(answer) if answer.status().is_success())
    }
}

fn sum_of(page: &str, name: &str) -> f64 {
    let of_metric =
        |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'));
    page.lines().filter(of_metric).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn text(answer: &Value, name: &str) -> Result<String> {
    Ok(answer.get(name).and_then(Value::as_str).with_context(|| format!("find {name} in {answer}"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_of_a_metric_are_summed() {
        let page = "# HELP a_total x\na_total{k=\"1\"} 2\na_total{k=\"2\"} 3\na_total_other 9\nb 1\n";
        assert!((sum_of(page, "a_total") - 5.0).abs() < f64::EPSILON);
        assert!((sum_of(page, "b") - 1.0).abs() < f64::EPSILON);
        assert!(sum_of(page, "c").abs() < f64::EPSILON);
    }
}

//! The kind `http`.

use model::{JsonText, TaskToken};
use serde_json::Value;
use wire::message::Outcome;

use crate::bench::{Bench, OUTPUT_BYTES_MAX, ROLE, parts};
use crate::server::{Seen, Server, reply};

fn answer(seen: &Seen) -> axum::response::Response {
    match seen.uri.as_str() {
        "/echo?x=1" => reply(200, &[], seen.body.clone()),
        "/empty" => reply(204, &[], ""),
        "/later" => reply(202, &[], r#"{"job":  7}"#),
        "/html" => reply(200, &[], "<html>"),
        "/busy" => reply(503, &[], "busy"),
        "/moved" => reply(302, &[("location", "/echo")], ""),
        "/sold" => reply(409, &[], r#"{"errorType": "Sold",  "errorMessage": "none left"}"#),
        "/large" => reply(200, &[], vec![b' '; OUTPUT_BYTES_MAX + 1]),
        _ => reply(404, &[], ""),
    }
}

fn toml(url: &str) -> String {
    let handler = |name: &str, path: &str, more: &str| {
        format!("[[handler]]\nfunction = \"{name}\"\nhttp = \"{url}{path}\"\n{more}\n")
    };
    let paths = ["empty", "later", "html", "busy", "moved", "sold", "large"];
    let mut toml: String = paths.map(|path| handler(path, &format!("/{path}"), "")).concat();
    toml += &handler("echo", "/echo?x=1", "headers = { X-Key = \"k ${CARGO_PKG_NAME}\" }");
    toml += &handler("never", "/never", "timeout_seconds = 1");
    toml + "[[handler]]\nfunction = \"closed\"\nhttp = \"http://127.0.0.1:1/\"\n"
}

#[tokio::test]
async fn a_reply_is_the_output_to_the_byte() {
    let server = Server::start(answer).await;
    let mut bench = Bench::start(&toml(&server.url)).await;
    assert_eq!(bench.output("echo", r#"{"a":  1.0}"#).await, r#"{"a":  1.0}"#);
    let seen = server.last();
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("stepwell-state"), "Work");
    assert_eq!(seen.header("stepwell-function"), "echo");
    assert_eq!(seen.header("x-key"), "k worker");
    assert!(seen.header("stepwell-execution").ends_with(":Orders:o-1"));
    assert!(seen.header("traceparent").starts_with("00-"));
    assert!(!seen.header("stepwell-attempt").is_empty());
    assert_eq!(seen.header("stepwell-role-arn"), "");
    bench.role_arn = Some(ROLE.to_owned());
    bench.run("echo", "{}").await;
    assert_eq!(server.last().header("stepwell-role-arn"), ROLE);
    assert_eq!(bench.output("empty", "{}").await, "null");
}

#[tokio::test]
async fn what_goes_wrong_has_a_name() {
    let server = Server::start(answer).await;
    let mut bench = Bench::start(&toml(&server.url)).await;
    for (function, error) in [
        ("busy", "States.Http.StatusCode.503"),
        ("moved", "States.Http.StatusCode.302"),
        ("html", "Runtime.MarshalError"),
        ("large", "Function.ResponseSizeTooLarge"),
        ("closed", "States.Http.Socket"),
        ("never", "Sandbox.Timedout"),
    ] {
        let (name, cause) = bench.failure(function, "{}").await;
        assert_eq!(name, error, "{cause}");
        serde_json::from_str::<Value>(&cause).expect("the cause is JSON");
    }
    let (error, cause) = bench.failure("sold", "{}").await;
    assert_eq!((error.as_str(), cause.as_str()), ("Sold", r#"{"errorType": "Sold",  "errorMessage": "none left"}"#));
}

#[tokio::test]
async fn lambda_invoke_is_served_too() {
    let server = Server::start(answer).await;
    let mut bench = Bench::start(&toml(&server.url)).await;
    let outcome = bench.invoke(r#"{"FunctionName":"echo","Payload":{"a": 1}}"#).await;
    let Outcome::Succeeded { output } = outcome else { panic!("{outcome:?}") };
    assert!(output.as_str().contains(r#""Payload":{"a":1}"#), "{output}");
    let (error, _) = parts(bench.invoke(r#"{"FunctionName":"busy"}"#).await);
    assert_eq!(error, "States.Http.StatusCode.503");
}

#[tokio::test]
async fn a_callee_may_report_later_by_its_task_token() {
    let server = Server::start(answer).await;
    let mut bench = Bench::start(&toml(&server.url)).await;
    let attempt = bench.call("later", "{}").await;
    let (_, outcome) = bench.end().await;
    assert_eq!(outcome, Outcome::Submitted { output: JsonText::trusted(r#"{"job":  7}"#) });
    let token = TaskToken::parse(server.last().header("stepwell-task-token")).expect("is a token");
    let execution = server.last().header("stepwell-execution").to_owned();
    assert_eq!((token.execution.as_str(), token.attempt), (execution.as_str(), attempt));
    for resource in ["arn:aws:states:::lambda:invoke", "arn:aws:states:::lambda:invoke.waitForTaskToken"] {
        bench.dispatch(resource, r#"{"FunctionName":"later","Payload":{"a":1}}"#, None).await;
        let (_, outcome) = bench.end().await;
        let Outcome::Submitted { output } = outcome else { panic!("{outcome:?}") };
        assert!(output.as_str().contains(r#""Payload":{"job":7}"#), "{output}");
        assert_eq!(server.last().body, r#"{"a":1}"#);
    }
    bench.runs_ended("submitted").await;
}

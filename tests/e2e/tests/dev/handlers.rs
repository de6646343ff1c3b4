//! Handlers are read again when their file changes, and may take a task over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use e2e::{PATIENCE, lambda};
use serde_json::json;
use support::{eventually, eventually_some};

use crate::dev::Dev;

#[tokio::test]
async fn handlers_are_read_again_when_their_file_changes() -> Result<()> {
    let dev = Dev::start(10).await?;
    let api = dev.api()?;
    let task = |function: &str| {
        let resource = format!("arn:aws:lambda:us-east-1:123456789012:function:{function}");
        json!({ "StartAt": "A", "States": { "A": { "Type": "Task", "Resource": resource, "End": true } } })
    };
    let file = dev.handlers.file();
    let declared = std::fs::read_to_string(&file)?;
    std::fs::write(&file, "[[handler]]\nfunctoin = \"New\"\n")?;
    let warned = || async { dev.running.output().contains("the handlers stay as they were") };
    eventually(PATIENCE, warned, "a wrong file is warned of").await.with_context(|| dev.running.output())?;
    let echo = api.create("echo", &task("Echo")).await?;
    let arn = api.start(&echo, "one", &json!({ "a": 1 })).await?;
    api.ended(&arn, "SUCCEEDED").await?;
    std::fs::write(&file, format!("{declared}\n[[handler]]\nfunction = \"New\"\ncommand = [\"cat\"]\n"))?;
    let new = api.create("new", &task("New")).await?;
    let arn = api.start(&new, "one", &json!({ "a": 1 })).await?;
    let ended = tokio::time::timeout(Duration::from_secs(30), api.ended(&arn, "SUCCEEDED")).await?;
    ended.with_context(|| dev.running.output())?;
    Ok(())
}

type Token = Arc<Mutex<Option<String>>>;

/// Takes each task over and keeps its token.
async fn take_over(State(token): State<Token>, headers: HeaderMap) -> StatusCode {
    let given = headers.get("stepwell-task-token").and_then(|value| value.to_str().ok()).map(str::to_owned);
    *token.lock().unwrap_or_else(PoisonError::into_inner) = given;
    StatusCode::ACCEPTED
}

#[tokio::test]
async fn a_callee_takes_a_task_over_and_reports_by_its_token() -> Result<()> {
    let mut dev = Dev::start(10).await?;
    let token = Token::default();
    let router = Router::new().route("/charge", post(take_over)).with_state(Arc::clone(&token));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/charge", listener.local_addr()?);
    let serving = axum::serve(listener, router).into_future();
    let calling = async {
        let file = dev.handlers.file();
        let declared = std::fs::read_to_string(&file)?;
        std::fs::write(&file, format!("{declared}\n[[handler]]\nfunction = \"Charge\"\nhttp = \"{url}\"\n"))?;
        let api = dev.api()?;
        let task = json!({ "Type": "Task", "Resource": lambda("Charge"), "HeartbeatSeconds": 60, "End": true });
        let machine = api.create("charge", &json!({ "StartAt": "A", "States": { "A": task } })).await?;
        let arn = api.start(&machine, "one", &json!({})).await?;
        let given = || async { token.lock().unwrap_or_else(PoisonError::into_inner).clone() };
        let token = eventually_some(PATIENCE, given, "the callee is called").await?;
        dev.cut().await?;
        api.ask("SendTaskHeartbeat", &json!({ "taskToken": token })).await?;
        api.ask("SendTaskSuccess", &json!({ "taskToken": token, "output": "[ 7]" })).await?;
        let ended = api.ended(&arn, "SUCCEEDED").await?;
        ensure!(ended["output"] == "[ 7]", "{ended}");
        let late = api.call("SendTaskSuccess", &json!({ "taskToken": token, "output": "8" })).await?;
        ensure!(late.error() == "TaskTimedOut", "{}", late.text);
        Ok(())
    };
    tokio::select! { biased;
        called = calling => called,
        served = serving => Ok(served?),
    }
}

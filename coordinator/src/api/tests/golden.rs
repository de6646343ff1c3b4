//! Golden answers: each file of `golden/` is a list of calls, made one after the other, with what they answer.
//!
//! `STEPWELL_BLESS=1 cargo test -p coordinator golden` writes the answers that are found; review the difference.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::fixture::Fixture;

async fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/tests/golden").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).expect("the golden file can be read");
    let expected: Vec<Value> = serde_json::from_str(&text).expect("the golden file is a list");
    let fixture = Fixture::new();
    let mut found = Vec::new();
    for step in &expected {
        let operation = step["call"].as_str().expect("a step names its operation");
        let reply = fixture.call(operation, &resolve(&step["request"], &found)).await;
        let mut seen = step.clone();
        seen["status"] = json!(reply.status);
        seen["answer"] = reply.body;
        found.push(seen);
    }
    settle(&path, &expected, &found);
}

/// Puts in place of `{"$token": N}` the nextToken of the N-th answer, and of `{"$task": N}` its task token.
fn resolve(request: &Value, before: &[Value]) -> Value {
    let mut request = request.clone();
    if let Some(step) = request["nextToken"]["$token"].as_u64() {
        let step = usize::try_from(step).expect("is an index");
        request["nextToken"] = before[step]["answer"]["nextToken"].clone();
    }
    if let Some(step) = request["taskToken"]["$task"].as_u64() {
        let step = usize::try_from(step).expect("is an index");
        request["taskToken"] = before[step]["answer"]["taskToken"].clone();
    }
    request
}

fn settle(path: &PathBuf, expected: &[Value], found: &[Value]) {
    if expected == found {
        return;
    }
    if std::env::var_os("STEPWELL_BLESS").is_some() {
        let text = serde_json::to_string_pretty(found).expect("renders");
        std::fs::write(path, text + "\n").expect("the golden file can be written");
        return;
    }
    for (expected, found) in expected.iter().zip(found) {
        assert_eq!(found, expected, "in {}", path.display());
    }
}

#[tokio::test(start_paused = true)]
async fn golden_create_state_machine() {
    check("create_state_machine").await;
}

#[tokio::test(start_paused = true)]
async fn golden_describe_state_machine() {
    check("describe_state_machine").await;
}

#[tokio::test(start_paused = true)]
async fn golden_start_execution() {
    check("start_execution").await;
}

#[tokio::test(start_paused = true)]
async fn golden_describe_execution() {
    check("describe_execution").await;
}

#[tokio::test(start_paused = true)]
async fn golden_get_execution_history() {
    check("get_execution_history").await;
}

#[tokio::test(start_paused = true)]
async fn golden_stop_execution() {
    check("stop_execution").await;
}

#[tokio::test(start_paused = true)]
async fn golden_validate_state_machine_definition() {
    check("validate_state_machine_definition").await;
}

#[tokio::test(start_paused = true)]
async fn golden_test_state() {
    check("test_state").await;
}

#[tokio::test(start_paused = true)]
async fn golden_update_state_machine() {
    check("update_state_machine").await;
}

#[tokio::test(start_paused = true)]
async fn golden_list_state_machines() {
    check("list_state_machines").await;
}

#[tokio::test(start_paused = true)]
async fn golden_delete_state_machine() {
    check("delete_state_machine").await;
}

#[tokio::test(start_paused = true)]
async fn golden_list_executions() {
    check("list_executions").await;
}

#[tokio::test(start_paused = true)]
async fn golden_describe_state_machine_for_execution() {
    check("describe_state_machine_for_execution").await;
}

#[tokio::test(start_paused = true)]
async fn golden_tags() {
    check("tags").await;
}

#[tokio::test(start_paused = true)]
async fn golden_activities() {
    check("activities").await;
}

#[tokio::test(start_paused = true)]
async fn golden_callbacks() {
    check("callbacks").await;
}

#[tokio::test(start_paused = true)]
async fn golden_express() {
    check("express").await;
}

#[tokio::test(start_paused = true)]
async fn golden_versions() {
    check("versions").await;
}

#[tokio::test(start_paused = true)]
async fn golden_aliases() {
    check("aliases").await;
}

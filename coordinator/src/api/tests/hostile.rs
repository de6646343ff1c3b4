//! Expressions that cost more than they should, by the API: each ends the state, in time, and the coordinator goes on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fixture::{Fixture, ROLE};

/// How long one may take, in real time: JSONata stops after 5 s, and a build for tests is slow.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Tests a state, and runs an execution of it: both end, with an error where one is expected.
#[expect(clippy::disallowed_methods, reason = "what is held is time as it really passes")]
async fn check(state: &Value, input: &str, expect: Option<&str>) {
    let fixture = Fixture::new();
    let begun = Instant::now();
    let tested = fixture.call("TestState", &json!({ "definition": state.to_string(), "input": input })).await;
    assert_eq!(tested.status, 200, "{state}: {}", tested.body);
    let definition = json!({ "StartAt": "S", "States": { "S": state } }).to_string();
    let machine = fixture.create("hostile", &definition).await;
    let request = json!({ "stateMachineArn": machine, "name": "x", "input": input, "roleArn": ROLE });
    let started = fixture.call("StartExecution", &request).await;
    assert_eq!(started.status, 200, "{state}: {}", started.body);
    let ended = fixture.call("DescribeExecution", &json!({ "executionArn": started.body["executionArn"] })).await;
    assert!(begun.elapsed() < TIME_MAX, "{state} took {:?}", begun.elapsed());
    let status = if expect.is_some() { "FAILED" } else { "SUCCEEDED" };
    for (body, of) in [(&tested.body, "TestState"), (&ended.body, "the execution")] {
        let shown = &body.to_string()[..body.to_string().len().min(300)];
        assert_eq!(body["status"], status, "{state}: {of}: {shown}");
        assert_eq!(body["error"].as_str(), expect, "{state}: {of}: {shown}");
    }
}

fn jsonata(expression: &str) -> Value {
    json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Output": format!("{{% {expression} %}}"), "End": true })
}

fn parameters(template: Value) -> Value {
    json!({ "Type": "Pass", "Parameters": template, "End": true })
}

const EVALUATION: Option<&str> = Some("States.QueryEvaluationError");
const RUNTIME: Option<&str> = Some("States.Runtime");
const DATA_LIMIT: Option<&str> = Some("States.DataLimitExceeded");

#[tokio::test(start_paused = true)]
async fn hostile_jsonata_ends() {
    for expression in [
        "$pad('x', 2e9)",
        "$fromMillis(0, '[Y,999999999]')",
        "$fromMillis(0, $pad('[', 1000000, '['))",
        "$range(1, 1e9, 1)",
        "[1..10000000]",
        "($f := function($x){1 + $f($x)}; $f(1))",
        "($f := function($x){$f($x)}; $f(1))",
        "$reduce([1..60], function($a, $i){$a & $a}, 'x')",
        "$map([1..1000], function($v){[1..100000]})",
    ] {
        check(&jsonata(expression), "{}", EVALUATION).await;
    }
    // The engine of regular expressions runs in linear time.
    check(&jsonata("$contains($pad('', 5000, 'a') & '!', /^(a+)+$/)"), "{}", None).await;
    check(&jsonata("$pad('', 300000, 'x')"), "{}", DATA_LIMIT).await;
}

#[tokio::test(start_paused = true)]
async fn hostile_intrinsic_functions_end() {
    let call = |call: &str| parameters(json!({ "x.$": call }));
    let text = format!("\"{}\"", "x".repeat(200_000));
    let list = format!("[{}0]", "0,".repeat(100_000));
    check(&call("States.ArrayRange(0, 1000000000, 1)"), "{}", RUNTIME).await;
    check(&call("States.ArrayRange(-9223372036854775808, 9223372036854775807, 1)"), "{}", RUNTIME).await;
    for input in [&text, &list] {
        check(&call(&format!("States.Array({}$)", "$,".repeat(4_000))), input, RUNTIME).await;
    }
    let quotes = format!("\"{}\"", "\\\"".repeat(100_000));
    let nested = format!("{}${}", "States.JsonToString(".repeat(10), ")".repeat(10));
    check(&call(&nested), &quotes, RUNTIME).await;
    let deep = json!("[".repeat(100_000)).to_string();
    check(&call("States.StringToJson($)"), &deep, RUNTIME).await;
}

#[tokio::test(start_paused = true)]
async fn hostile_paths_and_templates_end() {
    let deep = format!("{}\"{}\"{}", "[".repeat(120), "x".repeat(200_000), "]".repeat(120));
    for path in ["$..*..*", "$..*..*..*"] {
        check(&json!({ "Type": "Pass", "InputPath": path, "End": true }), &deep, RUNTIME).await;
    }
    let text = format!("\"{}\"", "x".repeat(200_000));
    let fields = |name: fn(usize) -> String, value: &str| -> Value {
        (0..10_000).map(|field| (name(field), json!(value))).collect::<serde_json::Map<_, _>>().into()
    };
    let paths = fields(|field| format!("f{field}.$"), "$");
    check(&parameters(paths.clone()), &text, DATA_LIMIT).await;
    check(&json!({ "Type": "Pass", "Assign": paths, "End": true }), &text, DATA_LIMIT).await;
    let queries = fields(|field| format!("f{field}"), "{% $states.input %}");
    for field in ["Output", "Assign"] {
        let state = json!({ "Type": "Pass", "QueryLanguage": "JSONata", field: queries, "End": true });
        check(&state, &text, DATA_LIMIT).await;
    }
}

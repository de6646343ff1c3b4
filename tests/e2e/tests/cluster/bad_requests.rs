//! Bad input over HTTP: AWS's error, never 5xx, and the coordinator lives.

use anyhow::{Context, Result, ensure};
use e2e::{Api, Cluster, Handlers, Plan, Reply, Servers, note, task_of};
use reqwest::Method;
use serde_json::{Value, json};

const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:none";
const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:none:none";
const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn bad_requests_get_the_errors_of_aws() -> Result<()> {
    let handlers = Handlers::none()?;
    let servers = Servers::shared().await?;
    let cluster = Cluster::start(&servers, &Plan { coordinators: 1, workers: 0, handlers: handlers.file() }).await?;
    cluster.finish(refused(&cluster).await)
}

async fn refused(cluster: &Cluster) -> Result<()> {
    let api = cluster.api();
    let cases = [bodies(), arns(), definitions(), inputs(&api).await?].concat();
    for (operation, body, error, text) in &cases {
        let reply = e2e::send(api.request(operation).body(body.clone())).await;
        check(operation, body, &reply?, error, text)?;
    }
    let other = other_shapes(&api).await?;
    ensure!(cluster.coordinators[0].is_running()?, "the coordinator has ended");
    let machine = api.create("good", &json!({ "StartAt": "A", "States": { "A": { "Type": "Succeed" } } })).await?;
    let arn = api.start(&machine, "after", &json!({})).await?;
    api.ended(&arn, "SUCCEEDED").await?;
    note(&format!("{} bad requests refused, the coordinator lives", cases.len() + other));
    Ok(())
}

/// Operation, body, the error's name, and what its message says.
type Case = (&'static str, String, &'static str, &'static str);

fn bodies() -> Vec<Case> {
    let start = "StartExecution";
    vec![
        (start, "{\"stateMachineArn\": ".to_owned(), "SerializationException", ""),
        (start, String::new(), "SerializationException", ""),
        (start, "[]".to_owned(), "SerializationException", ""),
        (start, "\u{feff}{}".to_owned(), "SerializationException", ""),
        (start, "{\"stateMachineArn\": 7}".to_owned(), "SerializationException", ""),
        (start, "{}".to_owned(), "ValidationException", "stateMachineArn"),
        (start, format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)), "SerializationException", ""),
        ("NoSuchOperation", "{}".to_owned(), "UnknownOperationException", "NoSuchOperation"),
        ("GetExecutionHistory", history_of(json!({ "maxResults": 1001 })), "ValidationException", "maxResults"),
        ("GetExecutionHistory", history_of(json!({ "maxResults": "x" })), "SerializationException", ""),
        (
            "GetExecutionHistory",
            history_of(json!({ "nextToken": "x".repeat(1025) })),
            "ValidationException",
            "nextToken",
        ),
    ]
}

fn arns() -> Vec<Case> {
    let machine = |arn: &str| json!({ "stateMachineArn": arn }).to_string();
    let execution = |arn: &str| json!({ "executionArn": arn }).to_string();
    vec![
        ("StartExecution", machine("xyz"), "InvalidArn", "Invalid Arn"),
        ("DescribeStateMachine", machine("arn:aws:lambda:us-east-1:123456789012:function:f"), "InvalidArn", ""),
        ("DescribeExecution", execution(MACHINE), "InvalidArn", ""),
        ("StopExecution", execution(&"x".repeat(257)), "ValidationException", "executionArn"),
        ("DescribeStateMachine", machine(MACHINE), "StateMachineDoesNotExist", MACHINE),
        ("StartExecution", machine(MACHINE), "StateMachineDoesNotExist", MACHINE),
        ("DescribeExecution", execution(EXECUTION), "ExecutionDoesNotExist", EXECUTION),
        ("GetExecutionHistory", execution(EXECUTION), "ExecutionDoesNotExist", EXECUTION),
        ("StopExecution", execution(EXECUTION), "ExecutionDoesNotExist", EXECUTION),
    ]
}

fn definitions() -> Vec<Case> {
    let good = task_of("Echo", &json!({})).to_string();
    let create = |name: &str, definition: &str| {
        let role = "arn:aws:iam::123456789012:role/r";
        ("CreateStateMachine", json!({ "name": name, "definition": definition, "roleArn": role }).to_string())
    };
    let case = |(operation, body): (&'static str, String), error, text| (operation, body, error, text);
    let dangling = good.replace("\"End\":true", "\"Next\":\"Nowhere\"");
    vec![
        case(create(&"n".repeat(81), &good), "ValidationException", "name"),
        case(create("", &good), "ValidationException", "name"),
        case(create("white space", &good), "InvalidName", "white space"),
        case(create("n", "no { JSON"), "InvalidDefinition", ""),
        case(create("n", "{}"), "InvalidDefinition", "States"),
        case(create("n", &dangling), "InvalidDefinition", "Nowhere"),
        case(create("n", &good.replace("\"Task\"", "\"Tusk\"")), "InvalidDefinition", "Work"),
        case(create("n", &"x".repeat(3 * MIB / 2)), "ValidationException", "definition"),
    ]
}

async fn inputs(api: &Api) -> Result<Vec<Case>> {
    let machine = api.create("inputs", &task_of("Echo", &json!({}))).await?;
    let start = |members: Value| {
        let mut body = json!({ "stateMachineArn": machine });
        for (name, value) in members.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body.to_string()
    };
    let case = |members, error, text| ("StartExecution", start(members), error, text);
    Ok(vec![
        case(json!({ "name": "n".repeat(81) }), "ValidationException", "name"),
        case(json!({ "name": "a/b" }), "InvalidName", "a/b"),
        case(json!({ "input": "not { JSON" }), "InvalidExecutionInput", "Unrecognized token 'not'"),
        case(json!({ "input": "" }), "InvalidExecutionInput", ""),
        case(json!({ "input": "\"".repeat(3 * MIB / 2) }), "ValidationException", "input"),
    ])
}

/// Requests that aren't of the protocol at all; gives how many.
async fn other_shapes(api: &Api) -> Result<usize> {
    let url = api.url(0);
    let post = |target: Option<&str>| {
        let request = api.http().post(url).header("content-type", "application/x-amz-json-1.0").body("{}");
        target.into_iter().fold(request, |request, target| request.header("x-amz-target", target))
    };
    let plain = |method, path: &str| api.http().request(method, format!("{}{path}", url.trim_end_matches('/')));
    let requests = [
        ("GET /", plain(Method::GET, "/")),
        ("DELETE /", plain(Method::DELETE, "/")),
        ("POST /x", plain(Method::POST, "/x").body("{}")),
        ("POST /%00", plain(Method::POST, "/%00")),
        ("no target", post(None)),
        ("another service", post(Some("DynamoDB_20120810.GetItem"))),
        ("no operation", post(Some("AWSStepFunctions."))),
        ("no content type", api.http().post(url).header("x-amz-target", "AWSStepFunctions.StartExecution").body("{}")),
    ];
    let count = requests.len();
    for (name, request) in requests {
        check(name, "", &e2e::send(request).await?, "UnknownOperationException", "")?;
    }
    for bytes in [9 * MIB, 20 * MIB] {
        let reply = e2e::send(api.request("StartExecution").body("x".repeat(bytes))).await?;
        ensure!(reply.status == 413 && !reply.error().is_empty(), "{bytes} bytes: {} {}", reply.status, reply.text);
    }
    let invalid = api.request("StartExecution").body(b"{\"stateMachineArn\": \"\xff\"}".to_vec());
    check("invalid UTF-8", "", &e2e::send(invalid).await?, "SerializationException", "")?;
    Ok(count + 3)
}

fn history_of(members: Value) -> String {
    let mut body = json!({ "executionArn": EXECUTION });
    for (name, value) in members.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn check(what: &str, body: &str, reply: &Reply, error: &str, text: &str) -> Result<()> {
    let short: String = body.chars().take(200).collect();
    ensure!(reply.status == 400, "{what} {short} gave {}: {}", reply.status, reply.text);
    ensure!(reply.error() == error, "{what} {short} gave {} instead of {error}: {}", reply.error(), reply.text);
    let kind = reply.body["__type"].as_str().context("no __type")?;
    ensure!(kind.contains('#'), "{what}: __type has no namespace: {kind}");
    let message = reply.body["message"].as_str().or(reply.body["Message"].as_str()).unwrap_or_default();
    ensure!(!message.is_empty() && message.contains(text), "{what} {short}: {text:?} isn't in {message:?}");
    Ok(())
}

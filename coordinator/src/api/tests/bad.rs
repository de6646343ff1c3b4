//! Bad input: a table of requests and the errors that they get. None is ever a 500.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::fixture::{Fixture, MACHINE, PASS, ROLE, Reply, TASK};
use crate::api::ApiSettings;

const MAP_RUN: &str = "arn:aws:states:eu-west-1:123456789012:mapRun:S/Map:0ab";
const EXECUTION: &str = "arn:aws:states:eu-west-1:123456789012:execution:S:e";

fn expect(reply: &Reply, status: u16, error: &str, message: &str, request: &dyn std::fmt::Debug) {
    let told = reply.body["message"].as_str().or(reply.body["Message"].as_str()).unwrap_or_default();
    assert_eq!((reply.status, reply.error(), told), (status, error, message), "{request:?}");
}

pub(super) async fn check(operation: &str, cases: &[(Value, &str, String)]) {
    let fixture = Fixture::new();
    fixture.create("S", TASK).await;
    for (request, error, message) in cases {
        let reply = fixture.call(operation, request).await;
        expect(&reply, 400, error, message, request);
    }
}

pub(super) fn broken(text: &str) -> String {
    format!("1 validation error detected: {text}")
}

pub(super) fn null(field: &str) -> String {
    broken(&format!("Value null at '{field}' failed to satisfy constraint: Member must not be null"))
}

#[tokio::test(start_paused = true)]
async fn create_state_machine() {
    let with = |name: &str, value: Value| {
        let mut request = json!({ "name": "T", "definition": PASS, "roleArn": ROLE });
        request[name] = value;
        request
    };
    let long = "n".repeat(81);
    let missing = "Value null at '{}' failed to satisfy constraint: Member must not be null";
    let all = ["name", "definition", "roleArn"].map(|field| missing.replace("{}", field)).join("; ");
    check(
        "CreateStateMachine",
        &[
            (json!({}), "ValidationException", format!("3 validation errors detected: {all}")),
            (with("name", Value::Null), "ValidationException", null("name")),
            (
                with("name", json!("")),
                "ValidationException",
                broken("Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1"),
            ),
            (
                with("name", json!(long)),
                "ValidationException",
                broken(&format!(
                    "Value '{long}' at 'name' failed to satisfy constraint: Member must have length less than or equal to 80"
                )),
            ),
            (with("name", json!(5)), "SerializationException", "NUMBER_VALUE can not be converted to a String".to_owned()),
            (with("name", json!("a b")), "InvalidName", "Invalid Name: 'a b'".to_owned()),
            (
                with("definition", json!({})),
                "SerializationException",
                "Start of structure or map found where not expected.".to_owned(),
            ),
            (
                with("definition", json!("x".repeat(1024 * 1024 + 1))),
                "ValidationException",
                broken("Value at 'definition' failed to satisfy constraint: Member must have length less than or equal to 1048576"),
            ),
            (
                with("definition", json!("{\"StartAt\":\"S\"}")),
                "InvalidDefinition",
                "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /'".to_owned(),
            ),
            (with("roleArn", json!("nobody")), "InvalidArn", "Invalid Role Arn: 'nobody'".to_owned()),
            (
                with("type", json!("FAST")),
                "ValidationException",
                broken("Value 'FAST' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [STANDARD, EXPRESS]"),
            ),
            (
                with("versionDescription", json!("v")),
                "ValidationException",
                "Version description can only be set when publish is true".to_owned(),
            ),
            (
                with("loggingConfiguration", json!({ "level": "ALL" })),
                "InvalidLoggingConfiguration",
                "Invalid Logging Configuration: Must specify exactly one Log Destination.".to_owned(),
            ),
            (
                with("loggingConfiguration", json!({ "level": "ALL", "destinations": [{ "cloudWatchLogsLogGroup": { "logGroupArn": "arn:aws:s3:::b" } }] })),
                "InvalidLoggingConfiguration",
                "Invalid Logging Configuration: Log Destination not found.".to_owned(),
            ),
            (with("loggingConfiguration", json!("x")), "SerializationException", "Expected null".to_owned()),
            (with("tags", json!({})), "SerializationException", "Start of structure or map found where not expected.".to_owned()),
            (
                with("tags", json!([{ "key": "", "value": "v" }])),
                "ValidationException",
                broken(
                    "Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1",
                ),
            ),
            (
                with("tags", json!([{ "key": "größe 1_.:/=+-@", "value": "" }, { "value": "a<b" }, { "key": "AWS:x" }])),
                "ValidationException",
                "3 validation errors detected: Value null at 'tags.2.member.key' failed to satisfy constraint: Member must not be null; \
                 Value 'a<b' at 'tags.2.member.value' failed to satisfy constraint: Member must only contain Unicode letters, digits, \
                 white space, or these symbols: _ . : / = + - @; \
                 Value 'AWS:x' at 'tags.3.member.key' failed to satisfy constraint: Member must not begin with aws:".to_owned(),
            ),
            (
                with("encryptionConfiguration", json!({ "type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k" })),
                "InvalidEncryptionConfiguration",
                "Invalid Encryption Configuration: customer managed keys are not supported by this version of Stepwell".to_owned(),
            ),
            (with("tracingConfiguration", json!({ "enabled": "yes" })), "SerializationException",
             "STRING_VALUE can not be converted to a Boolean".to_owned()),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn update_state_machine() {
    let missing = format!("{MACHINE}:missing");
    let with = |arn: &str, name: &str, value: Value| {
        let mut request = json!({ "stateMachineArn": arn });
        request[name] = value;
        request
    };
    let there = format!("{MACHINE}:S");
    let gone = format!("State Machine Does Not Exist: '{missing}'");
    check(
        "UpdateStateMachine",
        &[
            (
                json!({ "definition": "" }),
                "ValidationException",
                "2 validation errors detected: Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null; \
                 Value at 'definition' failed to satisfy constraint: Member must have length greater than or equal to 1".to_owned(),
            ),
            (with("xyz", "definition", json!("{")), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: xyz'".to_owned()),
            (with(&missing, "roleArn", json!("nobody")), "InvalidArn", "Invalid Role Arn: 'nobody'".to_owned()),
            (with(&missing, "definition", json!("{")), "StateMachineDoesNotExist", gone.clone()),
            (with(&missing, "roleArn", json!(ROLE)), "StateMachineDoesNotExist", gone),
            (
                with(&there, "definition", json!("{\"StartAt\":\"S\"}")),
                "InvalidDefinition",
                "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /'".to_owned(),
            ),
            (
                with(&there, "publish", json!(true)),
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified".to_owned(),
            ),
            (
                with(&there, "versionDescription", json!("v")),
                "ValidationException",
                "Version description can only be set when publish is true".to_owned(),
            ),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn start_execution() {
    let machine = format!("{MACHINE}:S");
    let missing = format!("{MACHINE}:missing");
    let version = format!("{MACHINE}:S:1");
    let with = |name: &str, value: Value| {
        let mut request = json!({ "stateMachineArn": machine });
        request[name] = value;
        request
    };
    let invalid = |text: &str| format!("Invalid State Machine Execution Input: '{text}'");
    check(
        "StartExecution",
        &[
            (json!({ "name": "n" }), "ValidationException", null("stateMachineArn")),
            (json!({ "stateMachineArn": "xyz" }), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: xyz'".to_owned()),
            (
                json!({ "stateMachineArn": EXECUTION }),
                "InvalidArn",
                "Invalid Arn: 'Resource type not valid in this context: execution'".to_owned(),
            ),
            (
                json!({ "stateMachineArn": missing, "name": "a b", "input": "{" }),
                "StateMachineDoesNotExist",
                format!("State Machine Does Not Exist: '{missing}'"),
            ),
            (
                json!({ "stateMachineArn": version }),
                "StateMachineDoesNotExist",
                format!("State Machine Does Not Exist: '{version}'"),
            ),
            (with("name", json!("a/b")), "InvalidName", "Invalid Name: 'a/b'".to_owned()),
            (with("input", json!("")), "InvalidExecutionInput", "Invalid execution input.".to_owned()),
            (
                with("input", json!("not json")),
                "InvalidExecutionInput",
                invalid("Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"),
            ),
            (
                with("input", json!("{\"a\":1,}")),
                "InvalidExecutionInput",
                invalid("Unexpected character ('}' (code 125)): was expecting double-quote to start field name"),
            ),
            (
                with("input", json!(format!("{}{}", "[".repeat(1_001), "]".repeat(1_001)))),
                "InvalidExecutionInput",
                invalid("Document nesting depth (128) exceeds the maximum allowed (127, from `StreamReadConstraints.getMaxNestingDepth()`)"),
            ),
            (with("input", json!({})), "SerializationException", "Start of structure or map found where not expected.".to_owned()),
            (
                with("input", json!(format!("\"{}\"", "a".repeat(262_144)))),
                "ValidationException",
                broken("Value at 'input' failed to satisfy constraint: Member must have size less than or equal to 262144 bytes in UTF-8 encoding"),
            ),
            (
                with("traceHeader", json!("é")),
                "ValidationException",
                broken(r"Value 'é' at 'traceHeader' failed to satisfy constraint: Member must satisfy regular expression pattern: \p{ASCII}*"),
            ),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_other_operations() {
    let gone = |arn: &str| format!("Execution Does Not Exist: '{arn}'");
    let wrong = "Invalid Arn: 'Resource type not valid in this context: stateMachine'".to_owned();
    let machine = json!({ "executionArn": format!("{MACHINE}:S") });
    for operation in ["DescribeExecution", "GetExecutionHistory", "StopExecution"] {
        check(
            operation,
            &[
                (json!({}), "ValidationException", null("executionArn")),
                (
                    json!({ "executionArn": 1 }),
                    "SerializationException",
                    "NUMBER_VALUE can not be converted to a String".to_owned(),
                ),
                (json!({ "executionArn": "xyz" }), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: xyz'".to_owned()),
                (machine.clone(), "InvalidArn", wrong.clone()),
                (json!({ "executionArn": EXECUTION }), "ExecutionDoesNotExist", gone(EXECUTION)),
            ],
        )
        .await;
    }
    let history = |name: &str, value: Value| {
        let mut request = json!({ "executionArn": EXECUTION });
        request[name] = value;
        request
    };
    check(
        "GetExecutionHistory",
        &[
            (
                history("maxResults", json!(1001)),
                "ValidationException",
                broken("Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"),
            ),
            (
                history("maxResults", json!(-1)),
                "ValidationException",
                broken("Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0"),
            ),
            (history("maxResults", json!("1")), "SerializationException", "STRING_VALUE can not be converted to an Integer".to_owned()),
        ],
    )
    .await;
    let included = json!({ "stateMachineArn": format!("{MACHINE}:S"), "includedData": "SOME" });
    let allowed = "Value 'SOME' at 'includedData' failed to satisfy constraint: Member must satisfy enum value set: [ALL_DATA, METADATA_ONLY]";
    check(
        "DescribeStateMachine",
        &[
            (json!({}), "ValidationException", null("stateMachineArn")),
            (included, "ValidationException", broken(allowed)),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn tokens_of_other_lists() {
    let fixture = Fixture::new();
    let machine = fixture.create("S", PASS).await;
    let mut executions = Vec::new();
    for name in ["a", "b"] {
        let request = json!({ "stateMachineArn": machine, "name": name });
        let reply = fixture.call("StartExecution", &request).await;
        executions.push(reply.body["executionArn"].clone());
    }
    let page = fixture.call("GetExecutionHistory", &json!({ "executionArn": executions[0], "maxResults": 1 })).await;
    let token = page.body["nextToken"].clone();
    for request in [
        json!({ "executionArn": executions[1], "nextToken": token }),
        json!({ "executionArn": executions[0], "nextToken": token, "reverseOrder": true }),
        json!({ "executionArn": executions[0], "nextToken": "AAAA" }),
    ] {
        let reply = fixture.call("GetExecutionHistory", &request).await;
        expect(&reply, 400, "InvalidToken", "Invalid Token: 'Invalid token'", &request);
    }
    let reply =
        fixture.call("GetExecutionHistory", &json!({ "executionArn": executions[0], "nextToken": token })).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_not_json_objects() {
    let fixture = Fixture::new();
    for body in [&b""[..], b"{", b"null", b"[]", b"\"x\"", b"{\"name\":\"a\",}", b"\xff\xfe", b"{\"a\":\"\\ud800\"}"] {
        let reply = fixture.post("StartExecution", body.to_vec()).await;
        assert_eq!((reply.status, reply.error()), (400, "SerializationException"), "{body:?}");
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let reply = fixture.post("StartExecution", deep).await;
    assert_eq!((reply.status, reply.error()), (400, "SerializationException"));
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_too_large() {
    let fixture = Fixture::with(ApiSettings { body_bytes_max: 1_000, ..ApiSettings::default() });
    let message = "The body is larger than 1000 bytes (api.body_bytes)";
    for size in [1_001, 3_999, 100_000] {
        let reply = fixture.post("CreateStateMachine", "x".repeat(size)).await;
        expect(&reply, 413, "RequestEntityTooLargeException", message, &size);
    }
}

#[tokio::test(start_paused = true)]
async fn lists_that_are_too_long() {
    let fixture = Fixture::new();
    let elements = vec![json!({}); 20_000];
    let keys: Vec<Value> = (0..20_000).map(|key| json!({ "key": key.to_string(), "value": "v" })).collect();
    let machine = format!("{MACHINE}:S");
    for (operation, request, error) in [
        ("CreateStateMachineAlias", json!({ "name": "A", "routingConfiguration": elements }), "ValidationException"),
        ("UntagResource", json!({ "resourceArn": machine, "tagKeys": vec![""; 20_000] }), "ValidationException"),
        ("CreateActivity", json!({ "name": "A", "tags": keys }), "TooManyTags"),
        ("CreateActivity", json!({ "name": "A", "tags": vec![json!({ "key": "" }); 20_000] }), "ValidationException"),
    ] {
        let reply = fixture.call(operation, &request).await;
        let length = reply.body.to_string().len();
        assert!((reply.status, reply.error()) == (400, error) && length < 32 * 1024, "{operation}: {length} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn operations_that_are_not_answered() {
    let fixture = Fixture::new();
    let not_yet = "The operation UpdateMapRun is known, but this version of Stepwell does not answer it yet";
    let reply = fixture.call("UpdateMapRun", &json!({})).await;
    expect(&reply, 400, "UnknownOperationException", not_yet, &"UpdateMapRun");
    let reply = fixture.call("DropTables", &json!({})).await;
    expect(
        &reply,
        400,
        "UnknownOperationException",
        "There is no operation AWSStepFunctions.DropTables",
        &"DropTables",
    );
    let json_type = Some("application/x-amz-json-1.0");
    let target = Some("AWSStepFunctions.StartExecution");
    for (method, path, content_type, target) in [
        (Method::GET, "/", json_type, target),
        (Method::POST, "/x", json_type, target),
        (Method::POST, "/", Some("text/plain"), target),
        (Method::POST, "/", None, target),
        (Method::POST, "/", json_type, None),
    ] {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in [("content-type", content_type), ("x-amz-target", target)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let reply = fixture.send(request.body(Body::from("{}")).expect("is a request")).await;
        assert_eq!((reply.status, reply.error()), (400, "UnknownOperationException"), "{}", reply.body);
    }
}

#[tokio::test(start_paused = true)]
async fn rubbish_is_never_a_defect() {
    let fixture = Fixture::new();
    fixture.create("S", TASK).await;
    fixture.call("CreateActivity", &json!({ "name": "dig" })).await;
    let long = "x".repeat(5_000);
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let values = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(""),
        json!("x"),
        json!("é\u{0}\n\u{1f600}"),
        json!(long),
        json!([]),
        json!([null]),
        json!(["x", 1]),
        json!([{}]),
        json!({}),
        json!({ "level": 1, "enabled": "x", "type": [] }),
        json!(format!("{MACHINE}:S")),
        json!(format!("{MACHINE}:S:1")),
        json!(format!("{MACHINE}:")),
        json!("arn:aws:states:eu-west-1:123456789012:activity:dig"),
        json!("arn:aws:states:eu-west-1:123456789012:activity:none"),
        json!("arn:aws:states:eu-west-1:123456789012:activity:a:b"),
        json!("arn:aws:states:::::::"),
        json!(EXECUTION),
        json!("AQAAAA"),
        json!(deep),
    ];
    let operations: &[(&str, &[&str])] = &[
        ("CreateActivity", &["name", "tags", "encryptionConfiguration"]),
        ("DeleteActivity", &["activityArn"]),
        ("DeleteStateMachine", &["stateMachineArn"]),
        ("DescribeActivity", &["activityArn"]),
        ("DescribeStateMachineForExecution", &["executionArn", "includedData"]),
        ("GetActivityTask", &["activityArn", "workerName"]),
        ("ListActivities", &["maxResults", "nextToken"]),
        (
            "ListExecutions",
            &["stateMachineArn", "statusFilter", "maxResults", "nextToken", "mapRunArn", "redriveFilter"],
        ),
        ("DescribeMapRun", &["mapRunArn"]),
        ("ListMapRuns", &["executionArn", "maxResults", "nextToken"]),
        ("ListStateMachines", &["maxResults", "nextToken"]),
        ("ListTagsForResource", &["resourceArn"]),
        ("CreateStateMachineAlias", &["name", "description", "routingConfiguration"]),
        ("DeleteStateMachineAlias", &["stateMachineAliasArn"]),
        ("DeleteStateMachineVersion", &["stateMachineVersionArn"]),
        ("DescribeStateMachineAlias", &["stateMachineAliasArn"]),
        ("ListStateMachineAliases", &["stateMachineArn", "maxResults", "nextToken"]),
        ("ListStateMachineVersions", &["stateMachineArn", "maxResults", "nextToken"]),
        ("PublishStateMachineVersion", &["stateMachineArn", "revisionId", "description"]),
        ("UpdateStateMachineAlias", &["stateMachineAliasArn", "description", "routingConfiguration"]),
        ("StartSyncExecution", &["stateMachineArn", "name", "input", "traceHeader", "includedData"]),
        ("SendTaskFailure", &["taskToken", "error", "cause"]),
        ("SendTaskHeartbeat", &["taskToken"]),
        ("SendTaskSuccess", &["taskToken", "output"]),
        ("TagResource", &["resourceArn", "tags"]),
        ("UntagResource", &["resourceArn", "tagKeys"]),
        (
            "UpdateStateMachine",
            &["stateMachineArn", "definition", "roleArn", "loggingConfiguration", "tracingConfiguration", "publish"],
        ),
    ];
    for (operation, members) in operations {
        for value in &values {
            for member in *members {
                let mut request = json!({});
                request[*member] = value.clone();
                let reply = fixture.call(operation, &request).await;
                assert!(matches!(reply.status, 200 | 400), "{operation} {request}: {} {}", reply.status, reply.body);
            }
            let request: serde_json::Map<String, Value> =
                members.iter().map(|member| ((*member).to_owned(), value.clone())).collect();
            let reply = fixture.call(operation, &Value::Object(request)).await;
            assert!(matches!(reply.status, 200 | 400), "{operation} {value}: {} {}", reply.status, reply.body);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn start_sync_execution() {
    let missing = format!("{MACHINE}:missing");
    check(
        "StartSyncExecution",
        &[
            (json!({}), "ValidationException", null("stateMachineArn")),
            (json!({ "stateMachineArn": "xyz" }), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: xyz'".to_owned()),
            (
                json!({ "stateMachineArn": missing }),
                "StateMachineDoesNotExist",
                format!("State Machine Does Not Exist: '{missing}'"),
            ),
            (
                json!({ "stateMachineArn": format!("{MACHINE}:S"), "name": "a b", "input": "{" }),
                "StateMachineTypeNotSupported",
                "This operation is not supported by this type of state machine".to_owned(),
            ),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_everyday_operations() {
    let activity = "arn:aws:states:eu-west-1:123456789012:activity:none";
    for (operation, member) in [
        ("DeleteActivity", "activityArn"),
        ("DescribeActivity", "activityArn"),
        ("GetActivityTask", "activityArn"),
        ("DeleteStateMachine", "stateMachineArn"),
        ("UpdateStateMachine", "stateMachineArn"),
        ("DescribeStateMachineForExecution", "executionArn"),
        ("ListTagsForResource", "resourceArn"),
        ("SendTaskHeartbeat", "taskToken"),
        ("SendTaskFailure", "taskToken"),
        ("CreateActivity", "name"),
        ("DeleteStateMachineAlias", "stateMachineAliasArn"),
        ("DeleteStateMachineVersion", "stateMachineVersionArn"),
        ("DescribeStateMachineAlias", "stateMachineAliasArn"),
        ("ListStateMachineAliases", "stateMachineArn"),
        ("ListStateMachineVersions", "stateMachineArn"),
        ("PublishStateMachineVersion", "stateMachineArn"),
        ("UpdateStateMachineAlias", "stateMachineAliasArn"),
    ] {
        check(operation, &[(json!({}), "ValidationException", null(member))]).await;
    }
    let gone = format!("Activity Does Not Exist: '{activity}'");
    for operation in ["DescribeActivity", "GetActivityTask"] {
        let request = json!({ "activityArn": activity });
        check(operation, &[(request, "ActivityDoesNotExist", gone.clone())]).await;
    }
    for operation in ["ListStateMachines", "ListActivities"] {
        let long = "x".repeat(1_025);
        let too_long = format!(
            "Value '{long}' at 'nextToken' failed to satisfy constraint: Member must have length less than or equal to 1024"
        );
        check(
            operation,
            &[
                (
                    json!({ "maxResults": 1001 }),
                    "ValidationException",
                    broken("Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"),
                ),
                (json!({ "nextToken": long }), "ValidationException", broken(&too_long)),
                (json!({ "nextToken": "x" }), "InvalidToken", "Invalid Token: 'Invalid token'".to_owned()),
            ],
        )
        .await;
    }
    let statuses = "Value 'OPEN' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]";
    check(
        "ListExecutions",
        &[
            (json!({ "stateMachineArn": "x", "statusFilter": "OPEN" }), "ValidationException", broken(statuses)),
            (json!({}), "ValidationException", "Must provide a State Machine ARN or Map Run ARN".to_owned()),
            (json!({ "stateMachineArn": "xyz" }), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: xyz'".to_owned()),
            (json!({ "mapRunArn": "x" }), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: x'".to_owned()),
            (json!({ "mapRunArn": MAP_RUN }), "ResourceNotFound", format!("Resource not found: '{MAP_RUN}'")),
            (
                json!({ "stateMachineArn": format!("{MACHINE}:S"), "statusFilter": "PENDING_REDRIVE" }),
                "ValidationException",
                "Must provide a Map Run ARN with the status filter PENDING_REDRIVE".to_owned(),
            ),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn aliases() {
    let version = |number: u32| format!("{MACHINE}:S:{number}");
    let routed = |routes: &[(String, i64)]| {
        let route = |(arn, weight): &(String, i64)| json!({ "stateMachineVersionArn": arn, "weight": weight });
        json!({ "name": "A", "routingConfiguration": routes.iter().map(route).collect::<Vec<_>>() })
    };
    let named = |name: &str| json!({ "name": name, "routingConfiguration": [{ "stateMachineVersionArn": version(1), "weight": 100 }] });
    let pattern = |name: &str| {
        broken(&format!(
            "Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$"
        ))
    };
    let three = [version(1), version(2), version(3)]
        .map(|arn| format!("RoutingConfigurationListItem(stateMachineVersionArn={arn}, weight=30)"));
    let (one, two) = (version(1), version(2));
    let other = format!("{MACHINE}:T:1");
    let validation = "ValidationException";
    check(
        "CreateStateMachineAlias",
        &[
            (named("123"), validation, pattern("123")),
            (named("a b"), validation, pattern("a b")),
            (
                routed(&[]),
                validation,
                broken("Value '[]' at 'routingConfiguration' failed to satisfy constraint: Member must have length greater than or equal to 1"),
            ),
            (
                routed(&[(version(1), 30), (version(2), 30), (version(3), 30)]),
                validation,
                broken(&format!("Value '[{}]' at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2", three.join(", "))),
            ),
            (
                routed(&[(one.clone(), 50), (one.clone(), 50)]),
                validation,
                format!("Routing configuration must contain distinct state machine version ARNs. Received: [{one}, {one}]"),
            ),
            (
                routed(&[(format!("{MACHINE}:S"), 70), (two.clone(), 30)]),
                validation,
                format!("Routing configuration must contain state machine version ARNs. Received: [{MACHINE}:S, {two}]"),
            ),
            (
                routed(&[(one.clone(), 70), (other.clone(), 30)]),
                validation,
                format!("Routing configuration must contain versions of one state machine. Received: [{one}, {other}]"),
            ),
            (
                routed(&[(one.clone(), 101)]),
                validation,
                broken("Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal to 100"),
            ),
            (
                routed(&[(one.clone(), 70), (two.clone(), 29)]),
                validation,
                "Sum of routing configuration weights must equal 100. Received: [70, 29]".to_owned(),
            ),
            (routed(&[("xyz".to_owned(), 100)]), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: xyz'".to_owned()),
            (named("A"), "ResourceNotFound", format!("Resource not found: '{one}'")),
            (routed(&[(other.clone(), 100)]), "ResourceNotFound", format!("Resource not found: '{MACHINE}:T'")),
        ],
    )
    .await;
    let alias = format!("{MACHINE}:S:A");
    for operation in ["DescribeStateMachineAlias", "DeleteStateMachineAlias"] {
        for arn in [&alias, &one, &format!("{MACHINE}:T:A"), &format!("{MACHINE}:S")] {
            let expect = format!("Resource not found: '{arn}'");
            check(operation, &[(json!({ "stateMachineAliasArn": arn }), "ResourceNotFound", expect)]).await;
        }
    }
    let nothing = "Either the description or the routingConfiguration must be specified".to_owned();
    let elsewhere = json!([{ "stateMachineVersionArn": other, "weight": 100 }]);
    check(
        "UpdateStateMachineAlias",
        &[
            (json!({ "stateMachineAliasArn": alias }), validation, nothing),
            (
                json!({ "stateMachineAliasArn": alias, "description": "d" }),
                "ResourceNotFound",
                format!("Resource not found: '{alias}'"),
            ),
            (
                json!({ "stateMachineAliasArn": alias, "routingConfiguration": elsewhere }),
                validation,
                format!("Routing configuration must contain versions of {MACHINE}:S. Received: {MACHINE}:T"),
            ),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn versions() {
    let gone = |arn: &str| format!("State Machine Does Not Exist: '{arn}'");
    let missing = "StateMachineDoesNotExist";
    let (version, alias) = (format!("{MACHINE}:S:1"), format!("{MACHINE}:S:A"));
    for operation in
        ["PublishStateMachineVersion", "ListStateMachineVersions", "StartExecution", "DescribeStateMachine"]
    {
        for arn in [&version, &alias, &format!("{MACHINE}:none"), &format!("{MACHINE}:none:1")] {
            check(operation, &[(json!({ "stateMachineArn": arn }), missing, gone(arn))]).await;
        }
    }
    check(
        "PublishStateMachineVersion",
        &[
            (json!({ "stateMachineArn": "invalid_arn" }), "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: invalid_arn'".to_owned()),
            (
                json!({ "stateMachineArn": format!("{MACHINE}:S"), "revisionId": "other" }),
                "ConflictException",
                "Failed to publish the State Machine version for revision other. The current State Machine revision is INITIAL."
                    .to_owned(),
            ),
        ],
    )
    .await;
    let request = json!({ "stateMachineVersionArn": alias });
    check(
        "DeleteStateMachineVersion",
        &[(request, "InvalidArn", format!("Invalid Arn: 'Invalid ARN format: {alias}'"))],
    )
    .await;
}

//! The kind `lambda`, and what becomes of functions that nothing is declared for.

use serde_json::{Value, json};
use wire::message::Outcome;
use worker::Aws;

use crate::bench::{Bench, parts};
use crate::server::{Seen, Server, reply};

const ID: (&str, &str) = ("x-amzn-requestid", "r-1");

fn answer(seen: &Seen) -> axum::response::Response {
    let path = seen.uri.split('?').next().unwrap_or_default();
    let name = path.split('/').nth(3).unwrap_or_default().rsplit("%3A").next().unwrap_or_default();
    let version = ("x-amz-executed-version", "3");
    match name {
        "echo" if seen.header("x-amz-invocation-type") == "Event" => reply(202, &[ID], ""),
        "echo" => reply(200, &[ID, version, ("x-amz-log-result", "bG9n")], seen.body.clone()),
        "text" => reply(200, &[ID], "aaa"),
        "failing" => {
            let object = r#"{"errorMessage": "no", "errorType": "Broken"}"#;
            reply(200, &[ID, ("x-amz-function-error", "Unhandled")], object)
        }
        "function" => reply(200, &[], r#"{"errorMessage": "no", "errorType": "Emulated"}"#),
        "busy" => {
            reply(429, &[ID, ("x-amzn-errortype", "TooManyRequestsException")], r#"{"message":"Rate Exceeded."}"#)
        }
        _ => {
            let body = json!({ "Type": "User", "Message": format!("Function not found: {name}:$LATEST") });
            reply(404, &[ID, ("x-amzn-errortype", "ResourceNotFoundException")], body.to_string())
        }
    }
}

async fn bench(server: &Server, toml: &str) -> Bench {
    let aws = Aws::at(&server.url).expect("is a URL").credentials("000000000000", "secret");
    Bench::start_with(toml, Some(aws)).await
}

#[tokio::test]
async fn functions_without_a_handler_are_called_at_lambda() {
    let server = Server::start(answer).await;
    let mut bench = bench(&server, "").await;
    assert_eq!(bench.output("echo", r#"{"a":  1.0}"#).await, r#"{"a":  1.0}"#);
    let seen = server.last();
    let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aecho/invocations";
    assert_eq!(seen.uri, path);
    assert!(seen.header("authorization").contains("Credential=123456789012/"), "the account is the execution's");
    assert!(seen.header("authorization").contains("/us-east-1/lambda/aws4_request"));
    assert_eq!(seen.header("x-amz-invocation-type"), "RequestResponse");
    assert!(seen.header("x-amzn-trace-id").starts_with("Root=1-"));
    assert_eq!(bench.output("text", "{}").await, r#""aaa""#);
}

#[tokio::test]
async fn failures_are_recorded_as_aws_does() {
    let server = Server::start(answer).await;
    let mut bench = bench(&server, "").await;
    let failure = bench.failure("failing", "{}").await;
    assert_eq!(failure, ("Broken".to_owned(), r#"{"errorMessage": "no", "errorType": "Broken"}"#.to_owned()));
    let (error, cause) = parts(bench.invoke(r#"{"FunctionName":"failing"}"#).await);
    assert_eq!((error.as_str(), cause.as_str()), ("Broken", r#"{"errorMessage":"no","errorType":"Broken"}"#));
    let (error, cause) = bench.failure("none", "{}").await;
    assert_eq!(error, "Lambda.ResourceNotFoundException");
    let tail =
        "(Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: r-1; Proxy: null)";
    assert_eq!(cause, format!("Function not found: none:$LATEST {tail}"));
    assert_eq!(bench.failure("busy", "{}").await.0, "Lambda.TooManyRequestsException");
}

#[tokio::test]
async fn the_parameters_of_invoke_are_passed_on() {
    let server = Server::start(answer).await;
    let mut bench = bench(&server, "").await;
    let outcome = bench
        .invoke(
            r#"{"FunctionName":"echo","Qualifier":"live","LogType":"Tail","ClientContext":"e30=","Payload":{"a": 1}}"#,
        )
        .await;
    let Outcome::Succeeded { output } = outcome else { panic!("{outcome:?}") };
    let output: Value = serde_json::from_str(output.as_str()).expect("is JSON");
    assert_eq!(output["Payload"], json!({ "a": 1 }));
    assert_eq!((&output["ExecutedVersion"], &output["LogResult"]), (&json!("3"), &json!("bG9n")));
    assert_eq!(output["SdkResponseMetadata"]["RequestId"], "r-1");
    assert_eq!(output["SdkHttpMetadata"]["HttpHeaders"]["x-amzn-RequestId"], "r-1");
    let seen = server.last();
    assert_eq!(seen.uri, "/2015-03-31/functions/echo/invocations?Qualifier=live");
    assert_eq!((seen.header("x-amz-log-type"), seen.header("x-amz-client-context")), ("Tail", "e30="));
    let outcome = bench.invoke(r#"{"FunctionName":"echo","InvocationType":"Event"}"#).await;
    let Outcome::Succeeded { output } = outcome else { panic!("{outcome:?}") };
    assert!(output.as_str().ends_with(r#""StatusCode":202}"#), "{output}");
}

#[tokio::test]
async fn declared_handlers_come_first_and_may_name_another_function() {
    let server = Server::start(answer).await;
    let toml = format!(
        "[[handler]]\nfunction = \"Here\"\ncommand = [\"echo\", \"1\"]\n[[handler]]\nfunction = \"There\"\nlambda = \"echo:2\"\n\
         [[handler]]\nfunction = \"Emulated\"\nlambda = \"{}\"\n",
        server.url
    );
    let mut bench = bench(&server, &toml).await;
    assert_eq!(bench.output("Here", "{}").await, "1");
    bench.run("There", "{}").await;
    assert_eq!(server.last().uri, "/2015-03-31/functions/echo%3A2/invocations");
    assert_eq!(bench.failure("Emulated", "{}").await.0, "Emulated");
    let seen = server.last();
    assert_eq!((seen.uri.as_str(), seen.header("authorization")), ("/2015-03-31/functions/function/invocations", ""));
}

#[tokio::test]
async fn a_lambda_that_cannot_be_reached_is_a_client_failure() {
    let aws = Aws::at("http://127.0.0.1:1").expect("is a URL");
    let mut bench = Bench::start_with("", Some(aws)).await;
    let (error, cause) = bench.failure("echo", "{}").await;
    assert_eq!(error, "Lambda.SdkClientException");
    assert!(cause.starts_with("Unable to execute HTTP request: "), "{cause}");
}

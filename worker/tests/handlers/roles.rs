//! Functions called as the role that a task's Credentials name.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::response::Response;
use model::{JsonText, Timestamp};
use runtime::Runtime;
use wire::message::Outcome;
use worker::Aws;

use crate::bench::{Bench, ROLE};
use crate::server::{Seen, Server, reply};

const LASTS_SECONDS: i64 = 3_600;

/// Is Lambda, and STS with sessions that last so long.
fn answer(seen: &Seen, lasts_seconds: i64) -> Response {
    if seen.uri == "/" { session(lasts_seconds) } else { reply(200, &[], seen.body.clone()) }
}

fn session(lasts_seconds: i64) -> Response {
    let end = Runtime::system().now().plus_millis(lasts_seconds * 1_000);
    let members = format!(
        "<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token</SessionToken>\
         <Expiration>{}</Expiration>",
        Timestamp::iso_8601(end)
    );
    let body = format!("<R><AssumeRoleResult><Credentials>{members}</Credentials></AssumeRoleResult></R>");
    reply(200, &[("content-type", "text/xml")], body)
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let body = format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>");
    reply(status, &[], body)
}

async fn bench(server: &Server) -> Bench {
    let aws = Aws::at(&server.url).expect("is a URL").credentials("000000000000", "secret");
    let mut bench = Bench::start_with("", Some(aws)).await;
    bench.role_arn = Some(ROLE.to_owned());
    bench
}

/// Gives what STS was asked.
fn asked(server: &Server) -> Vec<Seen> {
    server.seen().into_iter().filter(|seen| seen.uri == "/").collect()
}

#[tokio::test]
async fn a_function_is_called_as_the_role() {
    let server = Server::start(|seen| answer(seen, LASTS_SECONDS)).await;
    let mut bench = bench(&server).await;
    let outcome = bench.invoke(r#"{"FunctionName":"echo","Payload":"p"}"#).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let [ask, call] = &server.seen()[..] else { panic!("two requests were made: {:?}", server.seen()) };
    assert!(ask.header("authorization").contains("Credential=123456789012/"), "the execution's account asks");
    assert!(ask.header("authorization").contains("/us-east-1/sts/aws4_request"));
    assert!(ask.body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A210987654321%3Arole%2Fteam%2FPay&"), "{}", ask.body);
    assert!(ask.body.contains("stateMachine%3AOrders"), "{}", ask.body);
    assert_eq!(call.uri, "/2015-03-31/functions/echo/invocations");
    assert!(call.header("authorization").contains("Credential=ASIAROLE/"));
    assert_eq!(call.header("x-amz-security-token"), "token");
    bench.role_arn = None;
    assert_eq!(bench.output("echo", "1").await, "1");
    assert!(server.last().header("authorization").contains("Credential=123456789012/"), "without one as ever");
}

#[tokio::test]
async fn a_session_is_asked_for_once() {
    let server = Server::start(|seen| answer(seen, LASTS_SECONDS)).await;
    let mut bench = bench(&server).await;
    for _ in 0..20 {
        bench.call("echo", "{}").await;
    }
    for _ in 0..20 {
        assert_eq!(bench.end().await.1, Outcome::Succeeded { output: JsonText::trusted("{}") });
    }
    assert_eq!(asked(&server).len(), 1);
    bench.role_arn = Some(format!("{ROLE}/Other"));
    bench.output("echo", "{}").await;
    assert_eq!(asked(&server).len(), 2);
}

#[tokio::test]
async fn a_session_near_its_end_is_asked_for_again() {
    let server = Server::start(|seen| answer(seen, 30)).await;
    let mut bench = bench(&server).await;
    bench.output("echo", "{}").await;
    bench.output("echo", "{}").await;
    assert_eq!(asked(&server).len(), 2);
}

#[tokio::test]
async fn a_refused_role_fails_the_task() {
    let server = Server::start(|_| {
        error(403, "AccessDenied", "User: arn:aws:iam::1:user/w is not authorized to perform: sts:AssumeRole on it")
    })
    .await;
    let mut bench = bench(&server).await;
    let (error, cause) = bench.failure("echo", "{}").await;
    assert_eq!(error, "States.TaskFailed");
    let expect = format!("The role arn:aws:iam::1:user/w is not authorized to assume the task state's role, {ROLE}.");
    assert_eq!(cause, expect);
    assert_eq!(server.seen().len(), 1, "neither asked again nor called");
}

#[tokio::test]
async fn trouble_of_sts_passes_or_is_a_client_failure() {
    let left = AtomicU32::new(2);
    let server = Server::start(move |seen| {
        let is_down = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if is_down { error(503, "ServiceUnavailable", "later") } else { answer(seen, LASTS_SECONDS) }
    })
    .await;
    let mut up_again = bench(&server).await;
    assert_eq!(up_again.output("echo", "{}").await, "{}");
    assert_eq!(asked(&server).len(), 3);

    let server = Server::start(|_| error(500, "InternalFailure", "oh")).await;
    let mut down = bench(&server).await;
    let (error, cause) = down.failure("echo", "{}").await;
    assert_eq!(error, "Lambda.SdkClientException");
    assert!(cause.starts_with("oh (Service: AWSSecurityTokenService; Status Code: 500; "), "{cause}");
    assert_eq!(server.seen().len(), 3);
}

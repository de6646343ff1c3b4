//! The kind `process`.

use model::{ExecutionArn, JsonText};
use wire::message::{Cancel, Cancelled, Outcome};

use broker::WorkQueue as _;

use super::bench::{Bench, OUTPUT_BYTES_MAX, ROLE, message, parts};

const HANDLERS: &str = r#"
[[handler]]
function = "Child"
process = ["python3", "child.py"]
env = { MODE = "test" }

[[handler]]
function = "Brother"
process = ["python3", "child.py"]
env = { MODE = "test" }

[[handler]]
function = "Cousin"
process = ["python3", "child.py"]
env = { MODE = "other" }

[[handler]]
function = "Limited"
process = ["python3", "child.py", "limited"]
timeout_seconds = 1

[[handler]]
function = "Missing"
process = ["./no-such-program"]

[[handler]]
function = "Short"
process = ["sh", "-c", "exit 4"]
"#;

fn succeeded(output: &str) -> Outcome {
    Outcome::Succeeded { output: JsonText::trusted(output) }
}

#[tokio::test]
async fn tasks_are_lines_and_so_are_answers() {
    let mut bench = Bench::start(HANDLERS).await;
    let text = "{\"do\": \"echo\",  \"a\": 1.0, \"é\": \"\\u00e9\"}";
    assert_eq!(bench.output("Child", text).await, text);
    assert_eq!(bench.output("Child", "{\n\"do\":\r\n\"echo\"}").await, "{ \"do\":  \"echo\"}");
    assert_eq!(bench.output("Child", r#"{"do":"null"}"#).await, "null");
    let shown = bench.output("Child", r#"{"do":"show"}"#).await;
    let expect = r#"{"function": "Child", "resource": "arn:aws:lambda:us-east-1:123456789012:function:Child", "mode": "test", "secret": null, "role_arn": null, "deadline": false, "folder": true}"#;
    assert_eq!(shown, expect);
    bench.role_arn = Some(ROLE.to_owned());
    let shown = bench.output("Child", r#"{"do":"show"}"#).await;
    assert!(shown.contains(&format!(r#""role_arn": "{ROLE}""#)), "{shown}");
    bench.stop().await;
}

#[tokio::test]
async fn one_child_serves_all_handlers_with_its_command_line() {
    let mut bench = Bench::start(HANDLERS).await;
    let child = bench.output("Child", r#"{"do":"pid"}"#).await;
    assert_eq!(bench.output("Brother", r#"{"do":"pid"}"#).await, child);
    assert_ne!(bench.output("Cousin", r#"{"do":"pid"}"#).await, child);
    bench.stop().await;
}

#[tokio::test]
async fn answers_come_in_any_order() {
    let mut bench = Bench::start(HANDLERS).await;
    let first = bench.call("Child", r#"{"do":"hold"}"#).await;
    let second = bench.call("Child", r#"{"do":"release"}"#).await;
    assert_eq!(bench.end().await, (second, succeeded("\"released\"")));
    assert_eq!(bench.end().await, (first, succeeded("\"held\"")));
    bench.stop().await;
}

#[tokio::test]
async fn failures_and_wrong_answers_concern_their_task_only() {
    let mut bench = Bench::start(HANDLERS).await;
    let child = bench.output("Child", r#"{"do":"pid"}"#).await;
    let (error, cause) = bench.failure("Child", r#"{"do":"fail"}"#).await;
    let expect = r#"{"errorMessage":  "no", "errorType": "Lambda.ServiceException"}"#;
    assert_eq!((error.as_str(), cause.as_str()), ("Lambda.ServiceException", expect));
    assert_eq!(bench.failure("Child", r#"{"do":"empty"}"#).await.0, "Runtime.MarshalError");
    assert_eq!(bench.output("Child", r#"{"do":"pid"}"#).await, child);
    bench.stop().await;
}

#[tokio::test]
async fn a_child_can_tell_that_it_is_alive() {
    let mut bench = Bench::start(HANDLERS).await;
    let beating = bench.call("Child", r#"{"do":"beat"}"#).await;
    while bench.report().await.outcome != Outcome::Heartbeat {}
    bench.call("Child", r#"{"do":"release"}"#).await;
    let ends = [bench.end().await.0, bench.end().await.0];
    assert!(ends.contains(&beating));
    bench.stop().await;
}

#[tokio::test]
async fn a_child_that_ends_fails_all_its_tasks_and_is_started_again() {
    let mut bench = Bench::start(HANDLERS).await;
    let child = bench.output("Child", r#"{"do":"pid"}"#).await;
    bench.call("Child", r#"{"do":"ignore"}"#).await;
    bench.call("Child", r#"{"do":"exit"}"#).await;
    for _ in 0..2 {
        let (error, cause) = parts(bench.end().await.1);
        assert_eq!((error.as_str(), message(&cause).as_str()), ("Runtime.ExitError", "exit status 3: so long"));
    }
    assert_ne!(bench.output("Child", r#"{"do":"pid"}"#).await, child);
    bench.stop().await;
}

#[tokio::test]
async fn a_child_that_breaks_the_protocol_is_replaced() {
    let mut bench = Bench::start(HANDLERS).await;
    for (what, error, says) in [
        (r#"{"do":"print"}"#, "Runtime.MarshalError", "hello"),
        (r#"{"do":"unasked"}"#, "Runtime.MarshalError", "999999"),
        (r#"{"do":"close"}"#, "Runtime.ExitError", "signal 9"),
    ] {
        let child = bench.output("Child", r#"{"do":"pid"}"#).await;
        bench.call("Child", r#"{"do":"ignore"}"#).await;
        bench.call("Child", what).await;
        for _ in 0..2 {
            let (got, cause) = parts(bench.end().await.1);
            assert_eq!(got, error, "{what}");
            assert!(message(&cause).contains(says), "{cause}");
        }
        assert_ne!(bench.output("Child", r#"{"do":"pid"}"#).await, child, "{what}");
    }
    bench.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_fails_its_task_and_no_other() {
    let mut bench = Bench::start(HANDLERS).await;
    let fits = format!(r#"{{"do":"large","bytes":{}}}"#, OUTPUT_BYTES_MAX - 100);
    assert_eq!(bench.output("Child", &fits).await.len(), OUTPUT_BYTES_MAX - 98);
    let other = bench.call("Child", r#"{"do":"second"}"#).await;
    let large = bench.call("Child", r#"{"do":"large","bytes":10000000}"#).await;
    let (ended, outcome) = bench.end().await;
    assert_eq!((ended, parts(outcome).0.as_str()), (large, "Function.ResponseSizeTooLarge"));
    // It was moved to a new child.
    assert_eq!(bench.end().await, (other, succeeded("\"second\"")));
    bench.stop().await;
}

#[tokio::test]
async fn a_hanging_child_is_killed_and_the_others_move() {
    let mut bench = Bench::start(HANDLERS).await;
    let hanging = bench.call("Limited", r#"{"do":"hang"}"#).await;
    let (ended, outcome) = bench.end().await;
    assert_eq!((ended, parts(outcome).0.as_str()), (hanging, "Sandbox.Timedout"));
    let deadline = bench.runtime.now().plus_millis(300);
    bench.call_until("Child", r#"{"do":"hang"}"#, Some(deadline)).await;
    let behind = bench.call("Child", r#"{"do":"null"}"#).await;
    assert_eq!(bench.end().await, (behind, succeeded("null")));
    bench.stop().await;
}

#[tokio::test]
async fn the_answer_to_a_cancelled_task_is_dropped() {
    let mut bench = Bench::start(HANDLERS).await;
    let child = bench.output("Child", r#"{"do":"pid"}"#).await;
    let cancelled = bench.call("Child", r#"{"do":"hold"}"#).await;
    while bench.report().await.outcome != Outcome::Started {}
    let execution = ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1").expect("is one");
    let of = Cancelled::Attempt("r".parse().expect("is a path"), cancelled);
    bench.broker.publish_cancel(&Cancel { execution, of }).await.expect("the broker is there");
    bench.runs_ended("cancelled").await;
    assert_eq!(bench.output("Child", r#"{"do":"release"}"#).await, "\"released\"");
    assert_eq!(bench.output("Child", r#"{"do":"pid"}"#).await, child);
    bench.stop().await;
}

#[tokio::test]
async fn a_child_that_can_t_be_started_is_a_failure() {
    let mut bench = Bench::start(HANDLERS).await;
    let (error, cause) = bench.failure("Missing", "{}").await;
    assert_eq!(error, "Runtime.InvalidEntrypoint");
    assert!(message(&cause).contains("no-such-program"), "{cause}");
    for _ in 0..2 {
        let (error, cause) = bench.failure("Short", "{}").await;
        assert_eq!((error.as_str(), message(&cause).as_str()), ("Runtime.ExitError", "exit status 4"));
    }
    bench.stop().await;
}

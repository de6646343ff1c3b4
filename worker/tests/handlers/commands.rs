//! The kind `command`.

use std::time::Duration;

use serde_json::json;
use wire::message::Outcome;

use super::bench::{Bench, ROLE, message};

const HANDLERS: &str = r#"
[[handler]]
function = "Cat"
command = ["cat"]

[[handler]]
function = "Play"
command = ["python3", "play.py"]
env = { MODE = "test" }

[[handler]]
function = "Slow"
command = ["sh", "-c", "echo $$ > slow.pid; sleep 3600 & wait"]
timeout_seconds = 1

[[handler]]
function = "Endless"
command = ["sh", "-c", "yes"]

[[handler]]
function = "Missing"
command = ["./no-such-program"]

[[handler]]
function = "Background"
command = ["sh", "-c", "sleep 3600 & echo 1"]

[[handler]]
function = "Deaf"
command = ["sh", "-c", "exec 0<&-; echo 2"]
"#;

#[tokio::test]
async fn json_goes_in_and_comes_out() {
    let mut bench = Bench::start(HANDLERS).await;
    let text = "{\"a\":  1.0, \"é\": \"\\u00e9\"}";
    assert_eq!(bench.output("Cat", text).await, text);
    assert_eq!(bench.output("Play", &json!({"stdout": "\n 7\n"}).to_string()).await, "7");
    let execution = "arn:aws:states:us-east-1:123456789012:execution:Orders:o-1";
    let shown = bench.output("Play", &json!({"show": true}).to_string()).await;
    assert_eq!(shown, format!(r#"["test", "Play", "Work", "{execution}", ""]"#));
    bench.role_arn = Some(ROLE.to_owned());
    let shown = bench.output("Play", &json!({"show": true}).to_string()).await;
    assert!(shown.ends_with(&format!(r#""{ROLE}"]"#)), "{shown}");
    assert_eq!(bench.output("Background", "{}").await, "1");
    let large = format!("\"{}\"", "x".repeat(300_000));
    assert_eq!(bench.output("Deaf", &large).await, "2");
    bench.stop().await;
}

#[tokio::test]
async fn a_command_fails_as_a_function_does() {
    let mut bench = Bench::start(HANDLERS).await;
    let object = r#"{"errorMessage":  "no", "errorType": "Lambda.ServiceException"}"#;
    let input = json!({"stdout": format!("{object}\n"), "stderr": "words", "exit": 1});
    let (error, cause) = bench.failure("Play", &input.to_string()).await;
    assert_eq!((error.as_str(), cause.as_str()), ("Lambda.ServiceException", object));
    for (input, expect) in [
        (json!({"stdout": "some", "stderr": "words\n", "exit": 3}), "exit status 3: words"),
        (json!({"exit": 7}), "exit status 7"),
        (json!({"stdout": "1", "exit": 1}), "exit status 1"),
        (json!({"kill": true}), "signal 9"),
    ] {
        let (error, cause) = bench.failure("Play", &input.to_string()).await;
        assert_eq!((error.as_str(), message(&cause).as_str()), ("Runtime.ExitError", expect), "{input}");
    }
    let (_, cause) =
        bench.failure("Play", &json!({"stderr": "1234567\n", "times": 10_000, "exit": 1}).to_string()).await;
    let said = message(&cause);
    assert!(said.len() < 5_000 && said.ends_with("1234567\n1234567"), "{said}");
    bench.stop().await;
}

#[tokio::test]
async fn output_that_is_not_json_or_too_large_is_a_failure() {
    let mut bench = Bench::start(HANDLERS).await;
    for stdout in ["", "hello", "1 2", "\u{ff}"] {
        let (error, _) = bench.failure("Play", &json!({ "stdout": stdout }).to_string()).await;
        assert_eq!(error, "Runtime.MarshalError", "{stdout}");
    }
    assert_eq!(bench.failure("Endless", "{}").await.0, "Function.ResponseSizeTooLarge");
    let (error, cause) = bench.failure("Missing", "{}").await;
    assert_eq!(error, "Runtime.InvalidEntrypoint");
    assert!(message(&cause).contains("no-such-program"), "{cause}");
    bench.stop().await;
}

#[tokio::test]
async fn a_hanging_command_is_killed_with_all_that_it_started() {
    let mut bench = Bench::start(HANDLERS).await;
    let (error, cause) = bench.failure("Slow", "{}").await;
    assert_eq!((error.as_str(), message(&cause).as_str()), ("Sandbox.Timedout", "Task timed out after 1.00 seconds"));
    let pid = std::fs::read_to_string(bench.folder.path().join("slow.pid")).expect("was written");
    let gone = async || !is_alive(pid.trim());
    support::eventually(Duration::from_secs(30), gone, "its process group is gone").await.expect("is gone");
    bench.stop().await;
}

#[tokio::test]
async fn a_deadline_kills_without_a_report() {
    let mut bench = Bench::start(HANDLERS).await;
    let deadline = bench.runtime.now().plus_millis(300);
    bench.call_until("Slow", "{}", Some(deadline)).await;
    bench.runs_ended("late").await;
    // The next one is reported first.
    let attempt = bench.call("Cat", "1").await;
    let (ended, outcome) = bench.end().await;
    assert_eq!((ended, matches!(outcome, Outcome::Succeeded { .. })), (attempt, true));
    bench.stop().await;
}

/// Tells whether a process group has members.
fn is_alive(group: &str) -> bool {
    let status = std::process::Command::new("kill").args(["-0", "--", &format!("-{group}")]).output();
    status.is_ok_and(|output| output.status.success())
}

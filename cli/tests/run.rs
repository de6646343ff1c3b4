//! `stepwell run` as a process of its own, which needs no server.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Is a folder of one test, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stepwell-run-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("can be made");
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(file: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stepwell"))
        .arg("run")
        .arg(file)
        .args(arguments)
        .env_remove("AWS_ENDPOINT_URL")
        .output()
        .expect("can be started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Gives where a text stands in another, which it must.
fn place(whole: &str, part: &str) -> usize {
    whole.find(part).unwrap_or_else(|| panic!("no {part:?} in {whole}"))
}

#[test]
fn an_order_is_shown_as_it_goes_and_its_output_printed() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/order-processing/workflow.asl.json");
    let ended = run(&file, &["--input", r#"{"orderId": "12345"}"#]);
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert!(ended.status.success(), "{stdout}{stderr}");
    let output: Value = serde_json::from_str(&stdout).expect("stdout is the output alone");
    assert_eq!(output["orderId"], "12345");
    let line = |part: &str| place(&stderr, part);
    assert!(line("> ValidateOrder") < line("✓ ValidateOrder"), "{stderr}");
    assert!(line("Lambda.ServiceException") < line("> ProcessPayment  attempt 2"), "{stderr}");
    assert!(line("> NotifyCustomer") < line("✓ NotifyAndBill"), "{stderr}");
    assert!(line("✓ ShipOrder") < line("SUCCEEDED in "), "{stderr}");
}

#[test]
fn the_exit_code_tells_whether_it_succeeded() {
    let folder = Folder::new("fails");
    let fails = r#"{"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Broken", "Cause": "by design"}}}"#;
    let waits =
        r#"{"StartAt": "W", "TimeoutSeconds": 1, "States": {"W": {"Type": "Wait", "Seconds": 60, "End": true}}}"#;
    for (name, definition, status, error) in
        [("fails.json", fails, "FAILED", "Broken: by design"), ("waits.json", waits, "TIMED_OUT", "3 events")]
    {
        let ended = run(&folder.file(name, definition), &[]);
        let stderr = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        assert!(place(&stderr, status) < place(&stderr, error), "{stderr}");
        assert_eq!(text(&ended.stdout), "");
    }
}

#[test]
fn one_object_tells_all_with_json() {
    let folder = Folder::new("json");
    let file = folder.file("echo.json", r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#);
    let input = folder.file("input.json", r#"{"n":1.0}"#);
    let ended = run(&file, &["--json", "--input", &format!("@{}", input.display())]);
    let stdout = text(&ended.stdout);
    assert!(ended.status.success(), "{stdout}{}", text(&ended.stderr));
    let told: Value = serde_json::from_str(&stdout).expect("is one object");
    assert_eq!((told["status"].as_str(), told["events"].as_u64()), (Some("SUCCEEDED"), Some(4)));
    assert!(told["executionArn"].as_str().is_some_and(|arn| arn.contains(":execution:echo:")), "{stdout}");
    assert!(stdout.contains(r#""output":{"n":1.0}"#), "{stdout}");
}

#[test]
fn what_cannot_run_is_refused_with_the_reason() {
    let folder = Folder::new("refused");
    let good = folder.file("good.json", r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#);
    let dangling = folder.file("bad.json", r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "Next": "Q"}}}"#);
    let handlers = folder.file("handlers.toml", "[[handler]]\nfunction = \"F\"\n");
    let handlers = handlers.to_str().expect("is text");
    for (file, arguments, reason) in [
        (dangling.as_path(), vec![], "MISSING_TRANSITION_TARGET"),
        (&folder.0.join("none.json"), vec![], "none.json"),
        (&good, vec!["--input", "{\"a\":}"], "line 1 column 6"),
        (&good, vec!["--input", "@none.json"], "none.json"),
        (&good, vec!["--handlers", handlers], "line 1, column 1"),
    ] {
        let ended = run(file, &arguments);
        let stderr = text(&ended.stderr);
        assert!(!ended.status.success() && stderr.contains(reason), "{reason}: {stderr}");
        assert_eq!(text(&ended.stdout), "");
    }
}

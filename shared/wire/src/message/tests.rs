//! Golden files, and bodies that are wrong.

use model::{AttemptId, BranchPath, ExecutionArn, JsonText, Nonce, Timestamp};

use super::*;

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../../golden/message/", $name, ".json"))
    };
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn execution() -> ExecutionArn {
    ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1").expect("is an ARN")
}

fn branch(path: &str) -> BranchPath {
    path.parse().expect("is a path")
}

fn attempt(number: u32) -> AttemptId {
    AttemptId { number, nonce: Nonce(255) }
}

fn item(branch_path: &str) -> WorkItem {
    WorkItem {
        execution: execution(),
        branch: branch(branch_path),
        attempt: attempt(3),
        state: "Validate \"it\"".to_owned(),
        resource: "arn:aws:lambda:us-east-1:123456789012:function:ValidateOrder".to_owned(),
        input: JsonText::parse(r#"{"a" :  1.0, "\u00e9":[ ]}"#).expect("is JSON"),
        role_arn: None,
        deadline: Some(Timestamp::from_millis(1_700_000_060_000)),
        heartbeat_seconds: Some(30),
        traceparent: Some(TRACE.to_owned()),
        deliveries: 2,
        dispatched_at: Timestamp::from_millis(1_700_000_000_123),
    }
}

fn bare_item() -> WorkItem {
    WorkItem {
        deadline: None,
        heartbeat_seconds: None,
        traceparent: None,
        deliveries: 0,
        input: JsonText::parse("null").expect("is JSON"),
        ..item("r")
    }
}

fn report(outcome: Outcome) -> Report {
    Report {
        execution: execution(),
        branch: branch("r"),
        attempt: attempt(1),
        traceparent: Some(TRACE.to_owned()),
        deliveries: 0,
        worker: Some("worker-1".to_owned()),
        started_at: Some(Timestamp::from_millis(1_700_000_000_200)),
        at: Timestamp::from_millis(1_700_000_000_300),
        outcome,
    }
}

fn bare(outcome: Outcome) -> Report {
    Report { traceparent: None, worker: None, started_at: None, ..report(outcome) }
}

fn outcomes() -> Vec<Report> {
    let output = |text: &str| Outcome::Succeeded { output: JsonText::parse(text).expect("is JSON") };
    vec![
        report(Outcome::Started),
        report(Outcome::Heartbeat),
        report(Outcome::Holding),
        bare(Outcome::Unhandled),
        bare(Outcome::Poisoned),
        report(Outcome::Submitted { output: JsonText::parse(r#"{"id":  7}"#).expect("is JSON") }),
        report(output(r#"{"b": [1,  2.50]}"#)),
        bare(output("null")),
        report(Outcome::Failed {
            error: Some("Lambda.ServiceException".to_owned()),
            cause: Some("down\nagain".to_owned()),
        }),
        bare(Outcome::Failed { error: None, cause: None }),
    ]
}

fn cancels() -> Vec<Cancel> {
    vec![
        Cancel { execution: execution(), of: Cancelled::Execution },
        Cancel { execution: execution(), of: Cancelled::Scope("r/4.2@7".parse().expect("is a scope")) },
        Cancel { execution: execution(), of: Cancelled::Attempt(branch("r/4.2"), attempt(9)) },
    ]
}

/// Golden files end in a line feed, which a reader takes as blank space and a writer does not write.
fn as_written(golden: &str) -> &str {
    golden.trim_end_matches('\n')
}

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).expect("is UTF-8")
}

#[test]
fn work_items_are_as_the_golden_file_has_them() {
    let items = [item("r/4.2"), bare_item()];
    assert_eq!(text(encode_items(&items)), as_written(golden!("work.v1")));
    assert_eq!(decode_items(golden!("work.v1").as_bytes()).expect("reads"), items);
}

#[test]
fn an_item_bears_its_role() {
    let with_role = WorkItem { role_arn: Some("arn:aws:iam::210987654321:role/Pay".to_owned()), ..bare_item() };
    assert_eq!(text(encode_items(std::slice::from_ref(&with_role))), as_written(golden!("work.v1.with-role")));
    assert_eq!(decode_items(golden!("work.v1.with-role").as_bytes()).expect("reads"), [with_role]);
}

#[test]
fn reports_are_as_the_golden_file_has_them() {
    assert_eq!(text(encode_reports(&outcomes())), as_written(golden!("report.v1")));
    assert_eq!(decode_reports(golden!("report.v1").as_bytes()).expect("reads"), outcomes());
}

#[test]
fn cancels_are_as_the_golden_file_has_them() {
    assert_eq!(text(encode_cancels(&cancels())), as_written(golden!("control.v1")));
    assert_eq!(decode_cancels(golden!("control.v1").as_bytes()).expect("reads"), cancels());
}

#[test]
fn fields_that_a_later_version_adds_are_passed_over() {
    let read = decode_items(golden!("work.v1.later-writer").as_bytes()).expect("reads");
    assert_eq!(read, [bare_item()]);
    let read = decode_reports(golden!("report.v1.later-writer").as_bytes()).expect("reads");
    let outcome = Outcome::Succeeded { output: JsonText::parse("{ }").expect("is JSON") };
    assert_eq!(read, [bare(outcome)]);
}

#[test]
fn names_with_characters_that_json_escapes_come_back() {
    let name = "arn:aws:states:us-east-1:123456789012:execution:Orders:a\"b\\c";
    let odd = Cancel { execution: ExecutionArn::parse(name).expect("is an ARN"), of: Cancelled::Execution };
    let body = encode_cancels(std::slice::from_ref(&odd));
    assert_eq!(decode_cancels(&body).expect("reads"), [odd]);
}

#[test]
fn an_empty_list_is_a_body() {
    assert_eq!(decode_items(&encode_items(&[])).expect("reads"), []);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let check = |body: &str, expect: &str| {
        let error = decode_reports(body.as_bytes()).expect_err("is refused").chain();
        assert!(error.contains(expect), "{body}: {error}");
    };
    check("", "read the body as a JSON list: EOF");
    check("{}", "read the body as a JSON list: invalid type: map");
    check("[{}", "read the body as a JSON list: EOF");
    check("[7]", "read element 0: read its fields: invalid type: integer `7`, expected an object");
    check("[{}]", "read element 0: read its fields: missing field `execution`");
    let good = golden!("report.v1").trim().trim_start_matches('[').trim_end_matches(']');
    check(&format!("[{good},7]"), "read element 10");
    check(&good_but("\"outcome\":\"started\"", "\"outcome\":\"vanished\""), "know the outcome \"vanished\"");
    check(&good_but("\"outcome\":\"started\"", "\"outcome\":\"succeeded\""), "find the field `output`");
    check(&good_but("\"attempt\":\"1-00000000000000ff\"", "\"attempt\":\"1\""), "read \"1\" as an attempt id");
    check(&good_but(":execution:", ":activity:"), "read its execution: Resource type not valid");
    check(&good_but("\"branch\":\"r\"", "\"branch\":7"), "invalid type: integer `7`");
}

#[test]
fn one_bad_element_costs_no_other() {
    let bad = good_but("\"outcome\":\"started\"", "\"outcome\":\"vanished\"");
    let bad = bad.trim_start_matches('[').trim_end_matches(']');
    let good = text(encode_reports(&outcomes()));
    let body = format!("[7,{},{bad}]", good.trim_start_matches('[').trim_end_matches(']'));
    let sorted = sort_reports(body.as_bytes()).expect("is a list");
    assert_eq!(sorted.readable, outcomes());
    assert_eq!(sorted.faults.len(), 2);
    assert_eq!(text(sorted.rest), format!("[7,{bad}]"));
    assert!(sort_items(b"[1").is_err() && sort_cancels(b"7").is_err());
}

fn good_but(from: &str, to: &str) -> String {
    let good = text(encode_reports(&[report(Outcome::Started)]));
    assert!(good.contains(from), "{good}");
    good.replacen(from, to, 1)
}

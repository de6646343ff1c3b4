//! The lines of the process protocol.

use std::borrow::Cow;

use model::{JsonText, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::lambda::present;
use crate::{Context, Failure};

/// How much of a rubbish line is quoted.
const QUOTED: usize = 200;

/// Is a line of the child.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Answer(u64, Result<JsonText, Failure>),
    Heartbeat(u64),
    Blank,
    Rubbish(Failure),
}

#[derive(Serialize)]
struct Task<'a> {
    id: String,
    function: Option<&'a str>,
    resource: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<i64>,
}

/// Renders a task as a line, its end included.
pub(super) fn render(id: u64, function: Option<&str>, input: &JsonText, context: &Context) -> Vec<u8> {
    let deadline = context.deadline().map(Timestamp::as_millis);
    let (resource, role_arn) = (context.resource(), context.role_arn());
    let task = Task { id: id.to_string(), function, resource, role_arn, deadline };
    let mut line = Vec::with_capacity(input.len() + 256);
    serde_json::to_writer(&mut line, &task).expect("plain fields can always be rendered");
    line.pop();
    line.extend_from_slice(b",\"input\":");
    // Between tokens a line break means what a blank does, and within a string JSON has none.
    line.extend(input.as_str().bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
    line.extend_from_slice(b"}\n");
    line
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    failure: Option<&'a RawValue>,
    #[serde(default)]
    heartbeat: bool,
}

/// Reads a line of the child, without its end.
pub(super) fn read(line: &[u8]) -> Line {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Line::Blank;
    }
    let Ok(raw) = serde_json::from_slice::<Raw<'_>>(line) else { return Line::Rubbish(rubbish(line)) };
    let Ok(id) = raw.id.parse() else { return Line::Rubbish(rubbish(line)) };
    match (raw.failure, raw.output) {
        (Some(failure), _) => Line::Answer(id, Err(Failure::from_object(JsonText::from_raw(failure)))),
        (None, Some(output)) => Line::Answer(id, Ok(JsonText::from_raw(output))),
        (None, None) if raw.heartbeat => Line::Heartbeat(id),
        (None, None) => {
            let message = "the answer has neither `output` nor `failure`";
            Line::Answer(id, Err(Failure::new("Runtime.MarshalError", message)))
        }
    }
}

/// Finds the id of an answer in its first bytes.
pub(super) fn id_of_start(line: &[u8]) -> Option<u64> {
    let start = String::from_utf8_lossy(&line[..line.len().min(64)]);
    let rest = start.trim_start().strip_prefix('{')?.trim_start().strip_prefix("\"id\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    rest.split_once('"')?.0.parse().ok()
}

/// Says that a child wrote what is no answer.
fn rubbish(line: &[u8]) -> Failure {
    let quoted = String::from_utf8_lossy(&line[..line.len().min(QUOTED)]);
    Failure::new("Runtime.MarshalError", format!("the handler's process wrote a line that is no answer: {quoted}"))
}

/// Says that a child answered a task that it was never given.
pub(super) fn unknown_id(id: u64) -> Failure {
    Failure::new("Runtime.MarshalError", format!("the handler's process answered a task that it was not given: {id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let output = |text: &str| Ok(JsonText::trusted(text));
        let failure = |text: &str| Err(Failure::from_object(JsonText::trusted(text)));
        let check = |line: &str, expect: Line| assert_eq!(read(line.as_bytes()), expect, "{line}");
        check(r#"{"id":"7","output":{"a":  1.0}}"#, Line::Answer(7, output(r#"{"a":  1.0}"#)));
        check(r#"{"id":"7","output":null}"#, Line::Answer(7, output("null")));
        check(r#"{"id":"7","output":1,"failure":null}"#, Line::Answer(7, output("1")));
        check(r#"{"failure":{"errorType": "E"},"id":"7"}"#, Line::Answer(7, failure(r#"{"errorType": "E"}"#)));
        check(r#"{"id":"7","heartbeat":true}"#, Line::Heartbeat(7));
        check(" \r", Line::Blank);
        for rubbish in
            ["hello", "{}", "[]", r#"{"id":7,"output":1}"#, r#"{"id":"x","output":1}"#, "{\"id\":\"7\"", "\u{7f}"]
        {
            assert!(matches!(read(rubbish.as_bytes()), Line::Rubbish(_)), "{rubbish}");
        }
        assert!(matches!(read(&[0xff, 0xfe]), Line::Rubbish(_)));
        assert!(matches!(read(br#"{"id":"7"}"#), Line::Answer(7, Err(_))));
    }

    #[test]
    fn an_id_is_found_at_the_start() {
        let check = |line: &str, expect| assert_eq!(id_of_start(line.as_bytes()), expect, "{line}");
        check(r#"{"id": "12", "output": "xxxxx"#, Some(12));
        check(r#"{ "id":"12","#, Some(12));
        check(r#"{"output": "12"#, None);
        check("", None);
    }
}

//! How events of a history look in a log: as AWS writes them to CloudWatch Logs.

use model::HistoryEvent;
use serde_json::{Map, Value, json};
use wire::record::ExecutionRecord;

use super::history::EventView;

/// How many bytes a text takes in a line at most, escaped: what AWS cuts inputs and outputs off at.
const TEXT_BYTES_MAX: usize = 248 * 1_024;

/// Renders an event as one JSON object. Ids, the time and the count of redrives are texts in it, as AWS has them.
pub(super) fn log_line(execution: &ExecutionRecord, event: &HistoryEvent, with_data: bool) -> String {
    let line = json!({
        "id": event.id.0.to_string(),
        "type": event.kind.as_str(),
        "details": details(&EventView { execution, event, with_data }),
        "previous_event_id": event.previous.0.to_string(),
        "event_timestamp": event.at.as_millis().to_string(),
        "execution_arn": execution.arn.as_str(),
        "redrive_count": "0",
    });
    line.to_string()
}

fn details(event: &EventView<'_>) -> Value {
    let mut details =
        serde_json::to_value(event.details()).expect("details have texts as keys and no number that JSON lacks");
    if !event.with_data
        && let Some(members) = details.as_object_mut()
    {
        // A history shows them even where it shows no data; a log does not.
        members.remove("parameters");
    }
    if let Some(members) = details.as_object_mut() {
        cut_off(members);
    }
    details
}

/// Cuts off the texts that are too long, variables together, and says so where AWS has a word for it.
fn cut_off(members: &mut Map<String, Value>) {
    let mut truncated = Vec::new();
    for (name, member) in members.iter_mut() {
        let (mut room, mut is_cut) = (TEXT_BYTES_MAX, false);
        if let Value::Object(texts) = member {
            texts.values_mut().for_each(|text| is_cut |= cut(text, &mut room));
        } else {
            is_cut = cut(member, &mut room);
        }
        if is_cut {
            truncated.push(format!("{name}Details"));
        }
    }
    for name in truncated {
        if let Some(details) = members.get_mut(&name) {
            *details = json!({ "truncated": true });
        }
    }
}

/// Takes the bytes of a text, escaped, from `room`, and cuts it off where there is no more; tells whether it did.
fn cut(text: &mut Value, room: &mut usize) -> bool {
    let Value::String(text) = text else { return false };
    let end = text.char_indices().find_map(|(at, character)| {
        match room.checked_sub(escaped_bytes(character)) {
            Some(left) => *room = left,
            None => return Some(at),
        }
        None
    });
    if let Some(end) = end {
        text.truncate(end);
        *room = 0;
    }
    end.is_some()
}

fn escaped_bytes(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use model::{Details, EventId, EventKind, JsonText, Timestamp};

    use super::*;
    use crate::api::tests::fixture::execution_record;

    fn line(kind: EventKind, details: Details, with_data: bool) -> String {
        let execution = execution_record("arn:aws:states:us-east-1:123456789012:execution:M:e");
        let at = Timestamp::from_millis(1_700_000_000_123);
        let event = HistoryEvent { id: EventId(7), previous: EventId(6), at, kind, details };
        log_line(&execution, &event, with_data)
    }

    fn check(kind: EventKind, details: &Details, with_data: &str, without: &str) {
        for (with, expect) in [(true, with_data), (false, without)] {
            let expect = format!(
                "{{\"id\":\"7\",\"type\":\"{}\",\"details\":{expect},\"previous_event_id\":\"6\",\
                 \"event_timestamp\":\"1700000000123\",\
                 \"execution_arn\":\"arn:aws:states:us-east-1:123456789012:execution:M:e\",\"redrive_count\":\"0\"}}",
                kind.as_str()
            );
            assert_eq!(line(kind, details.clone(), with), expect);
        }
    }

    #[test]
    fn a_line_is_as_cloud_watch_has_it() {
        let input = JsonText::trusted("{\"a\":  1}");
        let started = Details::ExecutionStarted { input: input.clone(), role_arn: "arn:aws:iam::1:role/R".to_owned() };
        check(
            EventKind::ExecutionStarted,
            &started,
            r#"{"input":"{\"a\":  1}","inputDetails":{"truncated":false},"roleArn":"arn:aws:iam::1:role/R"}"#,
            r#"{"roleArn":"arn:aws:iam::1:role/R"}"#,
        );
        let scheduled = Details::TaskScheduled {
            resource_type: "ecs".to_owned(),
            resource: "runTask.sync".to_owned(),
            region: "eu-west-1".to_owned(),
            parameters: input,
            timeout_seconds: Some(9),
            heartbeat_seconds: None,
            credentials: None,
        };
        check(
            EventKind::TaskScheduled,
            &scheduled,
            r#"{"resourceType":"ecs","resource":"runTask.sync","region":"eu-west-1","parameters":"{\"a\":  1}","timeoutInSeconds":9}"#,
            r#"{"resourceType":"ecs","resource":"runTask.sync","region":"eu-west-1","timeoutInSeconds":9}"#,
        );
        let failure = Details::Failure { error: Some("E".to_owned()), cause: Some("why".to_owned()) };
        let expect = r#"{"error":"E","cause":"why"}"#;
        check(EventKind::ExecutionFailed, &failure, expect, expect);
        check(EventKind::LambdaFunctionStarted, &Details::None, "{}", "{}");
    }

    #[test]
    fn a_start_names_the_version_and_the_alias() {
        let of_alias = ExecutionRecord {
            version: Some(3),
            alias: Some("PROD".to_owned()),
            ..execution_record("arn:aws:states:us-east-1:123456789012:execution:M:e")
        };
        let kind = EventKind::ExecutionStarted;
        let details = Details::ExecutionStarted { input: JsonText::trusted("{}"), role_arn: "R".to_owned() };
        let event = HistoryEvent { id: EventId(1), previous: EventId(0), at: Timestamp::default(), kind, details };
        let line: Value = serde_json::from_str(&log_line(&of_alias, &event, false)).expect("is JSON");
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:M";
        let expect = json!({
            "roleArn": "R",
            "stateMachineVersionArn": format!("{machine}:3"),
            "stateMachineAliasArn": format!("{machine}:PROD"),
        });
        assert_eq!(line["details"], expect);
    }

    #[test]
    fn a_text_beyond_the_bound_is_cut_off() {
        let quoted = |length: usize| JsonText::from_value(&"\"".repeat(length).into());
        let shown = |length| {
            let line = line(EventKind::ExecutionSucceeded, Details::Output { output: quoted(length) }, true);
            let line: Value = serde_json::from_str(&line).expect("is JSON");
            let escaped = line["details"]["output"].to_string().len() - 2;
            (escaped, line["details"]["outputDetails"]["truncated"].clone())
        };
        // Each of the quotes is `\"` in the text, and that four characters in the line.
        assert_eq!(shown(63_487), (4 * 63_487 + 4, false.into()));
        assert_eq!(shown(63_488), (TEXT_BYTES_MAX, true.into()));
        for (text, room, expect) in [
            ("\u{1}\u{1}é", 12, ("\u{1}\u{1}", 0)),
            ("\u{1}é", 8, ("\u{1}é", 0)),
            ("\u{1}é", 7, ("\u{1}", 0)),
            ("ab", 3, ("ab", 1)),
        ] {
            let (mut text, mut room) = (Value::from(text), room);
            cut(&mut text, &mut room);
            assert_eq!((text.as_str().expect("is a text"), room), expect);
        }
    }

    #[test]
    fn no_text_of_an_event_is_beyond_the_bound() {
        let long = JsonText::trusted("1".repeat(TEXT_BYTES_MAX + 1));
        let texts = |details: Details| {
            let line = line(EventKind::TaskScheduled, details, true);
            assert!(line.len() < 2 * TEXT_BYTES_MAX + 1_000, "{} bytes", line.len());
            let line: Value = serde_json::from_str(&line).expect("is JSON");
            line["details"].clone()
        };
        let scheduled = texts(Details::TaskScheduled {
            resource_type: "ecs".to_owned(),
            resource: "runTask".to_owned(),
            region: "r".to_owned(),
            parameters: long.clone(),
            timeout_seconds: None,
            heartbeat_seconds: None,
            credentials: None,
        });
        assert_eq!(scheduled["parameters"].as_str().map(str::len), Some(TEXT_BYTES_MAX));
        assert!(scheduled.get("parametersDetails").is_none());
        let failed = texts(Details::Failure { error: None, cause: Some("1".repeat(TEXT_BYTES_MAX + 1)) });
        assert_eq!(failed["cause"].as_str().map(str::len), Some(TEXT_BYTES_MAX));
        let short = JsonText::trusted("1".repeat(1_000));
        let assigned = vec![("a".to_owned(), short), ("b".to_owned(), long.clone()), ("c".to_owned(), long.clone())];
        let exited = texts(Details::StateExited { name: "S".to_owned(), output: long, assigned });
        let variables = &exited["assignedVariables"];
        let lengths = ["a", "b", "c"].map(|name| variables[name].as_str().map(str::len));
        assert_eq!(lengths, [Some(1_000), Some(TEXT_BYTES_MAX - 1_000), Some(0)]);
        for name in ["outputDetails", "assignedVariablesDetails"] {
            assert_eq!(exited[name]["truncated"], true);
        }
    }
}

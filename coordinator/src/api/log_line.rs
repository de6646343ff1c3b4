//! How events of a history look in a log: as AWS writes them to CloudWatch Logs.

use model::HistoryEvent;
use serde_json::{Value, json};
use wire::record::ExecutionRecord;

use super::history::EventView;

/// How many bytes an input or output takes in a line at most, escaped: what AWS cuts it off at.
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
    for name in ["input", "output"] {
        cut(&mut details, name);
    }
    details
}

/// Cuts off a text that is too long, and says so.
fn cut(details: &mut Value, name: &str) {
    let Some(text) = details[name].as_str() else { return };
    let Some(end) = end_within(text, TEXT_BYTES_MAX) else { return };
    details[name] = text[..end].into();
    details[format!("{name}Details")] = json!({ "truncated": true });
}

/// Gives where a text has to end so that it takes so many bytes at most, escaped; nothing if it is short enough.
fn end_within(text: &str, bytes_max: usize) -> Option<usize> {
    // No character takes more than the six bytes of `\u0001`.
    if text.len() <= bytes_max / 6 {
        return None;
    }
    let mut bytes = 0;
    text.char_indices().find_map(|(at, character)| {
        bytes += match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            _ => character.len_utf8(),
        };
        (bytes > bytes_max).then_some(at)
    })
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
        assert_eq!(end_within("\u{1}\u{1}é", 12), Some(2));
        assert_eq!((end_within("\u{1}é", 8), end_within("\u{1}é", 7)), (None, Some(1)));
    }
}

//! Events of a history as the API gives them.

use model::{Details, EventId, EventKind, HistoryEvent, JsonText, Timestamp};
use serde_json::Value;

/// Reads an instant that the API gives in seconds.
pub(super) fn millis(seconds: &Value) -> Option<i64> {
    let text = format!("{:.3}", seconds.as_f64()?);
    text.replace('.', "").parse().ok()
}

/// Reads what progress is shown by; an event of a kind that this release does not know is passed over.
pub(super) fn read(event: &Value) -> Option<HistoryEvent> {
    let kind = EventKind::from_name(event["type"].as_str()?)?;
    Some(HistoryEvent {
        id: EventId(event["id"].as_u64()?),
        previous: EventId(event["previousEventId"].as_u64().unwrap_or_default()),
        at: Timestamp::from_millis(millis(&event["timestamp"])?),
        kind,
        details: details_of(event, kind),
    })
}

/// Finds the details of an event, whatever its kind calls them.
pub(super) fn details(event: &Value) -> Option<&serde_json::Map<String, Value>> {
    event.as_object()?.iter().find(|(name, _)| name.ends_with("EventDetails"))?.1.as_object()
}

fn details_of(event: &Value, kind: EventKind) -> Details {
    let Some(found) = details(event) else { return Details::None };
    let text = |name: &str| found.get(name).and_then(Value::as_str).map(str::to_owned);
    let payload = |name: &str| JsonText::trusted(text(name).unwrap_or_default());
    let name = text("name").unwrap_or_default();
    let type_name = kind.as_str();
    if type_name.ends_with("StateEntered") {
        Details::StateEntered { name, input: payload("input") }
    } else if type_name.ends_with("StateExited") {
        Details::StateExited { name, output: payload("output"), assigned: Vec::new() }
    } else if type_name.starts_with("MapIteration") {
        Details::MapIteration { name, index: found.get("index").and_then(Value::as_u64).unwrap_or_default() }
    } else if found.contains_key("error") || found.contains_key("cause") {
        Details::Failure { error: text("error"), cause: text("cause") }
    } else {
        Details::None
    }
}

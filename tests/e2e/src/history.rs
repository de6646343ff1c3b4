//! What every history must be, whatever died on the way.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Checks that ids are 1..n without a gap, that every event hangs on an older one or on none, that times don't run
/// backwards, and that exactly one event ends the execution and is the last.
///
/// # Errors
/// Says what is wrong at which event.
pub fn check_history(events: &[Value]) -> Result<()> {
    ensure!(events.first().is_some_and(|event| event["type"] == "ExecutionStarted"), "it begins otherwise: {events:?}");
    let mut before = f64::MIN;
    for (expected, event) in (1..).zip(events) {
        let id = event["id"].as_u64().with_context(|| format!("an event without id: {event}"))?;
        ensure!(id == expected, "event {id} stands where {expected} should: {event}");
        let previous = event["previousEventId"].as_u64().with_context(|| format!("no previousEventId: {event}"))?;
        ensure!(previous < id, "event {id} hangs on {previous}: {event}");
        let at = event["timestamp"].as_f64().with_context(|| format!("no timestamp: {event}"))?;
        ensure!(at >= before, "time runs backwards at event {id}: {at} after {before}");
        before = at;
    }
    let ends: Vec<u64> = events.iter().filter(|event| is_terminal(event)).filter_map(|e| e["id"].as_u64()).collect();
    ensure!(ends == [events.len() as u64], "of {} events these are terminal: {ends:?}", events.len());
    Ok(())
}

/// Gives the type of the event that ended the execution, if it has ended.
pub fn terminal_type(events: &[Value]) -> Option<&str> {
    events.last().filter(|event| is_terminal(event)).and_then(|event| event["type"].as_str())
}

/// Gives the events of a type.
pub fn events_of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

fn is_terminal(event: &Value) -> bool {
    const TYPES: [&str; 4] = ["ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"];
    event["type"].as_str().is_some_and(|kind| TYPES.contains(&kind))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn history(events: &[(u64, u64, f64, &str)]) -> Vec<Value> {
        let event = |(id, previous, at, kind): &(u64, u64, f64, &str)| json!({ "id": id, "previousEventId": previous, "timestamp": at, "type": kind });
        events.iter().map(event).collect()
    }

    #[test]
    fn faults_are_found() {
        let check = |events: &[(u64, u64, f64, &str)], expect: &str| {
            let found = check_history(&history(events)).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(if expect.is_empty() { found.is_empty() } else { found.contains(expect) }, "{expect}: {found}");
        };
        let (start, end) = ((1, 0, 1.0, "ExecutionStarted"), "ExecutionSucceeded");
        check(&[start, (2, 1, 1.0, "x"), (3, 1, 2.5, end)], "");
        check(&[], "begins otherwise");
        check(&[start, (3, 1, 1.0, end)], "stands where 2");
        check(&[start, (2, 1, 1.0, "x"), (2, 1, 1.0, end)], "stands where 3");
        check(&[start, (2, 2, 1.0, end)], "hangs on 2");
        check(&[start, (2, 1, 0.5, end)], "backwards");
        check(&[start, (2, 1, 1.0, "x")], "terminal: []");
        check(&[start, (2, 1, 1.0, end), (3, 2, 1.0, "ExecutionFailed")], "terminal: [2, 3]");
        check(&[start, (2, 1, 1.0, end), (3, 2, 1.0, "x")], "terminal: [2]");
    }
}

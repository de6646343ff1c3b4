//! Bodies as they are written. Payload texts are copied, not rendered, so they stay the same to the byte.

use std::fmt::Display;
use std::io::Write;

use model::{JsonText, Timestamp};

use super::{Cancel, Cancelled, Outcome, Report, WorkItem};

/// Renders the body of a message of type [`WORK_TYPE`](super::WORK_TYPE).
pub fn encode_items(items: &[WorkItem]) -> Vec<u8> {
    let payloads: usize = items.iter().map(|item| item.input.len()).sum();
    list(items, payloads, |element, item| {
        element.plain("execution", &item.execution);
        element.plain("branch", &item.branch);
        element.plain("attempt", &item.attempt);
        element.text("state", &item.state);
        element.text("resource", &item.resource);
        element.payload("input", &item.input);
        element.optional_text("role_arn", item.role_arn.as_deref());
        element.optional_time("deadline", item.deadline);
        if let Some(seconds) = item.heartbeat_seconds {
            element.number("heartbeat_seconds", seconds);
        }
        element.optional_text("traceparent", item.traceparent.as_deref());
        element.number("deliveries", item.deliveries);
        element.number("dispatched_at", item.dispatched_at);
    })
}

/// Renders the body of a message of type [`REPORT_TYPE`](super::REPORT_TYPE).
pub fn encode_reports(reports: &[Report]) -> Vec<u8> {
    let payloads = reports.iter().map(payload_len).sum();
    list(reports, payloads, |element, report| {
        element.plain("execution", &report.execution);
        element.plain("branch", &report.branch);
        element.plain("attempt", &report.attempt);
        element.optional_text("traceparent", report.traceparent.as_deref());
        element.number("deliveries", report.deliveries);
        element.optional_text("worker", report.worker.as_deref());
        element.optional_time("started_at", report.started_at);
        element.number("at", report.at);
        outcome(element, &report.outcome);
    })
}

/// Renders the body of a message of type [`CONTROL_TYPE`](super::CONTROL_TYPE).
pub fn encode_cancels(cancels: &[Cancel]) -> Vec<u8> {
    list(cancels, 0, |element, cancel| {
        element.text("cancel", cancel.of.kind());
        element.plain("execution", &cancel.execution);
        match &cancel.of {
            Cancelled::Execution => {}
            Cancelled::Scope(scope) => element.plain("scope", scope),
            Cancelled::Attempt(branch, attempt) => {
                element.plain("branch", branch);
                element.plain("attempt", attempt);
            }
        }
    })
}

fn payload_len(report: &Report) -> usize {
    match &report.outcome {
        Outcome::Submitted { output } | Outcome::Succeeded { output } => output.len(),
        Outcome::Failed { error, cause } => {
            error.as_ref().map_or(0, String::len) + cause.as_ref().map_or(0, String::len)
        }
        Outcome::Started | Outcome::Heartbeat | Outcome::Holding | Outcome::Unhandled | Outcome::Poisoned => 0,
    }
}

fn outcome(element: &mut Element<'_>, outcome: &Outcome) {
    element.text("outcome", outcome.kind());
    match outcome {
        Outcome::Submitted { output } | Outcome::Succeeded { output } => element.payload("output", output),
        Outcome::Failed { error, cause } => {
            element.optional_text("error", error.as_deref());
            element.optional_text("cause", cause.as_deref());
        }
        Outcome::Started | Outcome::Heartbeat | Outcome::Holding | Outcome::Unhandled | Outcome::Poisoned => {}
    }
}

/// Is about what an element takes without its payload: ARN, ids, names, trace context.
const ELEMENT_BYTES: usize = 512;

fn list<T>(elements: &[T], payload_bytes: usize, mut fields: impl FnMut(&mut Element<'_>, &T)) -> Vec<u8> {
    let mut body = Vec::with_capacity(elements.len() * ELEMENT_BYTES + payload_bytes + 2);
    body.push(b'[');
    for (index, value) in elements.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        let mut element = Element { body: &mut body, separator: b'{' };
        fields(&mut element, value);
        body.push(b'}');
    }
    body.push(b']');
    body
}

struct Element<'a> {
    body: &'a mut Vec<u8>,
    separator: u8,
}

impl Element<'_> {
    fn name(&mut self, name: &str) {
        self.body.push(self.separator);
        self.separator = b',';
        self.body.push(b'"');
        self.body.extend_from_slice(name.as_bytes());
        self.body.extend_from_slice(b"\":");
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        serde_json::to_writer(&mut *self.body, text).expect("a text always renders into memory");
    }

    fn optional_text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// Writes an id. Those print without characters that JSON escapes, but for the names in an ARN.
    fn plain(&mut self, name: &str, id: &impl Display) {
        self.name(name);
        self.body.push(b'"');
        let start = self.body.len();
        write!(self.body, "{id}").expect("memory takes every write");
        let needs_escape = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        if self.body[start..].iter().any(needs_escape) {
            self.body.truncate(start - 1);
            let text = id.to_string();
            serde_json::to_writer(&mut *self.body, &text).expect("a text always renders into memory");
        } else {
            self.body.push(b'"');
        }
    }

    fn number(&mut self, name: &str, number: impl Display) {
        self.name(name);
        write!(self.body, "{number}").expect("memory takes every write");
    }

    fn optional_time(&mut self, name: &str, time: Option<Timestamp>) {
        if let Some(time) = time {
            self.number(name, time);
        }
    }

    fn payload(&mut self, name: &str, payload: &JsonText) {
        self.name(name);
        self.body.extend_from_slice(payload.as_str().as_bytes());
    }
}

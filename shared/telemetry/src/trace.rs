//! What crosses process borders of a trace, and ids that anyone can derive again.

use std::fmt;
use std::str::FromStr;

use model::{BranchPath, ExecutionArn};
use opentelemetry::trace::TraceFlags;

pub use opentelemetry::trace::{SpanId, TraceId};

/// Says why a text is not a trace context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read {text:?} as {what}")]
pub struct TraceError {
    what: &'static str,
    text: String,
}

/// Is a place in a trace: what W3C's `traceparent` carries. Source: <https://www.w3.org/TR/trace-context/>
///
/// Printed and read as `00-TRACE-SPAN-FLAGS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span that what follows hangs on.
    pub span: SpanId,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl TraceContext {
    /// Gives the place in the same trace at another span.
    #[must_use]
    pub fn at(self, span: SpanId) -> Self {
        Self { span, ..self }
    }

    /// Reads AWS's header `X-Amzn-Trace-Id`: `Root=1-TTTTTTTT-UUUU…;Parent=SSSS…;Sampled=1`. Without a parent the span
    /// derives from the trace.
    ///
    /// # Errors
    /// `TraceError` when it has no well-formed root.
    pub fn from_xray(header: &str) -> Result<Self, TraceError> {
        let wrong = || TraceError { what: "an X-Ray trace header", text: header.to_owned() };
        let field = |name: &str| {
            let mut fields = header.split(';').map(str::trim);
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let root = field("Root").and_then(|root| root.strip_prefix("1-")).ok_or_else(wrong)?;
        let (epoch, unique) = root.split_once('-').ok_or_else(wrong)?;
        if epoch.len() != 8 || unique.len() != 24 {
            return Err(wrong());
        }
        let trace = parse_trace(&format!("{epoch}{unique}")).ok_or_else(wrong)?;
        let span = match field("Parent") {
            Some(parent) => parse_span(parent).ok_or_else(wrong)?,
            None => derive_span(&trace.to_bytes()),
        };
        Ok(Self { trace, span, sampled: field("Sampled") != Some("0") })
    }

    /// Prints AWS's header `X-Amzn-Trace-Id`.
    pub fn to_xray(self) -> String {
        let trace = self.trace.to_string();
        let (epoch, unique) = trace.split_at(8);
        format!("Root=1-{epoch}-{unique};Parent={};Sampled={}", self.span, u8::from(self.sampled))
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        write!(formatter, "00-{}-{}-{:02x}", self.trace, self.span, flags.to_u8())
    }
}

impl FromStr for TraceContext {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let read = || {
            let mut parts = text.trim().split('-');
            let version = parts.next().filter(|part| part.len() == 2 && *part != "ff" && is_hex(part))?;
            let trace = parts.next().and_then(parse_trace)?;
            let span = parts.next().and_then(parse_span)?;
            let flags = parts.next().filter(|part| part.len() == 2 && is_hex(part))?;
            // A later version may append fields; this one has none.
            if version == "00" && parts.next().is_some() {
                return None;
            }
            let flags = u8::from_str_radix(flags, 16).ok()?;
            Some(Self { trace, span, sampled: TraceFlags::new(flags).is_sampled() })
        };
        read().ok_or_else(|| TraceError { what: "a traceparent", text: text.to_owned() })
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn parse_trace(text: &str) -> Option<TraceId> {
    let id = (text.len() == 32 && is_hex(text)).then(|| TraceId::from_hex(text).ok()).flatten()?;
    (id != TraceId::INVALID).then_some(id)
}

fn parse_span(text: &str) -> Option<SpanId> {
    let id = (text.len() == 16 && is_hex(text)).then(|| SpanId::from_hex(text).ok()).flatten()?;
    (id != SpanId::INVALID).then_some(id)
}

/// Gives the id of the trace within a `traceparent`, for a log line; empty where there is none.
pub fn trace_id_of(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).unwrap_or_default()
}

/// Derives the id of the trace of an execution whose caller brought none. The nonce tells apart executions that bear the same
/// name, one after the other was forgotten.
pub fn trace_id(execution: &ExecutionArn, nonce: u64) -> TraceId {
    let low = hash(FNV_OFFSET ^ nonce, execution.as_str().as_bytes());
    let high = hash(low ^ FNV_OFFSET, &nonce.to_be_bytes());
    TraceId::from((u128::from(mix(high)) << 64) | u128::from(mix(low).max(1)))
}

/// Derives the id of the span of an execution as a whole.
pub fn execution_span(execution: &ExecutionArn) -> SpanId {
    derive_span(execution.as_str().as_bytes())
}

/// Derives the id of the span that begins with a transition of a branch: the same on every coordinator, in every release.
pub fn span_id(execution: &ExecutionArn, branch: &BranchPath, transition: u64) -> SpanId {
    let state = hash(FNV_OFFSET, execution.as_str().as_bytes());
    let state = hash(state, b"\n");
    let state = hash(state, branch.as_str().as_bytes());
    SpanId::from(mix(hash(state, &transition.to_be_bytes())).max(1))
}

/// Is what a span stands for, of those whose ids are derived. The numbers never change: releases work side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A state entry, by its number.
    State = 0,
    /// A work item given to the broker, by the number of its attempt.
    Publish = 1,
    /// A work item in a worker's hands, by the number of its attempt.
    Consume = 2,
    /// A run of a handler, by the number of its attempt.
    Handle = 3,
    /// A report given to the broker, by the number of its attempt.
    Report = 4,
    /// A report applied, by the number of its attempt.
    Apply = 5,
    /// The request that started the execution.
    Request = 6,
    /// A call by the task token applied, by the number of its attempt.
    Callback = 7,
}

/// Derives the id of a span by what it stands for and its number among those of its branch.
pub fn role_span(execution: &ExecutionArn, branch: &BranchPath, role: Role, number: u32) -> SpanId {
    span_id(execution, branch, ((role as u64) << 32) | u64::from(number))
}

fn derive_span(seed: &[u8]) -> SpanId {
    SpanId::from(mix(hash(FNV_OFFSET, seed)).max(1))
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits.
fn hash(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Spreads the last bytes' differences over all bits (the finaliser of splitmix64).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn arn() -> ExecutionArn {
        ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1").expect("is an ARN")
    }

    #[test]
    fn a_traceparent_is_printed_as_it_was_read() {
        for text in [PARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"] {
            assert_eq!(text.parse::<TraceContext>().expect("is a traceparent").to_string(), text);
        }
        let later = format!("{}-what-comes-later", PARENT.replacen("00", "cc", 1));
        assert_eq!(later.parse::<TraceContext>().expect("is a later one").to_string(), PARENT);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-é",
        ] {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_xray_header_names_the_same_trace() {
        let header = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";
        let context = TraceContext::from_xray(header).expect("is a header");
        assert_eq!((context.to_string().as_str(), context.to_xray().as_str()), (PARENT, header));
        let bare = TraceContext::from_xray("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736").expect("is a header");
        assert_eq!(bare.trace, context.trace);
        for wrong in ["", "Root=", "Root=1-x", "Parent=00f067aa0ba902b7", "Root=1-4bf92f35-77b34da6a3ce929d0e0e473é"] {
            assert!(TraceContext::from_xray(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn span_ids_never_change_and_differ() {
        let path = |text: &str| text.parse::<BranchPath>().expect("is a path");
        assert_eq!(span_id(&arn(), &path("r"), 1).to_string(), "64e94cf8d0ea794f");
        let mut ids = BTreeSet::new();
        for branch in ["r", "r/1.0", "r/1.1", "r/1.1/2.0"] {
            for transition in 0..1000 {
                ids.insert(span_id(&arn(), &path(branch), transition).to_string());
            }
        }
        assert_eq!(ids.len(), 4000);
        assert_ne!(trace_id(&arn(), 1), trace_id(&arn(), 2));
        assert_eq!(trace_id(&arn(), 1), trace_id(&arn(), 1));
    }
}

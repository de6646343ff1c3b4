//! A span as data. It is made when it is over, by whoever knows its end; none is ever held open.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use model::Timestamp;
use opentelemetry::trace::{Link, SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::{SpanId, TraceContext};

/// What the spans name as the library that made them.
const SCOPE: &str = "stepwell";

/// Is what a span is to its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work within the process.
    Internal,
    /// The answer to a request.
    Server,
    /// A message given to a broker.
    Producer,
    /// A message taken from a broker.
    Consumer,
}

/// Is the value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Attribute {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

/// Is a span that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its trace and its own id.
    pub context: TraceContext,
    /// The span that it hangs on; the first one of a trace has none.
    pub parent: Option<SpanId>,
    /// What it is called: one of few names, so that spans can be compared.
    pub name: String,
    /// What it is to its neighbours.
    pub kind: Kind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; never before its start.
    pub end: Timestamp,
    /// What else is known of it. Never a payload.
    pub attributes: Vec<(Cow<'static, str>, Attribute)>,
    /// The name of the error that it ended with, if it did.
    pub error: Option<String>,
    /// A span that it follows from without hanging on it.
    pub link: Option<TraceContext>,
}

impl Span {
    /// Makes a span without attributes that did not fail.
    pub fn new(
        context: TraceContext,
        parent: Option<SpanId>,
        name: impl Into<String>,
        kind: Kind,
        (start, end): (Timestamp, Timestamp),
    ) -> Self {
        let (end, name) = (end.max(start), name.into());
        Self { context, parent, name, kind, start, end, attributes: Vec::new(), error: None, link: None }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Attribute>) -> Self {
        self.attributes.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// Says how it failed; nothing if it did not.
    #[must_use]
    pub fn failed(self, error: Option<String>) -> Self {
        Self { error, ..self }
    }

    /// Says what it follows from.
    #[must_use]
    pub fn following(self, link: Option<TraceContext>) -> Self {
        Self { link, ..self }
    }

    /// Gives the span in the form that exporters take.
    pub(crate) fn into_data(self) -> SpanData {
        let attribute = |(name, value): (Cow<'static, str>, Attribute)| match value {
            Attribute::Text(text) => KeyValue::new(name, text),
            Attribute::Number(number) => KeyValue::new(name, number),
        };
        let mut links = SpanLinks::default();
        links.links.extend(self.link.map(|link| Link::with_context(span_context(link))));
        SpanData {
            span_context: span_context(self.context),
            parent_span_id: self.parent.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: false,
            span_kind: match self.kind {
                Kind::Internal => SpanKind::Internal,
                Kind::Server => SpanKind::Server,
                Kind::Producer => SpanKind::Producer,
                Kind::Consumer => SpanKind::Consumer,
            },
            name: self.name.into(),
            start_time: system_time(self.start),
            end_time: system_time(self.end),
            attributes: self.attributes.into_iter().map(attribute).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links,
            status: self.error.map_or(Status::Unset, Status::error),
            instrumentation_scope: InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build(),
        }
    }
}

fn span_context(context: TraceContext) -> SpanContext {
    let flags = if context.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    SpanContext::new(context.trace, context.span, flags, false, TraceState::NONE)
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or_default())
}

//! Log lines as JSON objects: what happened, with what the spans around it say, all in one flat object.

use std::fmt;
use std::io::Write as _;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Writes each event as one line.
pub(crate) struct JsonLines<W>(pub(crate) W);

/// Is what a span says, in the order in which it was said.
#[derive(Default)]
struct Said(Vec<(&'static str, Value)>);

impl Said {
    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut said = Said::default();
        attributes.record(&mut said);
        span.extensions_mut().insert(said);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(said) = span.extensions_mut().get_mut::<Said>() {
            values.record(said);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Said::default();
        event.record(&mut own);
        let mut line = Map::new();
        let metadata = event.metadata();
        line.insert("timestamp".to_owned(), now().into());
        line.insert("level".to_owned(), metadata.level().as_str().into());
        let message = own.0.iter().position(|(name, _)| *name == "message").map(|at| own.0.remove(at));
        line.insert("message".to_owned(), message.map_or(Value::Null, |(_, text)| text));
        line.insert("target".to_owned(), metadata.target().into());
        // Of two that say the same, the inner one knows better.
        for span in context.event_scope(event).into_iter().flatten().collect::<Vec<_>>().into_iter().rev() {
            line.insert("span".to_owned(), span.name().into());
            if let Some(said) = span.extensions().get::<Said>() {
                line.extend(said.0.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            }
        }
        line.extend(own.0.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // A log that can't be written has nowhere to complain.
        let _ = self.0.make_writer_for(metadata).write_all(text.as_bytes());
    }
}

fn now() -> String {
    let mut text = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::field::Empty;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no test panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Gives the lines that come of something, without their times.
    fn lines(say: impl FnOnce()) -> Vec<Value> {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::registry().with(JsonLines(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, say);
        let text = String::from_utf8(kept.0.lock().expect("no test panicked").clone()).expect("is UTF-8");
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("is JSON")).collect();
        for line in &mut lines {
            let time = line.as_object_mut().and_then(|line| line.shift_remove("timestamp"));
            assert!(time.is_some_and(|time| time.as_str().is_some_and(|text| text.ends_with('Z'))), "{line}");
        }
        lines
    }

    #[test]
    fn a_line_says_what_its_spans_know() {
        let lines = lines(|| {
            let outer =
                tracing::error_span!("request", operation = "StartExecution", execution = Empty, trace_id = Empty);
            let _in_outer = outer.enter();
            tracing::info!(millis = 1.5, "before");
            outer.record("execution", "arn:a");
            outer.record("trace_id", "t-1");
            let _in_inner = tracing::error_span!("report", attempt = %"1-a", trace_id = "t-2").entered();
            tracing::warn!(count = 2_u64, is_over = true, "quoted \"text\"");
        });
        let expect = [
            r#"{"level":"INFO","message":"before","target":"telemetry::json::tests","span":"request","operation":"StartExecution","millis":1.5}"#,
            r#"{"level":"WARN","message":"quoted \"text\"","target":"telemetry::json::tests","span":"report","operation":"StartExecution","execution":"arn:a","trace_id":"t-2","attempt":"1-a","count":2,"is_over":true}"#,
        ];
        assert_eq!(lines.iter().map(Value::to_string).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn a_line_outside_of_spans_stands_alone() {
        let lines = lines(|| tracing::debug!(error = ?Some(1), "odd\nbreak"));
        assert_eq!(
            lines[0].to_string(),
            r#"{"level":"DEBUG","message":"odd\nbreak","target":"telemetry::json::tests","error":"Some(1)"}"#
        );
    }
}

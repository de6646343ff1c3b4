//! Spans that wait in the outbox until they are exported.

use serde::{Deserialize, Serialize};

use super::{RecordError, VERSION};

/// Is a span that is over. Ids and contexts are in W3C's form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanRecord {
    /// Its own `traceparent`.
    #[serde(rename = "c")]
    pub context: String,
    /// The id of the span that it hangs on.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Its name.
    #[serde(rename = "n")]
    pub name: String,
    /// `internal`, `server`, `producer` or `consumer`.
    #[serde(rename = "k")]
    pub kind: String,
    /// When it began, in milliseconds since 1970.
    #[serde(rename = "s")]
    pub start_millis: i64,
    /// When it ended, in milliseconds since 1970.
    #[serde(rename = "e")]
    pub end_millis: i64,
    /// What else is known of it: texts and whole numbers.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, serde_json::Value)>,
    /// The error that it ended with.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The `traceparent` of a span that it follows from.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    v: u64,
    #[serde(default)]
    spans: Vec<SpanRecord>,
}

/// Renders spans. The text holds no semicolon, which separates the parts of an outbox entry's name.
pub fn encode_spans(spans: Vec<SpanRecord>) -> String {
    let text =
        serde_json::to_string(&Envelope { v: VERSION.into(), spans }).expect("texts and numbers are always JSON");
    text.replace(';', "\\u003b")
}

/// Reads spans.
///
/// # Errors
/// `RecordError` if the text is not of the form, or of a later version.
pub fn decode_spans(text: &str) -> Result<Vec<SpanRecord>, RecordError> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    let form = |source| RecordError::Form { record: "group of spans", source };
    let Version { v: version } = serde_json::from_str(text).map_err(form)?;
    if version > u64::from(VERSION) {
        return Err(RecordError::Version { record: "group of spans", version });
    }
    serde_json::from_str::<Envelope>(text).map(|envelope| envelope.spans).map_err(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_the_golden_file_has_them() {
        let golden = include_str!("../../golden/records/spans.v1.json").trim_end();
        let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
        let full = SpanRecord {
            context: context.clone(),
            parent: Some("53995c3f42cd8ad8".to_owned()),
            name: "Ship; \"now\"".to_owned(),
            kind: "internal".to_owned(),
            start_millis: 1_700_000_000_000,
            end_millis: 1_700_000_000_250,
            attributes: vec![
                ("stepwell.state.type".to_owned(), "Task".into()),
                ("stepwell.entry".to_owned(), 4.into()),
            ],
            error: Some("States.Timeout".to_owned()),
            link: Some(context.clone()),
        };
        let bare = SpanRecord { parent: None, attributes: Vec::new(), error: None, link: None, ..full.clone() };
        assert_eq!(encode_spans(vec![full.clone(), bare.clone()]), golden);
        assert_eq!(decode_spans(golden).expect("reads"), [full, bare]);
        assert!(!golden.contains(';'));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(matches!(decode_spans("{\"v\":2,\"new\":1}"), Err(RecordError::Version { version: 2, .. })));
        assert!(matches!(decode_spans("[]"), Err(RecordError::Form { .. })));
        assert!(decode_spans("{\"v\":1,\"later\":true}").expect("reads").is_empty());
    }
}

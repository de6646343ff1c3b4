//! JSONPath: a line with the path, then the document. Reading text and reading values agree, and what was written is read.

use jsonpath::{Path, ReferencePath};
use model::JsonText;
use serde_json::{Value, json};

pub(crate) fn run(bytes: &[u8]) {
    let Some((text, document)) = crate::line_and_rest(bytes) else { return };
    let Ok(path) = Path::parse(text) else { return };
    let value: Value = serde_json::from_str(document)
        .unwrap_or_else(|_| json!({ "a": [1, { "b": "c", "d": [true, null] }], "a b": { "c": 2.0 }, "n": -3 }));
    let document = value.to_string();
    read(&path, &value, &document);
    path.normalised();
    if let Ok(reference) = ReferencePath::parse(text) {
        write(&reference, value, &document);
    }
}

fn read(path: &Path, value: &Value, document: &str) {
    let read = path.read(value).map(std::borrow::Cow::into_owned);
    if let Some(raw) = path.read_raw(document) {
        let raw: Value = serde_json::from_str(raw).expect("a part of a document is JSON");
        assert_eq!(read.as_ref(), Ok(&raw), "text and value are read alike");
    }
    let text = path.read_text(document).map(|text| serde_json::from_str(&text).expect("what is read is JSON"));
    assert_eq!(text, read, "text and value are read alike");
}

fn write(reference: &ReferencePath, value: Value, document: &str) {
    let Ok(written) = reference.write(value, json!({ "new": 1 })) else {
        assert!(reference.write_text(document, r#"{"new":1}"#).is_err(), "text and value are written alike");
        return;
    };
    let text = reference.write_text(document, r#"{"new":1}"#).expect("text and value are written alike");
    // What nests too deep to be parsed is for the caller to refuse.
    let Ok(from_text) = serde_json::from_str::<Value>(&text) else {
        assert!(JsonText::trusted(text).is_too_deep(), "what is written is JSON");
        return;
    };
    assert_eq!(from_text, written, "text and value are written alike");
    let read = reference.as_path().read(&written).map(std::borrow::Cow::into_owned);
    assert_eq!(read, Ok(json!({ "new": 1 })), "what was written is read");
}

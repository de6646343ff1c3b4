//! What a Map's ItemReader makes of the data that it is to read.
//! Source of the rules: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>

use std::collections::{BTreeMap, HashSet};

use asl::{ItemFormat, ItemReader};
use model::JsonText;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// How much all items together may be: each row repeats the names of its fields.
const ITEMS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Is what was read.
#[derive(Debug, PartialEq)]
pub(crate) struct Read {
    pub(crate) items: Vec<JsonText>,
    /// What the ItemsPointer points at.
    pub(crate) pointed_at: Option<JsonText>,
}

/// Reads items; says why there are none to be read.
pub(crate) fn read(data: &str, reader: &ItemReader, items_max: usize) -> Result<Read, String> {
    match &reader.format {
        ItemFormat::Json => read_json(data, reader.items_pointer.as_deref(), items_max),
        ItemFormat::JsonLines => {
            let lines = data.lines().filter(|line| !line.trim().is_empty()).take(items_max);
            let items = lines.map(json).collect::<Result<Vec<JsonText>, String>>()?;
            Ok(Read { items, pointed_at: None })
        }
        ItemFormat::Csv { delimiter, headers } => {
            let mut rows = rows(data, *delimiter).into_iter();
            let headers = headers.clone().or_else(|| rows.next()).unwrap_or_default();
            let items = objects(&headers, rows.take(items_max))?;
            Ok(Read { items, pointed_at: None })
        }
    }
}

fn json(text: &str) -> Result<JsonText, String> {
    JsonText::parse(text).map_err(|fault| asl::explain_json(text).unwrap_or_else(|| fault.to_string()))
}

fn read_json(data: &str, pointer: Option<&str>, items_max: usize) -> Result<Read, String> {
    let all = json(data)?;
    let found = pointer.map_or(Some(all.clone()), |pointer| look_up(&all, pointer));
    let elements = found.as_ref().and_then(|found| serde_json::from_str::<Vec<&RawValue>>(found.as_str()).ok());
    let elements = elements.ok_or("Attempting to map over non-iterable node.")?;
    let items = elements.into_iter().take(items_max).map(JsonText::from_raw).collect();
    Ok(Read { items, pointed_at: found.filter(|_| pointer.is_some()) })
}

/// Follows a JSON Pointer, RFC 6901.
fn look_up(text: &JsonText, pointer: &str) -> Option<JsonText> {
    let mut found = text.to_raw().ok()?;
    for step in pointer.strip_prefix('/').unwrap_or(pointer).split('/').filter(|_| !pointer.is_empty()) {
        let name = step.replace("~1", "/").replace("~0", "~");
        let inner: &RawValue = if found.get().starts_with('[') {
            serde_json::from_str::<Vec<&RawValue>>(found.get()).ok()?.get(name.parse::<usize>().ok()?).copied()?
        } else {
            serde_json::from_str::<BTreeMap<String, &RawValue>>(found.get()).ok()?.get(&name).copied()?
        };
        found = inner.to_owned();
    }
    Some(JsonText::from_raw(&found))
}

/// Makes an object of each row. What it has too few of is empty, what it has too much of is left out.
fn objects(headers: &[String], rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<JsonText>, String> {
    if headers.iter().collect::<HashSet<_>>().len() < headers.len() {
        return Err("CSV headers cannot contain duplicates.".to_owned());
    }
    let (mut items, mut bytes) = (Vec::new(), 0);
    for row in rows {
        let fields = row.into_iter().chain(std::iter::repeat(String::new()));
        let object: Map<String, Value> = headers.iter().cloned().zip(fields.map(Value::String)).collect();
        let item = JsonText::from_value(&Value::Object(object));
        bytes += item.len();
        if bytes > ITEMS_BYTES_MAX {
            return Err(format!("The items are larger than {ITEMS_BYTES_MAX} bytes together."));
        }
        items.push(item);
    }
    Ok(items)
}

/// Cuts a text into rows of fields. Quotes enclose what has delimiters, ends of lines or doubled quotes in it; empty lines are no rows.
fn rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut letters = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if is_quoted || field.is_empty() => is_quoted = !is_quoted,
            '\r' if !is_quoted && letters.peek() == Some(&'\n') => {}
            '\n' if !is_quoted => end_row(&mut rows, &mut row, &mut field),
            letter if !is_quoted && letter == delimiter => row.push(std::mem::take(&mut field)),
            letter => field.push(letter),
        }
    }
    end_row(&mut rows, &mut row, &mut field);
    rows
}

fn end_row(rows: &mut Vec<Vec<String>>, row: &mut Vec<String>, field: &mut String) {
    if !row.is_empty() || !field.is_empty() {
        row.push(std::mem::take(field));
        rows.push(std::mem::take(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: ItemFormat, pointer: Option<&str>, data: &str, expect: Result<&[&str], &str>) {
        let reader = ItemReader { format, items_pointer: pointer.map(str::to_owned), max_items: None };
        let found = read(data, &reader, usize::MAX).map(|read| read.items);
        let found = found.as_ref().map(|items| items.iter().map(JsonText::as_str).collect::<Vec<&str>>());
        assert_eq!(found.as_deref().map_err(|fault| fault.as_str()), expect, "{data}");
    }

    #[test]
    fn json_is_an_array_or_has_one() {
        let none = Err("Attempting to map over non-iterable node.");
        check(ItemFormat::Json, None, "[1.0, {\"a\":  2}]", Ok(&["1.0", "{\"a\":  2}"]));
        check(ItemFormat::Json, None, "{\"a\": [1]}", none);
        check(ItemFormat::Json, Some("/a/1/b~1c"), "{\"a\": [0, {\"b/c\": [1.0]}]}", Ok(&["1.0"]));
        check(ItemFormat::Json, Some("/b"), "{\"a\": [1]}", none);
        let token = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        check(ItemFormat::Json, None, "x", Err(&format!("Unrecognized token 'x': {token}")));
    }

    #[test]
    fn each_line_is_an_item() {
        check(ItemFormat::JsonLines, None, "{\"a\": 1}\r\n\n[2]\n", Ok(&["{\"a\": 1}", "[2]"]));
    }

    #[test]
    fn rows_become_objects() {
        let csv = |delimiter| ItemFormat::Csv { delimiter, headers: None };
        check(
            csv(','),
            None,
            "a,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n2\n3,4,5\n,",
            Ok(&[
                r#"{"a":"1","b":"x, \"y\"\nz"}"#,
                r#"{"a":"2","b":""}"#,
                r#"{"a":"3","b":"4"}"#,
                r#"{"a":"","b":""}"#,
            ]),
        );
        let headers = Some(vec!["n".to_owned()]);
        check(ItemFormat::Csv { delimiter: '|', headers }, None, "1|x\n2", Ok(&[r#"{"n":"1"}"#, r#"{"n":"2"}"#]));
        check(csv(','), None, "", Ok(&[]));
        check(csv(';'), None, "a;a\n1;2", Err("CSV headers cannot contain duplicates."));
    }

    #[test]
    fn no_more_is_read_than_fits() {
        let (name, rows) = ("n".repeat(100_000), "\n1".repeat(200));
        let fault = format!("The items are larger than {ITEMS_BYTES_MAX} bytes together.");
        check(ItemFormat::Csv { delimiter: ',', headers: None }, None, &format!("{name}{rows}"), Err(&fault));
        let reader = ItemReader { format: ItemFormat::JsonLines, items_pointer: None, max_items: None };
        assert_eq!(read("1\n2\n3", &reader, 2).map(|read| read.items.len()), Ok(2));
    }
}

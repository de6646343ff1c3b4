//! Settings as text.

use serde::Serialize;
use serde_json::Value;

/// Renders settings as TOML, one section after the other, secrets hidden. What is not set is a comment.
pub fn render<T: Serialize>(settings: &T) -> String {
    let mut text = String::new();
    match serde_json::to_value(settings) {
        Ok(Value::Object(sections)) => table(&mut text, "", &sections),
        Ok(_) | Err(_) => text.push_str("# these settings are not a table\n"),
    }
    text
}

fn table(text: &mut String, path: &str, entries: &serde_json::Map<String, Value>) {
    let (tables, leaves): (Vec<_>, Vec<_>) = entries.iter().partition(|(_, value)| value.is_object());
    if !path.is_empty() {
        text.push_str(if text.is_empty() { "" } else { "\n" });
        text.push_str(&format!("[{path}]\n"));
    }
    for (key, value) in leaves {
        text.push_str(&leaf(&quoted(key), value));
    }
    for (key, value) in tables {
        let key = quoted(key);
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        if let Value::Object(entries) = value {
            table(text, &path, entries);
        }
    }
}

fn leaf(key: &str, value: &Value) -> String {
    match toml::Value::try_from(value) {
        Ok(value) => format!("{key} = {value}\n"),
        Err(_) => format!("# {key} is not set\n"),
    }
}

fn quoted(key: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if !key.is_empty() && key.chars().all(plain) { key.to_owned() } else { toml::Value::from(key).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_rendered_as_toml() {
        let settings = serde_json::json!({
            "name": "x",
            "amqp": {"url": "amqp://h", "password": null},
            "work": {"pools": {"arn:*": "gpu"}, "list": ["a", "b"], "max": 3, "on": true},
        });
        let expect = "name = \"x\"\n\n[amqp]\nurl = \"amqp://h\"\n# password is not set\n\n[work]\n\
                      list = [\"a\", \"b\"]\nmax = 3\non = true\n\n[work.pools]\n\"arn:*\" = \"gpu\"\n";
        assert_eq!(render(&settings), expect);
        assert!(render(&settings).parse::<toml::Table>().is_ok());
    }
}

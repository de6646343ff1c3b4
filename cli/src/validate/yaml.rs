//! YAML to JSON text, with the place of each value.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, MarkedYaml, Marker, Scalar, YamlData};
use serde_json::{Map, Number, Value};

use super::document::Position;

/// Is what YAML was turned into.
pub(crate) struct Converted {
    pub(crate) json: String,
    /// Where each value stands, by its place in the definition.
    pub(crate) positions: BTreeMap<String, Position>,
}

/// Turns the first document of a YAML text into JSON. CloudFormation's short forms become what they stand for.
///
/// # Errors
/// What is wrong, and where.
pub(crate) fn convert(text: &str) -> Result<Converted, (String, Position)> {
    let documents =
        MarkedYaml::load_from_str(text).map_err(|fault| (fault.info().to_owned(), position(fault.marker())))?;
    let mut positions = BTreeMap::new();
    let value = documents.first().map_or(Value::Null, |root| value(root, "", &mut positions));
    Ok(Converted { json: value.to_string(), positions })
}

fn value(node: &MarkedYaml<'_>, place: &str, positions: &mut BTreeMap<String, Position>) -> Value {
    let own = if place.is_empty() { "/" } else { place };
    positions.insert(own.to_owned(), position(&node.span.start));
    match &node.data {
        YamlData::Value(scalar) => self::scalar(scalar),
        YamlData::Representation(text, _, _) => Value::from(text.as_ref()),
        YamlData::Sequence(elements) => {
            let elements = elements.iter().enumerate();
            elements.map(|(index, element)| value(element, &format!("{place}[{index}]"), positions)).collect()
        }
        YamlData::Mapping(members) => {
            let mut object = Map::new();
            for (key, member) in members {
                let name = name(key);
                let member = value(member, &format!("{place}/{name}"), positions);
                object.insert(name, member);
            }
            Value::Object(object)
        }
        YamlData::Tagged(tag, node) => {
            let inner = value(node, place, positions);
            let name = if tag.suffix == "Ref" { "Ref".to_owned() } else { format!("Fn::{}", tag.suffix) };
            Value::Object(Map::from_iter([(name, inner)]))
        }
        YamlData::Alias(_) | YamlData::BadValue => Value::Null,
    }
}

fn name(key: &MarkedYaml<'_>) -> String {
    match value(key, "", &mut BTreeMap::new()) {
        Value::String(text) => text,
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            other.to_string()
        }
    }
}

fn scalar(scalar: &Scalar<'_>) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(truth) => Value::Bool(*truth),
        Scalar::Integer(integer) => Value::from(*integer),
        Scalar::FloatingPoint(number) => Number::from_f64(number.into_inner()).map_or(Value::Null, Value::Number),
        Scalar::String(text) => Value::from(text.as_ref()),
    }
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

//! Fail states.

use asl::{DataPath, Fail, State, TextSource};
use jsonata::Kind;
use model::JsonText;
use serde_json::Value;

use crate::branch::Branch;
use crate::dataflow::{self, Field};
use crate::failure::Failure;
use crate::queries::Queries;
use crate::step::Move;
use crate::turn::Turn;

pub(crate) fn enter(turn: &mut Turn<'_>, branch: &Branch, state: &State, fail: &Fail) -> Result<Move, Failure> {
    let input = dataflow::selected(turn, branch, state)?;
    let error = text(turn, branch, state, (&input, fail.error.as_ref(), "ErrorPath"))?;
    let cause = text(turn, branch, state, (&input, fail.cause.as_ref(), "CausePath"))?;
    Ok(Move::End(Failure::new(error, cause)))
}

fn text(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (input, source, field): (&JsonText, Option<&TextSource>, &str),
) -> Result<Option<String>, Failure> {
    let value = match source {
        None => return Ok(None),
        Some(TextSource::Fixed(text)) => return Ok(Some(text.to_string())),
        Some(TextSource::Path(path)) => look_up(turn, branch, input, path, field)?,
        Some(TextSource::Query(query)) => {
            let salt = dataflow::salt(branch, Field::Other);
            let text = query.evaluate_to(Kind::String, &mut Queries::new(turn, branch, state, salt));
            text.map_err(|error| Failure::query(turn, branch, &error))?.to_value().unwrap_or_default()
        }
        Some(TextSource::Intrinsic(intrinsic)) => {
            let value = intrinsic.evaluate(&dataflow::scope(turn, branch, input.clone(), Field::Other));
            value.map_err(|error| Failure::runtime(turn, branch, &error.to_string()))?
        }
    };
    match value {
        Value::String(text) => Ok(Some(text)),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            let message = format!("The field '{field}' must be a string, but was: {}", jsonpath::json_text(&other));
            Err(Failure::runtime(turn, branch, &message))
        }
    }
}

fn look_up(
    turn: &mut Turn<'_>,
    branch: &Branch,
    input: &JsonText,
    path: &DataPath,
    field: &str,
) -> Result<Value, Failure> {
    let scope = dataflow::scope(turn, branch, input.clone(), Field::Other);
    let found = path.read_value(&scope).map(|value| value.into_owned());
    found.map_err(|error| {
        if error.is_fault() {
            return Failure::path(turn, branch, &error);
        }
        let message = format!(
            "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'"
        );
        Failure::runtime(turn, branch, &message)
    })
}

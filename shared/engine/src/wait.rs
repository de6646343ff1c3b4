//! Wait states.

use asl::{DataPath, State, Wait, WaitUntil};
use jsonata::Kind;
use jsonpath::plain_text;
use model::{JsonText, Timestamp};
use serde_json::Value;

use crate::branch::{Branch, Phase};
use crate::dataflow::{self, Field};
use crate::exit;
use crate::failure::Failure;
use crate::queries::Queries;
use crate::step::Move;
use crate::task::number;
use crate::turn::Turn;

/// The longest wait: AWS accepts about 24,855 days, which is `i32::MAX` seconds.
const DELAY_MILLIS_MAX: u64 = 2_147_483_647_000;

pub(crate) fn enter(turn: &mut Turn<'_>, branch: &mut Branch, state: &State, wait: &Wait) -> Result<Move, Failure> {
    let input = dataflow::selected(turn, branch, state)?;
    let until = until(turn, branch, state, (&input, &wait.until)).map_err(Failure::after_entry)?;
    if until.millis_since(turn.moment.at) > DELAY_MILLIS_MAX {
        return Err(Failure::runtime(turn, branch, "Wait state delay is too long."));
    }
    if until <= turn.moment.at {
        return leave(turn, branch, state, wait, input);
    }
    branch.phase = Phase::Wait { until };
    Ok(Move::Stay)
}

/// Leaves the state when the wait is over.
pub(crate) fn finish(turn: &mut Turn<'_>, branch: &Branch, state: &State, wait: &Wait) -> Result<Move, Failure> {
    let input = dataflow::selected(turn, branch, state)?;
    leave(turn, branch, state, wait, input)
}

fn leave(turn: &mut Turn<'_>, branch: &Branch, state: &State, wait: &Wait, input: JsonText) -> Result<Move, Failure> {
    let exit = exit::of_state(turn, branch, state, input)?;
    Ok(Move::leave(branch, exit, &wait.next))
}

fn until(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (input, until): (&JsonText, &WaitUntil),
) -> Result<Timestamp, Failure> {
    let start = turn.moment.at;
    match until {
        WaitUntil::Seconds(seconds) => Ok(after_seconds(start, *seconds)),
        WaitUntil::Timestamp(instant) => Ok(*instant),
        WaitUntil::SecondsPath(path) => {
            let seconds = look_up(turn, branch, input, path).and_then(|value| seconds(path, value.as_ref()));
            seconds.map(|seconds| after_seconds(start, seconds)).map_err(|text| Failure::runtime(turn, branch, &text))
        }
        WaitUntil::SecondsQuery(query) => {
            let seconds = number(turn, branch, state, query)?;
            u64::try_from(seconds).map(|seconds| after_seconds(start, seconds)).map_err(|_| {
                let message = format!("The {} field references a negative value: {seconds}", query.location());
                Failure::evaluated(turn, branch, Some(query.location()), &message)
            })
        }
        WaitUntil::TimestampQuery(query) => {
            let salt = dataflow::salt(branch, Field::Other);
            let text = query.evaluate_to(Kind::String, &mut Queries::new(turn, branch, state, salt));
            let text = text.map_err(|error| Failure::query(turn, branch, &error))?;
            let text = text.to_value().unwrap_or_default();
            let parsed = text.as_str().and_then(asl::timestamp::parse).map(|(instant, _)| instant);
            parsed.ok_or_else(|| {
                let message = format!(
                    "The {} field cannot be parsed as an ISO-8601 extended offset date-time format string: {}",
                    query.location(),
                    plain_text(&text)
                );
                Failure::evaluated(turn, branch, Some(query.location()), &message)
            })
        }
        WaitUntil::TimestampPath(path) => {
            let instant = look_up(turn, branch, input, path).and_then(|value| instant(path, value.as_ref()));
            instant.map_err(|text| Failure::runtime(turn, branch, &text))
        }
    }
}

fn after_seconds(start: Timestamp, seconds: u64) -> Timestamp {
    start.plus_millis(i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

/// Reads the value that a path names, none if it names nothing. Never fails; the result eases chaining.
fn look_up(turn: &Turn<'_>, branch: &Branch, input: &JsonText, path: &DataPath) -> Result<Option<Value>, String> {
    let scope = dataflow::scope(turn, branch, input.clone(), Field::Other);
    Ok(path.read_value(&scope).ok().map(|value| value.into_owned()))
}

fn seconds(path: &DataPath, value: Option<&Value>) -> Result<u64, String> {
    let missing = || format!("The SecondsPath parameter does not reference an input value: {path}");
    let value = value.ok_or_else(missing)?;
    let number = value.as_i64().ok_or_else(|| {
        format!("The SecondsPath parameter cannot be parsed as a long value: {path} == {}", plain_text(value))
    })?;
    u64::try_from(number)
        .map_err(|_| format!("The SecondsPath parameter references a negative value: {path} == {number}"))
}

fn instant(path: &DataPath, value: Option<&Value>) -> Result<Timestamp, String> {
    let missing = || format!("The TimestampPath parameter does not reference an input value: {path}");
    let value = value.ok_or_else(missing)?;
    let parsed = value.as_str().and_then(asl::timestamp::parse).map(|(instant, _)| instant);
    parsed.ok_or_else(|| {
        format!(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: \
             {path} == {}",
            plain_text(value)
        )
    })
}

//! Inline Map states: what is their own; what they share with Parallel is in `children`.

use asl::{Limit, Map, Payload, QueryLanguage, State};
use jsonata::Kind;
use model::{Details, EventKind, JsonText};
use serde_json::value::RawValue;

use crate::branch::Branch;
use crate::children::{self, Scope};
use crate::dataflow::{self, Field};
use crate::failure::Failure;
use crate::kinds;
use crate::queries::Queries;
use crate::step::Move;
use crate::task::{number, unquoted};
use crate::turn::{Turn, parent_state};

pub(crate) fn enter(turn: &mut Turn<'_>, branch: &mut Branch, state: &State, map: &Map) -> Result<Move, Failure> {
    let input = dataflow::selected(turn, branch, state)?;
    let items = items(turn, branch, state, (map, &input))?;
    let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let details = Details::MapStarted { length: u64::from(total) };
    branch.last_event = turn.emit(branch.last_event, EventKind::MapStateStarted, details);
    let concurrency = concurrency(turn, branch, state, (map, &input))?;
    if turn.test.is_some() {
        note_tolerance(turn, branch, state, (map, &input))?;
    }
    children::open(turn, branch, state, Scope { total, concurrency, input, items })
}

/// Makes the input of an iteration that is about to enter its first state, from the Map's own input, which it bears until
/// then. The child does it, not the Map: a failure must close the scope, and only a completion brings the list of what is open.
pub(crate) fn select(turn: &mut Turn<'_>, child: &Branch) -> Result<Option<JsonText>, Failure> {
    let Some(state) = parent_state(turn.definition, child) else {
        return Ok(None);
    };
    let Some(selector) = kinds::map(state).and_then(|map| map.item_selector.as_ref()) else {
        return Ok(None);
    };
    let mut map_branch = child.clone();
    if let Some(last) = map_branch.location.pop() {
        map_branch.state = last.state;
    }
    match selector {
        Payload::Template(template) => {
            let filled = template.evaluate(&dataflow::scope(turn, &map_branch, child.input.clone(), Field::Other));
            filled.map(Some).map_err(|error| Failure::template(turn, &map_branch, &error))
        }
        Payload::Query(template) => {
            let salt = dataflow::salt(&map_branch, Field::Other);
            let filled = template.evaluate(&mut Queries::new(turn, &map_branch, state, salt));
            filled.map(Some).map_err(|error| Failure::query(turn, &map_branch, &error))
        }
    }
}

fn items(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (map, input): (&Map, &JsonText),
) -> Result<Vec<JsonText>, Failure> {
    let given = turn.test.as_ref().and_then(|test| test.items.clone());
    if state.query_language == QueryLanguage::Jsonata && given.is_none() {
        return computed_items(turn, branch, state, (map, input));
    }
    let text = match (&map.items_path, given) {
        (_, Some(items)) => items,
        (None, None) => JsonText::trusted("{}"),
        (Some(path), None) => {
            let found = path.read(&dataflow::scope(turn, branch, input.clone(), Field::Other));
            found.map_err(|error| Failure::path(turn, branch, &error))?
        }
    };
    let elements = elements(&text);
    if elements.is_some() {
        turn.note(|inspection| inspection.after_items_path = Some(text));
    }
    elements.ok_or_else(|| {
        let path = map.items_path.as_ref().map_or("$", |path| path.path().as_str());
        Failure::runtime(turn, branch, &format!("Reference path \"{path}\" must point to array."))
    })
}

fn computed_items(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (map, input): (&Map, &JsonText),
) -> Result<Vec<JsonText>, Failure> {
    let text = match &map.items {
        None => input.clone(),
        Some(items) => {
            let mut queries = Queries::new(turn, branch, state, dataflow::salt(branch, Field::Parameters));
            let filled = match items.as_query() {
                Some(query) => query.evaluate_to(Kind::Array, &mut queries),
                None => items.evaluate(&mut queries),
            };
            filled.map_err(|error| Failure::query(turn, branch, &error))?
        }
    };
    elements(&text).ok_or_else(|| {
        let message = format!("Map state input must be an array but was: {}", jsonpath::compact(text.as_str()));
        Failure::evaluated(turn, branch, None, &message)
    })
}

fn elements(text: &JsonText) -> Option<Vec<JsonText>> {
    let elements: Vec<&RawValue> = serde_json::from_str(text.as_str()).ok()?;
    Some(elements.into_iter().map(JsonText::from_raw).collect())
}

/// Tells TestState how many failures the Map tolerates.
fn note_tolerance(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (map, input): (&Map, &JsonText),
) -> Result<(), Failure> {
    let count = tolerated(turn, branch, state, input, map.tolerated_failure_count.as_ref())?;
    let percentage = tolerated(turn, branch, state, input, map.tolerated_failure_percentage.as_ref())?;
    turn.note(|inspection| {
        inspection.tolerated_failure_count = count.map(|count| count as u64);
        inspection.tolerated_failure_percentage = percentage;
    });
    Ok(())
}

fn tolerated(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    input: &JsonText,
    limit: Option<&Limit>,
) -> Result<Option<f64>, Failure> {
    match limit {
        None => Ok(None),
        Some(Limit::Fixed(limit)) => Ok(Some(*limit as f64)),
        Some(Limit::Query(query)) => number(turn, branch, state, query).map(|limit| Some(limit as f64)),
        Some(Limit::Path(path)) => {
            let found = path.read(&dataflow::scope(turn, branch, input.clone(), Field::Other));
            let text = found.map_err(|error| Failure::path(turn, branch, &error))?;
            Ok(text.as_str().parse().ok())
        }
    }
}

/// Gives how many iterations run at once; 0 in the definition stands for as many as allowed.
fn concurrency(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (map, input): (&Map, &JsonText),
) -> Result<u32, Failure> {
    let most = turn.limits.map_concurrency_max.max(1);
    let wanted = match &map.max_concurrency {
        Limit::Fixed(wanted) => *wanted,
        Limit::Query(query) => {
            let wanted = number(turn, branch, state, query)?;
            u64::try_from(wanted).map_err(|_| {
                let message = "MaxConcurrency cannot be negative.";
                Failure::evaluated(turn, branch, Some(query.location()), message)
            })?
        }
        Limit::Path(path) => {
            let found = path.read(&dataflow::scope(turn, branch, input.clone(), Field::Other));
            let text = found.map_err(|error| Failure::path(turn, branch, &error))?;
            let wanted = match text.as_str().parse::<i64>() {
                Ok(wanted) => u64::try_from(wanted).map_err(|_| "MaxConcurrency cannot be negative.".to_owned()),
                Err(_) => Err(format!(
                    "The MaxConcurrencyPath field refers to value \"{}\" which is not a valid integer: {path}",
                    unquoted(text.as_str())
                )),
            };
            wanted.map_err(|message| Failure::runtime(turn, branch, &message))?
        }
    };
    turn.note(|inspection| inspection.max_concurrency = Some(wanted));
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
    Ok(if wanted == 0 { most } else { wanted.min(most) })
}

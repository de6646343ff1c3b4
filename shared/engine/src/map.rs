//! Inline Map states: what is their own; what they share with Parallel is in `children`.

use asl::{Limit, Map, State};
use model::{Details, EventKind, JsonText};
use serde_json::value::RawValue;

use crate::branch::Branch;
use crate::children::{self, Scope};
use crate::dataflow::{self, Field};
use crate::failure::Failure;
use crate::kinds;
use crate::step::Move;
use crate::task::unquoted;
use crate::turn::{Turn, parent_state};

pub(crate) fn enter(turn: &mut Turn<'_>, branch: &mut Branch, state: &State, map: &Map) -> Result<Move, Failure> {
    let input = dataflow::selected(turn, branch, state)?;
    let items = items(turn, branch, map, &input)?;
    let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let details = Details::MapStarted { length: u64::from(total) };
    branch.last_event = turn.emit(branch.last_event, EventKind::MapStateStarted, details);
    let concurrency = concurrency(turn, branch, map, &input)?;
    children::open(turn, branch, state, Scope { total, concurrency, input, items })
}

/// Makes the input of an iteration that is about to enter its first state, from the Map's own input, which it bears until
/// then. The child does it, not the Map: a failure must close the scope, and only a completion brings the list of what is open.
pub(crate) fn select(turn: &mut Turn<'_>, child: &Branch) -> Result<Option<JsonText>, Failure> {
    let selector = parent_state(turn.definition, child).and_then(kinds::map).and_then(|map| map.item_selector.as_ref());
    let Some(selector) = selector else {
        return Ok(None);
    };
    let mut map_branch = child.clone();
    if let Some(last) = map_branch.location.pop() {
        map_branch.state = last.state;
    }
    let filled = selector.evaluate(&dataflow::scope(turn, &map_branch, child.input.clone(), Field::Other));
    filled.map(Some).map_err(|error| Failure::template(turn, &map_branch, &error))
}

fn items(turn: &mut Turn<'_>, branch: &Branch, map: &Map, input: &JsonText) -> Result<Vec<JsonText>, Failure> {
    let text = match &map.items_path {
        None => JsonText::trusted("{}"),
        Some(path) => {
            let found = path.read(&dataflow::scope(turn, branch, input.clone(), Field::Other));
            found.map_err(|error| Failure::path(turn, branch, &error))?
        }
    };
    let elements: Result<Vec<&RawValue>, _> = serde_json::from_str(text.as_str());
    elements.map(|elements| elements.into_iter().map(JsonText::from_raw).collect()).map_err(|_| {
        let path = map.items_path.as_ref().map_or("$", |path| path.as_str());
        Failure::runtime(turn, branch, &format!("Reference path \"{path}\" must point to array."))
    })
}

/// Gives how many iterations run at once; 0 in the definition stands for as many as allowed.
fn concurrency(turn: &mut Turn<'_>, branch: &Branch, map: &Map, input: &JsonText) -> Result<u32, Failure> {
    let most = turn.limits.map_concurrency_max.max(1);
    let wanted = match &map.max_concurrency {
        Limit::Fixed(wanted) => *wanted,
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
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
    Ok(if wanted == 0 { most } else { wanted.min(most) })
}

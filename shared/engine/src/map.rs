//! Map states: what is their own; what they share with Parallel is in `children`.

use std::str::FromStr;

use asl::{DataPath, ItemReader, Limit, Map, Payload, ProcessorMode, QueryLanguage, Root, State};
use jsonata::Kind;
use model::{Details, EventKind, JsonText, ScopeKey, error_name};
use serde_json::value::RawValue;

use crate::branch::Branch;
use crate::children::{self, Scope};
use crate::context_object;
use crate::dataflow::{self, Field};
use crate::failure::Failure;
use crate::item_reader;
use crate::kinds;
use crate::map_run::{self, Evaluated};
use crate::queries::Queries;
use crate::step::Move;
use crate::task::{fraction, number, unquoted};
use crate::turn::{Turn, parent_state};

/// How many bytes TestState looks at, at most, to tell what the iterations of a Map would get.
const SELECTOR_BYTES_MAX: usize = 256 * 1024 * 1024;

pub(crate) fn enter(turn: &mut Turn<'_>, branch: &mut Branch, state: &State, map: &Map) -> Result<Move, Failure> {
    if let Some(order) = turn.execution.map_run.clone() {
        return map_run::open(turn, branch, state, &order);
    }
    let input = dataflow::selected(turn, branch, state)?;
    // Of AWS's fields of a Map, this one is evaluated before the state starts, the tolerances after it.
    let wanted = count(turn, branch, state, (&map.max_concurrency, &input), "MaxConcurrency")?;
    let items = items(turn, branch, state, (map, &input))?;
    turn.note(|inspection| inspection.max_concurrency = Some(wanted));
    let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let details = Details::MapStarted { length: u64::from(total) };
    branch.last_event = turn.emit(branch.last_event, EventKind::MapStateStarted, details);
    let (tolerated_failure_count, tolerated_failure_percentage) = tolerance(turn, branch, state, (map, &input))?;
    if turn.test.is_some() {
        note_selected(turn, branch, state, (map, &input), &items)?;
    }
    if matches!(map.mode, ProcessorMode::Distributed(_)) && turn.test.is_none() {
        let max_concurrency = wanted;
        let evaluated =
            Evaluated { input, items, max_concurrency, tolerated_failure_count, tolerated_failure_percentage };
        return Ok(map_run::begin(turn, branch, state, map, evaluated));
    }
    let concurrency = at_once(turn, wanted);
    children::open(turn, branch, state, Scope { total, concurrency, input, items, tolerated: 0 })
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
    let mut looked_at = child.input.clone();
    if let Some(order) = &turn.execution.map_run {
        map_branch.variables = order.variables.clone().into();
        map_branch.input = order.input.clone();
        looked_at = order.input.clone();
    }
    let input = fill(turn, &map_branch, state, selector, &looked_at)?;
    dataflow::check_size(turn, &map_branch, &input)?;
    Ok(Some(input))
}

/// Fills a selector in, where the branch is in the Map and has the item at hand.
fn fill(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    selector: &Payload,
    input: &JsonText,
) -> Result<JsonText, Failure> {
    match selector {
        Payload::Template(template) => {
            let filled = template.evaluate(&dataflow::scope(turn, branch, input.clone(), Field::Other));
            filled.map_err(|error| Failure::template(turn, branch, &error))
        }
        Payload::Query(template) => {
            let salt = dataflow::salt(branch, Field::Other);
            let filled = template.evaluate(&mut Queries::new(turn, branch, state, salt));
            filled.map_err(|error| Failure::query(turn, branch, &error))
        }
    }
}

/// Shows TestState what the iterations would get, if that is no more than a payload and can be told in reasonable time: there are
/// none, and what fails in one of them fails the Map.
fn note_selected(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (map, input): (&Map, &JsonText),
    items: &[JsonText],
) -> Result<(), Failure> {
    let (Some(selector), Some(context)) = (&map.item_selector, turn.test_context()) else {
        return Ok(());
    };
    let scope = ScopeKey { branch: branch.path.clone(), entry: branch.entry };
    let mut selected = Vec::new();
    let mut bytes = 0;
    // Each iteration looks at all of these anew.
    let looked_at = input.len() + context.len();
    let most = SELECTOR_BYTES_MAX / looked_at.max(1);
    for (index, item) in (0..).zip(items.iter().take(most)) {
        turn.set_test_context(context_object::with_item(&context, index, item));
        let iteration = Branch { path: scope.child(index), ..branch.clone() };
        let filled = fill(turn, &iteration, state, selector, input);
        bytes += filled.as_ref().map_or(0, |filled| filled.len() as u64 + 1);
        selected.push(filled);
        if turn.exceeds(bytes) || selected.last().is_some_and(Result::is_err) {
            break;
        }
    }
    turn.set_test_context(context);
    let selected: Vec<JsonText> = selected.into_iter().collect::<Result<_, _>>()?;
    if turn.exceeds(bytes) || items.len() > most {
        return Ok(());
    }
    turn.note(|inspection| inspection.after_item_selector = Some(children::array(&selected)));
    Ok(())
}

fn items(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (map, input): (&Map, &JsonText),
) -> Result<Vec<JsonText>, Failure> {
    if let Some(data) = turn.test.as_ref().and_then(|test| test.items.clone())
        && let Some(reader) = &map.reader
    {
        return read_items(turn, branch, state, (reader, input), &data);
    }
    if state.query_language == QueryLanguage::Jsonata {
        return computed_items(turn, branch, state, (map, input));
    }
    let text = match &map.items_path {
        None => JsonText::trusted("{}"),
        Some(path) if path.is_whole_input() => input.clone(),
        Some(path) => {
            let found = path.read(&dataflow::scope(turn, branch, input.clone(), Field::Other));
            found.map_err(|error| match path.path().missing_step(input.as_str()) {
                Some(step) if path.root() == &Root::Input => Failure::conflict(path.path(), &step, input),
                Some(_) | None => Failure::path(turn, branch, &error),
            })?
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

/// Reads the data that a test has given for those that its ItemReader would read.
fn read_items(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (reader, input): (&ItemReader, &JsonText),
    data: &str,
) -> Result<Vec<JsonText>, Failure> {
    let fail = |cause: String| Failure::new(Some(error_name::ITEM_READER_FAILED.to_owned()), Some(cause));
    let most = match &reader.max_items {
        None => 0,
        Some(Limit::Fixed(most)) => i64::try_from(*most).unwrap_or(i64::MAX),
        Some(Limit::Query(query)) => number(turn, branch, state, query)?,
        Some(Limit::Path(path)) => looked_up(turn, branch, (path, input), ("MaxItems", "integer"))?,
    };
    let most = usize::try_from(most).map_err(|_| fail("field MaxItems must be positive".to_owned()))?;
    let most = if most == 0 { usize::MAX } else { most };
    let read = item_reader::read(data, reader, most).map_err(fail)?;
    let all = Some(children::array(&read.items)).filter(|all| !turn.exceeds(all.len() as u64));
    turn.note(|inspection| {
        inspection.after_items_path = all;
        inspection.after_items_pointer = read.pointed_at;
    });
    Ok(read.items)
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

/// Gives the elements of an array, each as its text.
pub(crate) fn elements(text: &JsonText) -> Option<Vec<JsonText>> {
    let elements: Vec<&RawValue> = serde_json::from_str(text.as_str()).ok()?;
    Some(elements.into_iter().map(JsonText::from_raw).collect())
}

/// Evaluates how many failures the Map tolerates, in all and of a hundred: values that can't be are a fault, even though an inline Map
/// tolerates none.
fn tolerance(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (map, input): (&Map, &JsonText),
) -> Result<(Option<u64>, Option<f64>), Failure> {
    let (mut in_all, mut of_hundred) = (None, None);
    if let Some(limit) = &map.tolerated_failure_count {
        in_all = Some(count(turn, branch, state, (limit, input), "ToleratedFailureCount")?);
        turn.note(|inspection| inspection.tolerated_failure_count = in_all);
    }
    if let Some(limit) = &map.tolerated_failure_percentage {
        of_hundred = Some(percentage(turn, branch, state, (limit, input), "ToleratedFailurePercentage")?);
        turn.note(|inspection| inspection.tolerated_failure_percentage = of_hundred);
    }
    Ok((in_all, of_hundred))
}

/// Gives the number that a field states, or that it or its `…Path` refers to.
fn count(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (limit, input): (&Limit, &JsonText),
    field: &str,
) -> Result<u64, Failure> {
    let negative = format!("{field} cannot be negative.");
    match limit {
        Limit::Fixed(count) => Ok(*count),
        Limit::Query(query) => {
            let count = number(turn, branch, state, query)?;
            u64::try_from(count).map_err(|_| Failure::evaluated(turn, branch, Some(query.location()), &negative))
        }
        Limit::Path(path) => {
            let count: i64 = looked_up(turn, branch, (path, input), (field, "integer"))?;
            u64::try_from(count).map_err(|_| Failure::runtime(turn, branch, &negative))
        }
    }
}

/// Gives the percentage that a field states, or that it or its `…Path` refers to.
fn percentage(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (limit, input): (&Limit<f64>, &JsonText),
    field: &str,
) -> Result<f64, Failure> {
    let fits = |percentage: &f64| (0.0..=100.0).contains(percentage);
    let message = format!("{field} must be between 0 and 100.");
    match limit {
        Limit::Fixed(percentage) => Ok(*percentage),
        Limit::Query(query) => {
            let percentage = fraction(turn, branch, state, query)?;
            Some(percentage)
                .filter(fits)
                .ok_or_else(|| Failure::evaluated(turn, branch, Some(query.location()), &message))
        }
        Limit::Path(path) => {
            let percentage: f64 = looked_up(turn, branch, (path, input), (field, "float"))?;
            Some(percentage).filter(fits).ok_or_else(|| Failure::runtime(turn, branch, &message))
        }
    }
}

/// Reads a number of a kind by a field's `…Path`.
fn looked_up<N: FromStr>(
    turn: &mut Turn<'_>,
    branch: &Branch,
    (path, input): (&DataPath, &JsonText),
    (field, kind): (&str, &str),
) -> Result<N, Failure> {
    let found = path.read(&dataflow::scope(turn, branch, input.clone(), Field::Other));
    let text = found.map_err(|error| Failure::path(turn, branch, &error))?;
    text.as_str().parse().map_err(|_| {
        let text = unquoted(text.as_str());
        let message = format!("The {field}Path field refers to value \"{text}\" which is not a valid {kind}: {path}");
        Failure::runtime(turn, branch, &message)
    })
}

/// Gives how many iterations run at once; 0 in the definition stands for as many as allowed.
fn at_once(turn: &Turn<'_>, wanted: u64) -> u32 {
    let most = turn.limits.map_concurrency_max.max(1);
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
    if wanted == 0 { most } else { wanted.min(most) }
}

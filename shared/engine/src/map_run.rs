//! Maps in distributed mode, and Map Runs: each item is an execution of its own, which a Map Run starts and waits for.
//!
//! ```text
//!  execution: Map state ──order──► Map Run: an execution of the Map state alone ──input──► child execution of an item
//!                       ◄─results─                                              ◄─output─
//! ```
//! To the core both are attempts that end by their task token: the Map state's own (the order is its payload), and in the Map Run the
//! one task of each iteration. So what holds for `.sync` tasks holds here: who starts the other, who tells its end, who stops it.

use std::collections::BTreeMap;

use asl::{Map, State};
use jsonpath::compact;
use model::{BranchPath, Details, EventKind, JsonText, StateMachineArn, error_name};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::branch::{Branch, Callback, Delivery, Phase, TaskPhase};
use crate::chance;
use crate::children::{self, Scope};
use crate::context_object::{self, next_attempt};
use crate::event::{Effect, Leaving, Outcome, Rejected};
use crate::failure::Failure;
use crate::map;
use crate::step::{Move, open as stay, settle};
use crate::turn::{After, BranchEnd, Turn};

/// Stands for the start of a Map Run, where a Resource stands: no definition may name it.
pub const START_MAP_RUN: &str = "arn:aws:states:::states:startMapRun.sync:2";
/// Stands for the start of a child execution by a Map Run.
pub const START_CHILD: &str = "arn:aws:states:::states:startChildExecution.sync:2";

/// Tells apart what follows from an execution's seed: the ids of its Map Runs.
const RUN_ID: u32 = u32::MAX - 1;

/// Tells whether what stands for a Resource is the start of a Map Run or of one of its children.
pub fn is_of_map_run(resource: &str) -> bool {
    matches!(resource, START_MAP_RUN | START_CHILD)
}

/// Is what a Map state has its Map Run do: the input of that.
#[derive(Clone, Debug, PartialEq)]
pub struct MapRunOrder {
    /// The ARN of the Map Run.
    pub arn: String,
    /// Where the Map state is in the definition of its execution, as `asl::Way` has it.
    pub way: Vec<(String, u32)>,
    /// The items.
    pub items: Vec<JsonText>,
    /// The effective input of the Map state: what ItemSelector looks at.
    pub input: JsonText,
    /// The context object of the Map state, without an item.
    pub context: JsonText,
    /// The variables that ItemSelector refers to, in order of their names.
    pub variables: Vec<(String, JsonText)>,
    /// How many child executions run at once; 0 for as many as are allowed.
    pub max_concurrency: u64,
    /// How many items may fail, where that is said.
    pub tolerated_failure_count: Option<u64>,
    /// How many of a hundred items may fail, where that is said.
    pub tolerated_failure_percentage: Option<f64>,
}

impl MapRunOrder {
    /// Renders it: one JSON object. Texts stay as they are.
    pub fn render(&self) -> JsonText {
        let quote = |text: &str| Value::from(text).to_string();
        let way: Vec<String> = self.way.iter().map(|(state, branch)| format!("[{},{branch}]", quote(state))).collect();
        let variables = self.variables.iter().map(|(name, value)| format!("{}:{value}", quote(name)));
        let or_null = |number: Option<String>| number.unwrap_or_else(|| "null".to_owned());
        JsonText::trusted(format!(
            r#"{{"mapRunArn":{},"way":[{}],"items":{},"input":{},"context":{},"variables":{{{}}},"maxConcurrency":{},"toleratedFailureCount":{},"toleratedFailurePercentage":{}}}"#,
            quote(&self.arn),
            way.join(","),
            children::array(&self.items),
            self.input,
            self.context,
            variables.collect::<Vec<_>>().join(","),
            self.max_concurrency,
            or_null(self.tolerated_failure_count.map(|count| count.to_string())),
            or_null(self.tolerated_failure_percentage.map(|percentage| Value::from(percentage).to_string())),
        ))
    }

    /// Reads what [`render`](Self::render) wrote; `None` for anything else.
    pub fn read(text: &JsonText) -> Option<Self> {
        let members = members(text)?;
        let plain = |name: &str| members.get(name).and_then(|text| text.to_value().ok());
        let way = plain("way")?;
        let step = |step: &Value| Some((step[0].as_str()?.to_owned(), u32::try_from(step[1].as_u64()?).ok()?));
        Some(Self {
            arn: plain("mapRunArn")?.as_str()?.to_owned(),
            way: way.as_array()?.iter().map(step).collect::<Option<_>>()?,
            items: map::elements(members.get("items")?)?,
            input: members.get("input")?.clone(),
            context: members.get("context")?.clone(),
            variables: self::members(members.get("variables")?)?.into_iter().collect(),
            max_concurrency: plain("maxConcurrency")?.as_u64()?,
            tolerated_failure_count: plain("toleratedFailureCount")?.as_u64(),
            tolerated_failure_percentage: plain("toleratedFailurePercentage")?.as_f64(),
        })
    }

    /// Gives how many items may fail: none, unless that is said.
    ///
    /// AWS: where both limits are given, exceeding either fails the Map Run.
    /// <https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html>
    pub fn tolerated(&self) -> u32 {
        let total = u64::try_from(self.items.len()).unwrap_or(u64::MAX);
        let of_hundred = self.tolerated_failure_percentage.map(|percentage| most_of(total, percentage));
        let most = match (self.tolerated_failure_count, of_hundred) {
            (Some(count), Some(of_hundred)) => count.min(of_hundred),
            (Some(count), None) | (None, Some(count)) => count,
            (None, None) => 0,
        };
        u32::try_from(most).unwrap_or(u32::MAX)
    }
}

/// Gives the ARN of the Map Run that an order, or what is left of one, names.
pub fn arn_of_order(order: &JsonText) -> Option<String> {
    members(order)?.get("mapRunArn")?.to_value().ok()?.as_str().map(str::to_owned)
}

/// Gives the most of so many that are not over a percentage.
fn most_of(total: u64, percentage: f64) -> u64 {
    let is_over = |count: u64| count as f64 * 100.0 > percentage * total as f64;
    // Percentages are from 0 to 100, so the search ends at `total` at the latest.
    let (mut low, mut high) = (0, total);
    while low < high {
        let middle = high - (high - low) / 2;
        if is_over(middle) { high = middle - 1 } else { low = middle }
    }
    low
}

/// Gives the members of an object, each as its text.
fn members(text: &JsonText) -> Option<BTreeMap<String, JsonText>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text.as_str()).ok()?;
    Some(members.into_iter().map(|(name, value)| (name, JsonText::from_raw(value))).collect())
}

/// Is what a Map state in distributed mode has evaluated of its fields.
pub(crate) struct Evaluated {
    pub(crate) input: JsonText,
    pub(crate) items: Vec<JsonText>,
    pub(crate) max_concurrency: u64,
    pub(crate) tolerated_failure_count: Option<u64>,
    pub(crate) tolerated_failure_percentage: Option<f64>,
}

/// Begins the Map Run of a Map state that has just started.
pub(crate) fn begin(turn: &mut Turn<'_>, branch: &mut Branch, state: &State, map: &Map, evaluated: Evaluated) -> Move {
    let Evaluated { input, items, max_concurrency, tolerated_failure_count, tolerated_failure_percentage } = evaluated;
    let arn = arn(turn, branch, state, map);
    branch.last_event =
        turn.emit(branch.last_event, EventKind::MapRunStarted, Details::MapRunStarted { arn: arn.clone() });
    let attempt = next_attempt(turn.moment.seed, branch);
    let outside = Branch { item: None, ..branch.clone() };
    let is_used = |name: &String| state.uses.variables.contains(name);
    let mut way: Vec<(String, u32)> =
        branch.location.iter().map(|step| (step.state.as_str().to_owned(), step.branch)).collect();
    way.push((state.name.as_str().to_owned(), 0));
    let order = MapRunOrder {
        arn,
        way,
        items,
        input,
        context: context_object::render(turn.definition, turn.execution, &outside, attempt),
        variables: branch.variables.iter().filter(|(name, _)| is_used(name)).cloned().collect(),
        max_concurrency,
        tolerated_failure_count,
        tolerated_failure_percentage,
    };
    branch.attempts += 1;
    branch.phase = Phase::Task(TaskPhase {
        attempt,
        resource: START_MAP_RUN.to_owned(),
        payload: order.render(),
        role_arn: None,
        scheduled_at: turn.moment.at,
        deadline: None,
        timeout_seconds: None,
        heartbeat_seconds: None,
        heard_at: turn.moment.at,
        started: false,
        deliveries: 0,
        delivery: Delivery::Dispatched,
        early: None,
    });
    turn.yielded.effects.push(Effect::DispatchWorkItem { branch: branch.path.clone(), attempt });
    Move::Stay
}

/// Puts the ARN of the Map Run together. Its label is the same for all executions of a state machine; its id is of this try alone.
fn arn(turn: &Turn<'_>, branch: &Branch, state: &State, map: &Map) -> String {
    let execution = turn.execution;
    let label = map.label.clone().unwrap_or_else(|| {
        let steps = branch.location.iter().map(|step| step.state.as_str());
        let place =
            chance::seed([execution.state_machine_arn.as_str()].into_iter().chain(steps).chain([state.name.as_str()]));
        chance::sequence(place, &BranchPath::root(), [0, RUN_ID]).uuid()
    });
    let id = chance::sequence(execution.seed, &branch.path, [branch.entry, RUN_ID]).uuid();
    let machine = StateMachineArn::parse(&execution.state_machine_arn);
    // That of a child of another Map Run has a label already.
    let named = |machine: StateMachineArn| machine.without_label().0.labelled(&label).map_run(&id).as_str().to_owned();
    machine.map_or_else(|_| String::new(), named)
}

/// Applies a report on the start of the Map Run.
pub(crate) fn report(
    turn: &mut Turn<'_>,
    mut branch: Branch,
    state: &State,
    outcome: Outcome,
) -> Result<After, Rejected> {
    let Phase::Task(phase) = &mut branch.phase else { return Err(Rejected::Stale) };
    if phase.delivery == Delivery::Waiting {
        return Err(Rejected::Stale);
    }
    match outcome {
        Outcome::Submitted { .. } => {
            if let Some(callback) = phase.early.take() {
                return Ok(end(turn, branch, state, callback));
            }
            // The Map Run has the order now, and the state needs no more than to know which it is.
            let arn =
                arn_of_order(&phase.payload).map_or_else(|| "null".to_owned(), |arn| Value::from(arn).to_string());
            phase.payload = JsonText::trusted(format!(r#"{{"mapRunArn":{arn}}}"#));
            phase.delivery = Delivery::Waiting;
            Ok(stay(branch))
        }
        Outcome::Failed { error, cause } => {
            let callback = phase.early.take().unwrap_or(Callback::Failed { error, cause });
            Ok(end(turn, branch, state, callback))
        }
        Outcome::Succeeded { output } => {
            let callback = phase.early.take().unwrap_or(Callback::Succeeded { output });
            Ok(end(turn, branch, state, callback))
        }
        Outcome::Started | Outcome::Heartbeat | Outcome::Holding { .. } | Outcome::Unhandled => {
            Err(Rejected::Unchanged)
        }
    }
}

/// Applies the end of the Map Run. If its start was not reported yet, the end is kept until it is.
pub(crate) fn ended(
    turn: &mut Turn<'_>,
    mut branch: Branch,
    state: &State,
    callback: Callback,
) -> Result<After, Rejected> {
    let Phase::Task(phase) = &mut branch.phase else { return Err(Rejected::Stale) };
    match (&phase.delivery, &phase.early) {
        (Delivery::Waiting, _) => Ok(end(turn, branch, state, callback)),
        (Delivery::Dispatched, None) => {
            phase.early = Some(callback);
            Ok(stay(branch))
        }
        (Delivery::Dispatched | Delivery::Held { .. } | Delivery::Unhandled { .. } | Delivery::Queued, _) => {
            Err(Rejected::Stale)
        }
    }
}

fn end(turn: &mut Turn<'_>, mut branch: Branch, state: &State, callback: Callback) -> After {
    branch.phase = Phase::Ready;
    let result = match callback {
        Callback::Succeeded { output } => {
            let run = turn.emit(branch.last_event, EventKind::MapRunSucceeded, Details::None);
            branch.last_event = turn.emit(run, EventKind::MapStateSucceeded, Details::None);
            children::leave(turn, &branch, state, run, output)
        }
        Callback::Failed { error, cause } => {
            let mut failure = Failure::new(error, cause);
            // Results that are too large together end the execution, as those of an inline Map do.
            failure.terminal |= failure.error.as_deref() == Some(error_name::DATA_LIMIT_EXCEEDED);
            let details = Details::Failure { error: failure.error.clone(), cause: failure.cause.clone() };
            branch.last_event = turn.emit(branch.last_event, EventKind::MapRunFailed, details);
            Err(failure)
        }
    };
    settle(turn, branch, state, result)
}

/// Opens the scope of a Map Run: its items are there already.
pub(crate) fn open(
    turn: &mut Turn<'_>,
    branch: &mut Branch,
    state: &State,
    order: &MapRunOrder,
) -> Result<Move, Failure> {
    let total = u32::try_from(order.items.len()).unwrap_or(u32::MAX);
    let details = Details::MapStarted { length: u64::from(total) };
    branch.last_event = turn.emit(branch.last_event, EventKind::MapStateStarted, details);
    let most = turn.limits.map_run_concurrency_max.max(1);
    let wanted = u32::try_from(order.max_concurrency).unwrap_or(u32::MAX);
    let concurrency = if wanted == 0 { most } else { wanted.min(most) };
    // What ItemSelector looks at stays in the order: no iteration has a copy of it until it is selected.
    let (input, items, tolerated) = (branch.input.clone(), order.items.clone(), order.tolerated());
    children::open(turn, branch, state, Scope { total, concurrency, input, items, tolerated })
}

/// Takes from an iteration of a Map Run what only ItemSelector looks at.
pub(crate) fn is_selected(branch: &mut Branch) {
    branch.item = None;
}

/// Gives the context object that ItemSelector looks at in a Map Run: that of the Map state, with the item.
pub(crate) fn context(turn: &Turn<'_>, branch: &Branch) -> Option<JsonText> {
    let order = turn.execution.map_run.as_ref()?;
    let Some(item) = &branch.item else { return Some(order.context.clone()) };
    Some(context_object::with_item(&order.context, item.index, &item.value))
}

/// Ends an iteration of a Map Run whose child execution did not succeed: `status` is how it ended, `told` all that is told of it, which
/// stands among the results.
pub(crate) fn item_failed(
    turn: &mut Turn<'_>,
    branch: Branch,
    state: &State,
    status: Option<String>,
    told: Option<String>,
) -> After {
    turn.note_left(&branch, state, Leaving::Failed(status));
    let told = told.unwrap_or_default();
    let result = JsonText::parse(&told).unwrap_or_else(|_| JsonText::from_value(&Value::from(told)));
    let result = JsonText::trusted(compact(result.as_str()));
    After::Ended(BranchEnd { path: branch.path, last_event: branch.last_event, result: Ok(result), failed_item: true })
}

/// Makes the failure of a Map Run of which more items failed than may.
pub(crate) fn too_many_failed() -> Failure {
    let cause = "The specified tolerated failure threshold was exceeded";
    Failure::new(Some(error_name::EXCEED_TOLERATED_FAILURE_THRESHOLD.to_owned()), Some(cause.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(items: usize, count: Option<u64>, percentage: Option<f64>) -> MapRunOrder {
        MapRunOrder {
            arn: "arn:aws:states:r:1:mapRun:M/L:0ab".to_owned(),
            way: vec![("P \"1\"".to_owned(), 1), ("M".to_owned(), 0)],
            items: vec![JsonText::trusted("1.0"); items],
            input: JsonText::trusted("{\"a\" : [1.0,  2]}"),
            context: JsonText::trusted("{\"State\":{}}"),
            variables: vec![("x".to_owned(), JsonText::trusted("1e2")), ("y".to_owned(), JsonText::trusted("null"))],
            max_concurrency: 7,
            tolerated_failure_count: count,
            tolerated_failure_percentage: percentage,
        }
    }

    #[test]
    fn an_order_is_read_as_it_was_written() {
        for order in [order(2, Some(3), Some(12.5)), order(0, None, None)] {
            let text = JsonText::parse(order.render().as_str()).expect("is JSON");
            assert_eq!(MapRunOrder::read(&text).as_ref(), Some(&order));
            assert_eq!(arn_of_order(&text).as_deref(), Some("arn:aws:states:r:1:mapRun:M/L:0ab"));
        }
        for text in ["{}", "[]", "1", "{\"mapRunArn\":1}"] {
            assert_eq!(MapRunOrder::read(&JsonText::trusted(text)), None, "{text}");
            assert_eq!(arn_of_order(&JsonText::trusted(text)), None, "{text}");
        }
    }

    #[test]
    fn what_may_fail_is_the_least_that_is_said() {
        let check = |items, count, percentage, expect: u32| {
            assert_eq!(order(items, count, percentage).tolerated(), expect, "{items} {count:?} {percentage:?}");
        };
        check(10, None, None, 0);
        check(10, Some(4), None, 4);
        check(10, Some(4), Some(30.0), 3);
        check(10, Some(2), Some(30.0), 2);
        check(3, None, Some(33.3), 0);
        check(3, None, Some(33.4), 1);
        check(3, None, Some(100.0), 3);
        check(0, None, Some(50.0), 0);
        check(1_000, None, Some(0.1), 1);
        check(1_000, None, Some(0.0), 0);
    }
}

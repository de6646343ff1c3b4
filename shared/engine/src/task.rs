//! Task states: attempts, their reports and timers.

use std::str::FromStr;

use asl::{IntegrationPattern, Limit, Payload, Query, ResourceKind, State, Task};
use jsonata::Kind;
use model::{JsonText, Timestamp};

use crate::branch::{Branch, Callback, Delivery, Phase, TaskPhase};
use crate::context_object::next_attempt;
use crate::dataflow::{self, Field};
use crate::event::{Effect, NewEvent, Outcome, Rejected, Timer};
use crate::exit;
use crate::failure::Failure;
use crate::kinds;
use crate::map_run;
use crate::queries::Queries;
use crate::resource_events::Chain;
use crate::step::{Move, is_due, open, settle};
use crate::turn::{After, Turn};

/// How long a worker's word that it holds an item counts, in milliseconds; workers repeat it every 10 s.
const HOLD_MILLIS: i64 = 30_000;
/// The longest pause before an unhandled item is dispatched again, in seconds.
const UNHANDLED_SECONDS_MAX: i64 = 60;

/// Is a report on the open attempt.
pub(crate) struct Report {
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) worker: Option<String>,
    pub(crate) outcome: Outcome,
}

/// Begins an attempt.
pub(crate) fn enter(turn: &mut Turn<'_>, branch: &mut Branch, state: &State, task: &Task) -> Result<Move, Failure> {
    let selected = dataflow::selected(turn, branch, state)?;
    let timeout = limit(turn, branch, state, &selected, task.timeout.as_ref(), "TimeoutSecondsPath")?;
    let heartbeat = limit(turn, branch, state, &selected, task.heartbeat.as_ref(), "HeartbeatSecondsPath")?;
    let role_arn = credentials(turn, branch, state, (task, &selected))?;
    let payload = dataflow::parameters(turn, branch, state, selected)?;
    check_activity(turn, branch, task)?;
    let chain = Chain::of(task);
    let region = &turn.execution.region;
    let (kind, details) = chain.scheduled(region, payload.clone(), (timeout, heartbeat), role_arn.clone());
    branch.last_event = turn.emit(branch.last_event, kind, details);
    let attempt = next_attempt(turn.moment.seed, branch);
    branch.attempts += 1;
    let now = turn.moment.at;
    let waits_in_queue = is_activity(task);
    branch.phase = Phase::Task(TaskPhase {
        attempt,
        resource: task.resource.arn().to_owned(),
        payload,
        role_arn,
        scheduled_at: now,
        deadline: timeout.filter(|_| !waits_in_queue).map(|seconds| plus_seconds(now, seconds)),
        timeout_seconds: timeout.filter(|_| waits_in_queue),
        heartbeat_seconds: heartbeat,
        heard_at: now,
        started: false,
        deliveries: 0,
        delivery: if waits_in_queue { Delivery::Queued } else { Delivery::Dispatched },
        early: None,
    });
    turn.yielded.effects.push(Effect::DispatchWorkItem { branch: branch.path.clone(), attempt });
    Ok(Move::Stay)
}

/// Gives the role that Credentials name.
fn credentials(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (task, input): (&Task, &JsonText),
) -> Result<Option<String>, Failure> {
    let Some(payload) = &task.credentials else {
        return Ok(None);
    };
    let text = match payload {
        Payload::Template(template) => {
            let scope = dataflow::scope(turn, branch, input.clone(), Field::Other);
            template.evaluate(&scope).map_err(|error| Failure::template(turn, branch, &error))?
        }
        Payload::Query(template) => {
            let salt = dataflow::salt(branch, Field::Other);
            let filled = template.evaluate(&mut Queries::new(turn, branch, state, salt));
            filled.map_err(|error| Failure::query(turn, branch, &error))?
        }
    };
    let role = text.to_value().ok().and_then(|value| value["RoleArn"].as_str().map(str::to_owned));
    role.map(Some).ok_or_else(|| {
        let message = format!("The field 'RoleArn' of Credentials must be a string, but Credentials were: {text}");
        Failure::runtime(turn, branch, &message)
    })
}

fn is_activity(task: &Task) -> bool {
    matches!(task.resource.kind(), ResourceKind::Activity { .. })
}

/// Fails the task of an activity that does not exist.
fn check_activity(turn: &mut Turn<'_>, branch: &Branch, task: &Task) -> Result<(), Failure> {
    let arn = task.resource.arn();
    if turn.execution.missing_activities.iter().any(|missing| missing == arn) {
        return Err(Failure::runtime(turn, branch, &format!("The activity {arn} does not exist.")));
    }
    Ok(())
}

fn limit(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    input: &JsonText,
    limit: Option<&Limit>,
    field: &str,
) -> Result<Option<u64>, Failure> {
    match limit {
        None => Ok(None),
        Some(Limit::Fixed(seconds)) => Ok(Some(*seconds)),
        Some(Limit::Query(query)) => {
            let seconds = number(turn, branch, state, query)?;
            let positive = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
            positive.map(Some).ok_or_else(|| {
                let message = format!("The {} field must be greater than 0, but was: {seconds}", query.location());
                Failure::evaluated(turn, branch, Some(query.location()), &message)
            })
        }
        Some(Limit::Path(path)) => {
            let found = path.read(&dataflow::scope(turn, branch, input.clone(), Field::Other));
            let text = found.map_err(|error| Failure::path(turn, branch, &error))?;
            let seconds = text.as_str().parse().ok().filter(|seconds| *seconds > 0);
            seconds.map(Some).ok_or_else(|| {
                let text = unquoted(text.as_str());
                let message =
                    format!("The {field} field refers to value \"{text}\" which is not a valid integer: {path}");
                Failure::runtime(turn, branch, &message)
            })
        }
    }
}

/// Evaluates an expression that must give a whole number.
pub(crate) fn number(turn: &mut Turn<'_>, branch: &Branch, state: &State, query: &Query) -> Result<i64, Failure> {
    parsed_number(turn, branch, state, query, "integer")
}

/// Evaluates an expression that must give a number.
pub(crate) fn fraction(turn: &mut Turn<'_>, branch: &Branch, state: &State, query: &Query) -> Result<f64, Failure> {
    parsed_number(turn, branch, state, query, "number")
}

fn parsed_number<N: FromStr>(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    query: &Query,
    wanted: &str,
) -> Result<N, Failure> {
    let salt = dataflow::salt(branch, Field::Other);
    let text = query.evaluate_to(Kind::Number, &mut Queries::new(turn, branch, state, salt));
    let text = text.map_err(|error| Failure::query(turn, branch, &error))?;
    text.as_str().parse().map_err(|_| {
        let error = query.unexpected(wanted, Kind::Number, &text);
        Failure::query(turn, branch, &error)
    })
}

/// Takes a string's quotes off for a text.
pub(crate) fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

fn plus_seconds(instant: Timestamp, seconds: u64) -> Timestamp {
    instant.plus_millis(i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX))
}

/// Gives the instant by which the next sign of life is due: none before a worker of an activity took the task, or once the result is there.
pub(crate) fn heartbeat_due(phase: &TaskPhase) -> Option<Timestamp> {
    if phase.delivery == Delivery::Queued || phase.early.is_some() {
        return None;
    }
    phase.heartbeat_seconds.map(|seconds| plus_seconds(phase.heard_at, seconds))
}

/// Applies a report on the open attempt.
pub(crate) fn report(turn: &mut Turn<'_>, branch: Branch, state: &State, report: Report) -> Result<After, Rejected> {
    let task = kinds::task(state)?;
    let chain = Chain::of(task);
    let Report { started_at, worker, outcome } = report;
    let Phase::Task(phase) = &branch.phase else { return Err(Rejected::Stale) };
    let has_no_item = matches!(phase.delivery, Delivery::Waiting | Delivery::Queued);
    match outcome {
        // An item that was delivered twice has made its call twice; the first report counts. Of what waits in the queue of its activity
        // there is no item at all; who takes it from there says so by `Started`.
        Outcome::Holding { .. }
        | Outcome::Unhandled
        | Outcome::Submitted { .. }
        | Outcome::Succeeded { .. }
        | Outcome::Failed { .. }
            if has_no_item =>
        {
            Err(Rejected::Stale)
        }
        Outcome::Started => {
            edit(turn, branch, |turn, branch, phase| started(turn, branch, phase, &chain, started_at, worker))
        }
        Outcome::Heartbeat => edit(turn, branch, heartbeat),
        Outcome::Holding { deliveries } => edit(turn, branch, |turn, _, phase| {
            phase.deliveries = phase.deliveries.max(deliveries);
            phase.delivery = Delivery::Held { until: turn.moment.at.plus_millis(HOLD_MILLIS) };
            Ok(())
        }),
        Outcome::Unhandled => edit(turn, branch, |turn, _, phase| {
            phase.delivery = unhandled(&phase.delivery, turn.moment.at);
            Ok(())
        }),
        Outcome::Submitted { output } => submitted(turn, branch, state, task, Submitted { started_at, worker, output }),
        Outcome::Succeeded { output } if task.resource.pattern() == IntegrationPattern::WaitForTaskToken => {
            submitted(turn, branch, state, task, Submitted { started_at, worker, output })
        }
        Outcome::Succeeded { output } => {
            let (branch, early) = close(turn, branch, &chain, started_at, worker);
            Ok(end(turn, branch, state, task, early.unwrap_or(Callback::Succeeded { output })))
        }
        Outcome::Failed { error, cause } => {
            let (branch, early) = close(turn, branch, &chain, started_at, worker);
            Ok(end(turn, branch, state, task, early.unwrap_or(Callback::Failed { error, cause })))
        }
    }
}

/// Applies what came by the task token. If the worker has not reported that it made its call, the first is kept until it does.
pub(crate) fn called_back(
    turn: &mut Turn<'_>,
    mut branch: Branch,
    state: &State,
    callback: Callback,
) -> Result<After, Rejected> {
    let task = kinds::task(state)?;
    let Phase::Task(phase) = &mut branch.phase else { return Err(Rejected::Stale) };
    match phase.delivery {
        Delivery::Waiting => {
            branch.phase = Phase::Ready;
            Ok(end(turn, branch, state, task, callback))
        }
        Delivery::Dispatched | Delivery::Held { .. } | Delivery::Unhandled { .. } if phase.early.is_none() => {
            phase.early = Some(callback);
            Ok(open(branch))
        }
        Delivery::Dispatched | Delivery::Held { .. } | Delivery::Unhandled { .. } | Delivery::Queued => {
            Err(Rejected::Stale)
        }
    }
}

/// Ends a closed attempt.
fn end(turn: &mut Turn<'_>, mut branch: Branch, state: &State, task: &Task, callback: Callback) -> After {
    let chain = Chain::of(task);
    let result = match callback {
        Callback::Succeeded { output } => succeeded(turn, &mut branch, state, task, &chain, output),
        Callback::Failed { error, cause } if turn.execution.map_run.is_some() => {
            return map_run::item_failed(turn, branch, state, error, cause);
        }
        Callback::Failed { error, cause } => {
            let mut failure = Failure::new(error, cause);
            // What a task names so is its failure, not one of the state machine.
            failure.terminal = false;
            let (kind, details) = chain.failed(&failure);
            branch.last_event = turn.emit(branch.last_event, kind, details);
            Err(failure)
        }
    };
    settle(turn, branch, state, result)
}

/// Is a report that the call was made and the result comes by the task token.
struct Submitted {
    started_at: Option<Timestamp>,
    worker: Option<String>,
    output: JsonText,
}

fn submitted(
    turn: &mut Turn<'_>,
    mut branch: Branch,
    state: &State,
    task: &Task,
    report: Submitted,
) -> Result<After, Rejected> {
    let chain = Chain::of(task);
    let Submitted { started_at, worker, output } = report;
    let Phase::Task(mut phase) = std::mem::replace(&mut branch.phase, Phase::Ready) else {
        return Err(Rejected::Stale);
    };
    if !phase.started {
        record_started(turn, &mut branch, &phase, &chain, started_at, worker);
    }
    if turn.refuses(&output) {
        return Ok(too_large(turn, branch, state, &chain));
    }
    if let Some((kind, details)) = chain.submitted(output) {
        branch.last_event = turn.emit(branch.last_event, kind, details);
    }
    if let Some(callback) = phase.early.take() {
        return Ok(end(turn, branch, state, task, callback));
    }
    phase.started = true;
    phase.delivery = Delivery::Waiting;
    phase.heard_at = phase.heard_at.max(turn.moment.at);
    branch.phase = Phase::Task(phase);
    Ok(open(branch))
}

fn too_large(turn: &mut Turn<'_>, mut branch: Branch, state: &State, chain: &Chain<'_>) -> After {
    let failure = Failure::too_large(chain.name());
    let (kind, details) = chain.failed(&failure);
    branch.last_event = turn.emit(branch.last_event, kind, details);
    settle(turn, branch, state, Err(failure))
}

/// Changes the open attempt, which stays open.
fn edit<'a>(
    turn: &mut Turn<'a>,
    mut branch: Branch,
    change: impl FnOnce(&mut Turn<'a>, &mut Branch, &mut TaskPhase) -> Result<(), Rejected>,
) -> Result<After, Rejected> {
    let Phase::Task(mut phase) = std::mem::replace(&mut branch.phase, Phase::Ready) else {
        return Err(Rejected::Stale);
    };
    change(turn, &mut branch, &mut phase)?;
    branch.phase = Phase::Task(phase);
    Ok(open(branch))
}

fn started(
    turn: &mut Turn<'_>,
    branch: &mut Branch,
    phase: &mut TaskPhase,
    chain: &Chain<'_>,
    started_at: Option<Timestamp>,
    worker: Option<String>,
) -> Result<(), Rejected> {
    if phase.started {
        return heartbeat(turn, branch, phase);
    }
    record_started(turn, branch, phase, chain, started_at, worker);
    phase.started = true;
    heard(turn, phase);
    if phase.delivery == Delivery::Queued {
        phase.delivery = Delivery::Waiting;
        phase.deadline = phase.timeout_seconds.map(|seconds| plus_seconds(turn.moment.at, seconds));
    }
    Ok(())
}

fn heartbeat(turn: &mut Turn<'_>, _: &mut Branch, phase: &mut TaskPhase) -> Result<(), Rejected> {
    if phase.delivery == Delivery::Queued {
        return Err(Rejected::Stale);
    }
    if (phase.heartbeat_seconds.is_none() || phase.early.is_some())
        && !matches!(phase.delivery, Delivery::Unhandled { .. })
    {
        return Err(Rejected::Unchanged);
    }
    heard(turn, phase);
    Ok(())
}

/// Notes a sign of life; who gives it also has the item.
fn heard(turn: &Turn<'_>, phase: &mut TaskPhase) {
    phase.heard_at = phase.heard_at.max(turn.moment.at);
    if matches!(phase.delivery, Delivery::Unhandled { .. }) {
        phase.delivery = Delivery::Dispatched;
    }
}

fn unhandled(delivery: &Delivery, now: Timestamp) -> Delivery {
    let times = match delivery {
        Delivery::Unhandled { times, .. } => times.saturating_add(1),
        Delivery::Dispatched | Delivery::Held { .. } | Delivery::Queued | Delivery::Waiting => 1,
    };
    let seconds = 1_i64.checked_shl(times - 1).unwrap_or(UNHANDLED_SECONDS_MAX).clamp(1, UNHANDLED_SECONDS_MAX);
    Delivery::Unhandled { times, until: now.plus_millis(seconds * 1_000) }
}

/// Adds the event of the start, at the worker's time as far as that is plausible.
fn record_started(
    turn: &mut Turn<'_>,
    branch: &mut Branch,
    phase: &TaskPhase,
    chain: &Chain<'_>,
    started_at: Option<Timestamp>,
    worker: Option<String>,
) {
    let latest = turn.moment.at.max(phase.scheduled_at);
    let at = started_at.unwrap_or(latest).clamp(phase.scheduled_at, latest);
    let (kind, details) = chain.started(worker);
    branch.last_event = turn.emit_event(NewEvent { previous: branch.last_event, at, kind, details });
}

/// Ends the open attempt; gives what came by its task token before.
fn close(
    turn: &mut Turn<'_>,
    mut branch: Branch,
    chain: &Chain<'_>,
    started_at: Option<Timestamp>,
    worker: Option<String>,
) -> (Branch, Option<Callback>) {
    let Phase::Task(phase) = std::mem::replace(&mut branch.phase, Phase::Ready) else { return (branch, None) };
    if !phase.started {
        record_started(turn, &mut branch, &phase, chain, started_at, worker);
    }
    (branch, phase.early)
}

fn succeeded(
    turn: &mut Turn<'_>,
    branch: &mut Branch,
    state: &State,
    task: &Task,
    chain: &Chain<'_>,
    output: JsonText,
) -> Result<Move, Failure> {
    if turn.refuses(&output) {
        let failure = Failure::too_large(chain.name());
        let (kind, details) = chain.failed(&failure);
        branch.last_event = turn.emit(branch.last_event, kind, details);
        return Err(failure);
    }
    let (kind, details) = chain.succeeded(output.clone());
    branch.last_event = turn.emit(branch.last_event, kind, details);
    let exit = exit::of_state(turn, branch, state, output)?;
    Ok(Move::leave(branch, exit, &task.next))
}

/// Applies a timer of the open attempt.
pub(crate) fn timer(turn: &mut Turn<'_>, branch: Branch, state: &State, timer: Timer) -> Result<After, Rejected> {
    let Phase::Task(phase) = &branch.phase else {
        return Err(Rejected::Stale);
    };
    let due = match timer {
        Timer::Timeout { .. } => phase.deadline,
        Timer::Heartbeat { .. } => heartbeat_due(phase),
        Timer::Redispatch { .. } => redispatch_due(&phase.delivery),
        Timer::Wait { .. } | Timer::Backoff { .. } | Timer::Execution => None,
    };
    let due = due.ok_or(Rejected::Stale)?;
    if !is_due(turn, &branch, timer, due) {
        return Ok(open(branch));
    }
    if let Timer::Redispatch { .. } = timer {
        return edit(turn, branch, redispatch);
    }
    let task = kinds::task(state)?;
    Ok(time_out(turn, branch, state, task, matches!(timer, Timer::Heartbeat { .. })))
}

/// Gives the instant at which an item is dispatched again.
pub(crate) fn redispatch_due(delivery: &Delivery) -> Option<Timestamp> {
    match delivery {
        Delivery::Held { until } => Some(*until),
        Delivery::Unhandled { until, .. } => Some(*until).filter(|until| *until != Delivery::REDISPATCHED),
        Delivery::Dispatched | Delivery::Queued | Delivery::Waiting => None,
    }
}

fn redispatch(turn: &mut Turn<'_>, branch: &mut Branch, phase: &mut TaskPhase) -> Result<(), Rejected> {
    match phase.delivery {
        // An item that no worker takes on does no harm to workers: only the others count towards poison.
        Delivery::Unhandled { times, .. } => {
            phase.delivery = Delivery::Unhandled { times, until: Delivery::REDISPATCHED };
        }
        Delivery::Dispatched | Delivery::Held { .. } => {
            phase.delivery = Delivery::Dispatched;
            phase.deliveries = phase.deliveries.saturating_add(1);
        }
        Delivery::Queued | Delivery::Waiting => return Err(Rejected::Stale),
    }
    let effect = Effect::DispatchWorkItem { branch: branch.path.clone(), attempt: phase.attempt };
    turn.yielded.effects.push(effect);
    Ok(())
}

fn time_out(turn: &mut Turn<'_>, mut branch: Branch, state: &State, task: &Task, heartbeat: bool) -> After {
    if let Phase::Task(phase) = &branch.phase {
        let effect = Effect::CancelWork { branch: branch.path.clone(), attempt: phase.attempt };
        turn.yielded.effects.push(effect);
        // Its sender was told that it was taken, and it came in time.
        if phase.early.is_some() {
            let (branch, early) = close(turn, branch, &Chain::of(task), None, None);
            let callback = early.unwrap_or(Callback::Failed { error: None, cause: None });
            return end(turn, branch, state, task, callback);
        }
    }
    branch.phase = Phase::Ready;
    let failure = Failure::timeout(heartbeat);
    let (kind, details) = Chain::of(task).timed_out(&failure);
    branch.last_event = turn.emit(branch.last_event, kind, details);
    settle(turn, branch, state, Err(failure))
}

//! Task tokens and activities.

use engine::{Callback, Delivery, Event, Limits, Outcome, Outstanding, Phase, Rejected, TaskPhase, Timer};
use model::{BranchPath, Details, EventKind, JsonText, TaskToken};

use world::{START, World};

const TOKEN: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "TimeoutSeconds":60,"HeartbeatSeconds":10,"Parameters":{"token.$":"$$.Task.Token"},"End":true}}}"#;
const ACTIVITY: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task","TimeoutSeconds":60,"HeartbeatSeconds":10,
    "Resource":"arn:aws:states:us-east-1:123456789012:activity:dig","End":true}}}"#;

fn world(definition: &str) -> World {
    World::start(definition, "{}", Limits::default(), 1)
}

fn task(world: &World) -> TaskPhase {
    let Phase::Task(task) = &world.branches[&BranchPath::root()].phase else { panic!("the root waits for its task") };
    task.clone()
}

fn text(text: &str) -> JsonText {
    JsonText::parse(text).expect("is JSON")
}

fn report(world: &mut World, outcome: Outcome) -> Result<(), Rejected> {
    let attempt = task(world).attempt;
    world.report(&BranchPath::root(), attempt, None, outcome)
}

fn call_back(world: &mut World, callback: Callback) -> Result<(), Rejected> {
    let attempt = task(world).attempt;
    world.apply(&BranchPath::root(), Event::Callback { attempt, callback })
}

fn succeeded(output: &str) -> Callback {
    Callback::Succeeded { output: text(output) }
}

fn kinds(world: &World) -> Vec<&'static str> {
    world.history.iter().skip(2).map(|event| event.kind.as_str()).collect()
}

const SUBMITTED: [&str; 3] = ["TaskScheduled", "TaskStarted", "TaskSubmitted"];
const DONE: [&str; 3] = ["TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"];

#[test]
fn a_callback_ends_a_task_that_waits_for_its_token() {
    let mut world = world(TOKEN);
    report(&mut world, Outcome::Succeeded { output: text("{\"MessageId\":1}") }).expect("is open");
    assert_eq!(kinds(&world), SUBMITTED);
    let attempt = task(&world).attempt;
    assert_eq!(engine::outstanding(&world.branches[&BranchPath::root()]), Outstanding::Token(attempt));
    call_back(&mut world, succeeded("[1]")).expect("is open");
    assert_eq!(kinds(&world), [SUBMITTED, DONE].concat());
    let end = world.end.as_ref().and_then(|end| end.output.clone());
    assert_eq!(end, Some(text("[1]")));
}

#[test]
fn the_token_in_the_parameters_is_that_of_the_attempt() {
    let world = world(TOKEN);
    let payload: serde_json::Value = serde_json::from_str(task(&world).payload.as_str()).expect("is JSON");
    let token = payload["token"].as_str().and_then(TaskToken::parse).expect("is a token");
    assert_eq!((token.branch, token.attempt), (BranchPath::root(), task(&world).attempt));
}

#[test]
fn a_callback_that_overtakes_the_report_is_applied_after_it() {
    let mut world = world(TOKEN);
    call_back(&mut world, succeeded("1")).expect("is kept");
    assert_eq!(kinds(&world), ["TaskScheduled"]);
    assert_eq!(call_back(&mut world, succeeded("2")), Err(Rejected::Stale), "the first wins");
    report(&mut world, Outcome::Succeeded { output: text("{}") }).expect("is open");
    assert_eq!(kinds(&world), [SUBMITTED, DONE].concat());
    assert_eq!(world.end.as_ref().and_then(|end| end.output.clone()), Some(text("1")));
}

#[test]
fn a_callback_that_was_taken_outlives_a_failed_report_and_the_time_out() {
    let mut failing = world(TOKEN);
    call_back(&mut failing, succeeded("1")).expect("is kept");
    report(&mut failing, Outcome::Failed { error: Some("Late".to_owned()), cause: None }).expect("is open");
    assert_eq!(failing.end.as_ref().and_then(|end| end.output.clone()), Some(text("1")));
    let mut silent = world(TOKEN);
    call_back(&mut silent, succeeded("1")).expect("is kept");
    assert!(!silent.timers.contains_key(&(BranchPath::root(), Timer::Heartbeat { attempt: 1 })));
    silent.now = START.plus_millis(60_000);
    silent.apply(&BranchPath::root(), Event::Timer { timer: Timer::Timeout { attempt: 1 } }).expect("is due");
    assert_eq!(
        kinds(&silent),
        ["TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]
    );
}

#[test]
fn a_failure_by_token_is_the_tasks_failure() {
    let mut world = world(TOKEN);
    report(&mut world, Outcome::Succeeded { output: text("{}") }).expect("is open");
    call_back(&mut world, Callback::Failed { error: None, cause: Some("no".to_owned()) }).expect("is open");
    let failed = world.history.iter().find(|event| event.kind == EventKind::TaskFailed).expect("is recorded");
    let Details::TaskFailure { error, cause, .. } = &failed.details else { panic!("{failed:?}") };
    assert_eq!((error, cause.as_deref()), (&None, Some("no")));
}

#[test]
fn a_second_report_of_a_call_that_was_made_is_stale() {
    let mut world = world(TOKEN);
    report(&mut world, Outcome::Succeeded { output: text("{}") }).expect("is open");
    for outcome in [
        Outcome::Succeeded { output: text("{}") },
        Outcome::Failed { error: None, cause: None },
        Outcome::Unhandled,
        Outcome::Holding { deliveries: 0 },
    ] {
        assert_eq!(report(&mut world, outcome), Err(Rejected::Stale));
    }
    assert_eq!(kinds(&world), SUBMITTED);
}

#[test]
fn heartbeats_by_token_put_the_time_out_off() {
    let mut world = world(TOKEN);
    report(&mut world, Outcome::Succeeded { output: text("{}") }).expect("is open");
    world.now = START.plus_millis(8_000);
    report(&mut world, Outcome::Heartbeat).expect("is open");
    let timer = Timer::Heartbeat { attempt: 1 };
    assert_eq!(world.timers[&(BranchPath::root(), timer)], START.plus_millis(18_000));
    world.now = START.plus_millis(18_000);
    world.apply(&BranchPath::root(), Event::Timer { timer }).expect("is due");
    assert_eq!(kinds(&world), [&SUBMITTED[..], &["TaskTimedOut", "ExecutionFailed"]].concat());
}

#[test]
fn any_task_may_be_left_to_its_token() {
    let mut world = world(&TOKEN.replace(".waitForTaskToken", "").replace("$$.Task.Token", "$"));
    report(&mut world, Outcome::Submitted { output: text("202") }).expect("is open");
    assert_eq!(kinds(&world), SUBMITTED);
    call_back(&mut world, succeeded("1")).expect("is open");
    assert_eq!(kinds(&world), [SUBMITTED, DONE].concat());
}

#[test]
fn no_worker_of_a_pool_speaks_for_what_waits_in_the_queue_of_an_activity() {
    let mut world = world(ACTIVITY);
    let failed = Outcome::Failed { error: None, cause: None };
    let (succeeded, submitted) = (Outcome::Succeeded { output: text("1") }, Outcome::Submitted { output: text("1") });
    for outcome in [Outcome::Holding { deliveries: 1 }, Outcome::Unhandled, failed, succeeded, submitted] {
        assert_eq!(report(&mut world, outcome.clone()), Err(Rejected::Stale), "{outcome:?}");
        assert_eq!(task(&world).delivery, Delivery::Queued);
    }
}

#[test]
fn the_clocks_of_an_activity_run_once_a_worker_has_its_task() {
    let mut world = world(ACTIVITY);
    assert_eq!(task(&world).delivery, Delivery::Queued);
    assert_eq!(world.items.len(), 1);
    assert!(world.timers.is_empty(), "{:?}", world.timers);
    assert_eq!(call_back(&mut world, succeeded("1")), Err(Rejected::Stale), "nobody has the token yet");
    assert_eq!(report(&mut world, Outcome::Heartbeat), Err(Rejected::Stale));
    world.now = START.plus_millis(500_000);
    report(&mut world, Outcome::Started).expect("is open");
    assert_eq!(kinds(&world), ["ActivityScheduled", "ActivityStarted"]);
    assert_eq!(world.timers[&(BranchPath::root(), Timer::Timeout { attempt: 1 })], START.plus_millis(560_000));
    assert_eq!(world.timers[&(BranchPath::root(), Timer::Heartbeat { attempt: 1 })], START.plus_millis(510_000));
    call_back(&mut world, succeeded("1")).expect("is open");
    let expected =
        ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"];
    assert_eq!(kinds(&world), expected);
}

#[test]
fn a_worker_of_an_activity_that_falls_silent_is_timed_out() {
    let mut world = world(ACTIVITY);
    report(&mut world, Outcome::Started).expect("is open");
    world.now = START.plus_millis(10_000);
    world.apply(&BranchPath::root(), Event::Timer { timer: Timer::Heartbeat { attempt: 1 } }).expect("is due");
    assert_eq!(kinds(&world), ["ActivityScheduled", "ActivityStarted", "ActivityTimedOut", "ExecutionFailed"]);
}

#[test]
fn an_activity_that_does_not_exist_fails_the_execution() {
    let arn = "arn:aws:states:us-east-1:123456789012:activity:dig";
    let world = World::start_without(vec![arn.to_owned()], ACTIVITY, "{}", Limits::default(), 1);
    assert_eq!(kinds(&world), ["ExecutionFailed"]);
    let end = world.end.as_ref().expect("has ended");
    assert_eq!(end.error.as_deref(), Some("States.Runtime"));
    let cause = format!(
        "An error occurred while executing the state 'T' (entered at the event id #2). The activity {arn} does not exist."
    );
    assert_eq!(end.cause, Some(cause));
}

//! Task tokens and activities, over one or two coordinators.

use std::time::Duration;

use broker::WorkQueue as _;
use engine::Callback;
use model::{ActivityArn, BranchPath, ExecutionArn, ExecutionStatus, JsonText, TaskToken};
use store::{ExecutionStore, Resource, ResourceKey};
use telemetry::TraceContext;
use wire::message::{Outcome, Report};
use wire::record::{ActivityRecord, PhaseRecord};

use super::traces::{check, spans_of, traced};
use super::world::*;
use crate::driver::{CallbackOutcome, DriverSettings};

const ACTIVITY: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task","TimeoutSeconds":60,
    "Resource":"arn:aws:states:us-east-1:123456789012:activity:dig","End":true}}}"#;
const TOKEN: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task","HeartbeatSeconds":20,
    "Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","Parameters":{"token.$":"$$.Task.Token"},"End":true}}}"#;
const WAIT: Duration = Duration::from_secs(60);

fn dig() -> ActivityArn {
    ActivityArn::new("us-east-1", "123456789012", "dig")
}

async fn make_activity(world: &World) {
    let record = ActivityRecord { arn: dig(), created_at: EPOCH, tags: Vec::new(), encryption: None };
    let made = world.store.create_resource(&ResourceKey::activity(&dig()), &Resource::new(record.encode())).await;
    assert_eq!(made.expect("the store answers"), None);
}

async fn remove_activity(world: &World) {
    let key = ResourceKey::activity(&dig());
    let found = world.store.resource(&key).await.expect("the store answers").expect("is there");
    assert!(world.store.replace_resource(&key, found.revision, None).await.expect("the store answers"));
}

/// Is what a poller has.
#[derive(Debug, PartialEq)]
struct Taken {
    token: String,
    input: JsonText,
}

async fn poll(node: &Node, worker: &str) -> Option<Taken> {
    let polled = node.driver.activity_task(&dig(), Some(worker), WAIT).await.expect("the store answers");
    polled.map(|task| {
        let taken = Taken { token: task.token.clone(), input: task.input.clone() };
        task.received();
        taken
    })
}

async fn succeed(node: &Node, token: &str, output: &str) -> CallbackOutcome {
    let callback = Callback::Succeeded { output: JsonText::parse(output).expect("is JSON") };
    node.driver
        .call_back(&TaskToken::parse(token).expect("is a token"), &callback, None)
        .await
        .expect("the store answers")
}

#[tokio::test(start_paused = true)]
async fn a_poller_is_given_a_task_and_ends_it() {
    let world = World::new();
    make_activity(&world).await;
    let node = world.started("a");
    let arn = world.start(&node, ACTIVITY, "e", r#"{"a" :  1}"#).await;
    let taken = poll(&node, "w1").await.expect("there is a task");
    assert_eq!(taken.input.as_str(), r#"{"a" :  1}"#);
    assert_eq!(succeed(&node, &taken.token, "[ 7]").await, CallbackOutcome::Taken);
    assert_eq!(world.succeeded(&arn).await, "[ 7]");
    let expected = [
        "ExecutionStarted",
        "TaskStateEntered",
        "ActivityScheduled",
        "ActivityStarted",
        "ActivitySucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ];
    assert_eq!(kinds(&world.history(&arn).await), expected);
    assert_eq!(succeed(&node, &taken.token, "8").await, CallbackOutcome::Ended);
}

#[tokio::test(start_paused = true)]
async fn no_worker_of_a_pool_starts_what_waits_in_the_queue_of_an_activity() {
    let world = World::new();
    make_activity(&world).await;
    let node = world.started("a");
    let arn = world.start(&node, ACTIVITY, "e", "{}").await;
    let (_, root) = world.store.load(&arn, &BranchPath::root()).await.expect("the store answers").expect("is there");
    let PhaseRecord::Task(task) = root.expect("is open").record.phase else { panic!("it waits for its task") };
    for outcome in [Outcome::Started, Outcome::Heartbeat, Outcome::Holding] {
        let report = Report {
            execution: arn.clone(),
            branch: BranchPath::root(),
            attempt: task.attempt,
            traceparent: None,
            deliveries: 1,
            worker: None,
            started_at: None,
            at: world.runtime.now(),
            outcome,
        };
        let reply_to = world.broker.reply_to(arn.partition(4));
        world.broker.publish_reports(&reply_to, &[report]).await.expect("the broker is there");
    }
    world.until("all are dropped", async || node.driver.metrics().stale_reports.get() == 3).await;
    assert_eq!(kinds(&world.history(&arn).await).last(), Some(&"ActivityScheduled"));
    assert!(poll(&node, "w").await.is_some(), "it waits on");
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_for_a_task_from_any_coordinator() {
    let world = World::new();
    make_activity(&world).await;
    let (one, other) = (world.started("a"), world.started("b"));
    let polled = async { poll(&one, "w").await };
    let started = async {
        world.pass(10).await;
        world.start(&other, ACTIVITY, "e", "{}").await
    };
    let (taken, arn) = tokio::join!(polled, started);
    let taken = taken.expect("came while it waited");
    assert_eq!(succeed(&one, &taken.token, "1").await, CallbackOutcome::Taken);
    assert_eq!(world.succeeded(&arn).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_poll_without_a_task_ends() {
    let world = World::new();
    make_activity(&world).await;
    let node = world.started("a");
    let begun = world.runtime.instant();
    assert_eq!(poll(&node, "w").await, None);
    assert!((WAIT..WAIT + Duration::from_secs(1)).contains(&begun.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn pollers_share_the_tasks() {
    let world = World::new();
    make_activity(&world).await;
    let (one, other) = (world.started("a"), world.started("b"));
    let mut arns = Vec::new();
    for index in 0..6 {
        arns.push(world.start(&one, ACTIVITY, &format!("e{index}"), &index.to_string()).await);
    }
    let polls = (0..6).map(|index| poll(if index % 2 == 0 { &one } else { &other }, "w"));
    for taken in futures::future::join_all(polls).await {
        let taken = taken.expect("there is one for each");
        assert_eq!(succeed(&other, &taken.token, taken.input.as_str()).await, CallbackOutcome::Taken);
    }
    for (index, arn) in arns.iter().enumerate() {
        assert_eq!(world.succeeded(arn).await, index.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_goes_away_loses_nothing() {
    let world = World::new();
    make_activity(&world).await;
    let node = world.started("a");
    for millis in [0, 1, 100, 5_000] {
        let gone = tokio::time::timeout(Duration::from_millis(millis), poll(&node, "gone")).await;
        assert!(gone.is_err());
    }
    let arn = world.start(&node, ACTIVITY, "e", "1").await;
    let taken = poll(&node, "w").await.expect("nobody else has it");
    assert_eq!(succeed(&node, &taken.token, "1").await, CallbackOutcome::Taken);
    assert_eq!(world.succeeded(&arn).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_never_settled_runs_out() {
    let world = World::new();
    make_activity(&world).await;
    let node = world.started("a");
    let arn = world.start(&node, ACTIVITY, "e", "1").await;
    let mut claimed = None;
    world
        .until("the task is queued", async || {
            claimed = world.store.claim_activity_task(&dig(), 15_000).await.expect("the store answers");
            claimed.is_some()
        })
        .await;
    let taken = poll(&node, "w").await.expect("is seen again after the claim");
    assert_eq!(succeed(&node, &taken.token, "1").await, CallbackOutcome::Taken);
    assert_eq!(world.succeeded(&arn).await, "1");
}

#[tokio::test(start_paused = true)]
async fn tasks_are_queued_while_broker_or_store_are_away() {
    let world = World::new();
    make_activity(&world).await;
    let node = world.started("a");
    world.broker.set_connected(false);
    let arn = world.start(&node, ACTIVITY, "e", "1").await;
    let taken = poll(&node, "w").await.expect("needs no broker");
    assert_eq!(succeed(&node, &taken.token, "1").await, CallbackOutcome::Taken);
    assert_eq!(world.succeeded(&arn).await, "1");
}

#[tokio::test(start_paused = true)]
async fn another_coordinator_queues_what_a_dead_one_committed() {
    let world = World::new();
    make_activity(&world).await;
    let dead = world.node("dead", DriverSettings::default());
    let arn = world.start(&dead, ACTIVITY, "e", "1").await;
    dead.runtime.kill();
    let node = world.started("b");
    let taken = poll(&node, "w").await.expect("was in the outbox");
    assert_eq!(succeed(&node, &taken.token, "1").await, CallbackOutcome::Taken);
    assert_eq!(world.succeeded(&arn).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_execution_leaves_no_task_to_take() {
    let world = World::new();
    make_activity(&world).await;
    let node = world.started("a");
    let arn = world.start(&node, ACTIVITY, "e", "1").await;
    node.driver.stop_execution(&arn, None, None).await.expect("stops");
    assert_eq!(poll(&node, "w").await, None);
}

#[tokio::test(start_paused = true)]
async fn what_ends_a_task_by_its_token_is_in_the_trace() {
    let world = World::new();
    make_activity(&world).await;
    let (node, kept) = traced(&world, "a");
    node.driver.start();
    let arn = world.start(&node, ACTIVITY, "e", "{}").await;
    let taken = poll(&node, "w1").await.expect("there is a task");
    assert_eq!(succeed(&node, &taken.token, "{}").await, CallbackOutcome::Taken);
    world.succeeded(&arn).await;
    world.until("all is exported", async || spans_of(&kept).len() == 5).await;
    let names =
        ["- > StartExecution", "StartExecution > execution M", "T > callback", "T > schedule dig", "execution M > T"];
    assert_eq!(check(&spans_of(&kept), &[]), names);
}

#[tokio::test(start_paused = true)]
async fn an_activity_that_was_deleted_fails_what_comes_to_it() {
    let world = World::new();
    let node = world.started("a");
    let arn = world.start(&node, ACTIVITY, "never-made", "1").await;
    let (head, history) = world.ended(&arn).await;
    assert_eq!(head.end.map(|(end, _)| end.error), Some(Some("States.Runtime".to_owned())));
    assert_eq!(kinds(&history), ["ExecutionStarted", "TaskStateEntered", "ExecutionFailed"]);
    make_activity(&world).await;
    let arn = world.start(&node, ACTIVITY, "waiting", "1").await;
    remove_activity(&world).await;
    make_activity(&world).await;
    let taken = poll(&node, "w").await.expect("waits for an activity of the same name");
    assert_eq!(succeed(&node, &taken.token, "1").await, CallbackOutcome::Taken);
    assert_eq!(world.succeeded(&arn).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_no_execution_is_missing() {
    let world = World::new();
    let node = world.started("a");
    let arn = ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:M:none").expect("is an ARN");
    let attempt = "1-0000000000000001".parse().expect("is an attempt");
    let token = TaskToken::render(arn.as_str(), &BranchPath::root(), attempt);
    assert_eq!(succeed(&node, &token, "1").await, CallbackOutcome::Missing);
}

#[tokio::test(start_paused = true)]
async fn a_callback_has_a_link_to_its_callers_trace() {
    let caller: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().expect("is a context");
    let success = Callback::Succeeded { output: JsonText::trusted("1") };
    let failure = Callback::Failed { error: Some("Boom".to_owned()), cause: None };
    // The second one overtakes the report: the worker that was given the item first is dead.
    for (callback, is_early) in [(success, false), (failure, true)] {
        let world = World::new();
        let (node, kept) = traced(&world, "a");
        node.driver.start();
        let worker = world.worker(move |_, before| match before {
            0 if is_early => Act::Lose,
            _ => Act::Report(vec![Outcome::Succeeded { output: JsonText::trusted("{}") }]),
        });
        let arn = world.start(&node, TOKEN, "e", "{}").await;
        world.until("the call was made", async || token_of(&worker).is_some()).await;
        if !is_early {
            world.pass(5).await;
        }
        let token = TaskToken::parse(&token_of(&worker).expect("was waited for")).expect("is a token");
        let taken = node.driver.call_back(&token, &callback, Some(caller)).await.expect("the store answers");
        assert_eq!(taken, CallbackOutcome::Taken);
        world.ended(&arn).await;
        let error = if is_early { " (Boom)" } else { "" };
        let expect = [
            "- > StartExecution".to_owned(),
            format!("StartExecution > execution M{error}"),
            format!("T > callback{error}"),
            "T > publish default".to_owned(),
            "T > report".to_owned(),
            format!("execution M > T{error}"),
        ];
        world.until("all is exported", async || spans_of(&kept).len() == expect.len()).await;
        let spans = spans_of(&kept);
        assert_eq!(check(&spans, &worker.seen()), expect);
        let links = spans.iter().filter(|span| span.name == "callback").map(|span| span.link);
        assert_eq!(links.collect::<Vec<_>>(), [Some(caller)]);
    }
}

/// Gives the token that a worker was given.
fn token_of(worker: &Worker) -> Option<String> {
    let item = worker.seen().into_iter().next()?;
    let input: serde_json::Value = serde_json::from_str(item.input.as_str()).ok()?;
    Some(input["token"].as_str()?.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_callback_comes_long_after_the_call() {
    let world = World::new();
    let (one, other) = (world.started("a"), world.started("b"));
    let worker = world.worker(|_, _| Act::Report(vec![Outcome::Succeeded { output: JsonText::trusted("{}") }]));
    let arn = world.start(&one, TOKEN, "e", "{}").await;
    world.until("the call was made", async || token_of(&worker).is_some()).await;
    let token = token_of(&worker).expect("was waited for");
    let parsed = TaskToken::parse(&token).expect("is a token");
    for _ in 0..5 {
        world.pass(15).await;
        assert_eq!(other.driver.keep_alive(&parsed).await.expect("the store answers"), CallbackOutcome::Taken);
    }
    assert_eq!(succeed(&other, &token, "1").await, CallbackOutcome::Taken);
    assert_eq!(world.succeeded(&arn).await, "1");
    assert_eq!(worker.seen().len(), 1, "a call that was made is not made again");
    assert_eq!(other.driver.keep_alive(&parsed).await.expect("the store answers"), CallbackOutcome::Ended);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_overtakes_the_report_counts() {
    let world = World::new();
    let (one, other) = (world.started("a"), world.started("b"));
    let worker = world.worker(|_, before| {
        // The first worker dies after its call; the item goes out again.
        if before == 0 { Act::Lose } else { Act::Report(vec![Outcome::Succeeded { output: JsonText::trusted("{}") }]) }
    });
    let arn = world.start(&one, TOKEN, "e", "{}").await;
    world.until("the call was made", async || token_of(&worker).is_some()).await;
    let token = token_of(&worker).expect("was waited for");
    assert_eq!(succeed(&other, &token, "1").await, CallbackOutcome::Taken);
    assert_eq!(succeed(&other, &token, "2").await, CallbackOutcome::Ended, "the first wins");
    assert_eq!(world.succeeded(&arn).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_stays_away_times_the_task_out() {
    let world = World::new();
    let node = world.started("a");
    world.worker(|_, _| Act::Report(vec![Outcome::Succeeded { output: JsonText::trusted("{}") }]));
    let arn = world.start(&node, TOKEN, "e", "{}").await;
    let (head, history) = world.ended(&arn).await;
    assert_eq!(head.end.map(|(end, _)| end.status), Some(ExecutionStatus::Failed));
    assert!(kinds(&history).contains(&"TaskTimedOut"), "{history:#?}");
}

const FUNCTION: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task","HeartbeatSeconds":20,
    "Resource":"arn:aws:lambda:us-east-1:123456789012:function:f","End":true}}}"#;

/// Gives the token of the first item that the worker saw, as a handler hands it on.
async fn token_given(world: &World, worker: &Worker) -> String {
    world.until("the call was made", async || !worker.seen().is_empty()).await;
    let item = worker.seen().swap_remove(0);
    TaskToken::render(item.execution.as_str(), &item.branch, item.attempt)
}

fn take_over() -> Act {
    Act::Report(vec![Outcome::Submitted { output: JsonText::trusted("null") }])
}

#[tokio::test(start_paused = true)]
async fn a_callee_takes_any_task_over_and_reports_by_its_token() {
    let world = World::new();
    let (one, other) = (world.started("a"), world.started("b"));
    let worker = world.worker(|_, _| take_over());
    let arn = world.start(&one, FUNCTION, "e", "{}").await;
    let token = token_given(&world, &worker).await;
    let parsed = TaskToken::parse(&token).expect("is a token");
    for _ in 0..5 {
        world.pass(15).await;
        assert_eq!(other.driver.keep_alive(&parsed).await.expect("the store answers"), CallbackOutcome::Taken);
    }
    assert_eq!(succeed(&other, &token, "1").await, CallbackOutcome::Taken);
    assert_eq!(world.succeeded(&arn).await, "1");
    assert_eq!(worker.seen().len(), 1, "what was taken over is not given out again");
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_reports_before_its_answer_or_never_is_met() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|_, before| if before == 0 { Act::Lose } else { take_over() });
    let quick = world.start(&node, FUNCTION, "quick", "{}").await;
    let token = token_given(&world, &worker).await;
    assert_eq!(succeed(&node, &token, "1").await, CallbackOutcome::Taken);
    assert_eq!(world.succeeded(&quick).await, "1");
    let silent = world.start(&node, FUNCTION, "silent", "{}").await;
    let (head, history) = world.ended(&silent).await;
    assert_eq!(head.end.map(|(end, _)| end.error), Some(Some("States.Timeout".to_owned())));
    assert!(kinds(&history).contains(&"LambdaFunctionTimedOut"), "{history:#?}");
}

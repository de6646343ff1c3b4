//! Executions that run through: all kinds of states, retries, joins on several coordinators, loops that yield.

use std::pin::pin;

use model::{Details, EventKind, ExecutionStatus};

use super::world::{Act, World, failure, kinds, success};
use crate::driver::DriverSettings;

pub(super) const TASK: &str = r#""Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f""#;

fn order() -> String {
    format!(
        r#"{{"StartAt": "Validate", "States": {{
            "Validate": {{{TASK}, "Next": "Amount"}},
            "Amount": {{"Type": "Choice", "Choices": [{{"Variable": "$.amount", "NumericGreaterThan": 10, "Next": "Both"}}], "Default": "No"}},
            "No": {{"Type": "Fail", "Error": "TooLittle"}},
            "Both": {{"Type": "Parallel", "Next": "Each", "ResultPath": "$.both", "Branches": [
                {{"StartAt": "Notify", "States": {{"Notify": {{{TASK}, "End": true}}}}}},
                {{"StartAt": "Bill", "States": {{"Bill": {{{TASK}, "Next": "Note"}}, "Note": {{"Type": "Pass", "Result": "billed", "End": true}}}}}}
            ]}},
            "Each": {{"Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "Next": "Sleep", "ResultPath": "$.items",
                "ItemProcessor": {{"StartAt": "Pack", "States": {{"Pack": {{{TASK}, "End": true}}}}}}}},
            "Sleep": {{"Type": "Wait", "Seconds": 60, "Next": "Done"}},
            "Done": {{"Type": "Succeed"}}
        }}}}"#
    )
}

const INPUT: &str = r#"{"amount": 12, "items": [1, 2, 3, 4, 5]}"#;

#[tokio::test(start_paused = true)]
async fn an_order_runs_through() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.echo(20);
    let arn = world.start(&node, &order(), "o", INPUT).await;
    let output = world.succeeded(&arn).await;
    assert!(
        output.contains("\"billed\"")
            && output
                .ends_with("\"items\":[1,2,3,4,5],\"both\":[{\"amount\": 12, \"items\": [1, 2, 3, 4, 5]},\"billed\"]}")
            || output.contains("\"both\":"),
        "{output}"
    );
    assert_eq!(worker.seen().len(), 8);
    assert!(worker.seen().iter().all(|item| item.traceparent.is_some()));
    assert_eq!(node.driver.metrics().stale_reports.get(), 0);
    assert_eq!(node.driver.metrics().redispatches.get() + node.driver.metrics().reissued.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_costs_one_commit_and_no_load() {
    let world = World::new();
    let node = world.started("a");
    world.echo(1);
    let definition = format!(
        r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "Next": "B"}}, "B": {{"Type": "Pass", "Next": "C"}}, "C": {{{TASK}, "End": true}}}}}}"#
    );
    let arn = world.start(&node, &definition, "o", "{\"a\": 1.0}").await;
    assert_eq!(world.succeeded(&arn).await, "{\"a\": 1.0}");
    assert_eq!((node.driver.metrics().commits.get(), node.driver.metrics().loads.get()), (3, 0));
    assert_eq!(node.driver.metrics().dispatches.get(), 2);
    // The start and the end of an execution are told, and nothing between them.
    world.until("both are told", async || node.driver.metrics().status_changes.get() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn one_commit_opens_a_parallel_and_the_first_tasks_of_all_its_branches() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|_, _| Act::Lose);
    let branch = format!(r#"{{"StartAt": "T", "States": {{"T": {{{TASK}, "End": true}}}}}}"#);
    let branches = vec![branch; 5].join(",");
    let definition = format!(
        r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Parallel", "Branches": [{branches}], "End": true}}}}}}"#
    );
    world.start(&node, &definition, "o", "{}").await;
    world.until("all items are out", async || worker.seen().len() == 5).await;
    assert_eq!((node.driver.metrics().commits.get(), node.driver.metrics().loads.get()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn orders_run_on_two_coordinators_at_once() {
    let world = World::new();
    let nodes = [world.started("a"), world.started("b")];
    world.echo(5);
    let mut arns = Vec::new();
    for index in 0..30 {
        let node = nodes.get(index % 2).expect("there are two");
        arns.push(world.start(node, &order(), &format!("o-{index}"), INPUT).await);
    }
    for arn in &arns {
        let (head, history) = world.ended(arn).await;
        assert_eq!(head.end.map(|(end, _)| end.status), Some(ExecutionStatus::Succeeded));
        let count = |kind: EventKind| history.iter().filter(|event| event.kind == kind).count();
        assert_eq!(count(EventKind::LambdaFunctionSucceeded), 8);
        assert_eq!(count(EventKind::MapIterationSucceeded), 5);
    }
    let [one, other] = &nodes;
    for node in [one, other] {
        assert!(node.driver.metrics().commits.get() > 30 && node.driver.metrics().take_overs.get() > 0);
        assert_eq!(node.driver.metrics().stale_reports.get(), 0, "{:?}", node.driver.metrics());
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_is_retried_with_back_off() {
    let world = World::new();
    let node = world.started("a");
    let worker = world.worker(|item, _| if item.attempt.number < 3 { failure("Flaky") } else { success(item) });
    let definition = format!(
        r#"{{"StartAt": "A", "States": {{"A": {{{TASK}, "Retry": [{{"ErrorEquals": ["Flaky"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2}}], "End": true}}}}}}"#
    );
    let started = world.runtime.now();
    let arn = world.start(&node, &definition, "o", "1").await;
    assert_eq!(world.succeeded(&arn).await, "1");
    let took = world.runtime.now().millis_since(started);
    assert!((6_000..6_500).contains(&took), "waited 2 s and 4 s, took {took} ms");
    assert_eq!(worker.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_failing_child_cuts_off_the_others() {
    let world = World::new();
    let nodes = [world.started("a"), world.started("b")];
    let [one, _] = &nodes;
    let cancels = broker::WorkQueue::consume_cancels(&world.broker);
    world.worker(|item, _| match item.state.as_str() {
        "Bad" => failure("Broken"),
        _ => super::world::Act::Lose,
    });
    let definition = format!(
        r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Parallel", "Catch": [{{"ErrorEquals": ["Broken"], "Next": "Caught"}}], "End": true, "Branches": [
            {{"StartAt": "Slow", "States": {{"Slow": {{{TASK}, "End": true}}}}}},
            {{"StartAt": "Wait", "States": {{"Wait": {{"Type": "Wait", "Seconds": 1000, "End": true}}}}}},
            {{"StartAt": "Bad", "States": {{"Bad": {{{TASK}, "End": true}}}}}}]}},
            "Caught": {{"Type": "Pass", "Result": "caught", "End": true}}}}}}"#
    );
    let arn = world.start(one, &definition, "o", "{}").await;
    assert_eq!(world.succeeded(&arn).await, "\"caught\"");
    let history = world.history(&arn).await;
    let of = |kind: EventKind| history.iter().filter(|event| event.kind == kind).count();
    assert_eq!((of(EventKind::TaskStateAborted), of(EventKind::WaitStateAborted)), (2, 1), "{:?}", kinds(&history));
    let mut cancels = cancels;
    let cancel = cancels.next().await.expect("a cancel came").content.expect("can be read");
    assert_eq!(cancel.first().map(|cancel| cancel.of.kind()), Some("scope"));
}

#[tokio::test(start_paused = true)]
async fn many_children_join_at_once() {
    let world = World::new();
    let nodes = [world.started("a"), world.started("b"), world.started("c")];
    let [one, ..] = &nodes;
    world.echo(10);
    let definition = format!(
        r#"{{"StartAt": "M", "States": {{"M": {{"Type": "Map", "End": true, "ItemProcessor": {{"StartAt": "T", "States": {{"T": {{{TASK}, "End": true}}}}}}}}}}}}"#
    );
    let items: Vec<String> = (0..700).map(|item: u32| item.to_string()).collect();
    let input = format!("[{}]", items.join(","));
    let arn = world.start(one, &definition, "o", &input).await;
    assert_eq!(world.succeeded(&arn).await, input);
    let reissued: u64 = nodes.iter().map(|node| node.driver.metrics().reissued.get()).sum();
    assert_eq!(reissued, 0, "every wake was taken up at once");
}

#[tokio::test(start_paused = true)]
async fn a_long_loop_yields() {
    let world = World::new();
    let node = world.started("a");
    let definition = r#"{"StartAt": "Add", "States": {
        "Add": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "Enough"},
        "Enough": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 3000, "Next": "Add"}], "Default": "Done"},
        "Done": {"Type": "Succeed"}}}"#;
    let arn = world.start(&node, definition, "o", "{\"n\": 0}").await;
    assert_eq!(world.succeeded(&arn).await, "{\"n\":3000}");
    assert!(node.driver.metrics().commits.get() > 5);
    assert!(node.driver.metrics().continuations.get() > 4);
}

#[tokio::test(start_paused = true)]
async fn a_full_history_fails_the_execution() {
    let world = World::new();
    let mut settings = DriverSettings::default();
    settings.limits.events_max = Some(500);
    let node = world.node("a", settings);
    node.driver.start();
    let definition = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}, "C": {"Type": "Succeed"}}}"#;
    let definition = definition.replace(r#""Next": "A"}, "C""#, r#""Next": "D"}, "D": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "C"}], "Default": "A"}, "C""#);
    let arn = world.start(&node, &definition, "o", "1").await;
    let (head, history) = world.ended(&arn).await;
    let (end, _) = head.end.expect("has ended");
    assert_eq!((end.status, end.error.as_deref()), (ExecutionStatus::Failed, Some("States.Runtime")));
    // A state has two events, and one more ends the execution.
    assert!((499..=500).contains(&history.len()), "{}", history.len());
    assert!(end.cause.is_some_and(|cause| cause.contains("(500)")));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_taken_once() {
    let world = World::new();
    let node = world.started("a");
    let definition = r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "End": true}}}"#;
    let first = world.start(&node, definition, "o", "1").await;
    let machine = world.machine(definition).await;
    let input = model::JsonText::trusted("2");
    let request = crate::driver::StartRequest::new(machine, "o", input);
    let second = node.driver.start_execution(request).await.expect("the store answers");
    let crate::driver::StartOutcome::Exists(head) = second else { panic!("the name is taken") };
    assert_eq!((head.record.arn.clone(), head.record.input.as_str()), (first, "1"));
}

#[tokio::test(start_paused = true)]
async fn timers_of_one_execution_fire_in_their_order() {
    let world = World::new();
    // Its loops don't run: the test itself turns the wheel, as a scheduler might that runs the youngest task first.
    let node = world.node("a", DriverSettings::default());
    let states = ["W0", "W1", "W2", "W3", "W4"];
    let branch = |name| {
        format!(r#"{{"StartAt": "{name}", "States": {{"{name}": {{"Type": "Wait", "Seconds": 5, "End": true}}}}}}"#)
    };
    let definition = format!(
        r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Parallel", "End": true, "Branches": [{}]}}}}}}"#,
        states.map(branch).join(",")
    );
    let arn = world.start(&node, &definition, "o", "1").await;
    world.pass(10).await;
    let mut wheel = pin!(node.driver.inner.clone().wheel_loop());
    let mut left = Vec::new();
    for state in states {
        assert!(futures::poll!(wheel.as_mut()).is_pending());
        world.pass(1).await;
        for event in world.history(&arn).await {
            if let (EventKind::WaitStateExited, Details::StateExited { name, .. }) = (event.kind, event.details)
                && !left.contains(&name)
            {
                left.push(name);
            }
        }
        assert_eq!(left.last().map(String::as_str), Some(state), "one begins before the next is taken up");
    }
    assert_eq!(world.succeeded(&arn).await, "[1,1,1,1,1]");
}

#[tokio::test(start_paused = true)]
async fn listeners_hear_of_every_event() {
    let world = World::new();
    let node = world.started("a");
    world.echo(5);
    let mut feed = node.driver.subscribe();
    let arn = world.start(&node, &order(), "o", INPUT).await;
    world.succeeded(&arn).await;
    let mut heard = Vec::new();
    let mut has_ended = false;
    while let Ok(progress) = feed.try_recv() {
        heard.extend(progress.events.clone());
        has_ended |= progress.end.is_some();
    }
    heard.sort_by_key(|event| event.id);
    assert!(has_ended);
    assert_eq!(kinds(&heard), kinds(&world.history(&arn).await));
}

//! The spans of executions: one trace, none without its parent, whoever dies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use telemetry::{Span, TraceContext, Tracer};
use wire::message::WorkItem;

use super::orders::TASK;
use super::world::{Act, EPOCH, Node, World, failure, success};
use crate::driver::DriverSettings;

pub(super) type Kept = Arc<Mutex<Vec<Span>>>;

/// Makes a coordinator whose spans are kept.
pub(super) fn traced(world: &World, name: &str) -> (Node, Kept) {
    let node = world.node(name, DriverSettings::default());
    let (tracer, kept) = Tracer::in_memory();
    node.driver.trace_to(tracer);
    (node, kept)
}

pub(super) fn spans_of(kept: &Kept) -> Vec<Span> {
    kept.lock().expect("no test panicked").clone()
}

/// Checks that the spans are one trace in which every parent is there and began first, and that what workers were given hangs on
/// one of them. Gives the names in order, each with its parent's.
pub(super) fn check(spans: &[Span], items: &[WorkItem]) -> Vec<String> {
    let by_id: BTreeMap<String, &Span> = spans.iter().map(|span| (span.context.span.to_string(), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "every span is there once: {spans:#?}");
    for item in items {
        let context: TraceContext = item.traceparent.as_deref().expect("is traced").parse().expect("is a context");
        assert!(by_id.contains_key(&context.span.to_string()), "{context} of {} has a span", item.state);
    }
    let mut names = Vec::new();
    for span in spans {
        assert_eq!(span.context.trace, spans[0].context.trace, "{span:?}");
        let parent = span.parent.map(|id| by_id.get(&id.to_string()).unwrap_or_else(|| panic!("an orphan: {span:#?}")));
        assert!(
            parent.is_none_or(|parent| parent.start <= span.start && span.start <= span.end),
            "{span:?} {parent:?}"
        );
        let parent = parent.map_or("-", |parent| parent.name.as_str());
        let error = span.error.as_deref().map(|error| format!(" ({error})")).unwrap_or_default();
        names.push(format!("{parent} > {}{error}", span.name));
    }
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn an_execution_is_one_trace() {
    let world = World::new();
    let (node, kept) = traced(&world, "a");
    node.driver.start();
    let worker = world.worker(|item, _| match (item.state.as_str(), item.attempt.number) {
        ("Pay", 1) => failure("Busy"),
        _ => success(item),
    });
    let definition = format!(
        r#"{{"StartAt": "Pay", "States": {{
            "Pay": {{{TASK}, "Retry": [{{"ErrorEquals": ["Busy"], "IntervalSeconds": 1}}], "Next": "Both"}},
            "Both": {{"Type": "Parallel", "Next": "Sleep", "Branches": [
                {{"StartAt": "Note", "States": {{"Note": {{"Type": "Pass", "End": true}}}}}},
                {{"StartAt": "Bill", "States": {{"Bill": {{{TASK}, "End": true}}}}}}
            ]}},
            "Sleep": {{"Type": "Wait", "Seconds": 60, "End": true}}
        }}}}"#
    );
    let arn = world.start(&node, &definition, "o", "1").await;
    world.until("it sleeps", async || spans_of(&kept).iter().any(|span| span.name == "Both")).await;
    world.pass(70).await;
    world.succeeded(&arn).await;
    let names = check(&spans_of(&kept), &worker.seen());
    let expect = [
        "- > StartExecution",
        "Bill > publish default",
        "Bill > report",
        "Both > Bill",
        "Both > Note",
        "Pay > publish default",
        "Pay > publish default",
        "Pay > report",
        "Pay > report (Busy)",
        "StartExecution > execution M",
        "execution M > Both",
        "execution M > Pay",
        "execution M > Sleep",
    ];
    assert_eq!(names, expect);
    let outbox = world.store_outbox().await;
    assert_eq!(outbox, 0, "what was exported is cleared");
}

#[tokio::test(start_paused = true)]
async fn spans_of_a_dead_coordinator_are_exported_by_another() {
    let world = World::new();
    let (dead, lost) = traced(&world, "dead");
    let definition = format!(
        r#"{{"StartAt": "Note", "States": {{"Note": {{"Type": "Pass", "Next": "A"}}, "A": {{{TASK}, "End": true}}}}}}"#
    );
    let arn = world.start(&dead, &definition, "o", "1").await;
    dead.runtime.kill();
    assert_eq!(spans_of(&lost).len(), 2);
    let worker = world.worker(|item, _| success(item));
    let (alive, kept) = traced(&world, "alive");
    alive.driver.start();
    world.succeeded(&arn).await;
    world.until("the spans are adopted", async || spans_of(&kept).len() == 6).await;
    let names = check(&spans_of(&kept), &worker.seen());
    let expect = [
        "- > StartExecution",
        "A > publish default",
        "A > report",
        "StartExecution > execution M",
        "execution M > A",
        "execution M > Note",
    ];
    assert_eq!(names, expect);
    world.pass(10).await;
    assert_eq!((spans_of(&kept).len(), world.store_outbox().await), (6, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_or_tried_again_leaves_no_orphan() {
    let world = World::new();
    let (node, kept) = traced(&world, "a");
    node.driver.start();
    let worker = world.worker(|item, _| match item.state.as_str() {
        "Fails" => failure("Boom"),
        "Lost" | "Stuck" => Act::Lose,
        _ => success(item),
    });
    let nested = format!(
        r#"{{"StartAt": "Inner", "States": {{"Inner": {{"Type": "Parallel", "End": true, "Branches": [
            {{"StartAt": "Quick", "States": {{"Quick": {{"Type": "Pass", "Next": "Stuck"}}, "Stuck": {{{TASK}, "End": true}}}}}}]}}}}}}"#
    );
    let definition = format!(
        r#"{{"StartAt": "Both", "States": {{
            "Both": {{"Type": "Parallel", "Next": "Lost", "Retry": [{{"ErrorEquals": ["Boom"], "IntervalSeconds": 1, "MaxAttempts": 1}}],
                "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "Lost"}}],
                "Branches": [{nested}, {{"StartAt": "Fails", "States": {{"Fails": {{{TASK}, "End": true}}}}}}]}},
            "Lost": {{{TASK}, "End": true}}
        }}}}"#
    );
    let arn = world.start(&node, &definition, "o", "1").await;
    world.until("the last task is out", async || worker.seen().iter().any(|item| item.branch.is_root())).await;
    node.driver.stop_execution(&arn, Some("Enough".to_owned()), None).await.expect("the store answers");
    world.ended(&arn).await;
    let names = check(&spans_of(&kept), &worker.seen());
    let count = |name: &str| names.iter().filter(|known| *known == name).count();
    assert_eq!((count("execution M > Both (retried)"), count("execution M > Both (Boom)")), (1, 1), "{names:#?}");
    assert_eq!((count("Both > Inner (cut off)"), count("Inner > Quick"), count("Both > Fails (Boom)")), (2, 2, 2));
    assert_eq!((count("Inner > Stuck (cut off)"), count("execution M > Lost (cut off)")), (2, 1));
    assert_eq!(count("StartExecution > execution M (Enough)"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_decides_and_nothing_is_made_for_nobody() {
    let world = World::new();
    let (node, kept) = traced(&world, "a");
    let definition = r#"{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}"#;
    let machine = world.machine(definition).await;
    let request = |name: &str, trace: &str| crate::driver::StartRequest {
        trace: Some(trace.parse().expect("is a context")),
        ..crate::driver::StartRequest::new(machine.clone(), name, model::JsonText::trusted("1"))
    };
    let context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    node.driver.start_execution(request("no", context)).await.expect("starts");
    assert!(spans_of(&kept).is_empty());
    node.driver.start_execution(request("yes", &context.replace("b7-00", "b7-01"))).await.expect("starts");
    let spans = spans_of(&kept);
    assert_eq!(spans.len(), 3);
    assert!(spans.iter().all(|span| context.contains(&span.context.trace.to_string()) && span.start >= EPOCH));
    let request = spans.iter().find(|span| span.name == "StartExecution").expect("is there");
    assert_eq!(request.parent.map(|parent| parent.to_string()).as_deref(), Some("00f067aa0ba902b7"));

    let before = world.store_outbox().await;
    let plain = world.node("plain", DriverSettings { notify: false, ..DriverSettings::default() });
    let arn = world.start(&plain, definition, "plain", "1").await;
    let head = store::ExecutionStore::execution(&world.store, &arn).await.expect("answers").expect("is there");
    assert!(head.record.traceparent.ends_with("-00"), "{}", head.record.traceparent);
    assert_eq!(world.store_outbox().await, before);
}

//! What is of its own kind in executions of state machines of type EXPRESS.

use engine::{Execution, Limits, Moment, Timer};
use model::{BranchPath, ExecutionStatus, Nonce};
use serde_json::{Value, json};
use world::{Answer, World};

fn waits(seconds: u64, timeout: Option<u64>) -> String {
    let wait = json!({ "Type": "Wait", "Seconds": seconds, "End": true });
    let mut definition = json!({ "StartAt": "W", "States": { "W": wait } });
    if let Some(timeout) = timeout {
        definition["TimeoutSeconds"] = json!(timeout);
    }
    definition.to_string()
}

#[test]
fn an_execution_takes_as_long_as_its_definition_and_the_limits_allow() {
    let check = |timeout: Option<u64>, limit: Option<u64>, expect: Option<u64>| {
        let limits = Limits { execution_millis_max: limit, ..Limits::default() };
        let world = World::start(&waits(1_000, timeout), "{}", limits, 1);
        let due = world.timers.get(&(BranchPath::root(), Timer::Execution));
        assert_eq!(due.map(|due| due.millis_since(world.execution.started_at)), expect, "{timeout:?} {limit:?}");
    };
    check(None, None, None);
    check(Some(7), None, Some(7_000));
    check(None, Some(300_000), Some(300_000));
    check(Some(7), Some(300_000), Some(7_000));
    check(Some(7_000), Some(300_000), Some(300_000));
}

#[test]
fn one_that_takes_longer_is_timed_out() {
    let limits = Limits { execution_millis_max: Some(300_000), ..Limits::default() };
    let mut world = World::start(&waits(301, None), "{}", limits, 1);
    world.finish(|_, _| Answer::Silence);
    assert_eq!(world.end.expect("it ends").status, ExecutionStatus::TimedOut);
    let mut world = World::start(&waits(299, None), "{}", limits, 1);
    world.finish(|_, _| Answer::Silence);
    assert_eq!(world.end.expect("it ends").status, ExecutionStatus::Succeeded);
    assert!(world.timers.is_empty(), "an end leaves no timer: {:?}", world.timers);
}

#[test]
fn one_that_can_t_be_redriven_does_not_tell_how_often_it_was() {
    let pass = json!({ "Type": "Pass", "Parameters": { "c.$": "$$.Execution" }, "End": true });
    let definition = json!({ "StartAt": "P", "States": { "P": pass } }).to_string();
    let world = World::start(&definition, "{}", Limits::default(), 1);
    let count = |redrive_count| {
        let execution = Execution { redrive_count, ..world.execution.clone() };
        let moment = Moment { at: world.now, seed: Nonce(1) };
        let run = engine::start(&world.definition, &execution, moment, &world.limits);
        let output = run.end.and_then(|end| end.output).expect("it succeeds").to_value().expect("is JSON");
        output["c"].get("RedriveCount").cloned()
    };
    assert_eq!(count(Some(2)), Some(Value::from(2)));
    assert_eq!(count(None), None);
}

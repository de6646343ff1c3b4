//! How large a run gets: fan-outs of large inputs, items and variables are spread over several.

use engine::{Limits, Outcome, RunLimits};
use model::{ExecutionStatus, JsonText};
use serde_json::{Value, json};

use world::{Answer, World};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const LAMBDA: &str = "arn:aws:lambda:us-east-1:123456789012:function:F";

fn text(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

fn task(next: &Value) -> Value {
    json!({ "Type": "Task", "Resource": LAMBDA, "ResultPath": null, "TimeoutSeconds": 60, "HeartbeatSeconds": 30, "End": next })
}

/// Makes a Parallel whose branches are tasks and leave next to nothing behind.
fn parallel(branches: usize) -> Value {
    let machine = json!({ "StartAt": "T", "States": { "T": task(&json!(true)) } });
    let branches: Vec<Value> = (0..branches).map(|index| rename(&machine, index)).collect();
    json!({ "Type": "Parallel", "Branches": branches, "ResultSelector": {}, "End": true })
}

fn rename(machine: &Value, index: usize) -> Value {
    let mut task = machine["States"]["T"].clone();
    task["ResultSelector"] = json!({});
    task["ResultPath"] = json!("$");
    let name = format!("T{index}");
    json!({ "StartAt": name, "States": { (name): task } })
}

/// Runs to the end with workers that answer `{}`; checks that each commit keeps to a bound, in bytes.
fn check(definition: &Value, input: &str, bytes_max: usize) -> World {
    let mut world = World::start(&definition.to_string(), input, Limits::default(), 1);
    let done = Outcome::Succeeded { output: JsonText::trusted("{}") };
    world.finish(|_, _| Answer::Reports(vec![(1, done.clone())]));
    let end = world.end.clone().expect("it ends");
    assert_eq!(end.status, ExecutionStatus::Succeeded, "{end:?}");
    assert!(world.bytes_max <= bytes_max, "a commit of {} bytes", world.bytes_max);
    // With three timers and effects a record, the store takes so many.
    assert!(world.records_max <= 140, "a commit of {} records", world.records_max);
    let replayed = engine::replay(&world.definition, &world.execution, &world.limits, &world.history);
    assert!(replayed.is_ok(), "{replayed:?}");
    world
}

#[test]
fn a_parallel_of_large_inputs_is_spread() {
    let definition = |branches| json!({ "StartAt": "P", "States": { "P": parallel(branches) } });
    check(&definition(16), &text(256 * KIB), 3 * MIB);
    check(&definition(40), &text(105 * KIB), 3 * MIB / 2);
    let small = check(&definition(40), &text(KIB), MIB);
    assert_eq!(small.commits, 1 + 40 + 40, "what is small starts in one commit, and joins one by one");
}

#[test]
fn a_map_of_large_selected_items_is_spread() {
    let definition = json!({ "StartAt": "M", "States": { "M": {
        "Type": "Map", "ItemsPath": "$.items", "ItemSelector": { "all.$": "$.text", "item.$": "$$.Map.Item.Value" },
        "ItemProcessor": { "StartAt": "T", "States": { "T": {
            "Type": "Task", "Resource": LAMBDA, "ResultSelector": {}, "End": true
        } } }, "ResultSelector": {}, "End": true
    } } });
    let items: Vec<usize> = (0..40).collect();
    check(&definition, &json!({ "items": items, "text": "x".repeat(100 * KIB) }).to_string(), 2 * MIB);
}

#[test]
fn a_map_of_large_items_is_spread() {
    let state = |body: Value| {
        json!({ "StartAt": "M", "States": { "M": {
        "Type": "Map", "MaxConcurrency": 0, "ItemProcessor": { "StartAt": "T", "States": { "T": body } },
        "ItemSelector": { "n.$": "$$.Map.Item.Index" }, "ResultSelector": {}, "End": true
    } } })
    };
    let items: Vec<String> = (0..40).map(|_| "x".repeat(6 * KIB)).collect();
    check(&state(task(&json!(true))), &json!(items).to_string(), 2 * MIB);
    check(&state(json!({ "Type": "Pass", "End": true })), &json!(items).to_string(), 2 * MIB);
}

/// Makes Pass states that set `count` variables of 200 KiB, and then comes `then`.
fn assigning(count: usize, then: &Value) -> Value {
    let mut states = json!({ "Then": then });
    for index in 0..count {
        let next = if index + 1 == count { "Then".to_owned() } else { format!("A{}", index + 1) };
        let values = json!({ (format!("v{index}.$")): "$" });
        states[format!("A{index}")] = json!({ "Type": "Pass", "Assign": values, "Next": next });
    }
    json!({ "StartAt": "A0", "States": states })
}

#[test]
fn variables_count_in_every_child() {
    let mut wide = parallel(25);
    wide["Parameters"] = json!({});
    check(&assigning(1, &wide), &text(200 * KIB), 2 * MIB);
}

#[test]
fn one_child_with_all_variables_starts_at_once() {
    // Nearly 10 MiB of variables are in the parent's record and in that of each child.
    let mut wide = parallel(4);
    wide["Parameters"] = json!({});
    let world = check(&assigning(51, &wide), &text(200 * KIB), 23 * MIB);
    assert!(world.bytes_max > 19 * MIB);
}

#[test]
fn nested_fan_outs_keep_to_the_records() {
    let mut inner = parallel(1);
    inner["Branches"] = json!([{ "StartAt": "I", "States": { "I": { "Type": "Wait", "Seconds": 1, "End": true } } }]);
    let branches: Vec<Value> = (0..60)
        .map(|index| {
            let mut nested = inner.clone();
            let wait = nested["Branches"][0]["States"]["I"].take();
            let (name, inner_name) = (format!("P{index}"), format!("I{index}"));
            nested["Branches"][0] = json!({ "StartAt": inner_name, "States": { (inner_name): wait } });
            json!({ "StartAt": name, "States": { (name): nested } })
        })
        .collect();
    let outer = json!({ "Type": "Parallel", "Branches": branches, "ResultSelector": {}, "End": true });
    let mut world =
        World::start(&json!({ "StartAt": "O", "States": { "O": outer } }).to_string(), "{}", Limits::default(), 1);
    world.finish(|_, _| Answer::Silence);
    assert_eq!(world.end.as_ref().map(|end| end.status), Some(ExecutionStatus::Succeeded));
    // Of 100 that there is room for; a state that finds no more still opens its scope. It would be 161 were scopes not counted.
    assert!(world.records_max <= 150, "a commit of {} records", world.records_max);
}

#[test]
fn the_shortest_runs_come_to_the_same_end() {
    let limits = Limits { run: RunLimits::SHORTEST, ..Limits::default() };
    let definition = assigning(3, &parallel(5));
    let mut world = World::start(&definition.to_string(), &text(KIB), limits, 1);
    assert_eq!(world.history.len(), 1, "an execution starts with no more than its first event");
    world.finish(|_, _| Answer::Reports(vec![(1, Outcome::Succeeded { output: JsonText::trusted("{}") })]));
    assert_eq!(world.end.as_ref().map(|end| end.status), Some(ExecutionStatus::Succeeded));
    assert!(world.records_max <= 3, "a commit of {} records", world.records_max);
}

#[test]
fn a_run_yields_after_so_much_time_in_expressions() {
    let slow = |next: &str| {
        let sum = "{% $sum([1..100000].($ * 2)) %}";
        json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Assign": { "sum": sum }, "Next": next })
    };
    let states = json!({ "A": slow("B"), "B": slow("C"), "C": slow("Z"), "Z": { "Type": "Succeed" } });
    let definition = json!({ "StartAt": "A", "States": states }).to_string();
    let check = |millis: u64, events: usize| {
        let run = RunLimits { millis, ..RunLimits::default() };
        let mut world = World::start(&definition, "{}", Limits { run, ..Limits::default() }, 1);
        assert_eq!(world.history.len(), events);
        world.finish(|_, _| Answer::Silence);
        assert_eq!(world.end.as_ref().map(|end| end.status), Some(ExecutionStatus::Succeeded));
    };
    // ExecutionStarted, PassStateEntered, PassStateExited.
    check(1, 3);
    check(u64::MAX, 10);
}

#[test]
fn the_results_of_iterations_count_among_the_records_of_a_run() {
    let item = json!({ "StartAt": "I", "States": { "I": { "Type": "Pass", "End": true } } });
    let map = json!({ "Type": "Map", "ItemProcessor": item, "ResultSelector": {}, "End": true });
    let items: Vec<u32> = (0..2_000).collect();
    let definition = json!({ "StartAt": "M", "States": { "M": map } });
    let mut world = World::start(&definition.to_string(), &json!(items).to_string(), Limits::default(), 1);
    world.finish(|_, _| Answer::Silence);
    assert_eq!(world.end.as_ref().map(|end| end.status), Some(ExecutionStatus::Succeeded));
    assert!(world.records_max <= 150, "a commit of {} records", world.records_max);
}

//! Maps in distributed mode: Map Runs and their child executions.

use model::{Details, ExecutionArn, ExecutionStatus, HistoryEvent};
use serde_json::{Value, json};
use store::{ExecutionHead, ExecutionQuery, ExecutionStore};

use super::orders::TASK;
use super::world::{Act, World, failure, kinds, success};
use crate::driver::DriverSettings;

const PASS: &str = r#"{"Type": "Pass", "End": true}"#;

/// A machine of one Map in distributed mode, whose items run one state.
fn map(state: &str, more: &Value) -> String {
    json!({ "StartAt": "M", "States": { "M": map_state(state, more) } }).to_string()
}

fn map_state(state: &str, more: &Value) -> Value {
    let state: Value = serde_json::from_str(state).expect("is JSON");
    let mut map = json!({
        "Type": "Map",
        "Label": "L",
        "ItemProcessor": {
            "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": "I",
            "States": { "I": state },
        },
        "End": true,
    });
    for (name, value) in more.as_object().expect("is an object") {
        map[name] = value.clone();
    }
    map
}

fn task() -> String {
    format!(r#"{{{TASK}, "End": true}}"#)
}

/// Lists what is listed under an ARN, the oldest first.
async fn listed(world: &World, under: &str) -> Vec<ExecutionHead> {
    let mut found = Vec::new();
    for partition in 0..world.store.partitions() {
        let query = ExecutionQuery { listed_under: under.into(), status: None, after: None, limit: usize::MAX };
        found.extend(world.store.list_executions(partition, &query).await.expect("the store answers"));
    }
    let mut heads = Vec::new();
    for (_, arn) in found {
        heads.extend(world.store.execution(&arn).await.expect("the store answers"));
    }
    heads.sort_by_key(|head| head.record.started_at);
    heads
}

async fn counted(world: &World, under: &str, status: ExecutionStatus) -> u64 {
    let mut count = 0;
    for partition in 0..world.store.partitions() {
        count += world.store.count_executions(partition, under, status).await.expect("the store answers");
    }
    count
}

/// Names the Map Runs of a history.
fn runs(history: &[HistoryEvent]) -> Vec<String> {
    let run = |event: &HistoryEvent| {
        let Details::MapRunStarted { arn } = &event.details else { return None };
        Some(arn.clone())
    };
    history.iter().filter_map(run).collect()
}

fn end_of(head: &ExecutionHead) -> (ExecutionStatus, String) {
    head.end.as_ref().map_or((ExecutionStatus::Running, String::new()), |(end, _)| {
        (end.status, end.output.as_ref().map(ToString::to_string).or_else(|| end.error.clone()).unwrap_or_default())
    })
}

#[tokio::test(start_paused = true)]
async fn each_item_is_an_execution_of_its_own() {
    let world = World::new();
    let node = world.started("a");
    world.worker(|item, _| success(item));
    let arn = world.start(&node, &map(&task(), &json!({})), "e", r#"[ 1.0,"b", {"c" : 3}]"#).await;
    assert_eq!(world.succeeded(&arn).await, r#"[1.0,"b",{"c" : 3}]"#);
    let history = world.history(&arn).await;
    let expect = [
        "ExecutionStarted",
        "MapStateEntered",
        "MapStateStarted",
        "MapRunStarted",
        "MapRunSucceeded",
        "MapStateSucceeded",
        "MapStateExited",
        "ExecutionSucceeded",
    ];
    assert_eq!(kinds(&history), expect);
    let run = runs(&history).remove(0);
    let found = listed(&world, arn.as_str()).await;
    assert_eq!(found.iter().map(|head| head.record.arn.as_str()).collect::<Vec<_>>(), [&run]);
    let children = listed(&world, &run).await;
    let inputs: Vec<String> = children.iter().map(|head| head.record.input.to_string()).collect();
    assert_eq!(inputs.len(), 3);
    assert!(["1.0", "\"b\"", "{\"c\" : 3}"].iter().all(|input| inputs.contains(&(*input).to_owned())), "{inputs:?}");
    for child in &children {
        assert_eq!(child.record.state_machine.as_str(), "arn:aws:states:us-east-1:123456789012:stateMachine:M/L");
        let kinds = kinds(&world.history(&child.record.arn).await);
        assert_eq!((kinds.len(), kinds[0], kinds[6]), (7, "ExecutionStarted", "ExecutionSucceeded"), "{kinds:?}");
    }
    let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:M";
    assert_eq!(listed(&world, machine).await.len(), 1, "neither is listed under the state machine");
    world.until("the outbox is cleared", async || world.store_outbox().await == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_map_of_nothing_has_a_map_run() {
    let world = World::new();
    let node = world.started("a");
    let arn = world.start(&node, &map(PASS, &json!({})), "e", "[]").await;
    assert_eq!(world.succeeded(&arn).await, "[]");
    assert_eq!(listed(&world, arn.as_str()).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn item_selector_looks_at_the_map_state() {
    let world = World::new();
    let node = world.started("a");
    let selector = json!({
        "v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index", "all.$": "$.k", "name.$": "$$.State.Name",
        "of.$": "$$.Execution.Name", "x.$": "$x"
    });
    let map = map_state(PASS, &json!({ "ItemsPath": "$.items", "ItemSelector": selector }));
    let first = json!({ "Type": "Pass", "Assign": { "x": "var" }, "Next": "M" });
    let definition = json!({ "StartAt": "A", "States": { "A": first, "M": map } }).to_string();
    let arn = world.start(&node, &definition, "e", r#"{"items": ["a"], "k": [1]}"#).await;
    let expect = r#"[{"all":[1],"v":"a","i":0,"name":"M","x":"var","of":"e"}]"#;
    let output: Value = serde_json::from_str(&world.succeeded(&arn).await).expect("is JSON");
    assert_eq!(output, serde_json::from_str::<Value>(expect).expect("is JSON"));
}

#[tokio::test(start_paused = true)]
async fn item_selector_in_jsonata_looks_at_the_map_state() {
    let world = World::new();
    let node = world.started("a");
    let selector = json!({
        "v": "{% $states.context.Map.Item.Value %}", "k": "{% $states.input.k %}", "of": "{% $states.context.Execution.Name %}"
    });
    let map = map_state(PASS, &json!({ "Items": "{% $states.input.items %}", "ItemSelector": selector }));
    let definition = json!({ "QueryLanguage": "JSONata", "StartAt": "M", "States": { "M": map } }).to_string();
    let arn = world.start(&node, &definition, "e", r#"{"items": ["a"], "k": [1]}"#).await;
    assert_eq!(world.succeeded(&arn).await, r#"[{"v":"a","k":[1],"of":"e"}]"#);
}

#[tokio::test(start_paused = true)]
async fn an_item_selector_that_fails_fails_the_map_run() {
    let world = World::new();
    let node = world.started("a");
    let more = json!({ "ItemSelector": { "x.$": "$.none" } });
    let arn = world.start(&node, &map(PASS, &more), "e", "[1, 2]").await;
    let (head, history) = world.ended(&arn).await;
    let (status, _) = end_of(&head);
    assert_eq!(status, ExecutionStatus::Failed);
    assert!(kinds(&history).contains(&"MapRunFailed"), "{history:#?}");
}

#[tokio::test(start_paused = true)]
async fn tolerated_failures_are_among_the_results() {
    let world = World::new();
    let node = world.started("a");
    world.worker(|item, _| if item.input.as_str() == "2" { failure("Boom") } else { success(item) });
    let arn = world.start(&node, &map(&task(), &json!({ "ToleratedFailurePercentage": 34 })), "e", "[1,2,3]").await;
    let output: Value = serde_json::from_str(&world.succeeded(&arn).await).expect("is JSON");
    assert_eq!((&output[0], &output[2]), (&json!(1), &json!(3)));
    assert_eq!(
        (&output[1]["Status"], &output[1]["Error"], &output[1]["Input"]),
        (&json!("FAILED"), &json!("Boom"), &json!("2"))
    );
    let run = runs(&world.history(&arn).await).remove(0);
    assert_eq!(counted(&world, &run, ExecutionStatus::Failed).await, 1);
    assert_eq!(counted(&world, &run, ExecutionStatus::Succeeded).await, 2);
}

#[tokio::test(start_paused = true)]
async fn one_failure_too_many_ends_the_map_run_and_stops_the_others() {
    let world = World::new();
    let node = world.started("a");
    world.worker(|item, _| match item.input.as_str() {
        "2" | "3" => failure("Boom"),
        _ => Act::Lose,
    });
    let more = json!({ "ToleratedFailureCount": 1 });
    let arn = world.start(&node, &map(&task(), &more), "e", "[1,2,3,4]").await;
    let (head, history) = world.ended(&arn).await;
    let (end, _) = head.end.expect("was waited for");
    assert_eq!(end.error.as_deref(), Some("States.ExceedToleratedFailureThreshold"));
    assert_eq!(end.cause.as_deref(), Some("The specified tolerated failure threshold was exceeded"));
    assert_eq!(kinds(&history)[4..], ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]);
    let run = runs(&history).remove(0);
    world.until("the others are stopped", async || counted(&world, &run, ExecutionStatus::Aborted).await == 2).await;
    assert_eq!(counted(&world, &run, ExecutionStatus::Failed).await, 2);
    world.until("the outbox is cleared", async || world.store_outbox().await == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_begins_another_map_run_of_the_same_label() {
    let world = World::new();
    let node = world.started("a");
    world.worker(|_, _| failure("Boom"));
    let retry = json!([{ "ErrorEquals": ["States.ALL"], "MaxAttempts": 1 }]);
    let catch = json!([{ "ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "Z" }]);
    let map = map_state(&task(), &json!({ "Retry": retry, "Catch": catch }));
    let definition = json!({ "StartAt": "M", "States": { "M": map, "Z": { "Type": "Succeed" } } }).to_string();
    let arn = world.start(&node, &definition, "e", "[1]").await;
    world.succeeded(&arn).await;
    let runs = runs(&world.history(&arn).await);
    assert_eq!(runs.len(), 2);
    assert_ne!(runs[0], runs[1]);
    let label = |run: &str| run.rsplit_once(':').map(|(label, _)| label.to_owned());
    assert_eq!(label(&runs[0]), label(&runs[1]));
}

#[tokio::test(start_paused = true)]
async fn who_stops_the_execution_stops_the_map_run_and_its_children() {
    let world = World::new();
    let node = world.started("a");
    let wait = r#"{"Type": "Wait", "Seconds": 900, "End": true}"#;
    let arn = world.start(&node, &map(wait, &json!({})), "e", "[1,2,3]").await;
    world.until("it runs", async || !runs(&world.history(&arn).await).is_empty()).await;
    let run = runs(&world.history(&arn).await).remove(0);
    world.until("the children run", async || counted(&world, &run, ExecutionStatus::Running).await == 3).await;
    node.driver.stop_execution(&arn, None, None).await.expect("stops");
    world
        .until("all are stopped", async || {
            counted(&world, &run, ExecutionStatus::Aborted).await == 3
                && counted(&world, arn.as_str(), ExecutionStatus::Aborted).await == 1
        })
        .await;
    world.until("the outbox is cleared", async || world.store_outbox().await == 0).await;
}

#[tokio::test(start_paused = true)]
async fn more_children_than_one_end_lists_are_stopped() {
    let world = World::new();
    let node = world.started("a");
    let wait = r#"{"Type": "Wait", "Seconds": 900, "End": true}"#;
    let input = json!(vec![0; 4_200]).to_string();
    let arn = world.start(&node, &map(wait, &json!({})), "e", &input).await;
    world.until("it runs", async || !runs(&world.history(&arn).await).is_empty()).await;
    let run = runs(&world.history(&arn).await).remove(0);
    world.until("the children run", async || counted(&world, &run, ExecutionStatus::Running).await == 4_200).await;
    node.driver.stop_execution(&arn, None, None).await.expect("stops");
    world.until("all are stopped", async || counted(&world, &run, ExecutionStatus::Aborted).await == 4_200).await;
}

#[tokio::test(start_paused = true)]
async fn a_map_run_survives_its_coordinators() {
    let world = World::new();
    let first = world.started("a");
    world.echo(3_000);
    let more = json!({ "MaxConcurrency": 5 });
    let input = json!((0..40).collect::<Vec<u32>>()).to_string();
    let arn = world.start(&first, &map(&task(), &more), "e", &input).await;
    world.pass(4).await;
    first.runtime.kill();
    let second = world.started("b");
    world.pass(7).await;
    second.runtime.kill();
    let _third = world.started("c");
    assert_eq!(world.succeeded(&arn).await, input);
    let run = runs(&world.history(&arn).await).remove(0);
    assert_eq!(counted(&world, &run, ExecutionStatus::Succeeded).await, 40, "each item is run by one execution");
}

#[tokio::test(start_paused = true)]
async fn many_items_run_so_many_at_a_time() {
    let world = World::new();
    let settings = DriverSettings::default();
    let node = world.node("a", settings);
    node.driver.start();
    let wait = r#"{"Type": "Wait", "Seconds": 1, "End": true}"#;
    let input = json!((0..600).collect::<Vec<u32>>()).to_string();
    let arn = world.start(&node, &map(wait, &json!({ "MaxConcurrency": 100 })), "e", &input).await;
    let mut most = 0;
    world
        .until("it has ended", async || {
            if let Some(run) = runs(&world.history(&arn).await).first() {
                most = most.max(counted(&world, run, ExecutionStatus::Running).await);
            }
            world.store.execution(&arn).await.expect("the store answers").is_some_and(|head| head.end.is_some())
        })
        .await;
    assert!((50..=100).contains(&most), "{most} at once");
    assert_eq!(world.succeeded(&arn).await, input);
}

#[tokio::test(start_paused = true)]
async fn a_map_run_within_a_child_of_another() {
    let world = World::new();
    let node = world.started("a");
    let inner = map_state(PASS, &json!({ "Label": "Inner" })).to_string();
    let outer = map(&inner, &json!({ "Label": "Outer" }));
    let branch: Value = serde_json::from_str(&outer).expect("is JSON");
    let parallel = json!({ "Type": "Parallel", "Branches": [branch], "End": true });
    let definition = json!({ "StartAt": "P", "States": { "P": parallel } }).to_string();
    let arn = world.start(&node, &definition, "e", "[[1,2],[3]]").await;
    assert_eq!(world.succeeded(&arn).await, "[[[1,2],[3]]]");
    let run = listed(&world, arn.as_str()).await.remove(0);
    let child = listed(&world, run.record.arn.as_str()).await.remove(0);
    let within = listed(&world, child.record.arn.as_str()).await.remove(0);
    let way: Vec<&str> =
        within.record.map_run.as_ref().expect("is a Map Run").way.iter().map(|step| step.state.as_str()).collect();
    assert_eq!(way.len(), 3, "{way:?}");
    assert!(within.record.arn.as_str().contains(":mapRun:M/Inner:"), "{}", within.record.arn);
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_more_than_800_children_outlives_its_coordinator() {
    let world = World::new();
    let node = world.started("a");
    let wait = r#"{"Type": "Wait", "Seconds": 9000, "End": true}"#;
    let input = json!((0..1_000).collect::<Vec<u32>>()).to_string();
    let arn = world.start(&node, &map(wait, &json!({})), "e", &input).await;
    world.until("it runs", async || !runs(&world.history(&arn).await).is_empty()).await;
    let run = runs(&world.history(&arn).await).remove(0);
    world.until("the children run", async || counted(&world, &run, ExecutionStatus::Running).await == 1_000).await;
    world.pass(10).await;
    let run_arn = ExecutionArn::parse_map_run(&run).expect("is an ARN");
    let stopped = world.store.execution(&run_arn).await.expect("answers").expect("is there");
    assert!(stopped.end.is_none());
    node.driver.stop_execution(&arn, None, None).await.expect("stops");
    loop {
        let head = world.store.execution(&run_arn).await.expect("answers").expect("is there");
        if head.end.is_some() {
            break;
        }
        tokio::task::yield_now().await;
    }
    node.runtime.kill();
    let _second = world.started("b");
    world.pass(120).await;
    let aborted = counted(&world, &run, ExecutionStatus::Aborted).await;
    assert_eq!((aborted, world.store_outbox().await), (1_000, 0));
}

#[tokio::test(start_paused = true)]
async fn no_child_starts_over_the_high_water_mark() {
    let world = World::new();
    let node = world.started("a");
    let wait = r#"{"Type": "Wait", "Seconds": 5, "End": true}"#;
    let arn = world.start(&node, &map(wait, &json!({ "MaxConcurrency": 1 })), "e", "[1,2,3,4,5,6,7,8]").await;
    world.until("it runs", async || !runs(&world.history(&arn).await).is_empty()).await;
    let run = runs(&world.history(&arn).await).remove(0);
    world.store.set_over_high_water(true);
    world.pass(20).await;
    let before = listed(&world, &run).await.len();
    world.pass(15).await;
    assert_eq!(listed(&world, &run).await.len(), before, "new executions are refused while over it");
}

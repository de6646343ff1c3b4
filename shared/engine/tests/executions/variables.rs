//! The limits of variables.

use engine::Limits;
use model::ExecutionStatus;
use serde_json::{Map, Value, json};
use world::{Answer, World};

/// The most bytes of one Assign, and so of one variable.
const ASSIGN: usize = 256 * 1024;
/// How many such variables there may be.
const VARIABLES: usize = 40;

/// Runs Pass states one after the other, each of which assigns what it is given, and gives the error that ends them.
fn error_of(assigns: Vec<Value>, input: &str) -> Option<String> {
    let mut states = Map::new();
    let last = assigns.len() - 1;
    for (position, assign) in assigns.into_iter().enumerate() {
        let mut state = json!({ "Type": "Pass", "Assign": assign });
        if position == last {
            state["End"] = json!(true);
        } else {
            state["Next"] = json!(format!("S{}", position + 1));
        }
        states.insert(format!("S{position}"), state);
    }
    let definition = json!({ "StartAt": "S0", "States": states }).to_string();
    let mut world = World::start(&definition, input, Limits::default(), 1);
    world.finish(|_, _| Answer::Silence);
    let end = world.end.expect("it ends");
    assert_eq!(end.error.is_some(), end.status == ExecutionStatus::Failed);
    end.error
}

fn text(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

fn check(assigns: Vec<Value>, input: &str, fits: bool) {
    let expect = (!fits).then(|| "States.DataLimitExceeded".to_owned());
    assert_eq!(error_of(assigns, input), expect);
}

#[test]
fn an_assign_has_256_kib() {
    check(vec![json!({ "a.$": "$" })], &text(ASSIGN), true);
    check(vec![json!({ "a.$": "$", "b": 1 })], &text(ASSIGN), false);
    check(vec![json!({ "a.$": "$", "b.$": "$" })], &text(ASSIGN / 2), true);
    check(vec![json!({ "a.$": "States.Array($, 1)" })], &text(ASSIGN), false);
}

#[test]
fn the_variables_of_an_execution_have_10_mib() {
    let full: Vec<Value> = (0..VARIABLES).map(|variable| json!({ format!("v{variable}.$"): "$" })).collect();
    let input = text(ASSIGN);
    check(full.clone(), &input, true);
    let then = |assign: Value| full.iter().cloned().chain([assign]).collect::<Vec<Value>>();
    check(then(json!({ "w": 1 })), &input, false);
    // What is put in the place of another does not count beside it.
    check(then(json!({ "v0": 1, "v1": 2 })), &input, true);
}

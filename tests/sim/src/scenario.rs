//! Random definitions with a plain reference model: what each must come to, computed without the engine.
//!
//! A state's data is one number. Blocks change it; the model changes it the same way in a few lines.

use model::StateMachineArn;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

/// Is a definition with the end that it must come to.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The definition.
    pub definition: Value,
    /// The names and definitions of the state machines that it starts executions of.
    pub nested: Vec<(String, Value)>,
    /// The input.
    pub input: Value,
    /// The end.
    pub expected: Expected,
}

/// Is the end of an execution, by the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// SUCCEEDED with this output.
    Output(Value),
    /// FAILED with this error.
    Error(String),
}

/// Keeps all numbers small.
pub const MODULUS: u64 = 1_000_003;

/// Is what the handler `work` makes of a number.
pub fn work(number: u64, add: u64) -> u64 {
    (number * 3 + add) % MODULUS
}

/// Is what the handler `spread` makes of a number: so many items.
pub fn spread(number: u64, count: u64) -> Vec<u64> {
    (1..=count).map(|index| (number + index) % MODULUS).collect()
}

/// Is what the handler `sum` makes of numbers.
pub fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().sum::<u64>() % MODULUS
}

/// Makes the scenario of a seed.
pub fn scenario(seed: u64) -> Scenario {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut names = Names { count: 0, seed, nested: Vec::new() };
    let length = chance.random_range(2..6);
    let blocks = sequence(&mut chance, length, 2);
    let input = chance.random_range(0..1_000);
    let expected = match evaluate(&blocks, input) {
        Ok(output) => Expected::Output(json!(output)),
        Err(error) => Expected::Error(error),
    };
    let definition = machine(&blocks, &mut names);
    Scenario { definition, nested: names.nested, input: json!(input), expected }
}

/// Is a piece of a definition that takes a number and gives a number.
#[derive(Clone, Debug)]
enum Block {
    /// A task that fails `fails` times before it succeeds.
    Work { add: u64, fails: u64 },
    /// A task that always fails, with a Catcher that goes on with a number.
    Caught { number: u64 },
    /// A task that never comes to an end, with a Catcher that goes on with a number.
    Endless { limit: Limit, number: u64 },
    /// A task that always fails, caught by nobody.
    Fatal,
    /// A Pass state that changes nothing.
    Pass,
    /// A Wait state.
    Wait { seconds: u64 },
    /// A choice between two ways.
    Choice { below: u64, yes: Vec<Block>, no: Vec<Block> },
    /// Branches whose outputs are summed.
    Parallel { branches: Vec<Vec<Block>> },
    /// Branches of which one fails, caught with a number.
    BrokenParallel { branches: Vec<Vec<Block>>, number: u64 },
    /// Items whose outputs are summed.
    Map { count: u64, concurrency: u64, body: Vec<Block> },
    /// A nested execution that is waited for.
    Nested { body: Vec<Block> },
}

/// Is what ends a task that never comes to an end.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// Its handler runs into the time-out.
    Timeout,
    /// Its handler is silent for too long.
    Heartbeat,
    /// No worker has a handler for it, until the time-out.
    NoHandler,
}

/// Names states and nested state machines.
struct Names {
    count: u32,
    seed: u64,
    nested: Vec<(String, Value)>,
}

fn sequence(chance: &mut StdRng, length: usize, depth: u32) -> Vec<Block> {
    (0..length).map(|_| block(chance, depth)).collect()
}

fn block(chance: &mut StdRng, depth: u32) -> Block {
    let inner = |chance: &mut StdRng| {
        let length = chance.random_range(1..3);
        sequence(chance, length, depth - 1)
    };
    match chance.random_range(0..if depth > 0 { 24 } else { 12 }) {
        0..=6 => {
            Block::Work { add: chance.random_range(0..100), fails: chance.random_range(0_u64..5).saturating_sub(2) }
        }
        7 => Block::Caught { number: chance.random_range(0..100) },
        8 => Block::Pass,
        9 => Block::Wait { seconds: chance.random_range(0..20) },
        10 if chance.random_ratio(1, 8) => Block::Fatal,
        10 => Block::Pass,
        11 => {
            let limits = [Limit::Timeout, Limit::Heartbeat, Limit::NoHandler];
            Block::Endless { limit: limits[chance.random_range(0..limits.len())], number: chance.random_range(0..100) }
        }
        12 | 13 => Block::Choice { below: chance.random_range(0..MODULUS), yes: inner(chance), no: inner(chance) },
        14..=16 => {
            let count = chance.random_range(1..4);
            Block::Parallel { branches: (0..count).map(|_| inner(chance)).collect() }
        }
        17 => {
            let mut branches: Vec<Vec<Block>> = (0..2).map(|_| inner(chance)).collect();
            branches.push(vec![Block::Fatal]);
            Block::BrokenParallel { branches, number: chance.random_range(0..100) }
        }
        18..=20 => Block::Nested { body: inner(chance) },
        _ => {
            Block::Map { count: chance.random_range(0..7), concurrency: chance.random_range(0..4), body: inner(chance) }
        }
    }
}

/// The model.
fn evaluate(blocks: &[Block], number: u64) -> Result<u64, String> {
    blocks.iter().try_fold(number, |number, block| match block {
        Block::Work { add, .. } => Ok(work(number, *add)),
        Block::Caught { number } | Block::Endless { number, .. } | Block::BrokenParallel { number, .. } => Ok(*number),
        Block::Fatal => Err(FATAL.to_owned()),
        Block::Pass | Block::Wait { .. } => Ok(number),
        Block::Choice { below, yes, no } => evaluate(if number < *below { yes } else { no }, number),
        Block::Parallel { branches } => {
            let outputs: Result<Vec<u64>, String> = branches.iter().map(|branch| evaluate(branch, number)).collect();
            Ok(sum(&outputs?))
        }
        Block::Map { count, body, .. } => {
            let outputs: Result<Vec<u64>, String> =
                spread(number, *count).iter().map(|item| evaluate(body, *item)).collect();
            Ok(sum(&outputs?))
        }
        Block::Nested { body } => evaluate(body, number).map_err(|_| NESTED.to_owned()),
    })
}

/// Is the error of a task whose nested execution failed.
pub const NESTED: &str = "States.TaskFailed";

/// Is the error that tasks fail with for good.
pub const FATAL: &str = "Sim.Fatal";
/// Is the error that tasks fail with before they succeed.
pub const AGAIN: &str = "Sim.Again";

fn machine(blocks: &[Block], names: &mut Names) -> Value {
    let mut states = Map::new();
    let first = chain(blocks, None, names, &mut states);
    let start = first.unwrap_or_else(|| {
        let name = name("Pass", names);
        states.insert(name.clone(), json!({ "Type": "Pass", "End": true }));
        name
    });
    json!({ "StartAt": start, "States": states })
}

/// Adds the states of the blocks, the last going on to `next` (or ending), and gives the name of the first.
fn chain(blocks: &[Block], next: Option<String>, names: &mut Names, states: &mut Map<String, Value>) -> Option<String> {
    blocks.iter().rev().fold(next, |next, block| Some(add(block, next, names, states)))
}

fn add(block: &Block, next: Option<String>, names: &mut Names, states: &mut Map<String, Value>) -> String {
    match block {
        Block::Work { add, fails } => {
            let parameters = json!({ "x.$": "$", "add": add, "fails": fails, "retry.$": "$$.State.RetryCount" });
            let retry = json!([{ "ErrorEquals": [AGAIN], "IntervalSeconds": 1, "MaxAttempts": 5, "BackoffRate": 1.5 }]);
            put("Work", task("work", json!({ "Parameters": parameters, "Retry": retry })), next, names, states)
        }
        Block::Caught { number } => {
            let rescue = put("Rescue", json!({ "Type": "Pass", "Result": number }), next, names, states);
            let catch = json!([{ "ErrorEquals": ["States.ALL"], "Next": rescue }]);
            put("Fails", task("fatal", json!({ "Catch": catch })), Some(rescue), names, states)
        }
        Block::Endless { limit, number } => {
            let rescue = put("Rescue", json!({ "Type": "Pass", "Result": number }), next, names, states);
            let catch = json!([{ "ErrorEquals": ["States.ALL"], "Next": rescue }]);
            let (function, field) = match limit {
                Limit::Timeout => ("endless", "TimeoutSeconds"),
                Limit::Heartbeat => ("endless", "HeartbeatSeconds"),
                Limit::NoHandler => ("nobody", "TimeoutSeconds"),
            };
            put("Endless", task(function, json!({ "Catch": catch, field: 3 })), Some(rescue), names, states)
        }
        Block::Fatal => put("Fatal", task("fatal", json!({})), next, names, states),
        Block::Pass => put("Pass", json!({ "Type": "Pass" }), next, names, states),
        Block::Wait { seconds } => put("Wait", json!({ "Type": "Wait", "Seconds": seconds }), next, names, states),
        Block::Choice { below, yes, no } => {
            let join = put("Join", json!({ "Type": "Pass" }), next, names, states);
            let yes = chain(yes, Some(join.clone()), names, states).unwrap_or_else(|| join.clone());
            let no = chain(no, Some(join.clone()), names, states).unwrap_or(join);
            let name = name("Choice", names);
            let rule = json!({ "Variable": "$", "NumericLessThan": below, "Next": yes });
            states.insert(name.clone(), json!({ "Type": "Choice", "Choices": [rule], "Default": no }));
            name
        }
        Block::Parallel { branches } => {
            let sum = put("Sum", task("sum", json!({})), next, names, states);
            let branches: Vec<Value> = branches.iter().map(|branch| machine(branch, names)).collect();
            put("Parallel", json!({ "Type": "Parallel", "Branches": branches }), Some(sum), names, states)
        }
        Block::BrokenParallel { branches, number } => {
            let rescue = put("Rescue", json!({ "Type": "Pass", "Result": number }), next, names, states);
            let branches: Vec<Value> = branches.iter().map(|branch| machine(branch, names)).collect();
            let catch = json!([{ "ErrorEquals": ["States.ALL"], "Next": rescue }]);
            let parallel = json!({ "Type": "Parallel", "Branches": branches, "Catch": catch });
            put("Broken", parallel, Some(rescue), names, states)
        }
        Block::Map { count, concurrency, body } => {
            let sum = put("Sum", task("sum", json!({})), next, names, states);
            let processor = machine(body, names);
            let map = json!({ "Type": "Map", "MaxConcurrency": concurrency, "ItemProcessor": processor });
            let map = put("Map", map, Some(sum), names, states);
            let parameters = json!({ "x.$": "$", "count": count });
            put("Spread", task("spread", json!({ "Parameters": parameters })), Some(map), names, states)
        }
        Block::Nested { body } => {
            let definition = machine(body, names);
            let machine = format!("n{}-{}", names.seed, names.nested.len());
            let parameters = json!({ "StateMachineArn": machine_arn(&machine).as_str(), "Input.$": "$" });
            names.nested.push((machine, definition));
            let resource = "arn:aws:states:::states:startExecution.sync:2";
            let state =
                json!({ "Type": "Task", "Resource": resource, "Parameters": parameters, "OutputPath": "$.Output" });
            put("Nested", state, next, names, states)
        }
    }
}

/// Gives the ARN of a state machine.
pub fn machine_arn(name: &str) -> StateMachineArn {
    StateMachineArn::new("us-east-1", "123456789012", name)
}

fn put(
    kind: &str,
    mut state: Value,
    next: Option<String>,
    names: &mut Names,
    states: &mut Map<String, Value>,
) -> String {
    let name = name(kind, names);
    match next {
        Some(next) => state["Next"] = json!(next),
        None => state["End"] = json!(true),
    }
    states.insert(name.clone(), state);
    name
}

fn task(function: &str, fields: Value) -> Value {
    let mut state = fields;
    state["Type"] = json!("Task");
    state["Resource"] = json!(format!("arn:aws:lambda:us-east-1:123456789012:function:{function}"));
    state
}

fn name(kind: &str, names: &mut Names) -> String {
    names.count += 1;
    format!("{kind}{}", names.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_a_valid_definition() {
        for seed in 0..300 {
            let scenario = scenario(seed);
            for definition in scenario.nested.iter().map(|(_, definition)| definition).chain([&scenario.definition]) {
                let parsed = asl::Definition::parse(&definition.to_string());
                assert!(parsed.is_ok(), "seed {seed}: {parsed:?}: {definition}");
            }
        }
    }

    #[test]
    fn scenarios_cover_both_ends_and_follow_from_their_seed() {
        let failing = (0..300).filter(|seed| matches!(scenario(*seed).expected, Expected::Error(_))).count();
        assert!((1..150).contains(&failing), "{failing}");
        assert_eq!(scenario(5).definition, scenario(5).definition);
    }
}

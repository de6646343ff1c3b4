//! Runs the official JSONata test suite, where the environment variable `JSONATA_SUITE` names its folder (the one that holds
//! `groups` and `datasets`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jsonata::{Bounds, Expression, Moment, Outcome, Session};
use serde_json::Value;

/// Groups and cases that Step Functions' JSONata, or ours, answers otherwise, with the reason.
const OTHERWISE: &[(&str, &str)] =
    &[("function-eval", "$eval is refused, as in Step Functions"), ("transforms", "a case calls $eval")];

#[test]
fn the_suite_passes() {
    let Ok(folder) = std::env::var("JSONATA_SUITE") else { return };
    let folder = PathBuf::from(folder);
    let (mut passed, mut failed) = (0, Vec::new());
    for group in sorted(&folder.join("groups")) {
        for file in sorted(&group) {
            if file.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            for (position, case) in cases(&file).into_iter().enumerate().filter(|(_, case)| !case.is_null()) {
                match run(&folder, &group, &case) {
                    Ok(()) => passed += 1,
                    Err(why) if why.starts_with("#file") => {}
                    Err(why) => {
                        let group = name(&group);
                        failed.push((group.clone(), format!("{group}/{} #{position}: {why}", name(&file))));
                    }
                }
            }
        }
    }
    let mut by_group: BTreeMap<&str, usize> = BTreeMap::new();
    for (group, _) in &failed {
        *by_group.entry(group).or_default() += 1;
    }
    let listed = failed.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n");
    assert!(passed > 0, "the folder holds a suite");
    let unexpected = by_group.keys().filter(|group| OTHERWISE.iter().all(|(known, _)| known != *group)).count();
    assert!(unexpected == 0, "{passed} pass, {} fail:\n{listed}", failed.len());
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the entry can be read").path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn cases(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("the case can be read");
    // A few cases hold half a surrogate pair, which no Rust string does.
    let case: Value = serde_json::from_str(&text).unwrap_or_default();
    case.as_array().cloned().unwrap_or_else(|| vec![case])
}

fn run(folder: &Path, group: &Path, case: &Value) -> Result<(), String> {
    let text = match (case["expr"].as_str(), case["expr-file"].as_str()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(file)) => fs::read_to_string(group.join(file)).map_err(|error| format!("#file {file}: {error}"))?,
        (None, None) => return Err("no expression".to_owned()),
    };
    let got = evaluate(folder, case, &text);
    let code = case["code"].as_str().or(case["error"]["code"].as_str());
    match (got, code) {
        (Err(message), Some(code)) if message.starts_with(code) => Ok(()),
        // AWS's texts for what goes beyond a bound have no code.
        (Err(message), Some("U1001")) if message.contains("Check for") => Ok(()),
        (Err(message), _) => Err(format!("{text}: {message}, not {}", code.unwrap_or("a result"))),
        (Ok(got), Some(code)) => Err(format!("{text}: {got:?}, not {code}")),
        (Ok(Outcome::Nothing), None) if case["undefinedResult"].as_bool() == Some(true) => Ok(()),
        (Ok(Outcome::Value { text: result, .. }), None) => {
            let result: Value = serde_json::from_str(&result).expect("a result is JSON");
            let unordered = case["unordered"].as_bool() == Some(true);
            let same = if unordered { same_set(&result, &case["result"]) } else { same(&result, &case["result"]) };
            if same { Ok(()) } else { Err(format!("{text}: {result}, not {}", case["result"])) }
        }
        // The suite writes a function as an empty text.
        (Ok(Outcome::Function), None) if case["result"].is_string() || case["result"].is_object() => Ok(()),
        (Ok(got), None) => Err(format!("{text}: {got:?}, not {}", case["result"])),
    }
}

fn evaluate(folder: &Path, case: &Value, text: &str) -> Result<Outcome, String> {
    let expression = Expression::parse(text).map_err(|error| error.message)?;
    let empty = serde_json::Map::new();
    let bindings: Vec<(String, String)> = case["bindings"]
        .as_object()
        .unwrap_or(&empty)
        .iter()
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect();
    let moment = Moment { millis: 1_767_323_045_000, seed: 7 };
    let mut bounds = Bounds { sequence: 10_000_000, bytes: 64 * 1024 * 1024, ..Bounds::default() };
    if let Some(limit) = case["timelimit"].as_u64() {
        bounds.time_millis = limit;
    }
    if let Some(depth) = case["depth"].as_u64() {
        bounds.depth = usize::try_from(depth).expect("fits");
    }
    let variables = bindings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut session = Session::new(expression.uses(), moment, bounds, variables, &[]).expect("bindings are JSON");
    let document = match (&case["data"], case["dataset"].as_str()) {
        (Value::Null, Some(dataset)) => {
            let file = folder.join("datasets").join(format!("{dataset}.json"));
            Some(fs::read_to_string(file).expect("the dataset can be read"))
        }
        (Value::Null, None) if case.get("data").is_none() => None,
        (data, _) => Some(data.to_string()),
    };
    let outcome = match document {
        Some(document) => session.evaluate_with(&expression, &document),
        None => session.evaluate(&expression),
    };
    outcome.map_err(|error| error.message)
}

fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| same(left, right)))
        }
        (left, right) => left == right,
    }
}

fn same_set(left: &Value, right: &Value) -> bool {
    let (Some(left), Some(right)) = (left.as_array(), right.as_array()) else { return same(left, right) };
    left.len() == right.len() && left.iter().all(|left| right.iter().any(|right| same(left, right)))
}

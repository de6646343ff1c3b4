//! Runs the official JSONata test suite, where it lies beside the project.
#![expect(clippy::print_stderr, reason = "tells a person how much was compared")]

use std::fs;
use std::path::{Path, PathBuf};

use jsonata::{Bounds, Expression, Moment, Outcome, Session};
use serde_json::Value;

/// Parts of expressions that Step Functions' JSONata, or ours, answers otherwise, with the reason. All other cases pass.
const OTHERWISE: &[(&str, &str)] = &[
    ("$eval(", "Step Functions refuses it: text that came in must not become a program"),
    (" ?? ", "an operator that JSONata 2.0.6, which Step Functions runs, does not have"),
    (" ?: ", "an operator that JSONata 2.0.6, which Step Functions runs, does not have"),
];

/// How many cases are no text in Rust: they hold half a surrogate pair.
const NO_TEXT: usize = 2;

#[test]
fn the_suite_passes() {
    let Some(folder) = support::suite("jsonata") else { return };
    let (mut passed, mut otherwise, mut no_text, mut apart, mut failed) = (0, 0, 0, 0, Vec::new());
    for group in sorted(&folder.join("groups")) {
        for file in sorted(&group) {
            if file.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            for (position, case) in cases(&file).into_iter().enumerate() {
                let Some(case) = case else {
                    no_text += 1;
                    continue;
                };
                let Some(text) = expression(&group, &case) else {
                    apart += 1;
                    continue;
                };
                match run(&folder, &case, &text) {
                    Ok(()) => passed += 1,
                    Err(_) if OTHERWISE.iter().any(|(part, _)| text.contains(part)) => otherwise += 1,
                    Err(why) => failed.push(format!("{}/{} #{position}: {text}: {why}", name(&group), name(&file))),
                }
            }
        }
    }
    eprintln!("{passed} pass, {otherwise} are answered otherwise, {apart} lie in files that are not there");
    assert!(passed > 0, "the folder holds a suite");
    assert_eq!(no_text, NO_TEXT, "all cases but those that no text can hold are run");
    assert!(failed.is_empty(), "{passed} pass, {} fail:\n{}", failed.len(), failed.join("\n"));
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

/// Gives the cases of a file; `None` stands for what no text in Rust can hold.
fn cases(file: &Path) -> Vec<Option<Value>> {
    let text = fs::read_to_string(file).expect("the case can be read");
    match serde_json::from_str(&text) {
        Ok(Value::Array(cases)) => cases.into_iter().map(Some).collect(),
        Ok(case) => vec![Some(case)],
        Err(error) => {
            let is_half_pair = ["surrogate", "hex escape"].iter().any(|part| error.to_string().contains(part));
            assert!(is_half_pair, "{}: {error}", file.display());
            vec![None]
        }
    }
}

/// Gives the expression of a case; a few lie in files of their own, which a copy of the suite may lack.
fn expression(group: &Path, case: &Value) -> Option<String> {
    match (case["expr"].as_str(), case["expr-file"].as_str()) {
        (Some(text), _) => Some(text.to_owned()),
        (None, Some(file)) => fs::read_to_string(group.join(file)).ok(),
        (None, None) => panic!("a case of {} has no expression", group.display()),
    }
}

fn run(folder: &Path, case: &Value, text: &str) -> Result<(), String> {
    let got = evaluate(folder, case, text);
    let code = case["code"].as_str().or(case["error"]["code"].as_str());
    match (got, code) {
        (Err(message), Some(code)) if message.starts_with(code) => Ok(()),
        // AWS's texts for what goes beyond a bound have no code.
        (Err(message), Some("U1001")) if message.contains("Check for") => Ok(()),
        (Err(message), _) => Err(format!("{message}, not {}", code.unwrap_or("a result"))),
        (Ok(got), Some(code)) => Err(format!("{got:?}, not {code}")),
        (Ok(Outcome::Nothing), None) if case["undefinedResult"].as_bool() == Some(true) => Ok(()),
        (Ok(Outcome::Value { text: result, .. }), None) => {
            let result: Value = serde_json::from_str(&result).expect("a result is JSON");
            let unordered = case["unordered"].as_bool() == Some(true);
            let same = if unordered { same_set(&result, &case["result"]) } else { same(&result, &case["result"]) };
            if same { Ok(()) } else { Err(format!("{result}, not {}", case["result"])) }
        }
        // The suite writes a function as an empty text.
        (Ok(Outcome::Function), None) if case["result"].is_string() || case["result"].is_object() => Ok(()),
        (Ok(got), None) => Err(format!("{got:?}, not {}", case["result"])),
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

//! Golden histories: definition, input and what handlers answer, against the whole history.
//!
//! `cases/*.json` holds them; `cargo insta review` shows what changed.

use std::collections::BTreeMap;
use std::path::Path;

use engine::{Limits, Outcome};
use model::JsonText;
use serde_json::Value;
use world::{Answer, World, listing};

#[test]
fn histories_are_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/executions/cases");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("is there").map(|entry| entry.expect("is a file").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("is text");
        let cases: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|wrong| panic!("{}: {wrong}", file.display()));
        let group = file.file_stem().and_then(|stem| stem.to_str()).expect("is a name").to_owned();
        let histories: Vec<String> = cases.iter().map(|case| format!("== {}\n{}", name(case), history(case))).collect();
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(group, histories.join("\n"));
        });
    }
}

fn name(case: &Value) -> &str {
    case["name"].as_str().expect("a case has a name")
}

fn history(case: &Value) -> String {
    let mut answers = answers(case);
    let input = case["input"].as_str().unwrap_or("{}");
    let mut limits = Limits::default();
    if let Some(bytes) = case["payload_bytes_max"].as_u64() {
        limits.payload_bytes_max = Some(bytes);
    }
    let mut world = World::start(&case["definition"].to_string(), input, limits, 1);
    world.finish(|resource, _| {
        let name = resource.rsplit(':').next().unwrap_or(resource);
        answers.get_mut(name).and_then(|answers| answers.pop()).unwrap_or(Answer::Silence)
    });
    let replayed = engine::replay(&world.definition, &world.execution, &limits, &world.history);
    assert!(replayed.is_ok(), "{}: {replayed:?}", name(case));
    let mut text = listing(&world.history);
    if world.end.is_none() {
        text.push_str("(open)\n");
    }
    text
}

/// Reads the answers of each handler, the last one first.
fn answers(case: &Value) -> BTreeMap<String, Vec<Answer>> {
    let Some(handlers) = case["handlers"].as_object() else {
        return BTreeMap::new();
    };
    let list = |answers: &Value| answers.as_array().expect("is a list").iter().rev().map(answer).collect();
    handlers.iter().map(|(name, answers)| (name.clone(), list(answers))).collect()
}

/// An answer is a report, or a list of reports: `{"ok": text}`, `{"error": …, "cause": …}`, "started", "heartbeat",
/// "holding", "unhandled"; "silence" is no report.
fn answer(answer: &Value) -> Answer {
    if answer == "silence" {
        return Answer::Silence;
    }
    match answer.as_array() {
        Some(reports) => Answer::Reports(reports.iter().map(|report| (1_000, outcome(report))).collect()),
        None => Answer::Reports(vec![(10, outcome(answer))]),
    }
}

fn outcome(report: &Value) -> Outcome {
    let text = |field: &str| report[field].as_str().map(str::to_owned);
    match report.as_str() {
        Some("started") => Outcome::Started,
        Some("heartbeat") => Outcome::Heartbeat,
        Some("holding") => Outcome::Holding { deliveries: 0 },
        Some("unhandled") => Outcome::Unhandled,
        Some(other) => panic!("no report {other:?}"),
        None => match text("ok") {
            Some(output) => Outcome::Succeeded { output: JsonText::parse(&output).expect("is JSON") },
            None => Outcome::Failed { error: text("error"), cause: text("cause") },
        },
    }
}

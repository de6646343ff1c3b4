//! The answer of TestState.

use asl::{Definition, QueryLanguage, StateKind};
use engine::{Inspection, Tested};
use model::JsonText;
use serde_json::{Map, Value, json};

use super::input::{Input, Level};

/// Renders what became of the state; the way of its data only where the level asks for it.
pub(crate) fn render(input: &Input, definition: &Definition, tested: &Tested) -> Value {
    let mut answer = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            answer.insert(name.to_owned(), value);
        }
    };
    put("output", tested.output.as_ref().map(text));
    if let Some(failure) = &tested.failure {
        put("error", failure.error.clone().map(Value::String));
        put("cause", failure.cause.clone().map(Value::String));
    }
    if input.level != Level::Info {
        put("inspectionData", Some(Value::Object(inspection(input, definition, tested))));
    }
    put("nextState", tested.next.as_ref().map(|name| json!(name.as_str())));
    put("status", Some(json!(tested.status.as_str())));
    Value::Object(answer)
}

fn inspection(input: &Input, definition: &Definition, tested: &Tested) -> Map<String, Value> {
    let seen = &tested.inspection;
    let mut data = Map::new();
    data.insert("input".to_owned(), text(&input.input));
    let Some(state) = definition.start() else { return data };
    let is_jsonata = state.query_language == QueryLanguage::Jsonata;
    let mut put = |name: &str, value: &Option<JsonText>| {
        if let Some(value) = value {
            data.insert(name.to_owned(), text(value));
        }
    };
    match &state.kind {
        StateKind::Task(_) if is_jsonata => {
            put("afterArguments", &seen.after_arguments);
            put("result", &seen.result);
        }
        StateKind::Parallel(_) if is_jsonata => put("afterArguments", &seen.after_arguments),
        StateKind::Map(_) if is_jsonata => {
            put("afterItemsPointer", &seen.after_items_pointer);
            put("afterItemSelector", &seen.after_item_selector);
        }
        _ if is_jsonata => {}
        // What is fixed looks at no input.
        StateKind::Pass(pass) if pass.result.is_some() => {
            put("result", &pass.result);
            put_results(seen, &mut put);
        }
        StateKind::Pass(_) | StateKind::Task(_) => {
            put("afterInputPath", &seen.after_input_path);
            put("afterParameters", &seen.after_parameters);
            put("result", &seen.result);
            put_results(seen, &mut put);
        }
        StateKind::Parallel(_) => put_results(seen, &mut put),
        StateKind::Map(_) => {
            put("afterInputPath", &seen.after_input_path);
            put("afterItemsPath", &seen.after_items_path);
            put("afterItemsPointer", &seen.after_items_pointer);
            put("afterItemSelector", &seen.after_item_selector);
            put_results(seen, &mut put);
        }
        StateKind::Choice(_) | StateKind::Wait(_) | StateKind::Succeed(_) | StateKind::Fail(_) => {
            put("afterInputPath", &seen.after_input_path);
        }
    }
    put_numbers(seen, &mut data);
    put_variables(tested, &mut data);
    data
}

fn put_results(seen: &Inspection, put: &mut impl FnMut(&str, &Option<JsonText>)) {
    put("afterResultSelector", &seen.after_result_selector);
    put("afterResultPath", &seen.after_result_path);
}

fn put_numbers(seen: &Inspection, data: &mut Map<String, Value>) {
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            data.insert(name.to_owned(), value);
        }
    };
    put("maxConcurrency", seen.max_concurrency.map(Value::from));
    put("toleratedFailureCount", seen.tolerated_failure_count.map(Value::from));
    put("toleratedFailurePercentage", seen.tolerated_failure_percentage.map(Value::from));
    let mut details = Map::new();
    let caught = seen.catch_index.map(Value::from);
    let indexes = [
        ("catchIndex", caught),
        ("retryIndex", seen.retry_index.map(Value::from)),
        ("retryBackoffIntervalSeconds", seen.retry_backoff_seconds.map(Value::from)),
    ];
    details.extend(indexes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    put("errorDetails", (!details.is_empty()).then_some(Value::Object(details)));
}

fn put_variables(tested: &Tested, data: &mut Map<String, Value>) {
    if tested.variables.is_empty() {
        return;
    }
    let members = tested.variables.iter().map(|(name, value)| format!("{}:{value}", json!(name)));
    let rendered = format!("{{{}}}", members.collect::<Vec<String>>().join(","));
    data.insert("variables".to_owned(), Value::String(rendered));
}

fn text(value: &JsonText) -> Value {
    Value::from(value.as_str())
}

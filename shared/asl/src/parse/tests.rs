//! Definitions, accepted and refused.

use std::fmt::Write;

use proptest::prelude::*;

use crate::definition::{Definition, Machine};
use crate::diagnostics::Code;
use crate::retry::JitterStrategy;
use crate::state::{Limit, StateKind, TextSource, Transition, WaitUntil};

/// Wraps a state, named `S`, in a definition.
fn with_state(state: &str) -> String {
    format!(r#"{{"StartAt": "S", "States": {{"S": {state}}}}}"#)
}

fn accepted(text: &str) -> Definition {
    Definition::parse(text).unwrap_or_else(|diagnostics| panic!("{text}: {diagnostics}"))
}

fn state_kind(state: &str) -> StateKind {
    accepted(&with_state(state)).machine.state("S").expect("is there").kind.clone()
}

/// Compares findings as they are printed, one a line.
fn check_refused(text: &str, expect: &[&str]) {
    let diagnostics = Definition::parse(text).expect_err(text);
    let found: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(found, expect, "{text}");
}

fn check_state(state: &str, expect: &[&str]) {
    let expect: Vec<String> = expect.iter().map(|text| format!("SCHEMA_VALIDATION_FAILED: {text}")).collect();
    let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
    check_refused(&with_state(state), &expect);
}

#[test]
fn an_object_has_one_member_of_a_name() {
    let StateKind::Pass(pass) = state_kind(r#"{"Type": "Pass", "End": true, "Result": {"a": 1, "b": 2, "a": 3}}"#)
    else {
        panic!("is a Pass");
    };
    assert_eq!(pass.result.as_ref().map(|result| result.as_str()), Some(r#"{"a":3,"b":2}"#));
    let names = |text: &str| -> Vec<String> {
        let definition = accepted(text);
        let state = definition.machine.state("S").expect("is there");
        state.assign.variables().map(|(name, _)| name.to_owned()).collect()
    };
    let assign = r#""Type": "Pass", "End": true, "Assign""#;
    assert_eq!(names(&with_state(&format!(r#"{{{assign}: {{"a.$": "$", "b": 2, "a": 1}}}}"#))), ["a", "b"]);
    let query = r#""QueryLanguage": "JSONata""#;
    assert_eq!(names(&with_state(&format!(r#"{{{query}, {assign}: {{"a": 1, "b": 2, "a": 1}}}}"#))), ["a", "b"]);
}

#[test]
fn a_definition_that_was_taken_before_is_loaded() {
    let text = with_state(
        r#"{"Type": "Pass", "QueryLanguage": "JSONata", "End": true, "Output": "{% $states.input.a ?? 5 %}"}"#,
    );
    assert!(Definition::load(&text).is_ok());
    assert!(Definition::parse(&text).is_err());
}

const LAMBDA: &str = r#""Type": "Task", "End": true, "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f""#;

/// Has a state of each type.
const ALL_TYPES: &str = r#"{
        "Comment": "all", "Version": "1.0", "TimeoutSeconds": 60, "QueryLanguage": "JSONPath", "StartAt": "Pass",
        "States": {
            "Pass": {"Type": "Pass", "Result": {"a": [1.0, 2]}, "Comment": "c", "Next": "Task"},
            "Task": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Choice",
                "Parameters": {"FunctionName": "f", "Payload.$": "$"}, "TimeoutSeconds": 9, "HeartbeatSecondsPath": "$.h",
                "InputPath": null, "OutputPath": "$.o", "ResultPath": "$.r", "ResultSelector": {"b.$": "$.Payload"}},
            "Choice": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsNull": true, "Next": "Wait"}], "Default": "Fail"},
            "Wait": {"Type": "Wait", "Timestamp": "1970-01-01T00:00:01Z", "Next": "Parallel"},
            "Parallel": {"Type": "Parallel", "Next": "Map", "Branches": [
                {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}},
                {"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}]},
            "Map": {"Type": "Map", "Next": "Succeed", "ItemsPath": "$.items", "MaxConcurrency": 2,
                "ItemSelector": {"i.$": "$$.Map.Item.Value"}, "ToleratedFailurePercentage": 2.5,
                "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "I", "States": {"I": {"Type": "Succeed"}}}},
            "Succeed": {"Type": "Succeed"},
            "Fail": {"Type": "Fail", "Error": "E", "CausePath": "States.Format('{}', $.c)"}
        }}"#;

#[test]
fn all_types_are_read() {
    let definition = accepted(ALL_TYPES);
    assert_eq!((definition.timeout_seconds, definition.comment.as_deref()), (Some(60), Some("all")));
    let names: Vec<&str> = definition.machine.states().map(|state| state.name.as_str()).collect();
    assert_eq!(names, ["Pass", "Task", "Choice", "Wait", "Parallel", "Map", "Succeed", "Fail"]);
    check_task_and_map(&definition.machine);
    let Some(StateKind::Pass(pass)) = definition.machine.state("Pass").map(|state| &state.kind) else {
        panic!("no Pass")
    };
    assert_eq!(pass.result.as_ref().map(model::JsonText::as_str), Some("{\"a\":[1.0,2]}"));
    let Some(StateKind::Fail(fail)) = definition.machine.state("Fail").map(|state| &state.kind) else {
        panic!("no Fail")
    };
    assert!(matches!((&fail.error, &fail.cause), (Some(TextSource::Fixed(_)), Some(TextSource::Intrinsic(_)))));
    let Some(StateKind::Wait(wait)) = definition.machine.state("Wait").map(|state| &state.kind) else {
        panic!("no Wait")
    };
    assert_eq!(wait.until, WaitUntil::Timestamp(model::Timestamp::from_millis(1_000)));
}

fn check_task_and_map(machine: &Machine) {
    let state = machine.state("Task").expect("is there");
    let StateKind::Task(task) = &state.kind else { panic!("no Task") };
    assert_eq!(task.timeout, Some(Limit::Fixed(9)));
    assert!(matches!(&task.heartbeat, Some(Limit::Path(path)) if path.as_str() == "$.h"));
    assert!(state.flow.input_path.is_none() && state.flow.result_selector.is_some());
    assert_eq!(state.flow.result_path.as_ref().map(jsonpath::ReferencePath::as_str), Some("$.r"));
    let StateKind::Map(map) = &machine.state("Map").expect("is there").kind else { panic!("no Map") };
    assert_eq!((&map.max_concurrency, map.item_processor.states().len()), (&Limit::Fixed(2), 1));
    assert_eq!(map.tolerated_failure_percentage, Some(Limit::Fixed(2.5)));
    assert_eq!(map.next, Transition::Next("Succeed".into()));
}

#[test]
fn defaults_are_aws_defaults() {
    let StateKind::Task(task) = state_kind(&format!(r#"{{{LAMBDA}, "Retry": [{{"ErrorEquals": ["States.ALL"]}}]}}"#))
    else {
        panic!("no Task")
    };
    let retrier = &task.retry[0];
    assert_eq!((retrier.interval_seconds, retrier.max_attempts, retrier.backoff_rate), (1, 3, 2.0));
    assert_eq!((retrier.max_delay_seconds, retrier.jitter_strategy), (None, JitterStrategy::None));
    assert!((&task.timeout, &task.heartbeat) == (&None, &None));
    let flow = &accepted(&with_state(&format!("{{{LAMBDA}}}"))).machine.state("S").expect("is there").flow.clone();
    assert!(flow.input_path.as_ref().is_some_and(crate::path::DataPath::is_whole_input));
    assert!(flow.result_path.as_ref().is_some_and(jsonpath::ReferencePath::is_root));
}

#[test]
fn old_names_of_a_map_are_taken() {
    let machine = r#"{"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}"#;
    let state = format!(r#"{{"Type": "Map", "End": true, "Iterator": {machine}, "Parameters": {{"a.$": "$"}}}}"#);
    let StateKind::Map(map) = state_kind(&state) else { panic!("no Map") };
    assert!(map.item_selector.is_some());
    assert_eq!(map.max_concurrency, Limit::Fixed(0));
}

#[test]
fn text_that_is_no_object_is_refused() {
    check_refused(" ", &["SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object at null"]);
    check_refused("[]", &["SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object at null"]);
    check_refused("null", &["SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object at null"]);
    check_refused("{}", &["SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /"]);
    check_refused(
        "not a definition",
        &[
            "INVALID_JSON_DESCRIPTION: Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token \
           'null', 'true' or 'false')\n at [Source: (String)\"not a definition\"; line: 1, column: 4] at [Source: \
           (String)\"not a definition\"; line: 1, column: 4]",
        ],
    );
    for text in ["{", "{\"a\":}", "{} x", "\u{feff}{}", "{\"a\": \"\\ud800\"}", &"[".repeat(100_000)] {
        let diagnostics = Definition::parse(text).expect_err(text);
        assert_eq!(diagnostics.iter().next().map(|finding| finding.code), Some(Code::InvalidJsonDescription), "{text}");
    }
}

#[test]
fn the_message_is_that_of_aws() {
    let diagnostics = Definition::parse(r#"{"StartAt": "S"}"#).expect_err("lacks States");
    let expect =
        "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /'";
    assert_eq!(diagnostics.to_string(), expect);
}

#[test]
fn fields_of_a_definition_are_checked() {
    let state = r#""StartAt": "S", "States": {"S": {"Type": "Succeed"}}"#;
    let cases = [
        ("\"X\": 1", "Field 'X' is not supported at /"),
        ("\"Version\": \"2\"", "Value should be one of the following: [1.0] at /Version"),
        ("\"TimeoutSeconds\": -1", "Minimum value is 0 at /TimeoutSeconds"),
        ("\"TimeoutSeconds\": 100000000", "Maximum value is 99999999 at /TimeoutSeconds"),
        ("\"TimeoutSeconds\": \"1\"", "Expected value of type Integer at /TimeoutSeconds"),
        ("\"TimeoutSeconds\": 1.5", "Expected value of type Integer at /TimeoutSeconds"),
        ("\"Comment\": 1", "Expected value of type String at /Comment"),
        ("\"QueryLanguage\": \"SQL\"", "Value should be one of the following: [JSONPath, JSONata] at /QueryLanguage"),
    ];
    for (field, expect) in cases {
        check_refused(&format!("{{{field}, {state}}}"), &[&format!("SCHEMA_VALIDATION_FAILED: {expect}")]);
    }
    check_refused(r#"{"StartAt": "S", "States": {}}"#, &["SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States"]);
    check_refused(
        r#"{"StartAt": 1, "States": []}"#,
        &[
            "SCHEMA_VALIDATION_FAILED: Expected value of type String at /StartAt",
            "SCHEMA_VALIDATION_FAILED: Expected value of type Object at /States",
        ],
    );
}

#[test]
fn what_comes_later_is_refused_as_such() {
    let config = r#"{"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}"#;
    let processor =
        format!(r#"{{"ProcessorConfig": {config}, "StartAt": "I", "States": {{"I": {{"Type": "Succeed"}}}}}}"#);
    let writer = r#"{"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b"}}"#;
    let text = format!(r#"{{"Type": "Map", "End": true, "ResultWriter": {writer}, "ItemProcessor": {processor}}}"#);
    check_refused(
        &with_state(&text),
        &[
            "UNSUPPORTED: The field 'ResultWriter' of the mode 'DISTRIBUTED' is not supported yet at /States/S/ResultWriter",
        ],
    );
}

#[test]
fn types_and_fields_of_states_are_checked() {
    let one_type = "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, \
                    Map] at /States/S/Type";
    check_state(r#"{"Type": "Nope", "End": true}"#, &[one_type]);
    check_state(r#"{"End": true}"#, &["These fields are required: [Type] at /States/S"]);
    check_state("1", &["Expected value of type Object at /States/S"]);
    check_state(r#"{"Type": "Succeed", "Next": "S"}"#, &["Field 'Next' is not supported at /States/S"]);
    check_state(r#"{"Type": "Fail", "InputPath": "$"}"#, &["Field 'InputPath' is not supported at /States/S"]);
    check_state(r#"{"Type": "Pass", "End": true, "Retry": []}"#, &["Field 'Retry' is not supported at /States/S"]);
    check_state(
        r#"{"Type": "Pass", "End": true, "Output": 1}"#,
        &[
            "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage at \
         /States/S",
        ],
    );
    let long = "x".repeat(81);
    let text = format!(r#"{{"StartAt": "{long}", "States": {{"{long}": {{"Type": "Succeed"}}}}}}"#);
    check_refused(
        &text,
        &[&format!("INVALID_STATE_NAME: A state name must have 1 to 80 characters at /States/{long}")],
    );
}

#[test]
fn next_or_end_is_required() {
    let neither = "This object should have only one of the following fields: [Next, End] at /States/S";
    check_state(r#"{"Type": "Pass"}"#, &[neither]);
    check_state(r#"{"Type": "Pass", "End": false}"#, &[neither]);
    check_state(
        r#"{"Type": "Pass", "End": true, "Next": "S"}"#,
        &["There should only be one of the following fields: [Next, End] at /States/S"],
    );
    check_state(r#"{"Type": "Pass", "End": 1}"#, &["Expected value of type Boolean at /States/S/End"]);
    check_state(r#"{"Type": "Pass", "Next": 1}"#, &["Expected value of type String at /States/S/Next"]);
}

#[test]
fn tasks_are_checked() {
    let cases = [
        ("\"TimeoutSeconds\": 0", "Minimum value is 1 at /States/S/TimeoutSeconds"),
        ("\"HeartbeatSeconds\": 1e9", "Expected value of type Integer at /States/S/HeartbeatSeconds"),
        (
            "\"TimeoutSeconds\": 1, \"TimeoutSecondsPath\": \"$.t\"",
            "There should only be one of the following fields: [TimeoutSeconds, TimeoutSecondsPath] at /States/S",
        ),
        (
            "\"TimeoutSecondsPath\": \"t\"",
            "Value is not a Reference Path: Reference path didn't start with '$' at /States/S/TimeoutSecondsPath",
        ),
        ("\"Credentials\": {}", "The field 'RoleArn' is required but was missing at /States/S/Credentials"),
        ("\"Credentials\": null", "Expected value of type Object at /States/S/Credentials"),
        ("\"InputPath\": \"x\"", "Value must be a valid JSONPath. at /States/S/InputPath"),
        ("\"OutputPath\": 1", "Expected value of type String at /States/S/OutputPath"),
        ("\"ResultPath\": \"$.a[*]\"", "Value is not a Reference Path at /States/S/ResultPath"),
        ("\"ResultPath\": \"$.a[-1]\"", "Value is not a Reference Path at /States/S/ResultPath"),
        ("\"ResultPath\": \"$$.a\"", "Value is not a Reference Path at /States/S/ResultPath"),
        ("\"ResultPath\": \"$var.a\"", "Value is not a Reference Path at /States/S/ResultPath"),
    ];
    for (field, expect) in cases {
        check_state(&format!("{{{LAMBDA}, {field}}}"), &[expect]);
    }
    check_state(r#"{"Type": "Task", "End": true}"#, &["These fields are required: [Resource] at /States/S"]);
    check_state(
        r#"{"Type": "Task", "End": true, "Resource": "f"}"#,
        &["Value is not a valid resource ARN at /States/S/Resource"],
    );
}

#[test]
fn retriers_and_catchers_are_checked() {
    let error = r#""ErrorEquals": ["E"]"#;
    let all = "States.ALL must appear alone and at end of list at";
    let cases = [
        (r#""Retry": {}"#.to_owned(), "Expected value of type Array at /States/S/Retry".to_owned()),
        (r#""Retry": [{}]"#.to_owned(), "These fields are required: [ErrorEquals] at /States/S/Retry[0]".to_owned()),
        (
            r#""Retry": [{"ErrorEquals": []}]"#.to_owned(),
            "Value cannot be empty at /States/S/Retry[0]/ErrorEquals".to_owned(),
        ),
        (
            format!(r#""Retry": [{{{error}, "MaxAttempts": -1}}]"#),
            "Minimum value is 0 at /States/S/Retry[0]/MaxAttempts".to_owned(),
        ),
        (
            format!(r#""Retry": [{{{error}, "BackoffRate": 0.9}}]"#),
            "Minimum value is 1.0 at /States/S/Retry[0]/BackoffRate".to_owned(),
        ),
        (
            format!(r#""Retry": [{{{error}, "MaxDelaySeconds": 31622401}}]"#),
            "Maximum value is 31622400 at /States/S/Retry[0]/MaxDelaySeconds".to_owned(),
        ),
        (
            format!(r#""Retry": [{{{error}, "JitterStrategy": "SOME"}}]"#),
            "Value should be one of the following: [FULL, NONE] at /States/S/Retry[0]/JitterStrategy".to_owned(),
        ),
        (
            format!(r#""Retry": [{{"ErrorEquals": ["States.ALL"]}}, {{{error}}}]"#),
            format!("{all} /States/S/Retry[0]/ErrorEquals[0]"),
        ),
        (
            r#""Catch": [{"ErrorEquals": ["E", "States.ALL"], "Next": "S"}]"#.to_owned(),
            format!("{all} /States/S/Catch[0]/ErrorEquals[1]"),
        ),
        (format!(r#""Catch": [{{{error}}}]"#), "These fields are required: [Next] at /States/S/Catch[0]".to_owned()),
        (
            format!(r#""Catch": [{{{error}, "X": 1, "Next": "S"}}]"#),
            "Field 'X' is not supported at /States/S/Catch[0]".to_owned(),
        ),
    ];
    for (field, expect) in cases {
        check_state(&format!("{{{LAMBDA}, {field}}}"), &[&expect]);
    }
}

#[test]
fn waits_and_fails_are_checked() {
    let one_of = "of the following fields: [SecondsPath, Seconds, TimestampPath, Timestamp] at /States/S";
    check_state(r#"{"Type": "Wait", "End": true}"#, &[&format!("This object should have only one {one_of}")]);
    check_state(
        r#"{"Type": "Wait", "End": true, "Seconds": 1, "SecondsPath": "$.s"}"#,
        &[&format!("There should only be one {one_of}")],
    );
    check_state(r#"{"Type": "Wait", "End": true, "Seconds": -1}"#, &["Minimum value is 0 at /States/S/Seconds"]);
    check_state(
        r#"{"Type": "Wait", "End": true, "Seconds": 10000000000000000}"#,
        &["Maximum value is 99999999 at /States/S/Seconds"],
    );
    check_state(
        r#"{"Type": "Wait", "End": true, "Timestamp": "2016-12-05 21:29:29Z"}"#,
        &["String does not match RFC3339 timestamp at /States/S/Timestamp"],
    );
    check_state(
        r#"{"Type": "Fail", "Error": "e", "ErrorPath": "$.e"}"#,
        &["There should only be one of the following fields: [Error, ErrorPath] at /States/S"],
    );
    check_state(
        r#"{"Type": "Fail", "CausePath": "Cause"}"#,
        &["Value must be a valid JSONPath or a valid intrinsic function call at /States/S/CausePath"],
    );
}

#[test]
fn choices_are_checked() {
    let cases = [
        ("", "Value cannot be empty at /States/S/Choices"),
        (r#"{"Variable": "$.a", "IsNull": true}"#, "These fields are required: [Next] at /States/S/Choices[0]"),
        (
            r#"{"Next": "S"}"#,
            "The object must have only one of the following fields, [And, Or, Not, Variable, Condition] at \
             /States/S/Choices[0]",
        ),
        (r#"{"Variable": "$.a", "Next": "S"}"#, "A comparison operator is required at /States/S/Choices[0]"),
        (
            r#"{"Variable": "$.a", "IsNull": true, "IsString": true, "Next": "S"}"#,
            "There should only be one of the following fields: [IsNull, IsString] at /States/S/Choices[0]",
        ),
        (
            r#"{"And": [{"Variable": "$.a", "IsNull": true}], "IsNull": true, "Next": "S"}"#,
            "There should only be one of the following fields: [And, IsNull] at /States/S/Choices[0]",
        ),
        (
            r#"{"Not": {"Not": {"Variable": "$.a", "IsNull": true}, "IsNull": true, "StringEquals": "x"}, "Next": "S"}"#,
            "There should only be one of the following fields: [Not, IsNull, StringEquals] at /States/S/Choices[0]/Not",
        ),
        (
            r#"{"Or": [{"Variable": "$.a", "IsNull": true}], "Variable": "$.a", "Next": "S"}"#,
            "The object must have only one of the following fields, [And, Or, Not, Variable, Condition] at \
             /States/S/Choices[0]",
        ),
        (
            r#"{"Variable": "States.UUID()", "IsNull": true, "Next": "S"}"#,
            "Value is not a Reference Path: Reference path didn't start with '$' at /States/S/Choices[0]/Variable",
        ),
        (
            r#"{"Variable": "$.a", "BooleanLessThan": true, "Next": "S"}"#,
            "Field 'BooleanLessThan' is not supported at /States/S/Choices[0]",
        ),
        (
            r#"{"Variable": "$.a", "NumericEquals": "1", "Next": "S"}"#,
            "Expected value of type Number at /States/S/Choices[0]/NumericEquals",
        ),
        (
            r#"{"Variable": "$.a", "TimestampEquals": "now", "Next": "S"}"#,
            "String does not match RFC3339 timestamp at /States/S/Choices[0]/TimestampEquals",
        ),
        (r#"{"And": [], "Next": "S"}"#, "Value cannot be empty at /States/S/Choices[0]/And"),
        (
            r#"{"Not": {"Variable": "$.a", "IsNull": true, "Next": "S"}, "Next": "S"}"#,
            "Field 'Next' is not supported at /States/S/Choices[0]/Not",
        ),
        (
            r#"{"Or": [{"Variable": "$.a", "IsNull": 1}], "Next": "S"}"#,
            "Expected value of type Boolean at /States/S/Choices[0]/Or[0]/IsNull",
        ),
    ];
    for (rule, expect) in cases {
        let state = format!(r#"{{"Type": "Choice", "Choices": [{rule}]}}"#);
        let diagnostics = Definition::parse(&with_state(&state)).expect_err(rule);
        assert!(diagnostics.iter().any(|finding| finding.to_string().ends_with(expect)), "{rule}: {diagnostics}");
    }
}

#[test]
fn nested_machines_are_checked() {
    check_state(r#"{"Type": "Parallel", "End": true}"#, &["These fields are required: [Branches] at /States/S"]);
    check_state(
        r#"{"Type": "Parallel", "End": true, "Branches": []}"#,
        &["Value cannot be empty at /States/S/Branches"],
    );
    check_state(
        r#"{"Type": "Parallel", "End": true, "Branches": [{"StartAt": "A", "States": {"A": {"Type": "X"}}}]}"#,
        &[
            "The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at \
         /States/S/Branches[0]/States/A/Type",
        ],
    );
    check_state(
        r#"{"Type": "Map", "End": true}"#,
        &["This object should have only one of the following fields: [ItemProcessor, Iterator] at /States/S"],
    );
    check_state(
        r#"{"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "A", "QueryLanguage": "JSONPath"}}"#,
        &[
            "Field 'QueryLanguage' is not supported at /States/S/ItemProcessor",
            "These fields are required: [States] at /States/S/ItemProcessor",
        ],
    );
    let inner = r#""ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}"#;
    check_state(
        &format!(r#"{{"Type": "Map", "End": true, {inner}, "ItemsPath": "$..a"}}"#),
        &["Value is not a Reference Path at /States/S/ItemsPath"],
    );
    check_state(
        &format!(r#"{{"Type": "Map", "End": true, {inner}, "ToleratedFailurePercentage": 101}}"#),
        &["Maximum value is 100.0 at /States/S/ToleratedFailurePercentage"],
    );
}

#[test]
fn transitions_are_checked() {
    let missing = "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at";
    let no_end = "MISSING_END_STATE: Workflow has no terminal state at null";
    let states = |start: &str, states: &str| format!(r#"{{"StartAt": "{start}", "States": {{{states}}}}}"#);
    let end = r#""Z": {"Type": "Succeed"}"#;
    check_refused(
        &states("A", r#""A": {"Type": "Pass", "Next": "NOPE"}"#),
        &[&format!("{missing} /States/A/Next"), no_end],
    );
    check_refused(&states("A", r#""A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}"#), &[no_end]);
    check_refused(
        &states("NOPE", end),
        &[&format!("{missing} /StartAt"), "MISSING_TRANSITION_TARGET: State \"Z\" is not reachable. at /States/Z"],
    );
    let choice =
        r#""A": {"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": true, "Next": "NOPE"}], "Default": "Z"}"#;
    check_refused(&states("A", &format!("{choice}, {end}")), &[&format!("{missing} /States/A/Choices[0]/Next")]);
    let task = format!(r#""A": {{{LAMBDA}, "Catch": [{{"ErrorEquals": ["E"], "Next": "NOPE"}}]}}"#);
    check_refused(&states("A", &task), &[&format!("{missing} /States/A/Catch[0]/Next")]);
    let inner = r#""A": {"Type": "Parallel", "End": true, "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "Next": "NOPE"}}}]}"#;
    check_refused(&states("A", inner), &[&format!("{missing} /States/A/Branches[0]/States/B/Next"), no_end]);
}

#[test]
fn names_are_unique_over_branches() {
    let branch = r#"{"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}"#;
    let state = format!(r#"{{"Type": "Parallel", "End": true, "Branches": [{branch}, {branch}]}}"#);
    check_refused(
        &with_state(&state),
        &["DUPLICATE_STATE_NAME: Duplicate State name: B at /States/S/Branches[1]/States/B"],
    );
    let text = r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "A": {"Type": "Succeed"}}}"#;
    check_refused(text, &["DUPLICATE_STATE_NAME: Duplicate State name: A at /States/A"]);
}

#[test]
fn many_faults_are_bounded() {
    let mut states = String::new();
    for number in 0..20_000 {
        let comma = if number == 0 { "" } else { "," };
        write!(states, r#"{comma}"s{number}": {{"Type": "Pass"}}"#).expect("writes");
    }
    let diagnostics =
        Definition::parse(&format!(r#"{{"StartAt": "s0", "States": {{{states}}}}}"#)).expect_err("is wrong");
    assert_eq!(diagnostics.len(), 100);
}

proptest! {
    #[test]
    fn damaged_definitions_are_refused_or_read(start in 0..ALL_TYPES.len(), cut in 0..40_usize, put in "[\\{\\}\\[\\]\",:$.1a]{0,4}") {
        let end = (start + cut).min(ALL_TYPES.len());
        let text = format!("{}{put}{}", &ALL_TYPES[..start], &ALL_TYPES[end..]);
        if let Err(diagnostics) = Definition::parse(&text) {
            prop_assert!(diagnostics.has_errors());
        }
    }
}

#[test]
fn variables_are_listed_by_state() {
    let text = r#"{"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1, "y.$": "States.Format('{}', States.MathAdd($n, $.a))"}, "Next": "C"},
        "C": {"Type": "Choice", "Choices": [{"Variable": "$b", "StringEqualsPath": "$a.c", "Next": "M"}], "Default": "J"},
        "M": {"Type": "Map", "ItemsPath": "$list", "ItemProcessor": {"StartAt": "I", "States": {
            "I": {"Type": "Pass", "Parameters": {"v.$": "$v[0]", "w": "$w"}, "End": true}}}, "Next": "J"},
        "J": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% ($own := $z; $own & $states.input.q) %}", "Next": "E"},
        "E": {"Type": "Succeed"}}}"#;
    let references = Definition::load(text).expect("is valid").variable_references();
    let listed: Vec<String> = references.iter().map(|(state, names)| format!("{state}: {}", names.join(" "))).collect();
    assert_eq!(listed, ["A: n", "C: a b", "I: v", "J: z", "M: list"]);
}

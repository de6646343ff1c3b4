//! Definitions and what is said about them.

use super::*;
use crate::diagnostics::Severity;

/// Wraps a state, named `S`, in a definition.
fn with_state(state: &str) -> String {
    format!(r#"{{"StartAt": "S", "States": {{"S": {state}}}}}"#)
}

fn jsonata(state: &str) -> String {
    format!(r#"{{"QueryLanguage": "JSONata", "StartAt": "S", "States": {{"S": {state}}}}}"#)
}

/// Compares the findings of a severity as they are printed, one a line.
fn check(text: &str, options: Options, severity: Severity, expect: &[&str]) {
    let findings = validate(text, options);
    let found: Vec<String> =
        findings.iter().filter(|finding| finding.severity == severity).map(ToString::to_string).collect();
    assert_eq!(found, expect, "{text}");
}

fn errors(text: &str, expect: &[&str]) {
    check(text, Options::default(), Severity::Error, expect);
}

fn schema(text: &str, expect: &[&str]) {
    let expect: Vec<String> = expect.iter().map(|text| format!("SCHEMA_VALIDATION_FAILED: {text}")).collect();
    errors(text, &expect.iter().map(String::as_str).collect::<Vec<_>>());
}

fn warnings(text: &str, expect: &[&str]) {
    check(text, Options::default(), Severity::Warning, expect);
}

#[test]
fn a_language_has_its_own_fields() {
    let only = |name: &str, mine: &str, other: &str| {
        format!(
            "The QueryLanguage is set to '{mine}', but field '{name}' is only supported for the '{other}' QueryLanguage at \
             /States/S"
        )
    };
    schema(
        &jsonata(r#"{"Type": "Pass", "End": true, "InputPath": "x", "Result": 1}"#),
        &[&only("InputPath", "JSONata", "JSONPath"), &only("Result", "JSONata", "JSONPath")],
    );
    schema(
        &with_state(
            r#"{"Type": "Map", "End": true, "Items": [], "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}}"#,
        ),
        &[&only("Items", "JSONPath", "JSONata")],
    );
    schema(
        &jsonata(r#"{"Type": "Pass", "End": true, "QueryLanguage": "JSONPath"}"#),
        &["'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at /States/S"],
    );
    let in_map = |config: &str| {
        let processor = format!(
            r#""ProcessorConfig": {config}, "StartAt": "I", "States": {{"I": {{"Type": "Succeed", "QueryLanguage": "JSONPath"}}}}"#
        );
        jsonata(&format!(r#"{{"Type": "Map", "End": true, "ItemProcessor": {{{processor}}}}}"#))
    };
    schema(&in_map(r#"{"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}"#), &[]);
    schema(
        &in_map(r#"{"Mode": "INLINE"}"#),
        &["'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine at \
           /States/S/ItemProcessor/States/I"],
    );
    let nested = r#"{"Type": "Parallel", "End": true, "QueryLanguage": "JSONata", "Branches": [
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, "Output": 1}}}]}"#;
    let expect = only("Output", "JSONPath", "JSONata").replace("/States/S", "/States/S/Branches[0]/States/A");
    schema(&with_state(nested), &[&expect]);
}

#[test]
fn expressions_stand_where_values_do() {
    for state in [
        r#"{"Type": "Wait", "End": true, "Seconds": "{% $states.input.s %}"}"#,
        r#"{"Type": "Wait", "End": true, "Timestamp": "{% $now() %}"}"#,
        r#"{"Type": "Fail", "Error": "{% 'E' %}", "Cause": "c"}"#,
        r#"{"Type": "Pass", "End": true, "Output": {"a": [" {% no %} ", "{% 1 %}"]}, "Assign": {"v": "{% 1 %}"}}"#,
        r#"{"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "S", "Output": 1}, {"Condition": true, "Next": "S"}]}"#,
        r#"{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true, "TimeoutSeconds": "{% 1 %}", "Credentials": "{% $c %}"}"#,
    ] {
        let findings = validate(&jsonata(state), Options::default());
        let found: Vec<_> = findings.iter().filter(|finding| finding.code != crate::Code::MissingEndState).collect();
        assert!(found.is_empty(), "{state}: {found:?}");
    }
    for field in ["\"{% $x %}\"", "1", "[]"] {
        schema(
            &jsonata(&format!(r#"{{"Type": "Pass", "End": true, "Assign": {field}}}"#)),
            &["Expected value of type Object at /States/S/Assign"],
        );
    }
    schema(
        &jsonata(
            r#"{"Type": "Task", "Resource": "arn:aws:states:eu-west-1:123456789012:activity:a", "End": true, "Credentials": "{% $c %}"}"#,
        ),
        &["The field 'Credentials' is not supported for activities at /States/S/Credentials"],
    );
    let ends = "A JSONata expression must begin with '{%' and end with '%}' at /States/S/Output";
    schema(&jsonata(r#"{"Type": "Pass", "End": true, "Output": "{% 1 %"}"#), &[ends]);
    schema(&jsonata(r#"{"Type": "Pass", "End": true, "Output": "1 %}"}"#), &[ends]);
    schema(
        &jsonata(r#"{"Type": "Pass", "End": true, "Output": {"a": ["{%10%}"]}}"#),
        &["A JSONata expression must be separated from '{%' and '%}' by blanks at /States/S/Output/a[0]"],
    );
    schema(
        &jsonata(r#"{"Type": "Wait", "End": true, "Seconds": "1"}"#),
        &["Expected value of type Integer at /States/S/Seconds"],
    );
    schema(
        &with_state(r#"{"Type": "Wait", "End": true, "Timestamp": "{% $now() %}"}"#),
        &["String does not match RFC3339 timestamp at /States/S/Timestamp"],
    );
}

#[test]
fn expressions_are_parsed() {
    let output = |expression: &str| {
        jsonata(&format!(r#"{{"Type": "Pass", "End": true, "Output": {{"a": "{{% {expression} %}}"}}}}"#))
    };
    for (expression, message) in [
        ("1 ?? 2", r#"The symbol "?" cannot be used as a unary operator"#),
        ("/(/]/)/", "Invalid regular expression: /(/]/: unclosed group"),
        ("'a' ~> /(/", "No terminating / in regular expression"),
    ] {
        errors(&output(expression), &[&format!("INVALID_JSONATA_EXPRESSION: {message} at /States/S/Output/a")]);
    }
    let message = "The regular expression /(?=b)/ is not supported: look-around, including look-ahead and look-behind, is not supported";
    errors(&output("$match('a', /(?=b)/)"), &[&format!("UNSUPPORTED: {message} at /States/S/Output/a")]);
    for expression in ["1 +", "a[1,2)", "$sum($states.input.items", "10 + * 2"] {
        let findings = validate(&output(expression), Options::default());
        let finding = findings.iter().next().expect("is refused");
        assert_eq!(finding.code, crate::Code::InvalidJsonataExpression, "{expression}");
        assert_eq!(finding.pointer.as_deref(), Some("/States/S/Output/a"));
        assert!(!finding.message.starts_with("S0"), "{}", finding.message);
    }
    let unsupported = "UNSUPPORTED_JSONATA_EXPRESSION:";
    let root = format!("{unsupported} Reference to '$$' is not supported. at /States/S/Output/a");
    for expression in [
        "$$",
        "$$.a",
        "$sum($$.a[0])",
        "$states.input.($$)",
        "$map([1], function($v) { $$ })",
        "[1][$$ = 1]",
        "{'a': $$}",
        "$$[0]",
        "$$ ~> $sum",
        "$states.input^($$.a)",
    ] {
        errors(&output(expression), &[&root]);
    }
    for expression in ["'$$'", "/* costs $$ */ 1", "$match('a', /$$/)"] {
        errors(&output(expression), &[]);
    }
    let top_level = |name: &str| {
        format!("{unsupported} Reference to '{name}' at the top level is not supported. at /States/S/Output/a")
    };
    errors(&output("zip & $sum(phone) & zip & $states.input.(a & b)"), &[&top_level("zip"), &top_level("phone")]);
    errors(&output("$.a"), &[&top_level("$")]);
    errors(&output("*"), &[&top_level("*")]);
}

#[test]
fn members_of_states_are_there_where_there_is_something() {
    let missing = |member: &str, place: &str| {
        format!("UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.{member}' does not exist. at /States/S/{place}")
    };
    let check = |state: &str, expect: &[&str]| {
        let text = format!(
            r#"{{"QueryLanguage": "JSONata", "StartAt": "S", "States": {{"S": {state}, "Z": {{"Type": "Succeed"}}}}}}"#
        );
        let findings = validate(&text, Options::default());
        let found: Vec<String> = findings
            .iter()
            .filter(|finding| finding.code == crate::Code::UnsupportedJsonataExpression)
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expect, "{text}");
    };
    let (result, error) = (r#""{% $states.result.a %}""#, r#""{% $states.errorOutput.Error %}""#);
    let both = |value: &str| format!(r#""Output": {value}, "Assign": {{"v": {value}}}"#);
    let machine = r#"{"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}"#;
    let with_result = [
        r#""Type": "Task", "Resource": "arn:aws:states:::lambda:invoke""#.to_owned(),
        format!(r#""Type": "Parallel", "Branches": [{machine}]"#),
        format!(r#""Type": "Map", "ItemProcessor": {machine}"#),
    ];
    for state in with_result {
        check(&format!(r#"{{{state}, "Next": "Z", {}}}"#, both(result)), &[]);
        check(
            &format!(r#"{{{state}, "Next": "Z", {}}}"#, both(error)),
            &[&missing("errorOutput", "Output"), &missing("errorOutput", "Assign/v")],
        );
        let catch = |value: &str| {
            let catch = format!(r#"[{{"ErrorEquals": ["E"], "Next": "Z", {}}}]"#, both(value));
            format!(r#"{{{state}, "Next": "Z", "Catch": {catch}, "Output": {result}}}"#)
        };
        check(&catch(error), &[]);
        check(&catch(result), &[&missing("result", "Catch[0]/Output"), &missing("result", "Catch[0]/Assign/v")]);
    }
    let arguments = format!(r#""Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {result}"#);
    check(&format!(r#"{{{arguments}, "Next": "Z"}}"#), &[&missing("result", "Arguments")]);
    let items = format!(r#""Type": "Map", "ItemProcessor": {machine}, "Items": {result}, "ItemSelector": {result}"#);
    check(&format!(r#"{{{items}, "Next": "Z"}}"#), &[&missing("result", "ItemSelector"), &missing("result", "Items")]);
    for state in [r#""Type": "Pass""#, r#""Type": "Wait", "Seconds": 1"#] {
        check(
            &format!(r#"{{{state}, "Next": "Z", {}}}"#, both(result)),
            &[&missing("result", "Output"), &missing("result", "Assign/v")],
        );
    }
    check(
        &format!(r#"{{"Type": "Choice", "Choices": [{{"Condition": {result}, "Next": "Z", {}}}]}}"#, both(result)),
        &[
            &missing("result", "Choices[0]/Assign/v"),
            &missing("result", "Choices[0]/Output"),
            &missing("result", "Choices[0]/Condition"),
        ],
    );
    check(r#"{"Type": "Pass", "Next": "Z", "Output": "{% $states %}"}"#, &[]);
}

#[test]
fn rules_of_a_language_are_not_those_of_the_other() {
    let only = "field 'Variable' is only supported for the 'JSONPath' QueryLanguage at /States/S/Choices[0]";
    let operator = "field 'IsNull' is only supported for the 'JSONPath' QueryLanguage at /States/S/Choices[0]";
    let set = "The QueryLanguage is set to 'JSONata', but";
    let rule = r#"{"Variable": "$.a", "IsNull": true, "Next": "Z"}"#;
    let text = format!(
        r#"{{"QueryLanguage": "JSONata", "StartAt": "S", "States": {{"S": {{"Type": "Choice", "Choices": [{rule}]}}, "Z": {{"Type": "Succeed"}}}}}}"#
    );
    schema(
        &text,
        &[
            &format!("{set} {only}"),
            &format!("{set} {operator}"),
            "These fields are required: [Condition] at /States/S/Choices[0]",
        ],
    );
}

#[test]
fn whole_numbers_of_any_size_are_within_bounds() {
    let seconds = |number: &str, expect: &str| {
        let text = with_state(&format!(r#"{{"Type": "Wait", "End": true, "Seconds": {number}}}"#));
        schema(&text, &[&format!("{expect} at /States/S/Seconds")]);
    };
    for number in ["100000000", "18446744073709551615", "18446744073709551616", "1000000000000000000000000000000"] {
        seconds(number, "Maximum value is 99999999");
    }
    for number in ["-1", "-9223372036854775809", "-1000000000000000000000000000000"] {
        seconds(number, "Minimum value is 0");
    }
    seconds("1.5", "Expected value of type Integer");
    seconds("1e3", "Expected value of type Integer");
}

#[test]
fn variables_have_names() {
    let pass = |assign: &str| with_state(&format!(r#"{{"Type": "Pass", "End": true, "Assign": {assign}}}"#));
    errors(&pass(r#"{"a": 1, "b.$": "$.x", "e\u0301": 1, "变量": 1, "été_2": {"c.$": "$$.Execution"}}"#), &[]);
    schema(&pass(r#"{"states": 1}"#), &["The variable name 'states' is reserved at /States/S/Assign/states"]);
    let wrong = |name: &str| {
        format!(
            "The name of a variable must begin with a letter, go on with letters, marks, digits and '_', and have at most 80 \
             characters: '{name}' at /States/S/Assign/{name}"
        )
    };
    schema(
        &pass(r#"{"a b": 1, "1a": 1, "_a": 1, "a²": 1}"#),
        &[&wrong("a b"), &wrong("1a"), &wrong("_a"), &wrong("a²")],
    );
    schema(
        &pass(r#"{"a.$": "nope"}"#),
        &[
            "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call at /States/S/Assign",
        ],
    );
    schema(&pass("[]"), &["Expected value of type Object at /States/S/Assign"]);
    schema(&with_state(r#"{"Type": "Succeed", "Assign": {}}"#), &["Field 'Assign' is not supported at /States/S"]);
}

#[test]
fn a_variable_is_assigned_in_one_of_nested_scopes() {
    let taken = |place: &str| format!("The variable name 'x' is already assigned in an outer scope at {place}");
    let check = |assign: &str, next: &str, expect: &[&str]| {
        let text = format!(
            r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Pass", "Assign": {assign}, "Next": "B"}}, {next}, "Z": {{"Type": "Succeed"}}}}}}"#
        );
        schema(
            &text,
            &expect.iter().map(|place| taken(place)).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>(),
        );
    };
    let inner = |name: &str| {
        format!(
            r#"{{"StartAt": "{name}", "States": {{"{name}": {{"Type": "Pass", "End": true, "Assign": {{"x.$": "$"}}}}}}}}"#
        )
    };
    let parallel = |branches: &str| format!(r#""B": {{"Type": "Parallel", "Next": "Z", "Branches": [{branches}]}}"#);
    let map = |field: &str, machine: &str| format!(r#""B": {{"Type": "Map", "Next": "Z", "{field}": {machine}}}"#);
    check(r#"{"x": 1}"#, &parallel(&inner("C")), &["/States/B/Branches[0]/States/C/Assign/x.$"]);
    check(r#"{"y": 1}"#, &parallel(&format!("{}, {}", inner("C"), inner("D"))), &[]);
    check(r#"{"x.$": "$"}"#, &map("Iterator", &inner("C")), &["/States/B/Iterator/States/C/Assign/x.$"]);
    let deep = format!(
        r#"{{"StartAt": "D", "States": {{"D": {{"Type": "Parallel", "End": true, "Branches": [{}]}}}}}}"#,
        inner("C")
    );
    let place = "/States/B/ItemProcessor/States/D/Branches[0]/States/C/Assign/x.$";
    check(r#"{"x": 1}"#, &map("ItemProcessor", &deep), &[place]);
    let distributed = |machine: &str| {
        let config = r#""ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}"#;
        map("ItemProcessor", &machine.replacen('{', &format!("{{{config}, "), 1))
    };
    check(r#"{"x": 1}"#, &distributed(&deep), &[]);
    let within = deep.replacen(r#""End": true"#, r#""End": true, "Assign": {"x": 1}"#, 1);
    check(r#"{"y": 1}"#, &distributed(&within), &[place]);
    let later = r#""B": {"Type": "Map", "Next": "Z", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z", "Assign": {"x": 1}}],
        "ItemProcessor": {"StartAt": "C", "States": {"D": {"Type": "Succeed"}, "C": {"Type": "Choice", "Default": "D",
        "Choices": [{"Variable": "$", "IsNull": true, "Next": "D", "Assign": {"x": 2}}]}}}}"#;
    check(r#"{"y": 1}"#, later, &["/States/B/ItemProcessor/States/C/Choices[0]/Assign/x"]);
}

#[test]
fn maps_over_other_sources_are_checked() {
    let map = |fields: &str| {
        with_state(&format!(
            r#"{{"Type": "Map", "End": true, {fields}, "ItemProcessor": {{
                "ProcessorConfig": {{"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}},
                "StartAt": "I", "States": {{"I": {{"Type": "Succeed"}}}}}}}}"#
        ))
    };
    errors(
        &map(
            r#""Label": "L", "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "CSV", "MaxItems": 5},
            "Parameters": {"Bucket.$": "$.b"}}, "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {}},
            "ItemBatcher": {"MaxItemsPerBatch": 5, "BatchInput": {"a.$": "$.x"}}, "ToleratedFailurePercentage": 2.5"#,
        ),
        &[],
    );
    let one = "There should only be one of the following fields:";
    schema(
        &map(r#""ItemBatcher": {"MaxItemsPerBatch": -1, "MaxItemsPerBatchPath": "$.x", "X": 1}"#),
        &[
            "Field 'X' is not supported at /States/S/ItemBatcher",
            &format!("{one} [MaxItemsPerBatch, MaxItemsPerBatchPath] at /States/S/ItemBatcher"),
            "Minimum value is 0 at /States/S/ItemBatcher/MaxItemsPerBatch",
        ],
    );
    schema(
        &map(r#""ItemReader": {"Arguments": {}, "ReaderConfig": {"MaxItems": 1, "MaxItemsPath": "$.x"}}"#),
        &[
            "These fields are required: [Resource] at /States/S/ItemReader",
            "The QueryLanguage is set to 'JSONPath', but field 'Arguments' is only supported for the 'JSONata' QueryLanguage at \
             /States/S/ItemReader",
            &format!("{one} [MaxItems, MaxItemsPath] at /States/S/ItemReader/ReaderConfig"),
        ],
    );
    let rule = "INVALID_LABEL_NAME: A label must have 1 to 40 letters, without blanks and special characters at";
    errors(&map(r#""Label": "a b""#), &[&format!("{rule} /States/S/Label")]);
}

#[test]
fn labels_are_unique() {
    let map = |inner: &str, next: &str| {
        format!(
            r#"{{"Type": "Map", {next}, "Label": "L", "Iterator": {{"StartAt": "{inner}", "States": {{"{inner}": {{"Type": "Succeed"}}}}}}}}"#
        )
    };
    let (first, second) = (map("I", r#""Next": "B""#), map("J", r#""End": true"#));
    errors(
        &format!(r#"{{"StartAt": "A", "States": {{"A": {first}, "B": {second}}}}}"#),
        &["DUPLICATE_LABEL_NAME: Duplicate Label name: L at /States/B/Label"],
    );
}

#[test]
fn express_refuses_what_waits() {
    let express = Options { express: true, ..Options::default() };
    let refused = [
        (
            "arn:aws:states:::states:startExecution.sync:2",
            "Express state machine does not support '.sync' service integration at /States/S/Resource",
        ),
        (
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Express state machine does not support '.waitForTaskToken' service integration  at /States/S/Resource",
        ),
        (
            "arn:aws:states:us-east-1:123456789012:activity:a",
            "Express state machine does not support Activity ARN at /States/S/Resource",
        ),
    ];
    for (resource, expect) in refused {
        let text = with_state(&format!(r#"{{"Type": "Task", "End": true, "Resource": "{resource}"}}"#));
        check(&text, express, Severity::Error, &[&format!("SCHEMA_VALIDATION_FAILED: {expect}")]);
        errors(&text, &[]);
    }
}

#[test]
fn what_looks_computed_is_warned_of() {
    warnings(
        &with_state(r#"{"Type": "Pass", "End": true, "Result": {"a.$": "$.x", "b": ["$.y"], "price": "$5"}}"#),
        &[
            "PASS_RESULT_IS_STATIC: The Result of a Pass state is not evaluated at /States/S/Result",
            "PASS_RESULT_IS_STATIC: The Result of a Pass state is not evaluated at /States/S/Result/a.$",
            "PASS_RESULT_IS_STATIC: The Result of a Pass state is not evaluated at /States/S/Result/b[0]",
        ],
    );
    warnings(
        &with_state(
            r#"{"Type": "Pass", "End": true, "Parameters": {"a": "$.x", "b": "States.UUID()", "c": "States of mind"}}"#,
        ),
        &[
            "NO_DOLLAR: The value of field 'a' looks like a JSONPath or an intrinsic function, but the name does not end with \
             '.$' at /States/S/Parameters/a",
            "NO_DOLLAR: The value of field 'b' looks like a JSONPath or an intrinsic function, but the name does not end with \
             '.$' at /States/S/Parameters/b",
        ],
    );
    warnings(
        &with_state(r#"{"Type": "Fail", "Cause": "$.cause"}"#),
        &[
            "NO_PATH: The value of field 'Cause' looks like a path, but the name does not end with 'Path' at /States/S/Cause",
        ],
    );
    warnings(
        &with_state(r#"{"Type": "Task", "End": true, "Resource": "arn:aws:states:::ours:do"}"#),
        &["INVALID_RESOURCE: AWS has no service integration for 'ours' at /States/S/Resource"],
    );
}

#[test]
fn what_is_filled_in_later_is_let_pass() {
    let text = with_state(
        r#"{"Type": "Task", "End": true, "Resource": {"Fn::GetAtt": ["F", "Arn"]}, "TimeoutSeconds": "${T}",
            "ResultPath": "${Path}", "Parameters": {"a.$": "${p}"}, "Retry": {"Ref": "R"}}"#,
    );
    let open = Options { substitutions: true, ..Options::default() };
    check(&text, open, Severity::Error, &[]);
    assert_eq!(validate(&text, Options::default()).len(), 5);
}

#[test]
fn one_fault_hides_no_other_where_everything_is_asked_for() {
    let text =
        r#"{"StartAt": "A", "X": 1, "States": {"A": {"Type": "Pass", "Next": "B"}, "C": {"Type": "Fail", "Y": 2}}}"#;
    schema(text, &["Field 'X' is not supported at /", "Field 'Y' is not supported at /States/C"]);
    let thorough = Options { thorough: true, ..Options::default() };
    check(
        text,
        thorough,
        Severity::Error,
        &[
            "SCHEMA_VALIDATION_FAILED: Field 'X' is not supported at /",
            "SCHEMA_VALIDATION_FAILED: Field 'Y' is not supported at /States/C",
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next",
            "MISSING_TRANSITION_TARGET: State \"C\" is not reachable. at /States/C",
        ],
    );
}

#[test]
fn a_loop_beside_an_unreached_end_is_told_as_aws_does() {
    let states = |more: &str| {
        format!(
            r#"{{"StartAt": "A", "States": {{"A": {{"Type": "Pass", "Next": "B"}}, "B": {{"Type": "Pass", "Next": "A"}}{more}}}}}"#
        )
    };
    errors(&states(""), &["MISSING_END_STATE: Workflow has no terminal state at null"]);
    errors(
        &states(r#", "C": {"Type": "Pass", "Next": "C"}"#),
        &["MISSING_END_STATE: Workflow has no terminal state at null"],
    );
    errors(
        &states(r#", "C": {"Type": "Pass", "End": true}"#),
        &["MISSING_TRANSITION_TARGET: State \"C\" is not reachable. at /States/C"],
    );
}

#[test]
fn what_is_beyond_the_list_is_known_to_be_there() {
    let check = |count: usize, result: &str, expect: (usize, bool, bool)| {
        let states = (0..count)
            .map(|number| format!(r#""S{number}": {{"Type": "Pass", "Next": "S{}", {result}}}"#, number + 1))
            .collect::<Vec<_>>()
            .join(",");
        let text = format!(r#"{{"StartAt": "S0", "States": {{{states}, "S{count}": {{"Type": "Succeed"}}}}}}"#);
        let findings = validate(&text, Options::default());
        let found = (findings.len(), findings.is_cut(Severity::Error), findings.is_cut(Severity::Warning));
        assert_eq!(found, expect, "{count} {result}");
    };
    check(100, r#""X": 1"#, (100, false, false));
    check(101, r#""X": 1"#, (100, true, false));
    check(100, r#""Result": "$.x""#, (100, false, false));
    check(101, r#""Result": "$.x""#, (100, false, true));
}

#[test]
fn states_alone_lead_anywhere() {
    let state = r#"{"Type": "Pass", "Next": "Elsewhere"}"#;
    assert!(validate_state(state, Options::default()).is_empty());
    let findings = validate_state(r#"{"Type": "Pass", "X": 1, "End": true}"#, Options::default());
    assert_eq!(
        findings.to_string(),
        "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Field 'X' is not supported at /'"
    );
}

#[test]
fn texts_that_are_no_json_are_told_with_the_place() {
    let findings = validate("{\n  \"a\": 'x'\n}", Options::default());
    let finding = findings.iter().next().expect("is refused");
    assert_eq!(finding.code, crate::Code::InvalidJsonDescription);
    let place = "[Source: (String)\"{\n  \"a\": 'x'\n}\"; line: 2, column: 9]";
    assert_eq!(finding.pointer.as_deref(), Some(place));
    assert!(finding.message.starts_with("Unexpected character (''' (code 39)): "), "{}", finding.message);
    assert!(finding.message.ends_with(&format!("\n at {place}")));
}

#[test]
fn json_that_is_not_read_is_told_likewise() {
    let nested = |depth: usize| {
        let value = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        with_state(&format!(r#"{{"Type": "Pass", "End": true, "Result": {value}}}"#))
    };
    errors(&nested(124), &[]);
    errors(&nested(125), &["TOO_DEEPLY_NESTED: The definition is too deeply nested at null"]);
    for (text, reason, place) in [
        ("{\n \"é\": [1, -1e400]}", "Number out of range", "line: 2, column: 17"),
        ("{\"a\": \"\\ud800\"}", "Unexpected end of hex escape", "line: 1, column: 15"),
    ] {
        let place = format!("[Source: (String)\"{text}\"; {place}]");
        errors(text, &[&format!("INVALID_JSON_DESCRIPTION: {reason}\n at {place} at {place}")]);
    }
}

#[test]
fn calls_of_step_functions_itself_are_known() {
    let task = |resource: &str| {
        let arn = format!("arn:aws:states:::{resource}");
        with_state(&format!(r#"{{"Type": "Task", "Resource": "{arn}", "End": true}}"#))
    };
    for resource in
        ["states:startExecution.sync:2", "aws-sdk:sfn:getActivityTask", "aws-sdk:sfn:startExecution.waitForTaskToken"]
    {
        schema(&task(resource), &[]);
    }
    for resource in
        ["states:stopExecution", "aws-sdk:sfn:startExecution.sync", "aws-sdk:sfn:StartExecution", "aws-sdk:sfn:fly"]
    {
        let text = format!(
            "The resource provided arn:aws:states:::{resource} is not recognized. The value is not a valid resource ARN, or the \
             resource is not available in this region. at /States/S/Resource"
        );
        schema(&task(resource), &[&text]);
    }
}

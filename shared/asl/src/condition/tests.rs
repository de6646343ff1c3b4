//! Conditions, parsed from rules and evaluated.

use super::*;
use crate::definition::Definition;
use crate::fixture::Fixture;
use crate::state::StateKind;

const INPUT: &str = r#"{
    "s": "foo.log", "t": "foo", "n": 5, "f": 5.5, "big": 9007199254740993, "yes": true, "no": false, "null": null,
    "at": "2016-08-18T17:33:00Z", "later": "2016-08-18T19:33:00+01:00", "list": [], "star": "a*b\\c", "n2": 5.0
}"#;

fn evaluate(rule: &str) -> Result<bool, ConditionError> {
    let rule = rule.trim().trim_start_matches('{');
    let text = format!(
        r#"{{"StartAt": "C", "States": {{"C": {{"Type": "Choice", "Choices": [{{"Next": "D", {rule}]}}, "D": {{"Type": "Succeed"}}}}}}"#
    );
    let definition = Definition::parse(&text).expect(&text);
    let state = definition.machine.state("C").expect("is there");
    let StateKind::Choice(choice) = &state.kind else { panic!("C is a Choice") };
    choice.choices[0].condition.evaluate(&Fixture::new(INPUT))
}

fn check(variable: &str, operator: &str, operand: &str, expect: bool) {
    let rule = format!(r#"{{"Variable": "{variable}", "{operator}": {operand}}}"#);
    assert_eq!(evaluate(&rule), Ok(expect), "{rule}");
}

#[test]
fn strings_compare() {
    check("$.t", "StringEquals", "\"foo\"", true);
    check("$.t", "StringEquals", "\"Foo\"", false);
    check("$.n", "StringEquals", "\"5\"", false);
    check("$.t", "StringLessThan", "\"g\"", true);
    check("$.t", "StringLessThan", "\"foo\"", false);
    check("$.t", "StringLessThanEquals", "\"foo\"", true);
    check("$.t", "StringGreaterThan", "\"fon\"", true);
    check("$.t", "StringGreaterThanEquals", "\"fop\"", false);
    check("$.t", "StringEqualsPath", "\"$.t\"", true);
    check("$.t", "StringLessThanPath", "\"$.s\"", true);
    check("$.t", "StringEqualsPath", "\"$.n\"", false);
    check("$$.Execution.Name", "StringEquals", "\"run-1\"", true);
}

#[test]
fn nothing_is_asked_of_a_null_input() {
    let variable = || DataPath::parse("$.a").expect("parses");
    let conditions = [
        Condition::IsPresent { variable: variable(), expected: true },
        Condition::IsType { variable: DataPath::input(), test: TypeTest::Null, expected: true },
    ];
    for condition in conditions {
        let error = condition.evaluate(&Fixture::new("null")).expect_err("is null").to_string();
        assert_eq!(error, "Unable to apply Path transformation to null or empty input.");
    }
}

#[test]
fn several_names_are_present_if_they_can_be_asked() {
    let is_present = |path: &str| {
        let variable = DataPath::parse(path).expect(path);
        Condition::IsPresent { variable, expected: true }.evaluate(&Fixture::new(INPUT))
    };
    assert_eq!(is_present("$['s','t']"), Ok(true));
    assert_eq!(is_present("$.s['a','b']"), Ok(false));
}

#[test]
fn numbers_compare() {
    check("$.n", "NumericEquals", "5", true);
    check("$.n", "NumericEquals", "5.0", true);
    check("$.n2", "NumericEquals", "5", true);
    check("$.s", "NumericEquals", "5", false);
    check("$.f", "NumericGreaterThan", "5", true);
    check("$.f", "NumericGreaterThanEquals", "5.5", true);
    check("$.n", "NumericLessThan", "5", false);
    check("$.n", "NumericLessThanEquals", "5", true);
    check("$.n", "NumericEqualsPath", "\"$.n2\"", true);
    check("$.n", "NumericLessThanPath", "\"$.f\"", true);
    check("$.big", "NumericEqualsPath", "\"$.big\"", true);
    check("$.n", "NumericEqualsPath", "\"$.s\"", false);
}

#[test]
fn booleans_and_instants_compare() {
    check("$.yes", "BooleanEquals", "true", true);
    check("$.yes", "BooleanEquals", "false", false);
    check("$.n", "BooleanEquals", "true", false);
    check("$.yes", "BooleanEqualsPath", "\"$.no\"", false);
    check("$.at", "TimestampEquals", "\"2016-08-18T18:33:00+01:00\"", true);
    check("$.at", "TimestampLessThan", "\"2016-08-18T17:33:00.0001Z\"", true);
    check("$.at", "TimestampGreaterThan", "\"2016-08-18T17:32:59.999Z\"", true);
    check("$.at", "TimestampLessThanPath", "\"$.later\"", true);
    check("$.later", "TimestampGreaterThanEqualsPath", "\"$.at\"", true);
    check("$.s", "TimestampEquals", "\"2016-08-18T18:33:00Z\"", false);
}

#[test]
fn an_operator_is_false_for_values_of_other_kinds() {
    let kinds = [
        ("Boolean", "true", &["yes", "no"][..]),
        ("Numeric", "-1e9", &["n", "f", "big", "n2"]),
        ("String", "\"\"", &["s", "t", "at", "later", "star"]),
        ("Timestamp", "\"1970-01-01T00:00:00Z\"", &["at", "later"]),
    ];
    let values = ["s", "t", "n", "f", "big", "yes", "no", "null", "at", "later", "list", "star", "n2"];
    for (kind, operand, own) in kinds {
        let orders: &[&str] = &["Equals", "GreaterThan", "GreaterThanEquals", "LessThan", "LessThanEquals"];
        let orders = if kind == "Boolean" { &orders[..1] } else { orders };
        for value in values.iter().filter(|value| !own.contains(value)) {
            for order in orders {
                check(&format!("$.{value}"), &format!("{kind}{order}"), operand, false);
                let path = format!("\"$.{}\"", own[0]);
                check(&format!("$.{value}"), &format!("{kind}{order}Path"), &path, false);
                check(&format!("$.{}", own[0]), &format!("{kind}{order}Path"), &format!("\"$.{value}\""), false);
            }
        }
    }
}

#[test]
fn patterns_match() {
    check("$.s", "StringMatches", "\"*.log\"", true);
    check("$.s", "StringMatches", "\"foo.log\"", true);
    check("$.s", "StringMatches", "\"f*l*g\"", true);
    check("$.s", "StringMatches", "\"*\"", true);
    check("$.s", "StringMatches", "\"*foo*\"", true);
    check("$.s", "StringMatches", "\"foo\"", false);
    check("$.s", "StringMatches", "\"f*x*g\"", false);
    check("$.t", "StringMatches", "\"fo*oo\"", false);
    check("$.n", "StringMatches", "\"*\"", false);
    check("$.star", "StringMatches", "\"a\\\\*b*\"", true);
    check("$.star", "StringMatches", "\"*\\\\\\\\c\"", true);
    check("$.s", "StringMatches", "\"foo\\\\*log\"", false);
    for pattern in [r"a\\b*", r"*\\"] {
        let error = evaluate(&format!(r#"{{"Variable": "$.s", "StringMatches": "{pattern}"}}"#)).expect_err(pattern);
        assert!(error.to_string().starts_with("Invalid pattern in StringMatches: open escape backslash"), "{error}");
    }
}

#[test]
fn types_are_told() {
    let cases = [("null", "IsNull"), ("n", "IsNumeric"), ("f", "IsNumeric"), ("s", "IsString"), ("no", "IsBoolean")];
    for (name, operator) in cases.into_iter().chain([("at", "IsTimestamp"), ("later", "IsTimestamp")]) {
        check(&format!("$.{name}"), operator, "true", true);
        check(&format!("$.{name}"), operator, "false", false);
    }
    check("$.list", "IsNull", "true", false);
    check("$.n", "IsString", "true", false);
    check("$.s", "IsTimestamp", "false", true);
}

#[test]
fn presence_is_told() {
    check("$.null", "IsPresent", "true", true);
    check("$.none", "IsPresent", "true", false);
    check("$.none", "IsPresent", "false", true);
    check("$.n.x", "IsPresent", "true", false);
    check("$.list[0]", "IsPresent", "true", false);
}

#[test]
fn presence_is_told_in_what_cannot_be_parsed_whole() {
    let is_present = |path: &str| {
        let variable = DataPath::parse(path).expect(path);
        let condition = Condition::IsPresent { variable, expected: true };
        condition.evaluate(&Fixture::new("{\"a\": [1e400], \"b\": 1}"))
    };
    for (path, expect) in [("$.a[0]", true), ("$.b", true), ("$.c", false)] {
        assert_eq!(is_present(path), Ok(expect), "{path}");
    }
    assert!(is_present("$.a[*]").is_err());
}

#[test]
fn conditions_combine_and_stop_early() {
    let yes = r#"{"Variable": "$.yes", "BooleanEquals": true}"#;
    let no = r#"{"Variable": "$.no", "BooleanEquals": true}"#;
    let missing = r#"{"Variable": "$.none", "BooleanEquals": true}"#;
    let cases = [
        (format!(r#"{{"And": [{yes}, {yes}]}}"#), true),
        (format!(r#"{{"And": [{yes}, {no}]}}"#), false),
        (format!(r#"{{"And": [{no}, {missing}]}}"#), false),
        (format!(r#"{{"Or": [{no}, {yes}, {missing}]}}"#), true),
        (format!(r#"{{"Or": [{no}, {no}]}}"#), false),
        (format!(r#"{{"Not": {no}}}"#), true),
        (format!(r#"{{"Not": {{"And": [{yes}, {{"Not": {yes}}}]}}}}"#), true),
    ];
    for (rule, expect) in cases {
        assert_eq!(evaluate(&rule), Ok(expect), "{rule}");
    }
}

#[test]
fn a_missing_value_is_an_error() {
    let expect = "Invalid path '$.none': The choice state's condition path references an invalid value.";
    for rule in [
        r#"{"Variable": "$.none", "StringEquals": "x"}"#,
        r#"{"Variable": "$.t", "StringEqualsPath": "$.none"}"#,
        r#"{"Variable": "$.none", "IsNull": true}"#,
        r#"{"Variable": "$.none", "StringMatches": "*"}"#,
        r#"{"Not": {"Variable": "$.none", "IsString": true}}"#,
    ] {
        let error = evaluate(rule).expect_err(rule);
        assert_eq!(error.to_string(), expect, "{rule}");
    }
}

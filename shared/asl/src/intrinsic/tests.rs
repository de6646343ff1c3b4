//! Calls, parsed and evaluated.

use serde_json::{Value, json};

use super::*;
use crate::fixture::Fixture;

const INPUT: &str = r#"{"s": "a b", "open": "a\\nb", "n": 5, "f": 1.5, "list": [1, 2, 2, null], "o": {"a": 1, "l": [true, "x"]}, "json": "{\"k\": [1]}"}"#;

fn evaluate(call: &str) -> Result<Value, IntrinsicError> {
    Intrinsic::parse(call).expect(call).evaluate(&Fixture::new(INPUT))
}

fn check(call: &str, expect: Value) {
    assert_eq!(evaluate(call), Ok(expect), "{call}");
}

fn check_error(call: &str, expect: &str) {
    let error = evaluate(call).expect_err(call).to_string();
    assert!(error.starts_with("The function '") && error.contains(expect), "{call}: {error}");
}

#[test]
fn long_arguments_take_no_time() {
    let numbers: Vec<String> = (0..40_000).map(|number| number.to_string()).collect();
    let input = format!("{{\"list\": [{}], \"text\": \"{}\"}}", numbers.join(","), "a,".repeat(60_000));
    let scope = Fixture::new(&input);
    let evaluate = |call: &str| Intrinsic::parse(call).expect(call).evaluate(&scope);
    let count = |call: &str| evaluate(call).map(|value| value.as_array().map(Vec::len));
    assert_eq!(count("States.ArrayUnique($.list)"), Ok(Some(40_000)));
    assert_eq!(count("States.ArrayPartition($.list, 1)"), Ok(Some(40_000)));
    assert_eq!(count("States.StringSplit($.text, ',')"), Ok(Some(60_000)));
    assert!(evaluate("States.ArrayRange(0, 1000000000, 1)").is_err());
    assert!(evaluate("States.ArrayRange(-9223372036854775807, 9223372036854775807, 1)").is_err());
    for call in ["States.Array(", "States.Format('{}',"] {
        let nested = format!("{}1{}", call.repeat(1_000), ")".repeat(1_000));
        assert!(Intrinsic::parse(&nested).is_err(), "{call}");
    }
}

#[test]
fn text_is_formatted() {
    check("States.Format('Hi, {}!', $.s)", json!("Hi, a b!"));
    check("States.Format('{}-{} {}', $.n, $.f, null)", json!("5-1.5 null"));
    check("States.Format('{}', $.o)", json!("{a=1, l=[true, x]}"));
    check(r"States.Format('\{\} \' \\ {}', true)", json!(r"{} ' \ true"));
    check("States.Format('{}', 'a\\'b')", json!("a'b"));
    check("States.Format($.s)", json!("a b"));
    for call in [
        r"Format('a\nb')",
        r"Format($.open)",
        r"Array('a\qb')",
        r"Array(States.Array('\u0041'), 1)",
        r"Hash('x', 'MD\5')",
    ] {
        check_error(&format!("States.{call}"), "Invalid arguments in States.");
    }
    check("States.Format('{}', $$.Execution.Name)", json!("run-1"));
    check_error(
        "States.Format('{}')",
        "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.",
    );
    check_error("States.Format('x', 1)", "Invalid arguments in States.Format: number of");
    check_error("States.Format('{', 1)", "Invalid template in States.Format: matching '}' not found for '{'.");
    check_error("States.Format($.n)", "Invalid arguments in States.Format");
    check("States.StringSplit('a,b;;c', ',;')", json!(["a", "b", "c"]));
    check("States.StringSplit('', ',')", json!([]));
}

#[test]
fn json_is_parsed_and_rendered() {
    check("States.StringToJson($.json)", json!({"k": [1]}));
    check("States.StringToJson('{\"a\": \"b, c)\"}')", json!({"a": "b, c)"}));
    check("States.JsonToString($.o)", json!("{\"a\":1,\"l\":[true,\"x\"]}"));
    check("States.JsonMerge($.o, States.StringToJson($.json), false)", json!({"a": 1, "l": [true, "x"], "k": [1]}));
    let merged = evaluate("States.JsonMerge($.o, States.StringToJson('{\"d\": 1, \"c\": 2, \"a\": 3}'), false)");
    assert_eq!(merged.expect("merges").to_string(), r#"{"a":3,"c":2,"d":1,"l":[true,"x"]}"#);
    for blank in ["", " ", "\t \n\r"] {
        check(&format!("States.StringToJson('{blank}')"), json!(null));
    }
    for zero in ["States.StringToJson('-0')", "States.MathAdd(-0, -0)", "States.ArrayGetItem(States.Array(-0), -0)"] {
        check(zero, json!(0));
    }
    check("States.JsonToString(States.StringToJson('[-0, -0.0]'))", json!("[0,-0.0]"));
    check(
        "States.JsonToString(States.StringToJson('[12345678.5, 1e30, 0.0001, 5]'))",
        json!("[1.23456785E7,1.0E30,1.0E-4,5]"),
    );
    check("States.Format('{} {}', 12345678.5, States.Array(1e3, 1e7))", json!("1.23456785E7 [1000.0, 1.0E7]"));
    check_error("States.StringToJson('\u{a0}')", "Invalid arguments in States.StringToJson");
    check_error("States.StringToJson('1e400')", "Invalid arguments in States.StringToJson");
    check_error("States.StringToJson($.s)", "Invalid arguments in States.StringToJson");
    check_error("States.JsonMerge($.o, $.n, false)", "Invalid arguments in States.JsonMerge");
    check_error("States.JsonMerge($.o, $.o, true)", "Invalid arguments in States.JsonMerge");
}

#[test]
fn arrays_are_made_and_searched() {
    check("States.Array()", json!([]));
    check("States.Array(1, 'x', $.o.a, States.Array(null))", json!([1, "x", 1, [null]]));
    check("States.ArrayPartition($.list, 3)", json!([[1, 2, 2], [null]]));
    check("States.ArrayPartition(States.Array(), 3)", json!([]));
    check("States.ArrayContains($.list, null)", json!(true));
    check("States.ArrayContains($.list, 7)", json!(false));
    check("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9]));
    check("States.ArrayRange(1, 9, 9)", json!([1]));
    // What stands behind the point is cut off.
    check("States.ArrayRange(1.6, 5.4, 2.9)", json!([1, 3, 5]));
    check_error("States.ArrayPartition($.list, 0.6)", "Invalid arguments in States.ArrayPartition");
    check_error("States.MathRandom(1.4, 1.6)", "Invalid arguments in States.MathRandom");
    check("States.ArrayRange(3, 1, -1)", json!([3, 2, 1]));
    check("States.ArrayRange(3, 1, 1)", json!([]));
    check("States.ArrayGetItem($.list, 1)", json!(2));
    check("States.ArrayLength($.list)", json!(4));
    check("States.ArrayUnique($.list)", json!([1, 2, null]));
    check_error("States.ArrayPartition($.list, 0)", "Invalid arguments in States.ArrayPartition");
    check_error("States.ArrayRange(1, 2, 0)", "Invalid arguments in States.ArrayRange");
    check_error("States.ArrayRange(1, 100000, 1)", "Invalid arguments in States.ArrayRange");
    check_error(
        "States.ArrayRange(-9223372036854775808, 9223372036854775807, 1)",
        "Invalid arguments in States.ArrayRange",
    );
    check_error("States.ArrayGetItem($.list, 4)", "Invalid arguments in States.ArrayGetItem");
    check_error("States.ArrayLength($.s)", "Invalid arguments in States.ArrayLength");
}

#[test]
fn text_is_encoded_and_hashed() {
    check("States.Base64Encode('Data to encode')", json!("RGF0YSB0byBlbmNvZGU="));
    check("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", json!("Data to encode"));
    check("States.Base64Decode('')", json!(""));
    check("States.Hash('input data', 'SHA-1')", json!("aaff4a450a104cd177d28d18d74485e8cae074b7"));
    check("States.Hash('', 'MD5')", json!("d41d8cd98f00b204e9800998ecf8427e"));
    let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    check("States.Hash('', 'SHA-256')", json!(sha256));
    for (algorithm, digits) in [("SHA-384", 96), ("SHA-512", 128)] {
        let digest = evaluate(&format!("States.Hash($.o, '{algorithm}')")).expect("hashes");
        assert_eq!(digest.as_str().map(str::len), Some(digits), "{algorithm}");
    }
    check_error("States.Base64Decode('***')", "Invalid arguments in States.Base64Decode");
    check_error("States.Hash('x', 'CRC')", "Invalid arguments in States.Hash");
}

#[test]
fn numbers_round_as_in_java() {
    let cases = [
        (-9.0, 3.0, -6),
        (1.49, 1.5, 3),
        (1.5, 1.51, 4),
        (-1.49, -1.5, -2),
        (-1.5, -1.51, -3),
        (1.49, -1.49, 0),
        (-0.5, 0.5, 1),
        (-2.5, 0.0, -2),
        (2.5, 0.0, 3),
    ];
    for (first, second, expect) in cases {
        check(&format!("States.MathAdd({first}, {second})"), json!(expect));
    }
    check_error("States.MathAdd(9223372036854775807, 1)", "Invalid arguments in States.MathAdd");
    check_error("States.MathAdd('1', 1)", "Invalid arguments in States.MathAdd");
}

#[test]
fn chance_comes_from_the_seed() {
    let draw = |call: &str| evaluate(call).expect(call);
    assert_eq!(draw("States.UUID()"), draw("States.UUID()"));
    let two = draw("States.Array(States.UUID(), States.UUID())");
    assert_ne!(two[0], two[1]);
    let uuid = two[0].as_str().expect("is text");
    assert!(uuid.len() == 36 && uuid.as_bytes()[14] == b'4' && b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    for call in ["States.MathRandom(1, 3)", "States.MathRandom(1, 3, 9)", "States.MathRandom(1.2, 2.6)"] {
        assert!((1..3).contains(&draw(call).as_i64().expect("is an integer")), "{call}");
    }
    assert_eq!(draw("States.MathRandom(-5, 999999, 3)"), draw("States.MathRandom(-5, 999999, 3)"));
    check_error("States.MathRandom(3, 3)", "Invalid arguments in States.MathRandom");
}

#[test]
fn calls_nest_and_paths_end_where_they_should() {
    check("States.ArrayGetItem(States.StringSplit($.s, ' '), 1)", json!("b"));
    check("States.Array( $.list[0] , $['o']['l'][1],$.n)", json!([1, "x", 5]));
    check("States.ArrayLength($.list[?(@.a == 'x)')])", json!(0));
    // The whole call is named, and the state's input.
    check_error(
        "States.Array(States.StringToJson($.none))",
        "The function 'States.Array(States.StringToJson($.none))' had the following error: The JsonPath argument for the field \
         '$.none' could not be found in the input '{\"s\": \"a b\", ",
    );
    check_error("States.ArrayLength($$.None.at)", "for the field '$.None.at' could not be found in the input '{\"s\"");
    check_error(
        "States.ArrayLength($.n[0])",
        "error: Filter: [0] can only be applied to arrays. Current context is: 5",
    );
}

#[test]
fn what_is_no_call_is_refused() {
    let texts = [
        "",
        "$.a",
        "States",
        "States.",
        "States.Nope()",
        "Array()",
        "States.Array(",
        "States.Array(1",
        "States.Array(1,)",
        "States.Array(,1)",
        "States.Array('x)",
        "States.Array('x\\",
        "States.Array(x)",
        "States.Array($.)",
        "States.UUID(1)",
        "States.Format()",
        "States.ArrayLength()",
        "States.JsonMerge($.a, $.b)",
        "States.Array(1) x",
        "States.Array({})",
        " States.UUID()",
    ];
    for text in texts {
        assert!(Intrinsic::parse(text).is_err(), "{text}");
    }
    let deep = format!("{}{}", "States.Array(".repeat(11), ")".repeat(11));
    assert!(Intrinsic::parse(&deep).is_err());
    assert!(Intrinsic::parse(&"States.Array(".repeat(700)).is_err());
    assert!(Intrinsic::parse(&format!("States.Array('{}')", "x".repeat(10_000))).is_err());
}

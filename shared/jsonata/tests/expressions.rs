//! What expressions give, what Step Functions adds, and what is stopped.

use jsonata::{Bounds, Expression, Moment, Outcome, Session, Stopwatch};

const STATES: &[(&str, &str)] =
    &[("input", r#"{"a":1.50,"list":[1,2,3],"deep":{"x":"y"}}"#), ("context", r#"{"State":{"Name":"S"}}"#)];

fn session(expression: &Expression) -> Session {
    let variables = [("answer", "42"), ("text", "\"abc\"")];
    let moment = Moment { millis: 1_767_323_045_000, seed: 7 };
    Session::new(expression.uses(), moment, Bounds { time_millis: 1_000, ..Bounds::default() }, variables, STATES)
        .expect("all is JSON")
}

fn evaluate(text: &str) -> String {
    let expression = match Expression::parse(text) {
        Ok(expression) => expression,
        Err(error) => return format!("no expression: {error}"),
    };
    given(&expression)
}

fn given(expression: &Expression) -> String {
    match session(expression).evaluate(expression) {
        Ok(Outcome::Nothing) => "nothing".to_owned(),
        Ok(Outcome::Function) => "function".to_owned(),
        Ok(Outcome::Value { kind, text }) => format!("{} {text}", kind.as_str()),
        Err(error) => format!("error {error}"),
    }
}

fn check(text: &str, expect: &str) {
    assert_eq!(evaluate(text), expect, "{text}");
}

/// The expression is refused, or fails, with no harm.
fn check_stopped(text: &str) {
    let got = evaluate(text);
    assert!(got.starts_with("error ") || got.starts_with("no expression"), "{text}: {}", &got[..got.len().min(200)]);
}

#[test]
fn expressions_give_json() {
    check("$states.input.a", "number 1.5");
    check("$sum($states.input.list) + $answer", "number 48");
    check("$states.input.list[$ > 1]", "array [2,3]");
    check("$states.input.none", "nothing");
    check("$none", "nothing");
    check("$", "nothing");
    check("$$", "nothing");
    check("{'a': $states.input.deep, 'b': $none}", r#"object {"a":{"x":"y"}}"#);
    check("$states.context.State.Name & '-' & $text", "string \"S-abc\"");
    check("function($x){$x}", "function");
    check("$fn := function($x){$x}", "function");
    check("null", "null null");
    check("$states.input.list.{'v': $}", r#"array [{"v":1},{"v":2},{"v":3}]"#);
    check("'\"' = '\"'", "boolean true");
    check("1e21", "number 1e+21");
    check("1/3", "number 0.3333333333333333");
    check("0.0000001", "number 1e-7");
    check("-0", "number 0");
    check("100000000000000000000", "number 100000000000000000000");
}

#[test]
fn base64_is_decoded_and_nothing_else() {
    check("$base64decode('SGk=') & $base64decode('SGk') & $base64decode('')", "string \"HiHi\"");
    check("['SGk='].$base64decode()", "string \"Hi\"");
    check("$base64decode('SG k=') & $base64decode('fn5-Pz8_')", "string \"Hi~~~???\"");
    check("$map(['SGk=', 'YQ=='], $base64decode)", "array [\"Hi\",\"a\"]");
    check("$base64decode($none)", "nothing");
    for text in ["!!!", "SGk==", "S", "SGk=SGk="] {
        let error = "error Argument 1 of function \"base64decode\" is not valid Base64";
        check(&format!("$base64decode('{text}')"), error);
    }
}

#[test]
fn what_was_taken_before_is_still_read() {
    for (text, expect) in [
        ("$none ?? 5", "number 5"),
        ("0 ?: 5", "number 5"),
        (
            "$match('a', /(?=a)/)",
            "error Invalid regular expression: look-around, including look-ahead and look-behind, is not supported",
        ),
    ] {
        let expression = Expression::load(text).expect("is read");
        assert_eq!(given(&expression), expect, "{text}");
        let is_refused = Expression::parse(text).map_or(true, |parsed| parsed.unsupported().is_some());
        assert!(is_refused, "{text}");
    }
}

#[test]
fn step_functions_adds_functions() {
    check("$partition([1..5], 2)", "array [[1,2],[3,4],[5]]");
    check("$partition([0], 3)", "array [[0]]");
    check("$range(1, 9, 2)", "array [1,3,5,7,9]");
    check("$range(3, 1, -1)", "array [3,2,1]");
    check("$range(3, 3, 1)", "number 3");
    check("$range(2.8, -1.2, -1.2)", "array [2,1,0,-1]");
    check("$range(1, 3, -1)", "nothing");
    check("$range(1, 3, 0.5)", "nothing");
    check("$range('1', 3, 1)", "error T0410: Argument 1 of function \"range\" does not match function signature");
    check("$hash('a', 'MD5')", "string \"0cc175b9c0f1b6a831c399e269772661\"");
    check("$hash('a', 'SHA-1')", "string \"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8\"");
    check("$parse('{\"a\": [1, true]}').a[1]", "boolean true");
    check("$parse('-0')", "number 0");
    for text in ["", "{", "[1,]", "x", "1e400"] {
        let error = "Argument 1 of function \"parse\" is not valid JSON";
        check(&format!("$parse('{text}')"), &format!("error {error}"));
    }
    check("$random(3) = $random(3)", "boolean true");
    check("$random() < 1", "boolean true");
    check("$length($uuid())", "number 36");
    check("$uuid() = $uuid()", "boolean false");
    check("$millis()", "number 1767323045000");
    check("$now()", "string \"2026-01-02T03:04:05.000Z\"");
    check("$now('[Y0001]')", "string \"2026\"");
    check("$count($shuffle([1..9]))", "number 9");
    check("[1..3] ~> $partition(2)", "array [[1,2],[3]]");
    for text in ["$uuid()", "$random()", "$shuffle([1..20])"] {
        assert_eq!(evaluate(text), evaluate(text), "the same moment gives the same");
    }
}

#[test]
fn what_fails_is_worded_as_aws_does() {
    check("$randomSeeded(1)", "error T1006: Attempted to invoke a non-function");
    check("$eval('1')", "error T1006: Attempted to invoke a non-function");
    check("$f := $eval", "function");
    check("1 + 'a'", "error T2002: The right side of the \"+\" operator must evaluate to a number");
    assert!(evaluate("1 +").starts_with("no expression"));
}

#[test]
fn checked_functions_work_as_before() {
    check("$pad('a', 3, '-')", "string \"a--\"");
    check("$states.input.deep.x.$pad(-3)", "string \"  y\"");
    check("$map(['a','b'], function($v){$pad($v, 2, '.')})", "array [\"a.\",\"b.\"]");
    check("'a' ~> $pad(2, '!')", "string \"a!\"");
    check("$fromMillis(0)", "string \"1970-01-01T00:00:00.000Z\"");
    check("(0).$fromMillis()", "string \"1970-01-01T00:00:00.000Z\"");
    check("$fromMillis(0, '[Y0001]-[M01]')", "string \"1970-01\"");
    check("$toMillis('1970-01-01T00:00:01Z')", "number 1000");
    check("$formatInteger(4, 'I')", "string \"IV\"");
    check("$formatNumber(12.5, '#0.00')", "string \"12.50\"");
    check("$replace('aba', 'a', 'x')", "string \"xbx\"");
    check("$replace('aba', /b/, '[$0]')", "string \"a[b]a\"");
    check("$join(['a','b'], ',')", "string \"a,b\"");
    check("($pad := function($x){$x & '?'}; $pad('a'))", "string \"a?\"");
    check("($x := 'a'; $x & 1 & null & $none & [1])", "string \"a1null[1]\"");
    check("($x := [1,[2]]; $x = [1,[2]])", "boolean true");
    check("($x := 3; [1,3].$string())", "array [\"1\",\"3\"]");
    check("($r := $pad(?, 2, '_'); $r('a'))", "string \"a_\"");
    check("$reduce(['a','b'], $join)", "string \"a\"");
    check("$map([1,[2]], $string)", "array [\"1\",\"[2]\"]");
    check("[1,[2]] ~> $string", "string \"[1,[2]]\"");
    check("(($pad := function($x){$x & '?'}); $pad('a', 2, '-'))", "string \"a-\"");
    check("($now := $now('[Y0001]'); $now)", "string \"2026\"");
    check("($string := function($x){'own'}; [1].$string($))", "string \"own\"");
    check("$count($distinct([1..2000].($ % 1500)))", "number 1500");
    check("$filter([3], function($x){$x > 0})[]", "array [3]");
}

#[test]
fn hostile_expressions_are_stopped() {
    for text in [
        "$pad('x', 2e9)",
        "$pad('x', -2e9, 'yy')",
        "$map([1], function($v){$pad('x', 2e9)})",
        "$map([2e9], $pad('x', ?))",
        "$fromMillis(0, '[Y,999999999]')",
        "$fromMillis(0, '[')",
        "$fromMillis(0, '[Y,*-99999999999]')",
        "$now('[Y,999999999]')",
        "$formatInteger(1e12, 'I')",
        "$replace($join($map([1..200000], function(){'a'})), /a/, $join($map([1..200000], function(){'b'})))",
        "$join($map([1..300000], function(){''}), $pad('', 300000, 'x'))",
        "$reduce([1..60], function($a, $i){$a & $a}, 'x')",
        "$string($reduce([1..60], function($a, $i){[$a, $a]}, 1))",
        "$reduce([1..60], function($a, $i){[[$a], [$a]]}, 1) = 2",
        "($a := $reduce([1..60], function($a, $i){[[$a], [$a]]}, 1); $a = $a)",
        "$reduce([1..60], function($a, $i){[[$a], [$a]]}, 1)",
        "$reduce([1..200], function($a, $i){{'a': $a}}, 1)",
        "($f := function($x){$f($x)}; $f(1))",
        "($f := function($x){1 + $f($x)}; $f(1))",
        "($f := function($m){$replace('a', 'a', $f)}; $replace('a', 'a', $f))",
        "[1..10000000]",
        "$range(1, 1e9, 1)",
        "$reduce([1..60], function($a, $i){$append($a, $a)}, [1])",
        "$map([1..1000], function($v){[1..100000]})",
        "$map([1..10000], function($v){$pad('x', 1000000)})",
        "$string([1..1000].$pad('x', 1000000))",
        "[1..1000].($x := $uppercase($pad('x', 1000000)))",
        "$reduce([$map([1..300000], function(){''}), $pad('', 300000, 'x')], $join)",
        "(($join := 1); $join($map([1..300000], function(){''}), $pad('', 300000, 'x')))",
        "(($pad := 1); $pad('x', 2e9))",
        "($list := [1..100000]; $list@$a.$list@$b.{'a': $a, 'b': $b})",
        "($f := function($n){$replace('a', /a/, function($m){$f($n)})}; $f(1))",
        "($f := function($n){$sort([2,1], function($a, $b){$f($n)})}; $f(1))",
        "($f := function($n){1 + $g($n)}; $g := function($n){1 + $f($n)}; $f(1))",
        "($f := function($n){$map([1], function($v){$f($n)})}; $f(1))",
    ] {
        check_stopped(text);
    }
    check_stopped(&"[".repeat(50_000));
    check_stopped(&format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000)));
    check_stopped(&"1+".repeat(40_000));
}

#[test]
fn uses_are_listed() {
    let uses = |text: &str| Expression::parse(text).expect("parses").uses().clone();
    let one = uses("$states.input.a & $x & ($y := 1; $y) & $states.context.State & $f(1)");
    assert_eq!(one.states.iter().collect::<Vec<_>>(), ["context", "input"]);
    assert_eq!(one.variables.iter().collect::<Vec<_>>(), ["states", "x"]);
    assert!(one.functions.contains("f") && !one.all_states);
    assert!(uses("$lookup($states, 'input')").all_states);
    let top = |text: &str| uses(text).top_level.into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(top("phone & $states.input.a"), "phone");
    assert_eq!(top("a.b + $f(c)"), "a c");
    assert_eq!(top("b & (a ? b : c) ~> $f(d)"), "b a c d");
    assert_eq!(top("$"), "$");
    assert_eq!(top("$$.a"), "$$");
    assert_eq!(top("*"), "*");
    for fine in [
        "$states.input.list[price > 1].(a & b)",
        "$map($states.input.list, function($v){$v.a})",
        "$states.input.list^(>price).name",
        "$states.input.list{kind: $sum(price)}",
        "$states.input ~> |a|{'b': c}|",
        "{'a': $x.b.c, 'd': [$x.e]}",
        "($y := $x; $y.a)[b = 1]",
        "$x.$string()",
        "$x.*.a",
        "$filter($x, function($v){ $v in [1] })[0].name",
    ] {
        assert_eq!(top(fine), "", "{fine}");
    }
    for short in ["$states.input.a", "$sum($states.input.list) > 1", "$states.input.list[v = 1].{'a': b}"] {
        assert!(!uses(short).may_be_long, "{short}");
    }
    for long in ["[1..$states.input.n]", "$map($x, function($v){$v})", "$states.**.a", "($a := 1; $a)", "$pad('', $x)"]
    {
        assert!(uses(long).may_be_long, "{long}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_evaluated_or_refused(text in "[ $a-z0-9.\\[\\](){}'\"+*/&|?:,=<>~@#%^!;-]{0,40}") {
        if let Ok(expression) = Expression::parse(&text) {
            let _ = session(&expression).evaluate(&expression);
        }
    }
}

#[test]
fn expressions_are_bounded_in_time_together() {
    let slow = Expression::parse("$sum([1..100000].($ * 2))").expect("is an expression");
    let moment = Moment { millis: 1_767_323_045_000, seed: 7 };
    let stopwatch = Stopwatch::default();
    let session = || {
        let bounds = Bounds { lap_millis: 1, ..Bounds::default() };
        let session = Session::new(slow.uses(), moment, bounds, [], &[]).expect("all is JSON");
        session.timed_by(stopwatch.clone())
    };
    let late = "Expression evaluation timeout: Check for infinite loop";
    for _ in 0..2 {
        session().evaluate(&slow).expect("begins in time");
        assert_eq!(session().evaluate(&slow).expect_err("too late").to_string(), late);
        stopwatch.begin_lap();
    }
    assert!(stopwatch.total() > std::time::Duration::from_millis(1));
}

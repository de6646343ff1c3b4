//! Reading, writing and refusing paths.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn store() -> Value {
    json!({
        "books": [
            {"title": "Moby", "price": 9, "kind": "sea", "tags": ["w", "x"]},
            {"title": "Emma", "price": 12.5, "kind": "land"},
            {"title": "Nana", "price": 5, "kind": "land", "isbn": null}
        ],
        "bike": {"price": 20, "a b": 1, "a-b": 2, "x": {"price": 1}},
        "limit": 10,
        "nothing": null,
        "list": [1, 2, 3, 4]
    })
}

fn check(path: &str, expect: Value) {
    let read = Path::parse(path).expect(path).read(&store()).expect(path).into_owned();
    assert_eq!(read, expect, "{path}");
}

fn check_missing(path: &str, expect: &str) {
    let error = Path::parse(path).expect(path).read(&store()).expect_err(path);
    assert_eq!(error.to_string(), expect, "{path}");
}

#[test]
fn definite_paths_give_the_bare_value() {
    check("$", store());
    check("$.limit", json!(10));
    check("$.nothing", json!(null));
    check("$['limit']", json!(10));
    check("$[\"limit\"]", json!(10));
    check("$.bike['a b']", json!(1));
    check("$.bike.['a b']", json!(1));
    check("$.bike.a-b", json!(2));
    check("$.books[1].title", json!("Emma"));
    check("$.books[-1].title", json!("Nana"));
    check("$.books[(@.length-1)].title", json!("Nana"));
    check("$.books[ 0 ].tags[1]", json!("x"));
    check("$['l\\u0069mit']", json!(10));
}

#[test]
fn other_paths_give_an_array() {
    check("$.books[*].title", json!(["Moby", "Emma", "Nana"]));
    check("$.books[*].isbn", json!([null]));
    check("$.books[*].none", json!([]));
    check("$.books.*.price", json!([9, 12.5, 5]));
    check("$..price", json!([9, 12.5, 5, 20, 1]));
    check("$..x.price", json!([1]));
    check("$..tags[0]", json!(["w"]));
    check("$.list[0,2]", json!([1, 3]));
    check("$.list[0,9]", json!([1]));
    check("$.list[1:3]", json!([2, 3]));
    check("$.list[1:]", json!([2, 3, 4]));
    check("$.list[:2]", json!([1, 2]));
    check("$.list[-2:]", json!([3, 4]));
    check("$.list[3:1]", json!([]));
    check("$.list[-3:]", json!([2, 3, 4]));
    check("$.list[-9:]", json!([1, 2, 3, 4]));
    check("$.list[:-1]", json!([1, 2, 3]));
    check("$.list[:-9]", json!([]));
    // With both ends Jayway counts up from one to the other.
    check("$.list[1:-1]", json!([]));
    check("$.list[-2:-1]", json!([3]));
    check("$.list[-2:2]", json!([3, 4, 1, 2]));
    check("$.list[-9:1]", json!([1, 2, 3, 4, 1]));
    check("$.list[0:9]", json!([1, 2, 3, 4]));
    check("$.list[0:4:2]", json!([1, 2, 3, 4]));
    check("$.list[1::2]", json!([2, 3, 4]));
    check("$.list[:]", json!([1, 2, 3, 4]));
    check("$.list[::2]", json!([1, 2, 3, 4]));
    check("$.list[0:2:0]", json!([1, 2]));
    check("$.limit[*]", json!([]));
    check("$.no[*].title", json!([]));
    check("$.no.such[:1]", json!([]));
    check("$.limit.x[0][1:]", json!([]));
    check("$.books[7].tags[*]", json!([]));
    check("$.books[?(@.none[*])].title", json!([]));
}

#[test]
fn several_names_give_an_object() {
    check("$.bike['price','a b']", json!({"price": 20, "a b": 1}));
    check("$.bike['price','none']", json!({"price": 20}));
    check("$['no','none']", json!({}));
    check("$.books[*]['title','isbn']", json!([{"title": "Moby"}, {"title": "Emma"}, {"title": "Nana", "isbn": null}]));
    check("$.list[*]['title','isbn']", json!([]));
    check("$..['title','isbn']", json!([{"title": "Nana", "isbn": null}]));
    check_missing("$.no['a','b']", "Missing property in path $['no']");
    check_missing("$.limit['a','b']", "Property ['a','b'] not found in path $['limit']");
    for path in ["$.bike['x','a b'].price", "$.bike['x','a b'][*]", "$.bike['x','a b']..price"] {
        check_missing(path, "Multi properties can only be used as path leafs: $['bike']['x','a b']");
    }
}

#[test]
fn what_looks_like_a_function_is_a_name() {
    check_missing("$.limit.sum()", "Property ['sum()'] not found in path $['limit']");
    check_missing("$.list.length()", "Property ['length()'] not found in path $['list']");
    check_missing("$.bike.length()", "No results for path: $['bike']['length()']");
    check("$.books[?(@.title.length() > 1)]", json!([]));
    let named = json!({"a()": 1});
    assert_eq!(*Path::parse("$.a()").expect("parses").read(&named).expect("is there"), json!(1));
}

#[test]
fn filters_choose_elements() {
    check("$.books[?(@.price < 10)].title", json!(["Moby", "Nana"]));
    check("$.books[?(@.price<=12.5 && @.kind=='land')].title", json!(["Emma", "Nana"]));
    check("$.books[?(@.kind == 'sea' || @.price > 12)].title", json!(["Moby", "Emma"]));
    check("$.books[?(@.kind==sea)].title", json!(["Moby"]));
    check("$.books[?(@.kind != \"land\")].title", json!(["Moby"]));
    check("$.books[?(@.isbn)].title", json!(["Nana"]));
    check("$.books[?(!@.isbn)].title", json!(["Moby", "Emma"]));
    check("$.books[?(!(@.price >= 9))].title", json!(["Nana"]));
    check("$.books[?(@.isbn == null)].title", json!(["Nana"]));
    check("$.books[?(@.price < $.limit)].title", json!(["Moby", "Nana"]));
    check("$.books[?(@.tags[0] == 'w')].title", json!(["Moby"]));
    check("$.books[?(@['price'] == 5.0)].title", json!(["Nana"]));
    check("$.books[?(@.title > 5)].title", json!([]));
    check("$.books[?(@.price == '9')].title", json!(["Moby"]));
    check("$.books[?(@.price == '12.50')].title", json!(["Emma"]));
    check("$.books[?('12.5' == @.price)].title", json!(["Emma"]));
    check("$.books[?('12.50' == @.price)].title", json!([]));
    check("$.books[?(@.price == 'x')].title", json!([]));
    check("$.list[?(@ > 1)]", json!([]));
    check("$.list[?(@)]", json!([]));
    check("$.books[?(@)].price", json!([9, 12.5, 5]));
    check("$.books[?(@.price == $.books[2].price)].title", json!(["Nana"]));
    check("$.books[?(@.price == $.none)].title", json!([]));
    check("$..[?(@.kind == 'sea')].title", json!(["Moby"]));
}

#[test]
fn a_filter_on_an_object_tests_the_object() {
    check("$.bike[?(@.price == 20)].price", json!([20]));
    check("$.bike[?(@.price == 1)]", json!([]));
}

#[test]
fn missing_values_are_named_as_jayway_does() {
    check_missing("$.no", "No results for path: $['no']");
    check_missing("$.bike.no", "No results for path: $['bike']['no']");
    check_missing("$.no.such.path", "Missing property in path $['no']");
    check_missing("$.bike.no.such", "Missing property in path $['bike']['no']");
    check_missing("$.books[7].title", "No results for path: $['books'][7]['title']");
    check_missing("$.nothing[0]", "The path $['nothing'] is null");
    check_missing("$.limit[0]", "Filter: [0] can only be applied to arrays. Current context is: 10");
    check_missing(
        "$.books[0].title[0]['city']",
        "Filter: [0]['city'] can only be applied to arrays. Current context is: Moby",
    );
    check_missing("$.limit.x", "Property ['x'] not found in path $['limit']");
    check_missing("$.nothing.x.y", "Property ['x'] not found in path $['nothing']");
    let missing = |path: &str| Path::parse(path).expect(path).missing_step(&store().to_string());
    assert_eq!(missing("$.bike.no.such"), Some("no".to_owned()));
    assert_eq!(missing("$.books[7].title"), Some("7".to_owned()));
    assert_eq!(missing("$.bike.x"), None);
}

#[test]
fn what_is_no_path_is_refused() {
    let texts = [
        "",
        "a",
        ".a",
        "$a",
        "$.",
        "$..",
        "$...a",
        "$.a.",
        "$[",
        "$[]",
        "$['a",
        "$['a'",
        "$[a]",
        "$.a b",
        "$ .a",
        "$.a(1)",
        "$.list.concat($.a)",
        "$.list[?(@.a in ['x'])]",
        "$.list[?(@.a =~ /x/)]",
        "$.list[?()]",
        "$.list[?(@.a]",
        "$.list[?('x')]",
        "$.list[1.5]",
        "$.list[0,]",
        "$['\\u12']",
        "$['\\ud800']",
        "$.list[--1]",
        "$.list[(@.length)]",
        "$.list[99999999999999999999]",
    ];
    for text in texts {
        assert!(Path::parse(text).is_err(), "{text}");
    }
}

#[test]
fn hostile_paths_are_refused_without_harm() {
    assert!(Path::parse(&format!("$[?{}", "(".repeat(100_000))).is_err());
    assert!(Path::parse(&format!("$[?{}", "!".repeat(100_000))).is_err());
    assert!(Path::parse(&format!("${}", ".a".repeat(100_000))).is_err());
    assert!(Path::parse(&format!("${}", "[?(@".repeat(100_000))).is_err());
}

#[test]
fn paths_that_multiply_values_are_stopped() {
    let document = (0..60).fold(json!([1, 2]), |inner, _| json!([inner, [1]]));
    for path in ["$..*..*..*..*..*..*", "$..*[?(@..*)]..*..*..*..*"] {
        let error = Path::parse(path).expect(path).read(&document).expect_err(path);
        assert_eq!(error, ReadError::TooMuch, "{path}");
    }
}

#[test]
fn what_a_filter_reads_from_the_root_is_read_once() {
    let document = json!({"a": (0..3_000).map(|x| json!({"x": x})).collect::<Vec<_>>()});
    for (path, count) in [("$.a[?(@.x == $.a[2999].x)]", 1), ("$.a[?(@.x != $.a[*].x)]", 3_000)] {
        let found = Path::parse(path).expect(path).read(&document).expect(path).into_owned();
        assert_eq!(found.as_array().map(Vec::len), Some(count), "{path}");
    }
}

#[test]
fn reference_paths_name_one_place() {
    for text in ["$", "$.a", "$.a.b[0]", "$['a b'][2].c"] {
        assert!(ReferencePath::parse(text).is_ok(), "{text}");
    }
    for text in ["$.a[*]", "$..a", "$.a[-1]", "$.a[0,1]", "$['a','b']", "$.a[?(@.b)]", "$.a[0:1]", "a"] {
        assert!(ReferencePath::parse(text).is_err(), "{text}");
    }
}

fn check_write(path: &str, root: &str, expect: Result<&str, &str>) {
    let path = ReferencePath::parse(path).expect(path);
    let text = path.write_text(root, "{\"v\": 1.0}");
    let parsed = path.write(serde_json::from_str(root).expect("is JSON"), json!({"v": 1.0}));
    assert_eq!(text.as_deref().map_err(ToString::to_string), expect.map_err(str::to_owned), "{path} in {root}");
    assert_eq!(parsed.is_ok(), expect.is_ok(), "{path} in {root}");
    if let (Ok(text), Ok(parsed)) = (text, parsed) {
        assert_eq!(serde_json::from_str::<Value>(&text).expect("is JSON"), parsed, "{path} in {root}");
    }
}

#[test]
fn writing_replaces_or_makes_objects() {
    check_write("$", "{\"a\": 1}", Ok("{\"v\": 1.0}"));
    check_write("$.a", "{}", Ok("{\"a\":{\"v\":1.0}}"));
    check_write("$.a", "{\"a\": 1, \"b\": 2.50}", Ok("{\"a\":{\"v\":1.0},\"b\":2.50}"));
    check_write("$.b", "{ \"a\" : [ 1, 1.0 ] }", Ok("{\"a\":[1,1.0],\"b\":{\"v\":1.0}}"));
    check_write("$.a.b.c", "{\"z\": \" { \"}", Ok("{\"z\":\" { \",\"a\":{\"b\":{\"c\":{\"v\":1.0}}}}"));
    check_write("$.a.b", "{\"a\": {\"c\": 1}}", Ok("{\"a\":{\"c\":1,\"b\":{\"v\":1.0}}}"));
    check_write("$['a\"b']", "{}", Ok("{\"a\\\"b\":{\"v\":1.0}}"));
    check_write("$.a[1]", "{\"a\": [1, 2, 3]}", Ok("{\"a\":[1,{\"v\":1.0},3]}"));
    check_write("$.a[0].b", "{\"a\": [{}]}", Ok("{\"a\":[{\"b\":{\"v\":1.0}}]}"));
    check_write("$.a", "{\"a\": 1, \"b\": 2, \"a\": 3}", Ok("{\"a\":{\"v\":1.0},\"b\":2}"));
}

#[test]
fn writing_through_other_values_fails() {
    let conflict = |step: &str, from: &str| format!("the step \"{step}\" leads nowhere from {from}");
    check_write("$.a", "[1]", Err(&conflict("a", "$")));
    check_write("$.a", "null", Err(&conflict("a", "$")));
    check_write("$.a.b", "{\"a\": 1}", Err(&conflict("b", "$['a']")));
    check_write("$.a.b", "{\"a\": null}", Err(&conflict("b", "$['a']")));
    check_write("$.a[0]", "{}", Err(&conflict("0", "$['a']")));
    check_write("$.a[3]", "{\"a\": [1]}", Err(&conflict("3", "$['a']")));
}

#[test]
fn raw_reading_keeps_the_very_text() {
    let text = " {\"a\" : { \"b\": [1.0,  {\"c\\u0064\": -1.50e3}] , \"s\": \"]}\\\"\" }, \"a\\n\": null, \"d\": 1, \"d\": 2 } ";
    let cases = [
        ("$.a.b", "[1.0,  {\"c\\u0064\": -1.50e3}]"),
        ("$.a.b[0]", "1.0"),
        ("$.a.b[1].cd", "-1.50e3"),
        ("$.a.b[-2]", "1.0"),
        ("$.a.s", "\"]}\\\"\""),
        ("$['a\\n']", "null"),
        ("$.d", "2"),
        ("$.a.x", ""),
        ("$.d.x", ""),
        ("$.d[0]", ""),
        ("$.a.b[9]", ""),
        ("$.a.*", ""),
    ];
    for (path, expect) in cases {
        let found = Path::parse(path).expect(path).read_raw(text).unwrap_or_default();
        assert_eq!(found, expect, "{path}");
    }
    assert_eq!(Path::root().read_raw(text), Some(text.trim()));
}

#[test]
fn raw_reading_survives_broken_text() {
    for text in ["", "{", "{\"a\"", "{\"a\":", "{\"a\":[", "[", "{\"a\" 1}", "\"", "{\"a\":\"\\", "]"] {
        for path in ["$.a", "$[0]", "$.a.b"] {
            assert_eq!(Path::parse(path).expect(path).read_raw(text), None, "{path} in {text}");
        }
    }
}

fn documents() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ab\"\\\\{}\\[\\], é]{0,4}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc]|é|\"|a b", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn definite_paths() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[abc]".prop_map(|name| format!(".{name}")),
        Just("['a b']".to_owned()),
        Just("['é']".to_owned()),
        Just("['\"']".to_owned()),
        (0..3).prop_map(|index| format!("[{index}]")),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| format!("${}", parts.concat()))
}

fn any_paths() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[abc]".prop_map(|name| format!(".{name}")),
        (0..3).prop_map(|index| format!("[{index}]")),
        Just("[*]".to_owned()),
        Just("..a".to_owned()),
        Just("..*".to_owned()),
        Just("[0,1]".to_owned()),
        Just("[1:]".to_owned()),
    ];
    prop::collection::vec(part, 1..4).prop_map(|parts| format!("${}", parts.concat()))
}

proptest! {
    #[test]
    fn raw_and_parsed_reading_agree(document in documents(), path in definite_paths(), pretty in any::<bool>()) {
        let path = Path::parse(&path).expect("is a path");
        let text = if pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        let text = text.expect("renders");
        let raw = path.read_raw(&text).map(|found| serde_json::from_str::<Value>(found).expect("is JSON"));
        prop_assert_eq!(raw, path.read(&document).ok().map(Cow::into_owned));
    }

    #[test]
    fn written_values_are_read_back(document in documents(), path in definite_paths()) {
        let path = ReferencePath::parse(&path).expect("is a reference path");
        let by_value = path.write(document.clone(), json!({"new": 1}));
        let by_text = path.write_text(&document.to_string(), "{\"new\":1}");
        match (by_value, by_text) {
            (Ok(value), Ok(text)) => {
                prop_assert_eq!(&value, &serde_json::from_str::<Value>(&text).expect("is JSON"));
                prop_assert_eq!(path.as_path().read(&value).expect("was written").into_owned(), json!({"new": 1}));
            }
            (by_value, by_text) => prop_assert_eq!(by_value.err(), by_text.err()),
        }
    }

    #[test]
    fn standard_paths_read_as_rfc_9535_says(document in documents(), path in any_paths()) {
        let ours = Path::parse(&path).expect("is a path");
        let theirs = serde_json_path::JsonPath::parse(&path).expect("is a path");
        let mut expect: Vec<String> = theirs.query(&document).all().into_iter().map(Value::to_string).collect();
        let mut found: Vec<String> = match ours.read(&document) {
            Ok(value) if ours.is_definite() => vec![value.to_string()],
            Ok(value) => value.as_array().expect("is an array").iter().map(Value::to_string).collect(),
            Err(_) => Vec::new(),
        };
        // RFC 9535 leaves the order of some results open.
        expect.sort();
        found.sort();
        prop_assert_eq!(found, expect);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\$[\\$.\\[\\]'\"a0-9*?@()=<>!&|, :-]{0,24}") {
        if let Ok(path) = Path::parse(&text) {
            let _ = path.read(&store());
        }
    }
}

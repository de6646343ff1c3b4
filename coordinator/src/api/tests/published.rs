//! Versions and aliases: what golden answers don't show.

use std::time::Duration;

use futures::FutureExt as _;
use model::{AttemptId, BranchPath, ExecutionArn, Nonce, StateMachineArn, Timestamp};
use serde_json::{Value, json};
use store::{ExecutionStore as _, ResourceKey};
use wire::record::{PublishedRecord, StarterRecord, VersionRecord, Waits};

use super::fixture::{Fixture, MACHINE, ROLE, post_to};
use crate::api::ApiSettings;
use crate::api::caller::Caller;
use crate::api::error::ErrorCode;
use crate::api::members::Members;

fn definition(result: usize) -> String {
    format!(r#"{{"StartAt":"S","States":{{"S":{{"Type":"Pass","Result":{result},"End":true}}}}}}"#)
}

/// Makes a state machine `S` of two versions, which give 0 and 1.
async fn two_versions() -> Fixture {
    two_versions_of(Fixture::new()).await
}

async fn two_versions_of(fixture: Fixture) -> Fixture {
    let request = json!({ "name": "S", "definition": definition(0), "roleArn": ROLE, "publish": true });
    answered(&fixture, "CreateStateMachine", request).await;
    let request = json!({ "stateMachineArn": format!("{MACHINE}:S"), "definition": definition(1), "publish": true });
    answered(&fixture, "UpdateStateMachine", request).await;
    fixture
}

async fn answered(fixture: &Fixture, operation: &str, request: Value) -> Value {
    let reply = fixture.call(operation, &request).await;
    assert_eq!(reply.status, 200, "{operation} {request}: {}", reply.body);
    reply.body
}

fn texts(list: &Value, member: &str) -> Vec<String> {
    let elements = list.as_array().expect("is a list").iter();
    elements.map(|element| element[member].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_alias_shares_executions_out_by_weight() {
    let fixture = two_versions().await;
    let routes = [(1, 20), (2, 80)]
        .map(|(number, weight)| json!({ "stateMachineVersionArn": format!("{MACHINE}:S:{number}"), "weight": weight }));
    let alias =
        answered(&fixture, "CreateStateMachineAlias", json!({ "name": "A", "routingConfiguration": routes })).await;
    let mut of_second = 0;
    for index in 0..500 {
        let request = json!({ "stateMachineArn": alias["stateMachineAliasArn"], "name": format!("e-{index}") });
        let arn = answered(&fixture, "StartExecution", request).await["executionArn"].clone();
        let execution = answered(&fixture, "DescribeExecution", json!({ "executionArn": arn })).await;
        let output = execution["output"].as_str().expect("has ended");
        let version = execution["stateMachineVersionArn"].as_str().expect("is of a version");
        assert!(version.ends_with(if output == "0" { ":1" } else { ":2" }), "{execution}");
        of_second += usize::from(output == "1");
    }
    assert!((350..450).contains(&of_second), "{of_second} of 500");
}

#[tokio::test(start_paused = true)]
async fn executions_of_a_version_are_found_among_many_others() {
    let fixture = two_versions().await;
    let mut expected = Vec::new();
    for index in 0..1_200 {
        fixture.runtime.sleep(Duration::from_millis(1)).await;
        let number = if [7, 27, 47].contains(&index) { 2 } else { 1 };
        let request = json!({ "stateMachineArn": format!("{MACHINE}:S:{number}"), "name": format!("e-{index}") });
        let arn = answered(&fixture, "StartExecution", request).await["executionArn"].clone();
        expected.extend((number == 2).then(|| arn.as_str().expect("is a text").to_owned()));
    }
    expected.reverse();
    let (mut found, mut sizes) = (Vec::new(), Vec::new());
    let mut token = Value::Null;
    loop {
        let request = json!({ "stateMachineArn": format!("{MACHINE}:S:2"), "maxResults": 2, "nextToken": token });
        let page = answered(&fixture, "ListExecutions", request).await;
        let arns = texts(&page["executions"], "executionArn");
        sizes.push(arns.len());
        found.extend(arns);
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(found, expected);
    assert_eq!(sizes, [0, 2, 1], "the first page looked at so many others that it gave up");
}

#[tokio::test(start_paused = true)]
async fn every_execution_is_on_one_page_whatever_the_size() {
    let fixture = two_versions().await;
    let mut expected = Vec::new();
    for index in 0..70 {
        fixture.runtime.sleep(Duration::from_millis(1)).await;
        let request = json!({ "stateMachineArn": format!("{MACHINE}:S"), "name": format!("e-{index}") });
        let arn = answered(&fixture, "StartExecution", request).await["executionArn"].clone();
        expected.push(arn.as_str().expect("is a text").to_owned());
    }
    expected.reverse();
    for size in [1, 7, 16, 17, 40, 70, 1_000] {
        let (mut found, mut token) = (Vec::new(), Value::Null);
        loop {
            let request = json!({ "stateMachineArn": format!("{MACHINE}:S"), "maxResults": size, "nextToken": token });
            let page = answered(&fixture, "ListExecutions", request).await;
            let arns = texts(&page["executions"], "executionArn");
            assert!(arns.len() <= size);
            found.extend(arns);
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(found, expected, "in pages of {size}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_state_machine_left_behind_counts_for_nothing() {
    let fixture = two_versions().await;
    let arn = StateMachineArn::parse(&format!("{MACHINE}:S")).expect("is an ARN");
    let (left, seen) = fixture.store.published(&arn).await.expect("reads").expect("is there");
    let left = PublishedRecord { machine_created_at: Timestamp::from_millis(1), ..left };
    assert!(fixture.store.publish(&arn, Some(seen), &left).await.expect("writes").is_some());
    let machine = json!({ "stateMachineArn": arn.as_str() });
    let listed = answered(&fixture, "ListStateMachineVersions", machine.clone()).await;
    assert_eq!(listed["stateMachineVersions"], json!([]));
    let version = answered(&fixture, "PublishStateMachineVersion", machine).await;
    assert_eq!(version["stateMachineVersionArn"], format!("{MACHINE}:S:1"));
}

#[tokio::test(start_paused = true)]
async fn who_publishes_between_gets_a_number_of_their_own() {
    let fixture = two_versions().await;
    let arn = StateMachineArn::parse(&format!("{MACHINE}:S")).expect("is an ARN");
    let mut tries = 0;
    let change = fixture.api.change_published(&arn, |machine, published| {
        tries += 1;
        if tries == 1 {
            let request = json!({ "stateMachineArn": arn.as_str(), "definition": definition(2), "publish": true });
            let rival = answered(&fixture, "UpdateStateMachine", request).now_or_never().expect("is done at once");
            assert_eq!(rival["stateMachineVersionArn"], format!("{arn}:3"));
        }
        published.last_version += 1;
        let number = published.last_version;
        published.versions.push(VersionRecord::of(machine, number, None, Timestamp::from_millis(1)));
        Ok(number)
    });
    assert_eq!(change.await.expect("publishes"), 4);
    assert_eq!(tries, 2);
    let listed = answered(&fixture, "ListStateMachineVersions", json!({ "stateMachineArn": arn.as_str() })).await;
    let versions = texts(&listed["stateMachineVersions"], "stateMachineVersionArn");
    assert_eq!(versions, [4, 3, 2, 1].map(|number| format!("{arn}:{number}")));
}

#[tokio::test(start_paused = true)]
async fn who_publishes_after_a_deletion_leaves_nothing_behind() {
    for is_made_anew in [false, true] {
        let fixture = Fixture::new();
        let arn = StateMachineArn::parse(&fixture.create("S", &definition(0)).await).expect("is an ARN");
        let (rival, machine) = (fixture.api.clone(), arn.to_string());
        fixture.runtime.sleep(Duration::from_secs(1)).await;
        fixture.store.meanwhile(ResourceKey::published(&arn), move || {
            let mut calls = vec![("DeleteStateMachine", json!({ "stateMachineArn": machine }))];
            if is_made_anew {
                calls
                    .push(("CreateStateMachine", json!({ "name": "S", "definition": definition(1), "roleArn": ROLE })));
            }
            for (operation, request) in calls {
                let reply = post_to(&rival, operation, request.to_string()).now_or_never().expect("is done at once");
                assert_eq!(reply.status, 200, "{operation}: {}", reply.body);
            }
        });
        let reply = fixture.call("PublishStateMachineVersion", &json!({ "stateMachineArn": arn.as_str() })).await;
        let published = fixture.store.published(&arn).await.expect("reads");
        if is_made_anew {
            let machine = fixture.store.state_machine(&arn).await.expect("reads").expect("is there");
            let (published, _) = published.expect("is there");
            assert_eq!((reply.status, published.machine_created_at), (200, machine.created_at));
            assert_eq!(published.versions[0].hash, machine.hash);
        } else {
            assert_eq!((reply.error(), published), ("StateMachineDoesNotExist", None));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_is_repeated_with_the_version_that_it_asked_for() {
    let create = |name: &str, publication: Value| {
        let mut request = json!({ "name": name, "definition": definition(0), "roleArn": ROLE });
        request.as_object_mut().expect("is one").extend(publication.as_object().expect("is one").clone());
        request
    };
    let (none, bare) = (json!({}), json!({ "publish": true }));
    let described = json!({ "publish": true, "versionDescription": "d" });
    let all = [none, bare, described];
    for (index, first) in all.iter().enumerate() {
        let fixture = Fixture::new();
        let arn = StateMachineArn::parse(&format!("{MACHINE}:S")).expect("is an ARN");
        let store = fixture.store.clone();
        // It dies before it publishes.
        fixture.store.meanwhile(ResourceKey::published(&arn), move || store.set_connected(false));
        let died = fixture.call("CreateStateMachine", &create("S", first.clone())).await;
        assert_eq!(died.status, if index == 0 { 200 } else { 503 });
        fixture.store.set_connected(true);
        for _ in 0..2 {
            for (other, request) in all.iter().enumerate() {
                let reply = fixture.call("CreateStateMachine", &create("S", request.clone())).await;
                if other == index {
                    let version = (index > 0).then(|| format!("{arn}:1"));
                    assert_eq!(reply.body["stateMachineVersionArn"].as_str(), version.as_deref(), "{}", reply.body);
                } else {
                    assert_eq!(reply.error(), "StateMachineAlreadyExists", "{first} {request}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_revision_that_a_creation_made_is_published_with_it() {
    let fixture = two_versions().await;
    let update = json!({ "stateMachineArn": format!("{MACHINE}:S"), "definition": definition(0) });
    answered(&fixture, "UpdateStateMachine", update).await;
    let request = json!({ "name": "S", "definition": definition(0), "roleArn": ROLE, "publish": true });
    let again = answered(&fixture, "CreateStateMachine", request.clone()).await;
    assert_eq!(again["stateMachineVersionArn"], format!("{MACHINE}:S:1"));
    let first = json!({ "stateMachineVersionArn": format!("{MACHINE}:S:1") });
    answered(&fixture, "DeleteStateMachineVersion", first).await;
    assert_eq!(fixture.call("CreateStateMachine", &request).await.error(), "ConflictException");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_starts_again_finds_its_execution_when_the_version_is_gone() {
    let fixture = two_versions().await;
    let task = |number: u32| StarterRecord {
        execution: ExecutionArn::parse("arn:aws:states:eu-west-1:123456789012:execution:P:p").expect("is an ARN"),
        branch: BranchPath::root(),
        attempt: AttemptId { number, nonce: Nonce(1) },
        waits: Waits::No,
    };
    let start = async |number: u32, name: Option<&str>| {
        let Value::Object(members) = json!({ "stateMachineArn": format!("{MACHINE}:S:1"), "name": name }) else {
            unreachable!("is an object")
        };
        let caller = Caller {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            trace: None,
            trace_header: None,
            task: Some(task(number)),
        };
        fixture.api.start_execution(Members::of(members), &caller).await.map_err(|error| error.code)
    };
    let unnamed = start(1, None).await.expect("starts");
    let named = start(2, Some("n")).await.expect("starts");
    let version = json!({ "stateMachineVersionArn": format!("{MACHINE}:S:1") });
    answered(&fixture, "DeleteStateMachineVersion", version).await;
    assert_eq!(start(1, None).await, Ok(unnamed));
    assert_eq!(start(2, Some("n")).await, Ok(named));
    for (number, name) in [(3, None), (3, Some("n")), (1, Some("a b"))] {
        assert_eq!(start(number, name).await, Err(ErrorCode::StateMachineDoesNotExist), "{number} {name:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_execution_shows_the_configuration_of_its_version() {
    let fixture = two_versions().await;
    for (name, of) in [("a", "S:1"), ("b", "S")] {
        let request = json!({ "stateMachineArn": format!("{MACHINE}:{of}"), "name": name });
        answered(&fixture, "StartExecution", request).await;
    }
    let machine = json!({ "stateMachineArn": format!("{MACHINE}:S"), "tracingConfiguration": { "enabled": true } });
    answered(&fixture, "UpdateStateMachine", machine).await;
    let shown = async |name: &str| {
        let request = json!({ "executionArn": format!("{}:S:{name}", MACHINE.replace("stateMachine", "execution")) });
        answered(&fixture, "DescribeStateMachineForExecution", request).await["tracingConfiguration"]["enabled"].clone()
    };
    assert_eq!((shown("a").await, shown("b").await), (json!(false), json!(true)));
    let first = json!({ "stateMachineVersionArn": format!("{MACHINE}:S:1") });
    answered(&fixture, "DeleteStateMachineVersion", first).await;
    assert_eq!(shown("a").await, true);
}

#[tokio::test(start_paused = true)]
async fn what_would_be_one_too_many_is_refused() {
    let settings = ApiSettings { versions_max: 2, aliases_max: 1, tags_max: 1, ..ApiSettings::default() };
    let fixture = two_versions_of(Fixture::with(settings)).await;
    let arn = StateMachineArn::parse(&format!("{MACHINE}:S")).expect("is an ARN");
    let before = fixture.store.state_machine(&arn).await.expect("reads");
    let update = |result| json!({ "stateMachineArn": arn.as_str(), "definition": definition(result), "publish": true });
    let alias = |name: &str| {
        let route = json!({ "stateMachineVersionArn": format!("{arn}:1"), "weight": 100 });
        json!({ "name": name, "routingConfiguration": [route] })
    };
    answered(&fixture, "CreateStateMachineAlias", alias("A")).await;
    let tags = [("a", "1"), ("b", "2")].map(|(key, value)| json!({ "key": key, "value": value }));
    for (operation, request, error) in [
        ("UpdateStateMachine", update(2), "ServiceQuotaExceededException"),
        ("CreateStateMachineAlias", alias("B"), "ServiceQuotaExceededException"),
        ("TagResource", json!({ "resourceArn": arn.as_str(), "tags": tags }), "TooManyTags"),
    ] {
        assert_eq!(fixture.call(operation, &request).await.error(), error, "{operation}");
    }
    assert_eq!(fixture.store.state_machine(&arn).await.expect("reads"), before, "nothing was changed");
    let again = answered(&fixture, "UpdateStateMachine", update(1)).await;
    assert_eq!(again["stateMachineVersionArn"], format!("{arn}:2"));
    answered(&fixture, "DeleteStateMachineVersion", json!({ "stateMachineVersionArn": format!("{arn}:2") })).await;
    assert_eq!(answered(&fixture, "UpdateStateMachine", update(2)).await["stateMachineVersionArn"], format!("{arn}:3"));
}

#[tokio::test(start_paused = true)]
async fn aliases_are_listed_of_state_machines_and_versions_alone() {
    let fixture = two_versions().await;
    let create = |name: &str, number: u32| {
        let route = json!({ "stateMachineVersionArn": format!("{MACHINE}:S:{number}"), "weight": 100 });
        json!({ "name": name, "routingConfiguration": [route] })
    };
    for (name, number) in [("C", 2), ("B", 2), ("A", 1)] {
        fixture.runtime.sleep(Duration::from_millis(1)).await;
        answered(&fixture, "CreateStateMachineAlias", create(name, number)).await;
    }
    let list = |of: &str| json!({ "stateMachineArn": format!("{MACHINE}:{of}") });
    for (of, expected) in [("S", &["C", "B", "A"][..]), ("S:1", &["A"]), ("S:2", &["C", "B"])] {
        let listed = answered(&fixture, "ListStateMachineAliases", list(of)).await;
        let expected: Vec<String> = expected.iter().map(|name| format!("{MACHINE}:S:{name}")).collect();
        assert_eq!(texts(&listed["stateMachineAliases"], "stateMachineAliasArn"), expected, "{of}");
    }
    let mut page = list("S");
    for name in ["C", "B", "A"] {
        page["maxResults"] = json!(1);
        let listed = answered(&fixture, "ListStateMachineAliases", page.clone()).await;
        let found = texts(&listed["stateMachineAliases"], "stateMachineAliasArn");
        assert_eq!(found, [format!("{MACHINE}:S:{name}")], "the oldest first");
        page["nextToken"] = listed["nextToken"].clone();
    }
    assert_eq!(page["nextToken"], Value::Null);
    for of in ["S:3", "S:A", "S:D"] {
        assert_eq!(
            fixture.call("ListStateMachineAliases", &list(of)).await.error(),
            "StateMachineDoesNotExist",
            "{of}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_was_updated_when_something_of_it_changed() {
    let fixture = two_versions().await;
    let route = |number: u32| json!([{ "stateMachineVersionArn": format!("{MACHINE}:S:{number}"), "weight": 100 }]);
    let request = json!({ "name": "A", "description": "d", "routingConfiguration": route(1) });
    let created = answered(&fixture, "CreateStateMachineAlias", request).await["creationDate"].clone();
    let mut last = created.clone();
    for (change, changes) in [
        (json!({ "description": "d" }), false),
        (json!({ "routingConfiguration": route(1) }), false),
        (json!({ "routingConfiguration": route(2) }), true),
        (json!({ "description": "d", "routingConfiguration": route(2) }), false),
        (json!({ "description": "" }), true),
    ] {
        fixture.runtime.sleep(Duration::from_secs(1)).await;
        let mut request = change.clone();
        request["stateMachineAliasArn"] = json!(format!("{MACHINE}:S:A"));
        let updated = answered(&fixture, "UpdateStateMachineAlias", request).await["updateDate"].clone();
        assert_eq!(updated != last, changes, "{change}");
        let described = json!({ "stateMachineAliasArn": format!("{MACHINE}:S:A") });
        let described = answered(&fixture, "DescribeStateMachineAlias", described).await;
        assert_eq!((&described["updateDate"], &described["creationDate"]), (&updated, &created));
        last = updated;
    }
}

//! Versions and aliases: what golden answers don't show.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use model::{StateMachineArn, Timestamp};
use serde_json::{Value, json};
use store::ExecutionStore as _;
use wire::record::PublishedRecord;

use super::fixture::{Fixture, MACHINE, ROLE};

fn definition(result: usize) -> String {
    format!(r#"{{"StartAt":"S","States":{{"S":{{"Type":"Pass","Result":{result},"End":true}}}}}}"#)
}

/// Makes a state machine `S` of two versions, which give 0 and 1.
async fn two_versions() -> Fixture {
    let fixture = Fixture::new();
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
    for index in 0..60 {
        fixture.runtime.sleep(Duration::from_millis(1)).await;
        let number = if index % 20 == 7 { 2 } else { 1 };
        let request = json!({ "stateMachineArn": format!("{MACHINE}:S:{number}"), "name": format!("e-{index}") });
        let arn = answered(&fixture, "StartExecution", request).await["executionArn"].clone();
        expected.extend((number == 2).then(|| arn.as_str().expect("is a text").to_owned()));
    }
    expected.reverse();
    let mut found = Vec::new();
    let mut token = Value::Null;
    loop {
        let request = json!({ "stateMachineArn": format!("{MACHINE}:S:2"), "maxResults": 2, "nextToken": token });
        let page = answered(&fixture, "ListExecutions", request).await;
        let arns = texts(&page["executions"], "executionArn");
        assert!(arns.len() <= 2);
        found.extend(arns);
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_state_machine_left_behind_counts_for_nothing() {
    let fixture = two_versions().await;
    let arn = StateMachineArn::parse(&format!("{MACHINE}:S")).expect("is an ARN");
    let (left, seen) = fixture.store.published(&arn).await.expect("reads").expect("is there");
    let left = PublishedRecord { machine_created_at: Timestamp::from_millis(1), ..left };
    assert!(fixture.store.publish(&arn, Some(seen), &left).await.expect("writes"));
    let machine = json!({ "stateMachineArn": arn.as_str() });
    let listed = answered(&fixture, "ListStateMachineVersions", machine.clone()).await;
    assert_eq!(listed["stateMachineVersions"], json!([]));
    let version = answered(&fixture, "PublishStateMachineVersion", machine).await;
    assert_eq!(version["stateMachineVersionArn"], format!("{MACHINE}:S:1"));
}

#[tokio::test(start_paused = true)]
async fn who_publishes_at_once_gets_versions_of_one_row() {
    let fixture = two_versions().await;
    let update = |index: usize| {
        let request = json!({
            "stateMachineArn": format!("{MACHINE}:S"), "definition": definition(10 + index), "publish": true,
        });
        let fixture = &fixture;
        async move { fixture.call("UpdateStateMachine", &request).await }
    };
    let replies = join_all((0..8).map(update)).await;
    let mut given = BTreeSet::new();
    for reply in replies {
        // Another one may have changed the state machine before this one published it.
        match reply.status {
            200 => given.extend(reply.body["stateMachineVersionArn"].as_str().map(str::to_owned)),
            _ => assert_eq!(reply.error(), "ConflictException", "{}", reply.body),
        }
    }
    let listed =
        answered(&fixture, "ListStateMachineVersions", json!({ "stateMachineArn": format!("{MACHINE}:S") })).await;
    let listed: BTreeSet<String> =
        texts(&listed["stateMachineVersions"], "stateMachineVersionArn").into_iter().collect();
    assert!(!given.is_empty() && given.is_subset(&listed), "{given:?} of {listed:?}");
}

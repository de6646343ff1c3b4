//! State machines and activities, and the lists that they and executions stand in.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{ActivityArn, ExecutionStatus, StateMachineArn};
use store::{ExecutionQuery, Resource, ResourceKey, ResourceKind, ResourceQuery, Subject};

use crate::fixture::*;

crate::on_all_stores!(
    a_resource_is_created_once,
    a_resource_is_replaced_at_its_revision_only,
    a_resource_is_removed_and_made_anew,
    resources_are_listed_by_name_and_in_pages,
    a_list_holds_one_kind_and_place,
    deletions_are_listed_wherever_their_state_machines_are,
    executions_are_listed_from_the_newest_and_in_pages,
    executions_are_listed_by_status,
    executions_that_have_ended_are_listed_by_their_end,
    removed_executions_leave_the_lists,
);

fn key(name: &str) -> ResourceKey {
    ResourceKey::activity(&ActivityArn::new("us-east-1", "123456789012", name))
}

fn resource(text: &str) -> Resource {
    Resource::new(text.as_bytes().to_vec())
}

async fn a_resource_is_created_once(stage: Stage) {
    assert_eq!(stage.store.resource(&key("a")).await.expect("reads"), None);
    let first = resource("one");
    assert_eq!(stage.store.create_resource(&key("a"), &first).await.expect("writes"), None);
    let before = stage.dump().await;
    assert_eq!(stage.store.create_resource(&key("a"), &resource("two")).await.expect("reads"), Some(first.clone()));
    assert_eq!(stage.dump().await, before);
    assert_eq!(stage.store.resource(&key("a")).await.expect("reads"), Some(first));
}

async fn a_resource_is_replaced_at_its_revision_only(stage: Stage) {
    let first = resource("one");
    let second = Resource::following(first.revision, b"two".to_vec());
    let replace = async |seen| stage.store.replace_resource(&key("a"), seen, Some(&second)).await.expect("writes");
    assert!(!replace(first.revision).await, "there is none");
    stage.store.create_resource(&key("a"), &first).await.expect("writes");
    assert!(replace(first.revision).await);
    let before = stage.dump().await;
    assert!(!replace(first.revision).await, "it is at another revision");
    assert!(!stage.store.replace_resource(&key("a"), first.revision, None).await.expect("writes"));
    assert_eq!(stage.dump().await, before);
    assert_eq!(stage.store.resource(&key("a")).await.expect("reads"), Some(second));
}

async fn a_resource_is_removed_and_made_anew(stage: Stage) {
    let before = stage.dump().await;
    let first = resource("one");
    stage.store.create_resource(&key("a"), &first).await.expect("writes");
    assert!(stage.store.replace_resource(&key("a"), first.revision, None).await.expect("writes"));
    assert_eq!(stage.store.resource(&key("a")).await.expect("reads"), None);
    assert_eq!(stage.dump().await, before, "nothing is left");
    let second = resource("two");
    assert_eq!(stage.store.create_resource(&key("a"), &second).await.expect("writes"), None);
    assert_eq!(stage.store.resource(&key("a")).await.expect("reads"), Some(second));
}

/// Lists the ARNs of all resources of a kind and place, so many at a time.
async fn listed(stage: &Stage, kind: ResourceKind, place: &str, limit: usize) -> Vec<Arc<str>> {
    let mut all = Vec::new();
    for partition in 0..PARTITIONS {
        let mut query = ResourceQuery { kind, place: place.into(), after: None, limit };
        loop {
            let page = stage.store.list_resources(partition, &query).await.expect("reads");
            assert!(page.len() <= limit);
            assert!(page.iter().all(|(key, _)| key.partition(PARTITIONS) == partition && key.kind == kind));
            let arns: Vec<_> = page.into_iter().map(|(key, _)| key.arn).collect();
            assert!(arns.is_sorted());
            let Some(last) = arns.last() else { break };
            query.after = Some(last.clone());
            all.extend(arns);
        }
    }
    all
}

async fn resources_are_listed_by_name_and_in_pages(stage: Stage) {
    let mut expected = BTreeSet::new();
    for index in 0..40 {
        let key = key(&format!("a{index}"));
        expected.insert(key.arn.clone());
        stage.store.create_resource(&key, &resource("x")).await.expect("writes");
    }
    for limit in [1, 2, 3, 100] {
        let found = listed(&stage, ResourceKind::Activity, "us-east-1:123456789012", limit).await;
        assert_eq!(found.len(), 40, "none comes twice");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

async fn a_list_holds_one_kind_and_place(stage: Stage) {
    let own = key("a");
    let others = [
        ResourceKey::activity(&ActivityArn::new("eu-west-1", "123456789012", "a")),
        ResourceKey::activity(&ActivityArn::new("us-east-1", "000000000000", "a")),
        ResourceKey::state_machine(&machine()),
    ];
    for key in others.iter().chain([&own]) {
        stage.store.create_resource(key, &resource("x")).await.expect("writes");
    }
    let found = listed(&stage, ResourceKind::Activity, "us-east-1:123456789012", 10).await;
    assert_eq!(found, [own.arn]);
    let found = listed(&stage, ResourceKind::StateMachine, "us-east-1:123456789012", 10).await;
    assert_eq!(found, [Arc::from(machine().as_str())]);
}

async fn started(stage: &Stage, name: &str, millis: i64) -> Seen {
    let root = Seen::root(name);
    let mut creation = root.creation();
    let Subject::Creation { record, .. } = &mut creation.subject else { panic!("is a creation") };
    record.started_at = at(millis);
    stage.made(&creation).await;
    root
}

/// Lists the names of executions, from the newest to the oldest, so many at a time.
async fn executions(stage: &Stage, status: Option<ExecutionStatus>, limit: usize) -> Vec<String> {
    let mut all = Vec::new();
    for partition in 0..PARTITIONS {
        let mut query = ExecutionQuery { listed_under: machine().as_str().into(), status, after: None, limit };
        loop {
            let page = stage.store.list_executions(partition, &query).await.expect("reads");
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            query.after = Some(last.clone());
            all.extend(page);
        }
    }
    all.sort_by(|one, other| other.cmp(one));
    all.into_iter().map(|(_, arn)| arn.name().to_owned()).collect()
}

/// Counts the executions of a status over all partitions.
async fn counted(stage: &Stage, status: ExecutionStatus) -> u64 {
    let mut count = 0;
    for partition in 0..PARTITIONS {
        count += stage.store.count_executions(partition, machine().as_str(), status).await.expect("reads");
    }
    count
}

async fn deletions_are_listed_wherever_their_state_machines_are(stage: Stage) {
    let arns = ["eu-west-1", "us-east-1"].map(|region| StateMachineArn::new(region, "123456789012", "M"));
    let key = |arn: &StateMachineArn| ResourceKey::deletion(arn);
    for arn in &arns {
        stage.store.create_resource(&ResourceKey::state_machine(arn), &resource("m")).await.expect("writes");
        stage.store.create_resource(&key(arn), &resource("d")).await.expect("writes");
    }
    let listed = async || {
        let found = listed(&stage, ResourceKind::Deletion, "", 10).await;
        found.into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(listed().await, arns.iter().map(|arn| key(arn).arn).collect());
    let revision = resource("d").revision;
    assert!(stage.store.replace_resource(&key(&arns[0]), revision, None).await.expect("writes"));
    assert_eq!(listed().await, BTreeSet::from([key(&arns[1]).arn]));
}

async fn executions_are_listed_from_the_newest_and_in_pages(stage: Stage) {
    for index in 0..24 {
        started(&stage, &format!("e{index:02}"), index / 4).await;
    }
    let expected: Vec<String> = (0..24).rev().map(|index| format!("e{index:02}")).collect();
    for limit in [1, 2, 5, 100] {
        assert_eq!(executions(&stage, None, limit).await, expected);
    }
}

async fn executions_are_listed_by_status(stage: Stage) {
    let running = started(&stage, "running", 1).await;
    let ended = started(&stage, "ended", 2).await;
    stage.made(&ended.end()).await;
    let at_once = Seen::root("at-once");
    let mut creation = at_once.creation();
    let Subject::Creation { root, .. } = &mut creation.subject else { panic!("is a creation") };
    *root = None;
    creation.end = Some((succeeded(), at(5)));
    stage.made(&creation).await;
    let stopped = started(&stage, "stopped", 3).await;
    stage.made(&stopped.stop()).await;
    let of = async |status| executions(&stage, Some(status), 10).await;
    assert_eq!(of(ExecutionStatus::Running).await, [running.arn.name()]);
    assert_eq!(of(ExecutionStatus::Aborted).await, [stopped.arn.name()]);
    assert_eq!(of(ExecutionStatus::Succeeded).await, [at_once.arn.name(), ended.arn.name()]);
    assert!(of(ExecutionStatus::Failed).await.is_empty());
    for (status, count) in
        [(ExecutionStatus::Running, 1), (ExecutionStatus::Succeeded, 2), (ExecutionStatus::Failed, 0)]
    {
        assert_eq!(counted(&stage, status).await, count, "{status:?}");
    }
}

async fn executions_that_have_ended_are_listed_by_their_end(stage: Stage) {
    let begun = [("first", 1), ("second", 2), ("third", 3), ("fourth", 4)];
    let mut all = Vec::new();
    for (name, millis) in begun {
        all.push(started(&stage, name, millis).await);
    }
    for (index, millis) in [(0, 20), (1, 10)] {
        let mut end = all[index].end();
        end.end = Some((succeeded(), at(millis)));
        stage.made(&end).await;
    }
    assert_eq!(executions(&stage, None, 1).await, ["first", "second", "fourth", "third"]);
    assert_eq!(executions(&stage, Some(ExecutionStatus::Running), 1).await, ["fourth", "third"]);
    assert_eq!(executions(&stage, Some(ExecutionStatus::Succeeded), 1).await, ["first", "second"]);
}

async fn removed_executions_leave_the_lists(stage: Stage) {
    let ended = started(&stage, "ended", 2).await;
    stage.made(&ended.end()).await;
    stage.clean_up(&ended.arn, 0).await;
    assert_eq!(stage.store.execution(&ended.arn).await.expect("reads"), None);
    assert!(executions(&stage, None, 10).await.is_empty());
    assert!(executions(&stage, Some(ExecutionStatus::Succeeded), 10).await.is_empty());
}

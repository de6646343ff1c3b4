//! The end of executions: what is left over, and what retention removes.

use model::{EventId, ExecutionStatus};
use store::{ExecutionQuery, HistoryQuery, OpenedScope, PendingEffect, Refusal, Retention};

use crate::fixture::*;

crate::on_all_stores!(
    an_end_is_final,
    a_simple_end_leaves_nothing_over,
    what_a_stopped_execution_left_is_removed,
    what_a_closed_scope_left_is_removed,
    very_much_is_removed_in_batches,
    ended_executions_are_kept_as_long_as_wanted,
    ended_executions_are_kept_up_to_so_many_bytes,
    an_execution_is_kept_until_its_end_was_told,
    executions_of_type_express_are_listed_while_they_run_and_kept_for_a_shorter_time,
);

const LONG: u64 = 100_000_000_000_000;
const KEEP: Retention = Retention { millis: LONG, bytes: None, express_millis: LONG, unused_millis: LONG };

async fn an_end_is_final(stage: Stage) {
    let root = stage.created("e").await;
    stage.made(&root.end()).await;
    let head = stage.store.execution(&root.arn).await.expect("reads").expect("exists");
    assert_eq!(head.end, Some((succeeded(), at(2))));
    assert_eq!(head.last_event, EventId(2));
    assert_eq!(stage.refused(&root.end()).await, Refusal::Closed);
    assert_eq!(stage.refused(&Seen::root("e").creation()).await, Refusal::Exists);
}

async fn a_simple_end_leaves_nothing_over(stage: Stage) {
    let root = stage.created("e").await;
    let (next, mut commit) = root.advance();
    commit.timers_set = vec![(root.timer("timeout.1"), at(500))];
    commit.outbox_added = vec![next.dispatch()];
    stage.made(&commit).await;
    let mut end = next.end();
    end.outbox_dropped = vec![next.dispatch()];
    stage.made(&end).await;
    assert!(stage.timers(&root.arn).await.is_empty() && stage.outbox(&root.arn).await.is_empty());
    let before = stage.dump().await;
    assert!(!stage.store.clean_up(partition(&root.arn), &KEEP).await.expect("cleans"));
    assert_eq!(stage.dump().await, before);
}

/// A root with a nested fork, timers and effects on every branch.
async fn busy(stage: &Stage, name: &str) -> (Seen, Vec<Seen>) {
    let (root, mut children) = stage.forked(name, 2).await;
    let (inner, grandchildren) = stage.fork(&children[0], 2).await;
    children[0] = inner;
    children.extend(grandchildren);
    for child in &mut children[1..] {
        let (next, mut commit) = child.advance();
        commit.timers_set = vec![(child.timer("timeout.1"), at(500)), (child.timer("heartbeat.1"), at(400))];
        commit.outbox_added = vec![next.dispatch(), next.effect(PendingEffect::Continue(child.path.clone()))];
        stage.made(&commit).await;
        *child = next;
    }
    let last = children.pop().expect("is there");
    let mut join = last.join(Some("1"));
    join.outbox_dropped = vec![last.dispatch(), last.effect(PendingEffect::Continue(last.path.clone()))];
    stage.made(&join).await;
    (root, children)
}

async fn is_clean(stage: &Stage, seen: &Seen) {
    stage.clean_up(&seen.arn, LONG).await;
    assert_eq!(stage.timers(&seen.arn).await, Vec::<String>::new());
    assert_eq!(stage.outbox(&seen.arn).await, Vec::<PendingEffect>::new());
    let odd: Vec<String> = stage
        .dump()
        .await
        .into_keys()
        .filter(|key| [":c:", ":r:", ":g:"].iter().any(|part| key.contains(part)) || key.ends_with(":cleanup"))
        .collect();
    assert_eq!(odd, Vec::<String>::new());
}

async fn what_a_stopped_execution_left_is_removed(stage: Stage) {
    let (root, children) = busy(&stage, "e").await;
    let mut open: Vec<&Seen> = children.iter().collect();
    open.push(&root);
    stage.made(&root.stop()).await;
    assert!(!stage.timers(&root.arn).await.is_empty());
    is_clean(&stage, &root).await;
    let events = stage.store.history(&root.arn, HistoryQuery { cursor: None, limit: 100, reverse: false }).await;
    assert_eq!(events.expect("reads").events.len(), 8);
}

async fn what_a_closed_scope_left_is_removed(stage: Stage) {
    let (root, children) = busy(&stage, "e").await;
    let (next, mut commit) = root.advance();
    commit.closed.push(root.close(&children.iter().collect::<Vec<_>>()));
    stage.made(&commit).await;
    is_clean(&stage, &root).await;
    stage.made(&next.advance().1).await;
}

async fn very_much_is_removed_in_batches(stage: Stage) {
    let root = stage.created("e").await;
    let next = root.next();
    let children: Vec<Seen> = (0..200).map(|index| root.child(index)).collect();
    let mut commit = root.commit(Some(next.waiting_for(200)));
    commit.opened.push(OpenedScope { key: root.scope(), items: Vec::new() });
    commit.children = children.iter().map(Seen::branch).collect();
    commit.timers_set = children.iter().map(|child| (child.timer("timeout.1"), at(500))).collect();
    stage.made(&commit).await;
    assert_eq!(stage.timers(&root.arn).await.len(), 200);
    let mut open: Vec<&Seen> = children.iter().collect();
    open.push(&next);
    stage.made(&root.stop()).await;
    assert!(stage.store.clean_up(partition(&root.arn), &KEEP).await.expect("cleans"));
    is_clean(&stage, &root).await;
}

async fn ended_executions_are_kept_as_long_as_wanted(stage: Stage) {
    let old = stage.created("old").await;
    stage.made(&old.end()).await;
    let open = stage.created("open").await;
    stage.clean_up(&old.arn, LONG).await;
    assert!(stage.store.execution(&old.arn).await.expect("reads").is_some());
    // It ended in 2023 by its own clock.
    stage.clean_up(&old.arn, 1_000).await;
    stage.clean_up(&open.arn, 1_000).await;
    assert_eq!(stage.store.execution(&old.arn).await.expect("reads"), None);
    assert!(stage.store.execution(&open.arn).await.expect("reads").is_some());
    let query = HistoryQuery { cursor: None, limit: 5, reverse: false };
    assert!(stage.store.history(&old.arn, query).await.expect("reads").events.is_empty());
    stage.made(&open.end()).await;
    for partition in 0..PARTITIONS {
        let all = Retention { millis: 1_000, bytes: None, express_millis: 1_000, unused_millis: 0 };
        while stage.store.clean_up(partition, &all).await.expect("cleans") {}
    }
    let rest: Vec<String> =
        stage.dump().await.into_keys().filter(|key| key.contains("{p") && !key.ends_with(":mark")).collect();
    assert_eq!(rest, Vec::<String>::new());
    stage.created("old").await;
}

async fn an_execution_is_kept_until_its_end_was_told(stage: Stage) {
    let root = Seen::root("e");
    let [running, ended] = [ExecutionStatus::Running, ExecutionStatus::Succeeded].map(PendingEffect::Notify);
    let mut creation = root.creation();
    creation.outbox_added = vec![root.effect(running.clone())];
    stage.made(&creation).await;
    let mut end = root.end();
    end.outbox_added = vec![root.effect(ended.clone()), root.effect(PendingEffect::Ended)];
    stage.made(&end).await;
    for told in [running, ended, PendingEffect::Ended] {
        assert!(stage.outbox(&root.arn).await.contains(&told));
        stage.clean_up(&root.arn, 1_000).await;
        assert!(stage.store.execution(&root.arn).await.expect("reads").is_some());
        stage.store.clear_outbox(partition(&root.arn), &[root.effect(told)]).await.expect("clears");
    }
    stage.clean_up(&root.arn, 1_000).await;
    assert_eq!(stage.store.execution(&root.arn).await.expect("reads"), None);
}

async fn ended_executions_are_kept_up_to_so_many_bytes(stage: Stage) {
    // Names of one partition and one length.
    let all = (100..).map(|index| format!("e-{index}"));
    let names: Vec<String> = all.filter(|name| partition(&arn(name)) == 1).take(40).collect();
    let ended_bytes = async || stage.store.ended_bytes(1).await.expect("reads");
    assert_eq!(ended_bytes().await, 0);
    let mut sizes = vec![0];
    for (name, millis) in names.iter().zip(10..) {
        let root = stage.created(name).await;
        assert_eq!(ended_bytes().await, *sizes.last().expect("is there"), "an open execution does not count");
        let mut end = root.end();
        end.history = events(1, 1 + millis);
        end.end = Some((succeeded(), at(millis)));
        stage.made(&end).await;
        sizes.push(ended_bytes().await);
    }
    let one = sizes[1];
    assert!(one > 300 && sizes.windows(2).all(|pair| pair[1] - pair[0] == one), "{sizes:?}");
    let kept = async || {
        let mut kept = Vec::new();
        for name in &names {
            if stage.store.execution(&arn(name)).await.expect("reads").is_some() {
                kept.push(name.clone());
            }
        }
        kept
    };
    let up_to = |bytes| Retention { millis: LONG, bytes: Some(bytes), express_millis: LONG, unused_millis: LONG };
    stage.clean_up_for(&arn(&names[0]), &up_to(40 * one)).await;
    assert_eq!(kept().await.len(), 40);
    assert!(stage.store.clean_up(1, &up_to(3 * one)).await.expect("cleans"), "a batch is bounded");
    stage.clean_up_for(&arn(&names[0]), &up_to(3 * one + 5)).await;
    assert_eq!(kept().await, names[37..]);
    assert_eq!(ended_bytes().await, 3 * one);
    let open = stage.created(&names[0]).await;
    stage.clean_up_for(&open.arn, &up_to(0)).await;
    assert_eq!(kept().await, names[..1]);
    assert_eq!(ended_bytes().await, 0);
}

async fn executions_of_type_express_are_listed_while_they_run_and_kept_for_a_shorter_time(stage: Stage) {
    let express = |name: &str| Seen { arn: machine().express_execution(name, "0a1b"), ..Seen::root(name) };
    let listed = async |arn: &model::ExecutionArn| {
        let listed_under = machine().as_str().into();
        let query = ExecutionQuery { listed_under, status: None, after: None, limit: 100 };
        let listed = stage.store.list_executions(partition(arn), &query).await.expect("reads");
        listed.iter().any(|(_, listed)| listed == arn)
    };
    let exists = async |arn: &model::ExecutionArn| stage.store.execution(arn).await.expect("reads").is_some();
    let standard = stage.created("standard").await;
    stage.made(&standard.end()).await;
    let ended_bytes = stage.store.ended_bytes(partition(&standard.arn)).await.expect("reads");
    // More than one batch of a partition.
    let all: Vec<Seen> = (0..80).map(|index| express(&format!("e-{index}"))).collect();
    for root in &all {
        stage.made(&root.creation()).await;
    }
    assert!(listed(&all[0].arn).await, "a deletion of its state machine finds it");
    for root in &all[1..] {
        stage.made(&root.end()).await;
        assert!(!listed(&root.arn).await);
    }
    assert_eq!(
        stage.store.ended_bytes(partition(&standard.arn)).await.expect("reads"),
        ended_bytes,
        "they don't count"
    );
    let soon = |express_millis| Retention { express_millis, ..KEEP };
    for partition in 0..PARTITIONS {
        while stage.store.clean_up(partition, &soon(LONG)).await.expect("cleans") {}
    }
    assert!(exists(&all[1].arn).await && listed(&standard.arn).await);
    for partition in 0..PARTITIONS {
        while stage.store.clean_up(partition, &soon(1_000)).await.expect("cleans") {}
    }
    assert!(exists(&standard.arn).await && exists(&all[0].arn).await, "others and open ones stay");
    for root in &all[1..] {
        assert!(!exists(&root.arn).await);
    }
    stage.made(&all[0].end()).await;
    assert!(!listed(&all[0].arn).await);
    stage.clean_up(&standard.arn, 1_000).await;
    stage.clean_up(&all[0].arn, 1_000).await;
    for partition in 0..PARTITIONS {
        while stage.store.clean_up(partition, &Retention { unused_millis: 0, ..soon(1_000) }).await.expect("cleans") {}
    }
    let rest: Vec<String> =
        stage.dump().await.into_keys().filter(|key| key.contains("{p") && !key.ends_with(":mark")).collect();
    assert_eq!(rest, Vec::<String>::new());
}

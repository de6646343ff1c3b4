//! Timers, the outbox, and the list of open executions.

use std::collections::BTreeSet;

use store::PendingEffect;

use crate::fixture::*;

crate::on_all_stores!(
    timers_are_set_moved_and_dropped,
    due_timers_come_in_order,
    a_timer_set_anew_is_not_dropped_as_stale,
    effects_stay_until_they_are_dropped,
    an_effect_names_its_committer,
    the_outbox_is_listed_in_parts,
    open_executions_are_listed,
);

async fn timers_are_set_moved_and_dropped(stage: Stage) {
    let root = stage.created("e").await;
    let (next, mut commit) = root.advance();
    commit.timers_set = vec![(root.timer("timeout.1"), at(500)), (root.timer("heartbeat.1"), at(300))];
    stage.made(&commit).await;
    assert_eq!(stage.timers(&root.arn).await, ["r heartbeat.1", "r timeout.1"]);
    let (next, mut commit) = next.advance();
    commit.timers_set = vec![(root.timer("heartbeat.1"), at(900)), (root.timer("wait.2"), at(950))];
    stage.made(&commit).await;
    assert_eq!(stage.timers(&root.arn).await, ["r timeout.1", "r heartbeat.1", "r wait.2"]);
    let (next, mut commit) = next.advance();
    commit.timers_dropped = vec![root.timer("timeout.1"), root.timer("heartbeat.1"), root.timer("none")];
    stage.made(&commit).await;
    assert_eq!(stage.timers(&root.arn).await, ["r wait.2"]);
    // What a branch leaves behind goes with it.
    let mut end = next.end();
    end.timers_dropped = vec![root.timer("none")];
    stage.made(&end).await;
    stage.clean_up(&root.arn, 1_000_000).await;
    assert_eq!(stage.timers(&root.arn).await, Vec::<String>::new());
}

async fn due_timers_come_in_order(stage: Stage) {
    let root = Seen::root("e");
    let mut commit = root.creation();
    commit.timers_set = (0..20).map(|index| (root.timer(&format!("t{index}")), at(1_000 - 10 * index))).collect();
    stage.made(&commit).await;
    let due = stage.store.due_timers(partition(&root.arn), at(900), 5).await.expect("reads");
    let expected: Vec<_> =
        (0..5).map(|index| (root.timer(&format!("t{}", 19 - index)), at(810 + 10 * index))).collect();
    assert_eq!(due, expected);
    assert_eq!(stage.store.due_timers(partition(&root.arn), at(900), 100).await.expect("reads").len(), 10);
    assert!(stage.store.due_timers(partition(&root.arn), at(0), 100).await.expect("reads").is_empty());
}

async fn a_timer_set_anew_is_not_dropped_as_stale(stage: Stage) {
    let root = Seen::root("e");
    let mut commit = root.creation();
    commit.timers_set = vec![(root.timer("a"), at(10)), (root.timer("b"), at(10))];
    stage.made(&commit).await;
    let (_, mut commit) = root.advance();
    commit.timers_set = vec![(root.timer("a"), at(20))];
    stage.made(&commit).await;
    let stale = [(root.timer("a"), at(10)), (root.timer("b"), at(10))];
    stage.store.drop_timers(partition(&root.arn), &stale).await.expect("drops");
    assert_eq!(stage.timers(&root.arn).await, ["r a"]);
}

async fn effects_stay_until_they_are_dropped(stage: Stage) {
    let root = Seen::root("e");
    let mut commit = root.creation();
    commit.outbox_added = vec![root.dispatch()];
    stage.made(&commit).await;
    assert_eq!(stage.outbox(&root.arn).await, [root.dispatch().effect]);
    let (next, mut commit) = root.advance();
    commit.outbox_dropped = vec![root.dispatch(), next.effect(PendingEffect::Continue(root.path.clone()))];
    commit.outbox_added = vec![next.dispatch(), next.effect(PendingEffect::Continue(root.path.clone()))];
    stage.made(&commit).await;
    // What is both dropped and added stays.
    assert_eq!(stage.outbox(&root.arn).await.len(), 2);
    let keys = [next.dispatch(), next.effect(PendingEffect::Continue(root.path.clone())), root.dispatch()];
    stage.store.clear_outbox(partition(&root.arn), &keys).await.expect("clears");
    stage.store.clear_outbox(partition(&root.arn), &[]).await.expect("clears nothing");
    assert!(stage.outbox(&root.arn).await.is_empty());
}

async fn an_effect_names_its_committer(stage: Stage) {
    let root = Seen::root("e");
    let mut commit = root.creation();
    commit.outbox_added = vec![root.dispatch()];
    let before = stage.store.time().await.expect("tells");
    stage.made(&commit).await;
    let after = stage.store.time().await.expect("tells");
    let (entries, _) = stage.store.outbox(partition(&root.arn), 0).await.expect("reads");
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0].key, &entries[0].committer), (&root.dispatch(), &root.owner));
    assert!(entries[0].at >= before && entries[0].at <= after);
}

async fn the_outbox_is_listed_in_parts(stage: Stage) {
    let root = Seen::root("e");
    let mut commit = root.creation();
    commit.outbox_added = (0..900).map(|_| root.next().dispatch()).collect();
    stage.made(&commit).await;
    let (first, cursor) = stage.store.outbox(partition(&root.arn), 0).await.expect("reads");
    assert!(first.len() < 900 && cursor != 0);
    let listed: BTreeSet<String> = stage.outbox(&root.arn).await.iter().map(|effect| format!("{effect:?}")).collect();
    assert_eq!(listed.len(), 900);
}

async fn open_executions_are_listed(stage: Stage) {
    let mut seen = Vec::new();
    for index in 0..30 {
        seen.push(stage.created(&format!("e{index}")).await);
    }
    for ended in seen.drain(..10) {
        stage.made(&ended.end()).await;
    }
    let mut listed = BTreeSet::new();
    for number in 0..PARTITIONS {
        let (arns, cursor) = stage.store.open_executions(number, 0).await.expect("reads");
        assert_eq!(cursor, 0);
        assert!(arns.iter().all(|arn| partition(arn) == number));
        listed.extend(arns);
    }
    assert_eq!(listed, seen.into_iter().map(|seen| seen.arn).collect());
}

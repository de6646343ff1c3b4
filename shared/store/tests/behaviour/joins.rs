//! Joins: completions, the wake flag, results, items.

use futures::future::join_all;
use model::{EventId, EventRef, JsonText};
use store::{Error, OpenedScope, PendingEffect, Refusal};

use crate::fixture::*;

crate::on_all_stores!(
    the_first_completion_wakes_the_parent,
    the_flag_is_cleared_when_all_are_taken,
    a_completion_that_comes_meanwhile_is_not_forgotten,
    of_many_at_once_one_wakes,
    results_are_read_in_order,
    results_of_a_run_lie_beside_the_others,
    items_are_read_in_parts,
    taking_needs_the_scope,
);

async fn the_first_completion_wakes_the_parent(stage: Stage) {
    let (root, children) = stage.forked("e", 3).await;
    assert!(stage.outbox(&root.arn).await.is_empty());
    let first = stage.made(&children[2].join(Some("[1,  2]"))).await;
    assert!(first.woke_parent);
    assert_eq!(stage.outbox(&root.arn).await, [PendingEffect::Wake(root.scope())]);
    let second = stage.made(&children[0].join(None)).await;
    assert!(!second.woke_parent);
    assert_eq!(stage.outbox(&root.arn).await.len(), 1);
    let join = stage.store.join(&root.arn, &root.scope(), 0, 0, 0).await.expect("reads");
    assert_eq!(join.completions.iter().map(|completion| completion.index).collect::<Vec<_>>(), [2, 0]);
    assert_eq!(join.completions[0].last_event, EventRef::Id(EventId(3)));
    let later = stage.store.join(&root.arn, &root.scope(), 1, 0, 0).await.expect("reads");
    assert_eq!(later.completions, join.completions[1..]);
}

async fn the_flag_is_cleared_when_all_are_taken(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    stage.made(&children[0].join(Some("1"))).await;
    let next = root.next();
    let mut commit = root.commit(Some(next.waiting_for(2)));
    commit.taken = Some((root.scope(), 1));
    assert!(!stage.made(&commit).await.more_completions);
    assert!(stage.outbox(&root.arn).await.is_empty());
    assert!(stage.made(&children[1].join(Some("2"))).await.woke_parent);
    assert_eq!(stage.outbox(&root.arn).await, [PendingEffect::Wake(root.scope())]);
    let (_, mut commit) = next.advance();
    commit.taken = Some((root.scope(), 2));
    commit.closed.push(root.close(&[]));
    stage.made(&commit).await;
    assert!(stage.outbox(&root.arn).await.is_empty());
}

async fn a_completion_that_comes_meanwhile_is_not_forgotten(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    stage.made(&children[0].join(Some("1"))).await;
    let seen = stage.store.join(&root.arn, &root.scope(), 0, 0, 0).await.expect("reads").completions.len();
    assert!(!stage.made(&children[1].join(Some("2"))).await.woke_parent);
    let next = root.next();
    let mut commit = root.commit(Some(next.waiting_for(2)));
    commit.taken = Some((root.scope(), u32::try_from(seen).expect("is 1")));
    let answer = stage.made(&commit).await;
    assert!(answer.more_completions);
    assert_eq!(stage.made(&commit).await, answer);
    assert_eq!(stage.outbox(&root.arn).await, [PendingEffect::Wake(root.scope())]);
    let mut commit = next.commit(Some(next.next().waiting_for(2)));
    commit.taken = Some((root.scope(), 2));
    assert!(!stage.made(&commit).await.more_completions);
    assert!(stage.outbox(&root.arn).await.is_empty());
}

async fn of_many_at_once_one_wakes(stage: Stage) {
    let (root, children) = stage.forked("e", 40).await;
    let commits: Vec<_> = children.iter().map(|child| child.join(Some("[ 1 ]"))).collect();
    let answers = join_all(commits.iter().map(|commit| stage.made(commit))).await;
    assert_eq!(answers.iter().filter(|answer| answer.woke_parent).count(), 1);
    assert_eq!(stage.store.join(&root.arn, &root.scope(), 0, 0, 0).await.expect("reads").completions.len(), 40);
}

async fn results_are_read_in_order(stage: Stage) {
    let (root, children) = stage.forked("e", 150).await;
    for child in children.iter().rev() {
        stage.made(&child.join(Some(&format!("{{\"from\":  \"{}\"}}", child.path)))).await;
    }
    let results = stage.store.results(&root.arn, &root.scope(), 150).await.expect("reads");
    let expected: Vec<JsonText> =
        children.iter().map(|child| text(&format!("{{\"from\":  \"{}\"}}", child.path))).collect();
    assert_eq!(results, expected);
    let error = stage.store.results(&root.arn, &root.scope(), 151).await.expect_err("one is missing");
    assert!(matches!(&error, Error::Corrupt(what) if what.contains("result 150 of scope r@1")), "{error}");
}

async fn results_of_a_run_lie_beside_the_others(stage: Stage) {
    let root = stage.created("e").await;
    let next = root.next();
    let mut commit = root.commit(Some(next.waiting_for(3)));
    commit.opened.push(OpenedScope { key: root.scope(), items: Vec::new() });
    commit.inline_results = vec![(root.scope(), 0, text("\"a\"")), (root.scope(), 2, text("null"))];
    let child = root.child(1);
    commit.children.push(child.branch());
    stage.made(&commit).await;
    assert!(stage.store.results(&root.arn, &root.scope(), 3).await.is_err());
    stage.made(&child.join(Some("1.0"))).await;
    let results = stage.store.results(&root.arn, &root.scope(), 3).await.expect("reads");
    assert_eq!(results, [text("\"a\""), text("1.0"), text("null")]);
    assert_eq!(stage.store.join(&root.arn, &root.scope(), 0, 0, 0).await.expect("reads").completions.len(), 1);
}

async fn items_are_read_in_parts(stage: Stage) {
    let root = stage.created("e").await;
    let items: Vec<JsonText> = (0..250).map(|index| text(&format!("{{\"n\":  {index}.0}}"))).collect();
    let next = root.next();
    let mut commit = root.commit(Some(next.waiting_for(250)));
    commit.opened.push(OpenedScope { key: root.scope(), items: items.clone() });
    stage.made(&commit).await;
    for (from, most) in [(0, 250), (0, 1), (99, 2), (100, 100), (199, 51), (240, 100), (250, 10), (10, 0), (0, 1_000)] {
        let join = stage.store.join(&root.arn, &root.scope(), 0, from, most).await.expect("reads");
        let (from, to) = (from as usize, (from + most).min(250) as usize);
        assert_eq!(join.items, items[from..to.max(from)], "{most} from {from}");
    }
    let none = stage.store.join(&root.arn, &root.child(1).scope(), 0, 0, 10).await.expect("reads");
    assert!(none.items.is_empty() && none.completions.is_empty());
}

async fn taking_needs_the_scope(stage: Stage) {
    let root = stage.created("e").await;
    let (_, mut commit) = root.advance();
    commit.taken = Some((root.scope(), 1));
    assert_eq!(stage.refused(&commit).await, Refusal::Stale);
    commit.taken = None;
    commit.inline_results = vec![(root.scope(), 0, text("1"))];
    assert_eq!(stage.refused(&commit).await, Refusal::Stale);
}

//! Scopes: opened, nested, closed, and what is void afterwards.

use model::ScopeKey;
use store::{ClosedScope, PendingEffect, Refusal};

use crate::fixture::*;

crate::on_all_stores!(
    closing_a_scope_closes_what_is_within,
    a_closed_scope_voids_commits_at_any_depth,
    what_is_within_must_be_as_seen,
    a_scope_without_branches_is_closed_by_its_count,
    children_are_added_to_an_open_scope_only,
    open_branches_are_listed_by_scope,
    a_scope_with_very_many_branches_is_closed_in_parts,
    nothing_happens_in_a_shut_scope,
    a_shut_scope_within_a_shut_scope_is_closed,
);

async fn closing_a_scope_closes_what_is_within(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    let (next, mut commit) = root.advance();
    commit.closed.push(root.close(&[&children[0], &children[1]]));
    stage.made(&commit).await;
    let open = stage.store.open_branches(&root.arn, None, usize::MAX).await.expect("reads");
    assert_eq!(open.iter().map(|stored| stored.record.path.as_str()).collect::<Vec<_>>(), ["r"]);
    assert_eq!(stage.refused(&children[0].advance().1).await, Refusal::Closed);
    assert_eq!(stage.refused(&children[1].join(Some("1"))).await, Refusal::Closed);
    let (_, gone) = stage.store.load(&root.arn, &children[0].path).await.expect("reads").expect("exists");
    assert_eq!(gone, None);
    stage.made(&next.end()).await;
}

async fn a_closed_scope_voids_commits_at_any_depth(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    let (inner, grandchildren) = stage.fork(&children[0], 2).await;
    let (_, mut commit) = root.advance();
    let within = [&inner, &children[1], &grandchildren[0], &grandchildren[1]];
    commit.closed.push(root.close(&within));
    stage.made(&commit).await;
    for seen in within {
        assert_eq!(stage.refused(&seen.advance().1).await, Refusal::Closed, "{}", seen.path);
    }
    stage.clean_up(&root.arn, 1_000_000).await;
    assert_eq!(stage.refused(&grandchildren[0].advance().1).await, Refusal::Closed);
}

async fn what_is_within_must_be_as_seen(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    let (inner, grandchildren) = stage.fork(&children[0], 1).await;
    let attempt = |within: &[&Seen]| {
        let mut commit = root.advance().1;
        commit.closed.push(root.close(within));
        commit
    };
    let all = [&inner, &children[1], &grandchildren[0]];
    assert_eq!(stage.refused(&attempt(&all[..2])).await, Refusal::Stale);
    assert_eq!(stage.refused(&attempt(&[&children[0], all[1], all[2]])).await, Refusal::Stale);
    assert_eq!(stage.refused(&attempt(&[all[0], all[1], all[2], all[2]])).await, Refusal::Stale);
    assert_eq!(stage.refused(&attempt(&[])).await, Refusal::Stale);
    // A nested scope is closed by itself, and counts no more afterwards.
    let (alone, mut commit) = inner.advance();
    commit.closed.push(inner.close(&[&grandchildren[0]]));
    stage.made(&commit).await;
    assert_eq!(stage.refused(&attempt(&all)).await, Refusal::Stale);
    stage.made(&attempt(&[&alone, &children[1]])).await;
}

async fn a_scope_without_branches_is_closed_by_its_count(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    let mut commit = root.advance().1;
    commit.closed.push(root.close(&[]));
    assert_eq!(stage.refused(&commit).await, Refusal::Stale);
    for child in &children {
        stage.made(&child.join(Some("1"))).await;
    }
    stage.made(&commit).await;
    // It is closed once: the revision has moved, and the scope is gone.
    let (_, mut again) = root.next().advance();
    again.closed.push(root.close(&[]));
    assert_eq!(stage.refused(&again).await, Refusal::Stale);
}

async fn children_are_added_to_an_open_scope_only(stage: Stage) {
    let (root, children) = stage.forked("e", 1).await;
    let next = root.next();
    let mut commit = root.commit(Some(next.waiting_for(3)));
    commit.children = vec![root.child(1).branch(), root.child(2).branch()];
    stage.made(&commit).await;
    assert_eq!(stage.store.open_branches(&root.arn, None, usize::MAX).await.expect("reads").len(), 4);
    let mut close = next.commit(Some(next.next().branch()));
    close.closed.push(root.close(&[&children[0]]));
    assert_eq!(stage.refused(&close).await, Refusal::Stale);
    let mut astray = next.commit(Some(next.next().branch()));
    let elsewhere = Seen { path: "r/8.0".parse().expect("is a path"), ..root.child(0) };
    astray.children = vec![elsewhere.branch()];
    assert_eq!(stage.refused(&astray).await, Refusal::Stale);
}

async fn open_branches_are_listed_by_scope(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    let (inner, grandchildren) = stage.fork(&children[1], 2).await;
    let paths = async |within: Option<ScopeKey>| {
        let open = stage.store.open_branches(&root.arn, within.as_ref(), usize::MAX).await.expect("reads");
        open.into_iter().map(|stored| stored.record.path.to_string()).collect::<Vec<_>>()
    };
    let all = ["r", "r/1.0", "r/1.1", "r/1.1/1.0", "r/1.1/1.1"];
    assert_eq!(paths(None).await, all);
    assert_eq!(paths(Some(root.scope())).await, all[1..]);
    assert_eq!(paths(Some(inner.scope())).await, all[3..]);
    stage.made(&grandchildren[0].join(Some("1"))).await;
    assert_eq!(paths(Some(inner.scope())).await, all[4..]);
}

async fn a_scope_with_very_many_branches_is_closed_in_parts(stage: Stage) {
    let root = stage.created("e").await;
    let (mut parent, mut children) = stage.fork(&root, 200).await;
    for round in 1..4 {
        let next = parent.next();
        let mut commit = parent.commit(Some(next.waiting_for(1_200)));
        let more: Vec<Seen> = (0..200).map(|index| parent.child(200 * round + index)).collect();
        commit.children = more.iter().map(Seen::branch).collect();
        commit.timers_set = more.iter().take(100).map(|seen| (seen.timer("timeout.1"), at(60_000))).collect();
        stage.made(&commit).await;
        children.extend(more);
        parent = next;
    }
    let inner = stage.fork(&children[0], 1).await.1.remove(0);
    assert_eq!(stage.timers(&root.arn).await.len(), 300);
    let mut open = 0;
    loop {
        let seen = stage.store.open_branches(&root.arn, Some(&root.scope()), 257).await.expect("reads");
        let rest = seen.len() > 256;
        let (next, mut commit) = parent.advance();
        let listed = seen.iter().rev().take(256).map(|stored| (stored.record.path.clone(), stored.revision));
        commit.closed = vec![ClosedScope { key: root.scope(), branches: listed.collect(), more_open: rest }];
        commit.outbox_dropped = children.iter().skip(open).take(256).map(Seen::dispatch).collect();
        open += 256;
        stage.made(&commit).await;
        parent = next;
        if !rest {
            break;
        }
        for within in [&children[0].next(), &children[1], &inner] {
            assert_eq!(stage.refused(&within.advance().1).await, Refusal::Closed);
        }
    }
    assert_eq!(open, 4 * 256);
    assert_eq!(stage.store.open_branches(&root.arn, None, usize::MAX).await.expect("reads").len(), 1);
    stage.clean_up(&root.arn, 1_000_000).await;
    assert_eq!(stage.timers(&root.arn).await, Vec::<String>::new());
    assert_eq!(stage.outbox(&root.arn).await, Vec::<PendingEffect>::new());
    stage.made(&parent.end()).await;
}

async fn nothing_happens_in_a_shut_scope(stage: Stage) {
    let (root, children) = stage.forked("e", 3).await;
    let (inner, grandchildren) = stage.fork(&children[0], 2).await;
    stage.made(&children[1].join(None)).await;
    // A scope is shut only while more is open than is closed at once.
    let (next, mut commit) = root.advance();
    commit.closed.push(root.shut(&[&inner, &children[2], &grandchildren[0], &grandchildren[1]]));
    assert_eq!(stage.refused(&commit).await, Refusal::Stale);
    commit.closed = vec![root.shut(&[&grandchildren[0].next()])];
    assert_eq!(stage.refused(&commit).await, Refusal::Stale);
    commit.closed = vec![root.shut(&[&grandchildren[1], &children[2]])];
    let first = stage.made(&commit).await;
    assert_eq!(stage.made(&commit).await, first);
    for within in [&inner, &grandchildren[0]] {
        assert_eq!(stage.refused(&within.advance().1).await, Refusal::Closed);
    }
    assert_eq!(stage.refused(&grandchildren[0].join(Some("1"))).await, Refusal::Closed);
    let mut more = next.commit(Some(next.next().branch()));
    more.children = vec![root.child(7).branch()];
    assert_eq!(stage.refused(&more).await, Refusal::Stale);
    // Its join record stays, so that whoever goes on knows why.
    let join = stage.store.join(&root.arn, &root.scope(), 0, 0, 0).await.expect("reads");
    assert_eq!(join.completions.len(), 1);
    let (last, mut rest) = next.advance();
    rest.closed.push(root.close(&[&inner, &grandchildren[0]]));
    stage.made(&rest).await;
    let join = stage.store.join(&root.arn, &root.scope(), 0, 0, 0).await.expect("reads");
    assert!(join.completions.is_empty());
    stage.made(&last.end()).await;
}

async fn a_shut_scope_within_a_shut_scope_is_closed(stage: Stage) {
    let (root, children) = stage.forked("e", 3).await;
    let (inner, grandchildren) = stage.fork(&children[0], 3).await;
    let shut = inner.next();
    let mut commit = inner.commit(Some(shut.waiting_for(3)));
    commit.closed.push(inner.shut(&[&grandchildren[2]]));
    stage.made(&commit).await;
    let (next, mut commit) = root.advance();
    commit.closed.push(root.shut(&[&grandchildren[1], &children[1], &children[2]]));
    stage.made(&commit).await;
    assert_eq!(stage.refused(&shut.advance().1).await, Refusal::Closed);
    let (next, mut commit) = next.advance();
    commit.closed.push(root.shut(&[&grandchildren[0]]));
    stage.made(&commit).await;
    let (last, mut commit) = next.advance();
    commit.closed.push(root.close(&[&shut]));
    stage.made(&commit).await;
    stage.clean_up(&root.arn, 1_000_000).await;
    stage.made(&last.end()).await;
    let odd: Vec<String> = stage.dump().await.into_keys().filter(|key| key.contains(":c:")).collect();
    assert_eq!(odd, Vec::<String>::new());
}

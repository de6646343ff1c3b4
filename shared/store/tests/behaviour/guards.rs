//! Every check of a commit. `Stage::refused` compares all that the store holds before and after.

use model::{EventId, FencingToken, Revision};
use store::{ClosedScope, Refusal, Subject};

use crate::fixture::*;

crate::on_all_stores!(
    a_stale_revision_is_refused,
    a_stale_token_is_refused,
    a_branch_that_is_closed_is_stale,
    a_commit_repeated_gives_its_first_answer,
    an_end_repeated_gives_its_first_answer,
    an_ended_execution_takes_nothing,
    an_execution_is_closed_whatever_its_branches_are_about,
    an_assumed_base_must_hold,
    the_greatest_event_id_is_kept,
    too_large_a_commit_is_refused,
);

async fn a_stale_revision_is_refused(stage: Stage) {
    let root = stage.created("e").await;
    stage.made(&root.advance().1).await;
    assert_eq!(stage.refused(&root.advance().1).await, Refusal::Stale);
    // The number alone does not make a revision.
    let guessed = Seen { revision: root.next().revision, ..root };
    assert_eq!(stage.refused(&guessed.advance().1).await, Refusal::Stale);
}

async fn a_stale_token_is_refused(stage: Stage) {
    let root = stage.created("e").await;
    let other = Seen { token: FencingToken { nonce: nonce(), ..root.token }, ..root.clone() };
    assert_eq!(stage.refused(&other.advance().1).await, Refusal::Stale);
    stage.made(&root.advance().1).await;
}

async fn a_branch_that_is_closed_is_stale(stage: Stage) {
    let (_, children) = stage.forked("e", 2).await;
    stage.made(&children[0].join(Some("1"))).await;
    assert_eq!(stage.refused(&children[0].join(Some("2"))).await, Refusal::Stale);
    let never = Seen { path: "r/1.7".parse().expect("is a path"), ..children[0].clone() };
    assert_eq!(stage.refused(&never.advance().1).await, Refusal::Stale);
}

async fn a_commit_repeated_gives_its_first_answer(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    let (next, commit) = children[0].advance();
    let first = stage.made(&commit).await;
    stage.made(&children[1].advance().1).await;
    let last = next.join(Some("[1]"));
    let before = stage.dump().await;
    assert_eq!(stage.made(&commit).await, first);
    assert_eq!(stage.dump().await, before);
    let joined = stage.made(&last).await;
    assert!(joined.woke_parent);
    let before = stage.dump().await;
    assert_eq!(stage.made(&last).await, joined);
    assert_eq!(stage.dump().await, before);
    assert_eq!(stage.refused(&commit).await, Refusal::Stale);
    let _ = root;
}

async fn an_end_repeated_gives_its_first_answer(stage: Stage) {
    let root = stage.created("e").await;
    let end = root.end();
    let first = stage.made(&end).await;
    assert_eq!(first.base, EventId(1));
    let before = stage.dump().await;
    assert_eq!(stage.made(&end).await, first);
    assert_eq!(stage.dump().await, before);
    let other = stage.created("f").await;
    let stop = other.stop();
    let first = stage.made(&stop).await;
    assert_eq!(stage.made(&stop).await, first);
}

async fn an_ended_execution_takes_nothing(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    stage.made(&root.stop()).await;
    assert_eq!(stage.refused(&root.advance().1).await, Refusal::Closed);
    assert_eq!(stage.refused(&children[0].join(Some("1"))).await, Refusal::Closed);
    assert_eq!(stage.refused(&root.stop()).await, Refusal::Closed);
    let (head, branch) = stage.store.load(&root.arn, &root.path).await.expect("reads").expect("exists");
    assert_eq!((head.last_event, branch), (EventId(3), None));
    assert!(stage.store.open_branches(&root.arn, None, usize::MAX).await.expect("reads").is_empty());
}

async fn an_execution_is_closed_whatever_its_branches_are_about(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    let stop = root.stop();
    stage.made(&children[0].advance().1).await;
    let first = stage.made(&stop).await;
    assert_eq!(stage.made(&stop).await, first);
    assert_eq!(stage.refused(&children[1].advance().1).await, Refusal::Closed);
    assert_eq!(stage.refused(&Seen::root("none").stop()).await, Refusal::Missing);
}

async fn an_assumed_base_must_hold(stage: Stage) {
    let root = stage.created("e").await;
    let (next, mut commit) = root.advance();
    commit.assumed_base = Some(EventId(0));
    assert_eq!(stage.refused(&commit).await, Refusal::BaseMoved { base: EventId(1) });
    commit.assumed_base = Some(EventId(1));
    stage.made(&commit).await;
    let mut end = next.end();
    end.assumed_base = Some(EventId(7));
    assert_eq!(stage.refused(&end).await, Refusal::BaseMoved { base: EventId(2) });
    let mut creation = Seen::root("f").creation();
    creation.assumed_base = Some(EventId(1));
    assert_eq!(stage.refused(&creation).await, Refusal::BaseMoved { base: EventId(0) });
    creation.assumed_base = Some(EventId(0));
    stage.made(&creation).await;
}

async fn the_greatest_event_id_is_kept(stage: Stage) {
    let root = stage.created("e").await;
    let (_, mut commit) = root.advance();
    commit.history = events(3, 1);
    commit.events_max = Some(3);
    assert_eq!(stage.refused(&commit).await, Refusal::HistoryFull { base: EventId(1) });
    commit.events_max = Some(4);
    stage.made(&commit).await;
    let mut creation = Seen::root("f").creation();
    creation.events_max = Some(0);
    assert_eq!(stage.refused(&creation).await, Refusal::HistoryFull { base: EventId(0) });
}

async fn too_large_a_commit_is_refused(stage: Stage) {
    let root = stage.created("e").await;
    let before = stage.dump().await;
    let (next, mut commit) = root.advance();
    commit.outbox_added = (0..1_100).map(|_| next.next().dispatch()).collect();
    let error = stage.store.commit(&commit).await.expect_err("is refused").to_string();
    assert!(error.contains("277 records") && error.contains("the most is 256"), "{error}");
    commit.outbox_added.clear();
    let large = format!("\"{}\"", "x".repeat(5 * 1024 * 1024));
    let Subject::Branch { next: Some(branch), .. } = &mut commit.subject else { panic!("goes on") };
    branch.record.input = text(&large);
    let error = stage.store.commit(&commit).await.expect_err("is refused").to_string();
    assert!(error.contains("bytes for arn:aws"), "{error}");
    let mut close = root.advance().1;
    let branches = (0..257).map(|_| (root.path.clone(), Revision::default())).collect();
    close.closed.push(ClosedScope { key: root.scope(), branches, more_open: true });
    let error = stage.store.commit(&close).await.expect_err("is refused").to_string();
    assert!(error.contains("257 listed branches"), "{error}");
    assert_eq!(stage.dump().await, before);
}

//! Every check of a commit. `Stage::refused` compares all that the store holds before and after.

use model::{EventId, FencingToken, JsonText, Revision};
use store::{ClosedScope, OpenedScope, Refusal, Subject};

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
    the_largest_step_fits,
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
    let what = too_large(stage.refused(&commit).await);
    assert!(what.contains("277 records") && what.contains("the most is 256"), "{what}");
    commit.outbox_added.clear();
    let Subject::Branch { next: Some(branch), .. } = &mut commit.subject else { panic!("goes on") };
    branch.record.input = json_string(32 * 1024 * 1024, 'x');
    let what = too_large(stage.refused(&commit).await);
    assert!(what.contains("bytes, of which the most is 33554432"), "{what}");
    let mut close = root.advance().1;
    let branches = (0..257).map(|_| (root.path.clone(), Revision::default())).collect();
    close.closed.push(ClosedScope { key: root.scope(), branches, more_open: true });
    let what = too_large(stage.refused(&close).await);
    assert!(what.contains("257 listed branches"), "{what}");
    assert_eq!(stage.dump().await, before);
}

fn too_large(refusal: Refusal) -> String {
    let Refusal::TooLarge { what } = refusal else { panic!("refused as {refusal:?}") };
    what
}

async fn the_largest_step_fits(stage: Stage) {
    let root = stage.created("e").await;
    let variable = |n: u8| (format!("v{n}"), json_string(256 * 1024, char::from(b'A' + n)));
    let variables: Vec<_> = (0..40).map(variable).collect();
    let next = root.next();
    let mut branch = next.waiting_for(1);
    (branch.record.variables, branch.record.input) = (variables.clone(), json_string(1024 * 1024, 'x'));
    let mut child = next.child(0).branch();
    (child.record.variables, child.record.input) = (variables.clone(), json_string(1024 * 1024, 'y'));
    let mut commit = root.commit(Some(branch));
    commit.children.push(child);
    let items = (0..60_000).map(|item| text(&item.to_string())).collect();
    commit.opened.push(OpenedScope { key: next.scope(), items });
    stage.made(&commit).await;
    let (_, stored) = stage.store.load(&root.arn, &next.child(0).path).await.expect("reads").expect("is there");
    assert_eq!(stored.expect("is open").record.variables, variables);
    let join = stage.store.join(&root.arn, &next.scope(), 0, 59_990, 256).await.expect("reads");
    assert_eq!(join.items.last().map(JsonText::as_str), Some("59999"));
}

fn json_string(bytes: usize, of: char) -> JsonText {
    text(&format!("\"{}\"", of.to_string().repeat(bytes - 2)))
}

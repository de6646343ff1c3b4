//! Histories: dense ids, settled references, times that never run backwards, pages.

use futures::future::join_all;
use model::{EventId, EventRef, HistoryEvent};
use store::{HistoryCursor, HistoryQuery};
use wire::record::HistoryChunk;

use crate::fixture::*;

crate::on_all_stores!(
    ids_are_dense_when_branches_commit_at_once,
    references_are_settled_with_the_base_of_their_commit,
    times_never_run_backwards,
    pages_go_both_ways,
    an_end_is_not_before_the_last_event,
    large_chunks_come_back,
    the_history_of_a_map_run_is_counted_and_not_kept,
    the_history_of_type_express_is_counted_and_not_kept,
);

async fn all(stage: &Stage, seen: &Seen) -> Vec<HistoryEvent> {
    let query = HistoryQuery { cursor: None, limit: 100_000, reverse: false };
    let page = stage.store.history(&seen.arn, query).await.expect("reads");
    assert_eq!(page.next, None);
    page.events
}

fn ids(events: &[HistoryEvent]) -> Vec<u64> {
    events.iter().map(|event| event.id.0).collect()
}

async fn ids_are_dense_when_branches_commit_at_once(stage: Stage) {
    let (root, children) = stage.forked("e", 10).await;
    let advance = |child: Seen| {
        let stage = &stage;
        async move {
            let mut seen = child;
            for _ in 0..10 {
                let (next, mut commit) = seen.advance();
                commit.history = events(3, 1);
                stage.made(&commit).await;
                seen = next;
            }
        }
    };
    join_all(children.into_iter().map(advance)).await;
    let events = all(&stage, &root).await;
    assert_eq!(ids(&events), (1..=302).collect::<Vec<_>>());
    // Each commit's second and third event follow from the one before, whatever others committed meanwhile.
    assert!(events.iter().all(|event| event.previous.0 == 0 || event.previous.0 == event.id.0 - 1));
    let (head, _) = stage.store.load(&root.arn, &root.path).await.expect("reads").expect("exists");
    assert_eq!(head.last_event, EventId(302));
}

async fn references_are_settled_with_the_base_of_their_commit(stage: Stage) {
    let (root, children) = stage.forked("e", 2).await;
    let (next, mut commit) = children[0].advance();
    commit.history = HistoryChunk { events: vec![event(1, EventRef::Id(EventId(2))), event(1, EventRef::New(0))] };
    assert_eq!(stage.made(&commit).await.base, EventId(2));
    stage.made(&children[1].advance().1).await;
    let events = all(&stage, &root).await;
    assert_eq!(events.iter().map(|event| event.previous.0).collect::<Vec<_>>(), [0, 0, 2, 3, 0]);
    let (_, stored) = stage.store.load(&root.arn, &next.path).await.expect("reads").expect("exists");
    assert_eq!(stored.expect("is open").record.last_event, EventRef::Id(EventId(3)));
    let (_, stored) = stage.store.load(&root.arn, &root.path).await.expect("reads").expect("exists");
    let open = stage.store.open_branches(&root.arn, None, usize::MAX).await.expect("reads");
    assert_eq!(open[0], stored.expect("is open"));
    assert_eq!(open[0].record.entered_event, EventRef::Id(EventId(2)));
}

async fn times_never_run_backwards(stage: Stage) {
    let root = stage.created("e").await;
    let (root, mut commit) = root.advance();
    commit.history = HistoryChunk { events: vec![event(500, EventRef::NONE), event(400, EventRef::New(0))] };
    assert_eq!(stage.made(&commit).await.clamp, at(0));
    let (root, mut commit) = root.advance();
    commit.history = HistoryChunk { events: vec![event(100, EventRef::NONE), event(600, EventRef::New(0))] };
    assert_eq!(stage.made(&commit).await.clamp, at(500));
    assert_eq!(stage.made(&root.advance().1).await.clamp, at(600));
    let times: Vec<_> = all(&stage, &root).await.iter().map(|event| event.at).collect();
    assert_eq!(times, [at(0), at(500), at(500), at(500), at(600), at(600)]);
}

async fn pages_go_both_ways(stage: Stage) {
    let mut seen = stage.created("e").await;
    for count in [2, 5, 1, 7, 3] {
        let (next, mut commit) = seen.advance();
        commit.history = events(count, 1);
        stage.made(&commit).await;
        seen = next;
    }
    let whole: Vec<u64> = (1..=19).collect();
    for limit in [1, 2, 3, 4, 7, 18, 19, 100] {
        for reverse in [false, true] {
            let (mut read, mut cursor): (Vec<u64>, Option<HistoryCursor>) = (Vec::new(), None);
            loop {
                let query = HistoryQuery { cursor, limit, reverse };
                let page = stage.store.history(&seen.arn, query).await.expect("reads");
                assert!(!page.events.is_empty() && page.events.len() <= limit);
                read.extend(ids(&page.events));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            if reverse {
                read.reverse();
            }
            assert_eq!(read, whole, "limit {limit}, reverse {reverse}");
        }
    }
    let none = stage.store.history(&arn("none"), HistoryQuery { cursor: None, limit: 5, reverse: true }).await;
    assert!(none.expect("reads").events.is_empty());
}

async fn an_end_is_not_before_the_last_event(stage: Stage) {
    let root = stage.created("e").await;
    let mut end = root.end();
    end.history = events(1, 900);
    stage.made(&end).await;
    let head = stage.store.execution(&root.arn).await.expect("reads").expect("exists");
    assert_eq!(head.end, Some((succeeded(), at(900))));
}

async fn large_chunks_come_back(stage: Stage) {
    let root = stage.created("e").await;
    let (next, mut commit) = root.advance();
    commit.history = events(1_000, 1);
    stage.made(&commit).await;
    let (_, mut commit) = next.advance();
    commit.history = events(2, 1);
    stage.made(&commit).await;
    let events = all(&stage, &root).await;
    assert_eq!(ids(&events), (1..=1_003).collect::<Vec<_>>());
    let model::Details::StateEntered { input, .. } = &events[500].details else { panic!("is an entry") };
    assert_eq!(input.as_str(), "{\"a\" :  1.0}");
}

async fn the_history_of_a_map_run_is_counted_and_not_kept(stage: Stage) {
    let arn = machine().labelled("L").map_run("0a1b");
    not_kept(&stage, Seen { arn: arn.clone(), ..Seen::root("e") }).await;
    // So it takes as many bytes as one without events.
    let bytes = stage.store.ended_bytes(partition(&arn)).await.expect("reads");
    let other = Seen { arn: machine().labelled("L").map_run("0a1c"), ..Seen::root("e") };
    let before = stage.store.ended_bytes(partition(&other.arn)).await.expect("reads");
    stage.made(&other.creation()).await;
    stage.made(&other.end()).await;
    let after = stage.store.ended_bytes(partition(&other.arn)).await.expect("reads");
    assert_eq!(after - before, bytes);
}

async fn the_history_of_type_express_is_counted_and_not_kept(stage: Stage) {
    not_kept(&stage, Seen { arn: machine().express_execution("e", "0a1b"), ..Seen::root("e") }).await;
}

async fn not_kept(stage: &Stage, root: Seen) {
    let mut creation = root.creation();
    creation.history = events(2, 1);
    assert_eq!(stage.made(&creation).await.base, EventId(0));
    let (next, mut commit) = root.advance();
    commit.history = events(3, 2);
    assert_eq!(stage.made(&commit).await.base, EventId(2));
    assert_eq!(stage.made(&next.end()).await.base, EventId(5));
    let head = stage.store.execution(&root.arn).await.expect("reads").expect("exists");
    assert!(head.last_event > EventId(5) && head.end.is_some(), "{head:?}");
    let query = HistoryQuery { cursor: None, limit: 10, reverse: false };
    assert!(stage.store.history(&root.arn, query).await.expect("reads").events.is_empty());
}

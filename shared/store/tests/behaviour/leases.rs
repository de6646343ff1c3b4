//! Leases of branches, of sweeps, and signs of life.

use std::time::Duration;

use store::Refusal;
use support::eventually;

use crate::fixture::*;

crate::on_all_stores!(
    background_work_respects_a_live_lease,
    a_real_event_takes_a_lease_over,
    a_lease_that_ran_out_is_no_hindrance,
    one_owner_holds_the_sweep,
    a_sweep_that_ran_out_is_taken,
    a_sweep_is_given_back,
    signs_of_life_run_out,
);

async fn background_work_respects_a_live_lease(stage: Stage) {
    let root = stage.created("e").await;
    let other = Seen { owner: owner("c;2"), ..root.clone() };
    let mut commit = other.advance().1;
    commit.respects_lease = true;
    let Refusal::Leased { until } = stage.refused(&commit).await else { panic!("is leased") };
    let (_, stored) = stage.store.load(&root.arn, &root.path).await.expect("reads").expect("exists");
    assert_eq!(until, stored.expect("is open").leased_until);
    let (_, mut own) = root.advance();
    own.respects_lease = true;
    stage.made(&own).await;
}

async fn a_real_event_takes_a_lease_over(stage: Stage) {
    let root = stage.created("e").await;
    let mut taker = Seen { owner: owner("c;2"), ..root.clone() };
    let commit = {
        let mut next = taker.next();
        next.token = taker.token.next(nonce());
        let commit = taker.commit(Some(next.branch()));
        taker = next;
        commit
    };
    stage.made(&commit).await;
    assert_eq!(stage.refused(&root.advance().1).await, Refusal::Stale);
    let (_, stored) = stage.store.load(&root.arn, &root.path).await.expect("reads").expect("exists");
    let stored = stored.expect("is open");
    assert_eq!((stored.owner, stored.token), (owner("c;2"), taker.token));
}

async fn a_lease_that_ran_out_is_no_hindrance(stage: Stage) {
    let root = stage.created("e").await;
    let (root, mut commit) = root.advance();
    commit.lease_millis = 0;
    stage.made(&commit).await;
    let other = Seen { owner: owner("c;2"), ..root };
    let mut commit = other.advance().1;
    commit.respects_lease = true;
    stage.made(&commit).await;
}

async fn one_owner_holds_the_sweep(stage: Stage) {
    let (first, second) = (owner("c;1"), owner("c;2"));
    assert!(stage.store.hold_sweep(1, &first, 60_000).await.expect("answers"));
    assert!(!stage.store.hold_sweep(1, &second, 60_000).await.expect("answers"));
    assert!(stage.store.hold_sweep(1, &first, 60_000).await.expect("answers"));
    assert!(stage.store.hold_sweep(2, &second, 60_000).await.expect("answers"));
    assert!(stage.store.hold_sweep(PARTITIONS, &second, 60_000).await.is_err());
}

async fn a_sweep_that_ran_out_is_taken(stage: Stage) {
    assert!(stage.store.hold_sweep(1, &owner("c;1"), 20).await.expect("answers"));
    let second = owner("c;2");
    let taken = || async { stage.store.hold_sweep(1, &second, 60_000).await.expect("answers") };
    eventually(Duration::from_secs(10), taken, "the sweep is free").await.expect("is taken");
}

async fn a_sweep_is_given_back(stage: Stage) {
    let (first, second) = (owner("c;1"), owner("c;2"));
    assert!(stage.store.hold_sweep(1, &first, 60_000).await.expect("answers"));
    stage.store.release_sweep(1, &second).await.expect("answers");
    assert!(!stage.store.hold_sweep(1, &second, 60_000).await.expect("answers"));
    stage.store.release_sweep(1, &first).await.expect("answers");
    stage.store.release_sweep(2, &first).await.expect("answers");
    assert!(stage.store.hold_sweep(1, &second, 60_000).await.expect("answers"));
    assert!(!stage.store.hold_sweep(1, &first, 60_000).await.expect("answers"));
}

async fn signs_of_life_run_out(stage: Stage) {
    let (first, second) = (owner("c;1"), owner("c;2"));
    let alive = async || stage.store.live_owners().await.expect("answers").into_iter().collect::<Vec<_>>();
    assert_eq!(alive().await, []);
    stage.store.announce(&first, 60_000).await.expect("announces");
    stage.store.announce(&second, 20).await.expect("announces");
    let is_gone = || async { alive().await == [first.clone()] };
    eventually(Duration::from_secs(10), is_gone, "the sign of life ran out").await.expect("is gone");
    stage.store.announce(&second, 60_000).await.expect("announces again");
    stage.store.announce(&first, 60_000).await.expect("announces again");
    assert_eq!(alive().await, [first.clone(), second.clone()]);
}

//! The queues of activities.

use model::{ActivityArn, AttemptId, BranchPath};
use store::ActivityTask;

use crate::fixture::*;

crate::on_all_stores!(
    tasks_are_given_in_order_and_once,
    a_claimed_task_is_seen_again_when_its_time_is_over,
    a_returned_task_is_seen_at_once,
    a_task_offered_twice_is_there_once,
    activities_have_queues_of_their_own,
);

/// Longer than any test takes.
const LONG: u32 = 600_000;

fn activity(name: &str) -> ActivityArn {
    ActivityArn::new("us-east-1", "123456789012", name)
}

fn task(name: &str) -> ActivityTask {
    ActivityTask {
        activity: activity("dig"),
        execution: arn(name),
        branch: BranchPath::root(),
        attempt: AttemptId::first(nonce()),
    }
}

async fn claim(stage: &Stage, name: &str, millis: u32) -> Option<ActivityTask> {
    stage.store.claim_activity_task(&activity(name), millis).await.expect("reads")
}

/// Offers a task, and waits until the store's clock has gone on.
async fn offer(stage: &Stage, task: &ActivityTask) {
    stage.store.offer_activity_task(task).await.expect("takes");
    let offered = stage.store.time().await.expect("tells");
    while stage.store.time().await.expect("tells") <= offered {
        tokio::task::yield_now().await;
    }
}

async fn tasks_are_given_in_order_and_once(stage: Stage) {
    assert_eq!(claim(&stage, "dig", LONG).await, None);
    let tasks = ["c", "a", "b"].map(task);
    for task in &tasks {
        offer(&stage, task).await;
    }
    for task in &tasks {
        assert_eq!(claim(&stage, "dig", LONG).await.as_ref(), Some(task));
        stage.store.drop_activity_task(task).await.expect("drops");
    }
    assert_eq!(claim(&stage, "dig", LONG).await, None);
    stage.store.return_activity_task(&tasks[0]).await.expect("has no effect");
    assert_eq!(claim(&stage, "dig", LONG).await, None);
}

async fn a_claimed_task_is_seen_again_when_its_time_is_over(stage: Stage) {
    let task = task("a");
    offer(&stage, &task).await;
    let end = stage.store.time().await.expect("tells").plus_millis(30);
    assert_eq!(claim(&stage, "dig", 30).await.as_ref(), Some(&task));
    loop {
        let found = claim(&stage, "dig", LONG).await;
        let now = stage.store.time().await.expect("tells");
        if found.is_some() {
            assert!(now >= end);
            assert_eq!(found.as_ref(), Some(&task));
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn a_returned_task_is_seen_at_once(stage: Stage) {
    let task = task("a");
    offer(&stage, &task).await;
    assert!(claim(&stage, "dig", LONG).await.is_some());
    assert_eq!(claim(&stage, "dig", LONG).await, None);
    stage.store.return_activity_task(&task).await.expect("returns");
    assert_eq!(claim(&stage, "dig", LONG).await, Some(task));
}

async fn a_task_offered_twice_is_there_once(stage: Stage) {
    let task = task("a");
    offer(&stage, &task).await;
    offer(&stage, &task).await;
    assert!(claim(&stage, "dig", LONG).await.is_some());
    offer(&stage, &task).await;
    assert_eq!(claim(&stage, "dig", LONG).await, None, "what is claimed stays hidden");
}

async fn activities_have_queues_of_their_own(stage: Stage) {
    let task = task("a");
    offer(&stage, &task).await;
    assert_eq!(claim(&stage, "fill", LONG).await, None);
    assert_eq!(claim(&stage, "dig", LONG).await, Some(task));
}

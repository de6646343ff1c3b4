//! What ends a run, or keeps it from beginning: cancels, deadlines, the worker's own end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use broker::WorkQueue as _;
use model::JsonText;
use wire::message::{Cancelled, Outcome, WorkItem};

use super::bench::{Bench, numbered, slow_echo, succeeded};
use crate::consume::fixtures::{EPOCH, item};

const LONG: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn items_that_can_t_be_run_are_reported() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder, Duration::ZERO, &runs)).await;
    let mut check = async |item: WorkItem, expect: Outcome| {
        bench.dispatch(&[item]).await;
        assert_eq!(bench.report().await.outcome, expect);
    };
    let other = "arn:aws:lambda:us-east-1:123456789012:function:Other".to_owned();
    check(WorkItem { resource: other, ..numbered(1) }, Outcome::Unhandled).await;
    check(WorkItem { deliveries: 20, ..numbered(2) }, succeeded(r#"{"a":  1.0}"#)).await;
    check(WorkItem { deliveries: 21, ..numbered(3) }, Outcome::Poisoned).await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn messages_that_can_t_be_read_become_dead_letters() {
    let mut bench = Bench::start(|builder| builder).await;
    bench.broker.publish_raw("stepwell.work.default", Some("stepwell.work.v1"), b"rubbish").expect("is there");
    let body = wire::message::encode_items(&[item("r")]);
    bench.broker.publish_raw("stepwell.work.default", Some("stepwell.work.v1"), &body).expect("is there");
    assert!(bench.reports_within(Duration::from_secs(1)).await.is_empty());
    let letters = bench.broker.dead_letters();
    assert_eq!(letters.len(), 2);
    assert_eq!((letters[0].body.as_slice(), letters[0].queue.as_str()), (&b"rubbish"[..], "stepwell.work.default"));
    assert!(letters[1].reason.contains("reply_to"), "{}", letters[1].reason);
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cancel_stops_what_it_names() {
    for (of, left) in [
        (Cancelled::Execution, 0),
        (Cancelled::Scope("r@4".parse().expect("is a scope")), 1),
        (Cancelled::Attempt(item("r/4.0").branch, item("r/4.0").attempt), 1),
    ] {
        let runs = Arc::default();
        let mut bench = Bench::start(|builder| slow_echo(builder, LONG, &runs)).await;
        bench.dispatch(&[item("r")]).await;
        bench.dispatch(&[item("r/4.0")]).await;
        bench.reports_within(Duration::from_millis(100)).await;
        bench.cancel(of).await;
        assert!(bench.reports_within(Duration::from_millis(100)).await.is_empty());
        assert_eq!((runs.load(Ordering::SeqCst), bench.left_over().await.len()), (2, left));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_handler_is_told_and_dropped() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (dropped, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (drops, tells) = (Arc::clone(&dropped), Arc::clone(&told));
    let mut bench = Bench::start(|builder| {
        let beside = runtime::Runtime::simulated(3, EPOCH);
        builder.raw_handler("Echo", move |_, context| {
            let (guard, tells) = (Dropped(Arc::clone(&drops)), Arc::clone(&tells));
            let beside = beside.clone();
            async move {
                let _guard = guard;
                beside.spawn(async move {
                    context.cancelled().await;
                    tells.fetch_add(usize::from(context.is_cancelled()), Ordering::SeqCst);
                });
                std::future::pending().await
            }
        })
    })
    .await;
    bench.dispatch(&[item("r")]).await;
    bench.reports_within(Duration::from_millis(100)).await;
    bench.cancel(Cancelled::Execution).await;
    bench.reports_within(Duration::from_millis(100)).await;
    assert_eq!((dropped.load(Ordering::SeqCst), told.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_item_met_after_its_cancel_is_not_run_within_the_hour() {
    for (minutes, expect) in [(59, 0), (61, 1)] {
        let runs = Arc::default();
        let mut bench = Bench::start(|builder| slow_echo(builder, Duration::ZERO, &runs)).await;
        bench.cancel(Cancelled::Execution).await;
        bench.reports_within(Duration::from_secs(60 * minutes)).await;
        bench.cancel(Cancelled::Attempt(item("r/9.9").branch, item("r").attempt)).await;
        bench.reports_within(Duration::from_secs(1)).await;
        bench.dispatch(&[item("r")]).await;
        bench.reports_within(Duration::from_secs(1)).await;
        assert_eq!(runs.load(Ordering::SeqCst), expect, "after {minutes} minutes");
        assert!(bench.left_over().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_at_its_deadline_without_a_result() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder, LONG, &runs)).await;
    bench.dispatch(&[WorkItem { deadline: Some(EPOCH.plus_millis(500)), ..numbered(1) }]).await;
    let reports = bench.reports_within(Duration::from_secs(2)).await;
    assert_eq!(reports.into_iter().map(|report| report.outcome).collect::<Vec<_>>(), [Outcome::Started]);
    bench.dispatch(&[WorkItem { deadline: Some(EPOCH.plus_millis(1_000)), ..numbered(2) }]).await;
    assert!(bench.reports_within(Duration::from_secs(2)).await.is_empty());
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_worker_finishes_what_runs_and_hands_back_the_rest() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder.concurrency(1), Duration::from_secs(20), &runs)).await;
    bench.dispatch(&[numbered(1)]).await;
    bench.dispatch(&[numbered(2)]).await;
    bench.reports_within(Duration::from_millis(100)).await;
    bench.stopper.stop();
    let reports = bench.reports_within(Duration::from_secs(25)).await;
    let outcomes: Vec<&Outcome> = reports.iter().map(|report| &report.outcome).collect();
    assert_eq!(outcomes, [&Outcome::Started, &succeeded(r#"{"a":  1.0}"#)]);
    assert!(bench.worker.is_finished());
    let left: Vec<WorkItem> = bench.left_over().await;
    assert_eq!((left, runs.load(Ordering::SeqCst)), (vec![numbered(2)], 1));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_worker_takes_nothing_from_others() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder.concurrency(1), Duration::from_secs(20), &runs)).await;
    bench.dispatch(&[numbered(1)]).await;
    bench.dispatch(&[numbered(2)]).await;
    bench.reports_within(Duration::from_millis(100)).await;
    bench.stopper.stop();
    bench.reports_within(Duration::from_millis(100)).await;
    let mut other = bench.broker.consume_work("default", 10);
    bench.dispatch(&[numbered(3)]).await;
    let mut taken = Vec::new();
    while let Some(delivery) = other.try_next() {
        taken.extend(delivery.content.expect("are items"));
        delivery.receipt.ack().await;
    }
    assert_eq!(taken, [numbered(2), numbered(3)]);
    assert!(!bench.worker.is_finished());
    // What still ran is acknowledged all the same.
    let reports = bench.reports_within(Duration::from_secs(25)).await;
    assert_eq!(reports.last().map(|report| &report.outcome), Some(&succeeded(r#"{"a":  1.0}"#)));
    assert!(bench.worker.is_finished());
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn after_the_grace_a_stopped_worker_hands_back_what_still_runs() {
    // Before 300 s the broker has the item, afterwards the worker itself must give it back.
    for second in [10, 310] {
        let runs = Arc::default();
        let mut bench = Bench::start(|builder| slow_echo(builder, LONG, &runs)).await;
        bench.dispatch(&[item("r")]).await;
        bench.reports_within(Duration::from_secs(second)).await;
        bench.stopper.stop();
        bench.reports_within(Duration::from_secs(29)).await;
        assert!(!bench.worker.is_finished());
        bench.reports_within(Duration::from_secs(4)).await;
        assert!(bench.worker.is_finished());
        assert_eq!(bench.left_over().await, [item("r")], "stopped after {second} s");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_stops_at_once() {
    let bench = Bench::start(|builder| builder).await;
    bench.stopper.stop();
    let begun = bench.runtime.instant();
    bench.worker.join().await.expect("ends by itself");
    assert_eq!(bench.runtime.instant().duration_since(begun), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn resources_are_found_by_pattern() {
    let mut bench = Bench::start(|builder| {
        let answer = |text: &'static str| move |_, _| async move { Ok(JsonText::trusted(text)) };
        builder
            .raw_resource_handler("arn:aws:states:::sqs:*", answer("1"))
            .resource_handler("arn:aws:states:::*", |_: serde_json::Value, _| async { Ok::<_, crate::Failure>(2) })
            .raw_resource_handler("*", answer("3"))
            .raw_handler("Echo", answer("4"))
    })
    .await;
    for (number, (resource, expect)) in (0..).zip([
        ("arn:aws:states:::sqs:sendMessage", "1"),
        ("arn:aws:states:::sns:publish", "2"),
        ("arn:aws:states:::lambda:invoke", "2"),
        ("arn:aws:lambda:us-east-1:123456789012:function:Other", "3"),
        ("arn:aws:lambda:us-east-1:123456789012:function:Echo", "4"),
    ]) {
        let input = JsonText::trusted(r#"{"FunctionName":"Other"}"#);
        bench.dispatch(&[WorkItem { resource: resource.to_owned(), input, ..numbered(number) }]).await;
        assert_eq!(bench.report().await.outcome, succeeded(expect), "{resource}");
    }
}

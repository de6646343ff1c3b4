//! The broker away, connections lost, the worker killed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use broker::{ReplyTo, WorkQueue as _};
use model::JsonText;
use wire::message::{Outcome, WorkItem};

use super::bench::{Bench, failed, numbered, slow_echo, succeeded};
use crate::Failure;
use crate::config::{WorkConfig, WorkerConfig};
use crate::consume::fixtures::item;

#[tokio::test(start_paused = true)]
async fn reports_wait_while_the_broker_is_away_and_nothing_runs_twice() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder, Duration::from_millis(200), &runs)).await;
    for number in 0..10 {
        bench.dispatch(&[numbered(number)]).await;
    }
    bench.reports_within(Duration::from_millis(100)).await;
    bench.broker.set_connected(false);
    assert!(bench.reports_within(Duration::from_secs(120)).await.is_empty());
    bench.broker.set_connected(true);
    let begun = bench.runtime.instant();
    for _ in 0..10 {
        assert_eq!(bench.report().await.outcome, succeeded(r#"{"a":  1.0}"#));
    }
    assert!(bench.runtime.instant().duration_since(begun) < Duration::from_millis(50));
    assert_eq!(runs.load(Ordering::SeqCst), 10);
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_acknowledgement_doesn_t_run_the_item_again() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder, Duration::ZERO, &runs)).await;
    bench.spy.breaks.store(1, Ordering::SeqCst);
    bench.dispatch(&[item("r")]).await;
    assert_eq!(bench.report().await.outcome, succeeded(r#"{"a":  1.0}"#));
    assert!(bench.reports_within(Duration::from_secs(1)).await.is_empty());
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    // What the coordinator gives out again is run again: it may have missed the report.
    bench.dispatch(&[WorkItem { deliveries: 1, ..item("r") }]).await;
    assert_eq!(bench.report().await.outcome, succeeded(r#"{"a":  1.0}"#));
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_alarm_delays_reports_only() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder, Duration::ZERO, &runs)).await;
    bench.broker.set_blocked(true);
    bench.broker.set_blocked(false);
    bench.dispatch(&[item("r")]).await;
    bench.broker.set_blocked(true);
    assert!(bench.reports_within(Duration::from_secs(60)).await.is_empty());
    bench.broker.set_blocked(false);
    assert_eq!(bench.report().await.outcome, succeeded(r#"{"a":  1.0}"#));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_runs_is_not_run_twice() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder, Duration::from_secs(400), &runs)).await;
    bench.dispatch(&[item("r")]).await;
    bench.reports_within(Duration::from_secs(350)).await;
    bench.dispatch(&[WorkItem { deliveries: 1, ..item("r") }]).await;
    let reports = bench.reports_within(Duration::from_secs(60)).await;
    assert_eq!(reports.last().map(|report| &report.outcome), Some(&succeeded(r#"{"a":  1.0}"#)));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_worker_had_goes_to_another() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder, Duration::from_secs(60), &runs)).await;
    bench.dispatch(&[numbered(1)]).await;
    bench.dispatch(&[numbered(2)]).await;
    let reports = bench.reports_within(Duration::from_secs(2)).await;
    assert!(reports.iter().all(|report| report.outcome == Outcome::Started) && reports.len() == 2);
    assert_eq!(bench.left_over().await, [numbered(1), numbered(2)]);
}

#[tokio::test(start_paused = true)]
async fn reports_to_a_queue_that_stays_missing_become_dead_letters() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder, Duration::ZERO, &runs)).await;
    let gone = ReplyTo("stepwell.own.gone".into());
    bench.broker.publish_work("default", &gone, &[numbered(1)]).await.expect("the broker is there");
    bench.reports_within(Duration::from_secs(290)).await;
    assert!(bench.broker.dead_letters().is_empty());
    // Meanwhile others are served.
    bench.dispatch(&[numbered(2)]).await;
    assert_eq!(bench.report().await.attempt, numbered(2).attempt);
    bench.reports_within(Duration::from_secs(20)).await;
    let letters = bench.broker.dead_letters();
    assert_eq!((letters.len(), letters[0].queue.as_str()), (1, "stepwell.own.gone"));
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_never_takes_becomes_a_small_report() {
    let config = WorkerConfig { batch_bytes_max: 10_000_000, ..WorkerConfig::default() };
    let mut bench = Bench::start(|builder| {
        builder.config(config, WorkConfig::default()).handler("Echo", |size: usize, _| async move {
            match size {
                0 => Err(Failure::with_cause("\"".repeat(300), "\"".repeat(5_000_000))),
                size => Ok("x".repeat(size)),
            }
        })
    })
    .await;
    bench.broker.set_body_bytes_max(100_000);
    let sized = |n: u64, size: &str| WorkItem { input: JsonText::trusted(size), ..numbered(n) };
    bench.dispatch(&[sized(1, "200000")]).await;
    let report = bench.report().await;
    assert_eq!(report.attempt, numbered(1).attempt);
    let message = "publish: a message of 200314 bytes is over the broker's limit of 100000";
    let cause = format!(r#"{{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"{message}"}}"#);
    assert_eq!(report.outcome, failed("Function.ResponseSizeTooLarge", &cause));
    bench.dispatch(&[sized(2, "0")]).await;
    assert_eq!(bench.report().await.outcome, failed(&"\"".repeat(256), &"\"".repeat(32_768)));
    // Together they are too large, each alone is not.
    bench.dispatch(&(3..9).map(|n| sized(n, "60000")).collect::<Vec<_>>()).await;
    for _ in 3..9 {
        assert!(matches!(bench.report().await.outcome, Outcome::Succeeded { .. }));
    }
    assert!(bench.left_over().await.is_empty());
}

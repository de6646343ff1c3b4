//! How items flow: batches, notices, holding, waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::JsonText;

use broker::WorkQueue as _;
use wire::message::{Outcome, WorkItem};

use super::bench::{Bench, CONFIRM, failed, numbered, slow_echo, succeeded};
use crate::config::{WorkConfig, WorkerConfig};
use crate::consume::fixtures::item;
use crate::{Context, Failure, WorkerBuilder};

fn echo(builder: WorkerBuilder) -> WorkerBuilder {
    builder.raw_handler("Echo", |input, _| async { Ok(input) })
}

#[tokio::test(start_paused = true)]
async fn an_item_is_reported_and_then_acknowledged() {
    let mut bench = Bench::start(echo).await;
    bench.dispatch(&[item("r")]).await;
    let report = bench.report().await;
    assert_eq!(report.outcome, succeeded(r#"{"a":  1.0}"#));
    assert_eq!((report.attempt, report.worker.as_deref()), (item("r").attempt, Some("w-1")));
    let parent = item("r").traceparent.expect("has one");
    let own = report.traceparent.expect("has one");
    assert_eq!((&own[..36], own.len()), (&parent[..36], parent.len()));
    assert_ne!(own, parent);
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lone_report_leaves_at_once_and_many_leave_together() {
    let mut bench = Bench::start(echo).await;
    bench.dispatch(&[numbered(0)]).await;
    let begun = bench.runtime.instant();
    bench.report().await;
    assert_eq!(bench.runtime.instant().duration_since(begun), CONFIRM);
    for number in 1..=300 {
        bench.dispatch(&[numbered(number)]).await;
    }
    for _ in 1..=300 {
        bench.report().await;
    }
    let batches = bench.batches();
    assert_eq!((batches[0], batches.iter().sum::<usize>()), (1, 301));
    assert!(batches.iter().all(|size| *size <= 64) && batches.len() <= 8, "{batches:?}");
}

#[tokio::test(start_paused = true)]
async fn large_reports_don_t_share_a_message() {
    let large = JsonText::trusted(format!("\"{}\"", "x".repeat(400 * 1024)));
    let mut bench = Bench::start(|builder| {
        builder.raw_handler("Echo", move |_, _| {
            let large = large.clone();
            async move { Ok(large) }
        })
    })
    .await;
    let items: Vec<WorkItem> = (0..10).map(numbered).collect();
    bench.dispatch(&items).await;
    for _ in 0..10 {
        bench.report().await;
    }
    assert!(bench.batches().iter().all(|size| *size <= 2), "{:?}", bench.batches());
}

#[tokio::test(start_paused = true)]
async fn a_delivery_of_many_is_acknowledged_when_all_are_reported() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(echo_b(builder), Duration::from_secs(60), &runs)).await;
    let quick = WorkItem { resource: "arn:aws:lambda:r:1:function:B".to_owned(), ..numbered(2) };
    bench.dispatch(&[numbered(1), quick]).await;
    assert_eq!(bench.report().await.attempt, numbered(2).attempt);
    bench.reports_within(Duration::from_secs(2)).await;
    assert_eq!(bench.left_over().await.len(), 2);
}

fn echo_b(builder: WorkerBuilder) -> WorkerBuilder {
    builder.raw_handler("B", |input, _| async { Ok(input) })
}

#[tokio::test(start_paused = true)]
async fn a_long_run_is_told_then_held_then_reported() {
    let runs = Arc::default();
    let mut bench = Bench::start(|builder| slow_echo(builder, Duration::from_secs(325), &runs)).await;
    bench.dispatch(&[item("r")]).await;
    let started = bench.report().await;
    assert_eq!((&started.outcome, started.at), (&Outcome::Started, item("r").dispatched_at.plus_millis(250)));
    assert_eq!(started.started_at, Some(item("r").dispatched_at));
    for second in [300, 310, 320] {
        assert_eq!(bench.outcome().await, (Outcome::Holding, second * 1_000));
    }
    assert_eq!(bench.outcome().await, (succeeded(r#"{"a":  1.0}"#), 325_000));
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_start_is_told_before_the_first_heartbeat_or_the_deadline() {
    for (heartbeat_seconds, due, told_at) in [
        (Some(1), None, 333),
        (Some(2), None, 666),
        (Some(3), None, 1_000),
        (Some(60), None, 1_000),
        (None, None, 1_000),
        (None, Some(600), 200),
        (Some(1), Some(2_000), 333),
        (Some(2), Some(1_500), 500),
        (None, Some(90_000), 1_000),
    ] {
        let runs = Arc::default();
        let config = WorkerConfig { notice_after: settings::Interval::from_secs(1), ..WorkerConfig::default() };
        let worker = |builder: WorkerBuilder| builder.config(config, WorkConfig::default());
        let mut bench = Bench::start(|builder| slow_echo(worker(builder), Duration::from_secs(5), &runs)).await;
        let deadline = due.map(|millis| item("r").dispatched_at.plus_millis(millis));
        bench.dispatch(&[WorkItem { heartbeat_seconds, deadline, ..item("r") }]).await;
        assert_eq!(bench.outcome().await, (Outcome::Started, told_at), "{heartbeat_seconds:?}, {due:?}");
        if due.is_some_and(|millis| millis < 5_000) {
            continue;
        }
        assert_eq!(bench.outcome().await, (succeeded(r#"{"a":  1.0}"#), 5_000), "it is told once");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_acknowledged_and_nothing_before() {
    for (seconds, left) in [(299, 1), (301, 0)] {
        let runs = Arc::default();
        let mut bench = Bench::start(|builder| slow_echo(builder, Duration::from_secs(1_000), &runs)).await;
        bench.dispatch(&[item("r")]).await;
        bench.reports_within(Duration::from_secs(seconds)).await;
        assert_eq!(bench.left_over().await.len(), left, "after {seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_reported_but_not_each_of_a_burst() {
    let mut bench = Bench::start(|builder| {
        builder.raw_handler("Echo", |input, context| async move {
            for _ in 0..100 {
                context.heartbeat();
            }
            context.clone().cancelled().await;
            Ok(input)
        })
    })
    .await;
    bench.dispatch(&[item("r")]).await;
    let reports = bench.reports_within(Duration::from_millis(200)).await;
    assert_eq!(reports.into_iter().map(|report| report.outcome).collect::<Vec<_>>(), [Outcome::Heartbeat]);
}

#[tokio::test(start_paused = true)]
async fn no_more_handlers_run_at_once_than_may() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let mut bench = Bench::start(|builder| {
        let clock = runtime::Runtime::simulated(3, item("r").dispatched_at);
        builder.concurrency(3).raw_handler("Echo", move |input, _| {
            let (running, most, clock) = (Arc::clone(&running), Arc::clone(&seen), clock.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                clock.sleep(Duration::from_millis(100)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(input)
            }
        })
    })
    .await;
    for number in 0..20 {
        bench.dispatch(&[numbered(number)]).await;
    }
    for _ in 0..20 {
        bench.report().await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn what_finds_no_slot_goes_back_for_another_worker() {
    let runs = Arc::default();
    let config = WorkerConfig { concurrency: 1, window: 1, ..WorkerConfig::default() };
    let mut bench = Bench::start(|builder| {
        slow_echo(builder.config(config, WorkConfig::default()), Duration::from_secs(60), &runs)
    })
    .await;
    bench.dispatch(&[numbered(1)]).await;
    bench.dispatch(&[numbered(2)]).await;
    let mut other = bench.broker.consume_work("default", 1);
    bench.reports_within(Duration::from_secs(9)).await;
    assert!(other.try_next().is_none());
    bench.reports_within(Duration::from_secs(2)).await;
    let delivery = other.try_next().expect("came back");
    assert_eq!(delivery.content.expect("are items")[0], numbered(2));
    assert_eq!(delivery.reply_to, Some(bench.broker.reply_to(0)));
}

#[tokio::test(start_paused = true)]
async fn handlers_are_typed() {
    #[derive(serde::Deserialize)]
    struct Order {
        total: u64,
    }
    let mut bench = Bench::start(|builder| {
        builder.handler("Echo", |order: Order, _| async move {
            match order.total {
                0 => Err(Failure::new("EmptyOrder", "nothing was ordered")),
                1 => panic!("one is too few"),
                total => Ok(serde_json::json!({ "total": total })),
            }
        })
    })
    .await;
    let mut check = async |input: &str, expect: Outcome| {
        bench.dispatch(&[WorkItem { input: JsonText::trusted(input), ..numbered(input.len() as u64) }]).await;
        assert_eq!(bench.report().await.outcome, expect, "{input}");
    };
    check(r#"{"total": 20}"#, succeeded(r#"{"total":20}"#)).await;
    let cause = r#"{"errorType":"EmptyOrder","errorMessage":"nothing was ordered"}"#;
    check(r#"{"total":0}"#, failed("EmptyOrder", cause)).await;
    let cause = r#"{"errorType":"Runtime.Panic","errorMessage":"the handler panicked: one is too few"}"#;
    check(r#"{"total":  1}"#, failed("Runtime.Panic", cause)).await;
    let cause = r#"{"errorType":"Runtime.UnmarshalError","errorMessage":"read the input: missing field `total` at line 1 column 2"}"#;
    check("{}", failed("Runtime.UnmarshalError", cause)).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_hand_its_task_over() {
    let mut bench = Bench::start(|builder| {
        builder.handler("Echo", |wish: String, context: Context| async move {
            if wish != "do it" {
                context.submit();
            }
            if wish == "fail" {
                Err(Failure::new("Full", "no room"))
            } else {
                Ok(context.role_arn().map(str::to_owned))
            }
        })
    })
    .await;
    let call = |number, wish: &str| WorkItem {
        input: JsonText::trusted(format!("\"{wish}\"")),
        role_arn: Some("arn:aws:iam::1:role/R".to_owned()),
        ..numbered(number)
    };
    let role = r#""arn:aws:iam::1:role/R""#;
    bench.dispatch(&[call(1, "do it")]).await;
    assert_eq!(bench.report().await.outcome, succeeded(role));
    bench.dispatch(&[call(2, "hand it over")]).await;
    assert_eq!(bench.report().await.outcome, Outcome::Submitted { output: JsonText::trusted(role) });
    bench.dispatch(&[call(3, "fail")]).await;
    assert_eq!(bench.report().await.outcome, failed("Full", r#"{"errorType":"Full","errorMessage":"no room"}"#));
    let input = r#"{"FunctionName":"Echo","Payload":"hand it over"}"#;
    let resource = "arn:aws:states:::lambda:invoke".to_owned();
    bench.dispatch(&[WorkItem { resource, input: JsonText::trusted(input), ..call(4, "") }]).await;
    let Outcome::Submitted { output } = bench.report().await.outcome else { panic!("it was handed over") };
    assert!(output.as_str().ends_with(r#""StatusCode":202}"#), "{output}");
    assert!(bench.left_over().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_no_message_can_carry_fails_the_task() {
    let config = WorkerConfig { output_bytes_max: 100, ..WorkerConfig::default() };
    let mut bench = Bench::start(|builder| {
        builder.config(config, WorkConfig::default()).handler("Echo", |size: usize, _| async move {
            match size {
                0 => Err(Failure::new("Verbose", "x".repeat(200))),
                size => Ok("x".repeat(size)),
            }
        })
    })
    .await;
    for (n, input) in ["0", "200"].into_iter().enumerate() {
        bench.dispatch(&[WorkItem { input: JsonText::trusted(input), ..numbered(n as u64) }]).await;
        let Outcome::Failed { error, .. } = bench.report().await.outcome else { panic!("{input} did not fail") };
        assert_eq!(error.as_deref(), Some("Function.ResponseSizeTooLarge"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_is_called_through_invoke_too() {
    let mut bench = Bench::start(|builder| {
        builder.raw_handler("Echo", |input, _| async move {
            if input.as_str() == "0" {
                return Err(Failure::from_object(JsonText::trusted(r#"{"errorType": "Zero",  "n": 0}"#)));
            }
            Ok(input)
        })
    })
    .await;
    let call = |number, payload: &str| WorkItem {
        resource: "arn:aws:states:::lambda:invoke".to_owned(),
        input: JsonText::trusted(format!(r#"{{"FunctionName":"arn:aws:lambda:r:1:function:Echo:live"{payload}}}"#)),
        ..numbered(number)
    };
    bench.dispatch(&[call(1, r#","Payload":{"a":  1.0}"#), call(2, ""), call(3, r#","Payload":0"#)]).await;
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(bench.report().await.outcome);
    }
    for (outcome, payload) in outcomes.iter().zip([r#"{"a":1.0}"#, "{}"]) {
        let Outcome::Succeeded { output } = outcome else { panic!("{outcome:?}") };
        let start = format!(r#"{{"ExecutedVersion":"$LATEST","Payload":{payload},"SdkHttpMetadata""#);
        assert!(output.as_str().starts_with(&start), "{output}");
    }
    assert_eq!(outcomes[2], failed("Zero", r#"{"errorType":"Zero","n":0}"#));
}

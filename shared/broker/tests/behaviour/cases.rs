//! What both brokers do.

use anyhow::{Context, Result, ensure};
use broker::{BODY_BYTES_MAX, Connection, Consumer, DeadLetter, Error, ReplyTo, SharedQueue};
use model::{ExecutionStatus, JsonText};
use support::eventually;
use tokio::task::JoinSet;
use wire::message::{Outcome, REPORT_TYPE, Report, WORK_TYPE, WorkItem, encode_reports, encode_status_change};

use crate::elements::{cancel, item, report, status_change};
use crate::twin::{PATIENCE, Twin, becomes, insist, is_up, next};

async fn publish(queue: &SharedQueue, names: &[&str]) -> Result<()> {
    for name in names {
        insist(async || queue.publish_work("p", &queue.reply_to(0), &[item(name)]).await).await?;
    }
    Ok(())
}

async fn next_name(consumer: &mut Consumer<WorkItem>) -> Result<(String, u32, broker::Receipt)> {
    let delivery = next(consumer).await?;
    let items = delivery.content.map_err(|malformed| anyhow::anyhow!(malformed.reason))?;
    let name = items.first().context("has an item")?.state.clone();
    Ok((name, delivery.redeliveries, delivery.receipt))
}

async fn depth_becomes(queue: &SharedQueue, expect: u64) -> Result<()> {
    let holds = || async { queue.depth("p").await.is_ok_and(|depth| depth == expect) };
    eventually(PATIENCE, holds, "the queue has its depth").await
}

pub(crate) async fn a_work_item_travels_and_is_gone_once_acknowledged(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let mut consumer = queue.consume_work("p", 10);
    insist(async || queue.publish_work("p", &queue.reply_to(1), &[item("one")]).await).await?;
    let delivery = next(&mut consumer).await?;
    assert_eq!(delivery.content, Ok(vec![item("one")]));
    assert_eq!(delivery.redeliveries, 0);
    assert_eq!(delivery.reply_to, Some(ReplyTo(twin.name("events.1").into())));
    assert_eq!(&*delivery.queue, twin.name("work.p"));
    assert!(delivery.receipt.is_live());
    delivery.receipt.ack().await;
    drop(consumer);
    publish(&queue, &["two"]).await?;
    // The consumer that ends may have been given it before.
    assert_eq!(next_name(&mut queue.consume_work("p", 10)).await?.0, "two");
    Ok(())
}

pub(crate) async fn messages_keep_their_order(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let names: Vec<String> = (0..50).map(|index| index.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    publish(&queue, &names).await?;
    let mut consumer = queue.consume_work("p", 7);
    for expect in names {
        let (name, _, receipt) = next_name(&mut consumer).await?;
        assert_eq!(name, expect);
        receipt.ack().await;
    }
    Ok(())
}

pub(crate) async fn a_dropped_consumer_gives_back_what_it_did_not_acknowledge(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    publish(&queue, &["a", "b", "c", "d"]).await?;
    let mut first = queue.consume_work("p", 3);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next_name(&mut first).await?);
    }
    drop(first);
    depth_becomes(&queue, 4).await?;
    let mut second = queue.consume_work("p", 10);
    for expect in [("a", 1), ("b", 1), ("c", 1), ("d", 0)] {
        let (name, redeliveries, receipt) = next_name(&mut second).await?;
        assert_eq!((name.as_str(), redeliveries), expect);
        receipt.ack().await;
    }
    for (_, _, receipt) in held {
        assert!(!receipt.is_live());
        receipt.ack().await;
    }
    depth_becomes(&queue, 0).await
}

pub(crate) async fn an_acknowledgement_before_the_drop_counts(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    publish(&queue, &["a", "b", "c"]).await?;
    let mut first = queue.consume_work("p", 10);
    let _held = next_name(&mut first).await?;
    let (_, _, receipt) = next_name(&mut first).await?;
    receipt.ack().await;
    drop(first);
    let mut second = queue.consume_work("p", 10);
    assert_eq!(next_name(&mut second).await?.0, "a");
    assert_eq!(next_name(&mut second).await?.0, "c");
    Ok(())
}

pub(crate) async fn a_stopped_consumer_keeps_what_it_took_and_no_more(twin: Twin) -> Result<()> {
    let (stopping, other) = (twin.process().await?, twin.process().await?);
    publish(&stopping, &["a", "b", "c", "d"]).await?;
    let mut first = stopping.consume_work("p", 10);
    let (taken, dropped) = (next_name(&mut first).await?, next_name(&mut first).await?);
    depth_becomes(&stopping, 0).await?;
    first.stop();
    let mut second = other.consume_work("p", 10);
    publish(&stopping, &["e"]).await?;
    let mut others = Vec::new();
    for _ in 0..3 {
        let (name, redeliveries, receipt) = next_name(&mut second).await?;
        // The last one may still have been on its way to the first consumer.
        ensure!(redeliveries == 1 || name == "e", "{name} was redelivered {redeliveries} times");
        others.push(name);
        receipt.ack().await;
    }
    others.sort();
    assert_eq!(others, ["c", "d", "e"]);
    assert!(taken.2.is_live() && dropped.2.is_live());
    taken.2.ack().await;
    drop(dropped);
    let (name, redeliveries, receipt) = next_name(&mut second).await?;
    assert_eq!((name.as_str(), redeliveries), ("b", 1));
    receipt.ack().await;
    drop(second);
    depth_becomes(&other, 0).await
}

pub(crate) async fn a_process_that_ends_gives_back_what_it_held(twin: Twin) -> Result<()> {
    let (dying, living) = (twin.process().await?, twin.process().await?);
    publish(&dying, &["a"]).await?;
    let mut first = dying.consume_work("p", 10);
    let held = next_name(&mut first).await?;
    drop(dying);
    let mut second = living.consume_work("p", 10);
    let (name, redeliveries, _) = next_name(&mut second).await?;
    assert_eq!((name.as_str(), redeliveries), ("a", 1));
    assert!(first.next().await.is_none());
    assert!(!held.2.is_live());
    Ok(())
}

pub(crate) async fn no_more_than_the_prefetch_is_out(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    publish(&queue, &["a", "b", "c", "d", "e"]).await?;
    let mut consumer = queue.consume_work("p", 2);
    let first = next_name(&mut consumer).await?;
    let _second = next_name(&mut consumer).await?;
    depth_becomes(&queue, 3).await?;
    assert!(consumer.try_next().is_none());
    first.2.ack().await;
    assert_eq!(next_name(&mut consumer).await?.0, "c");
    depth_becomes(&queue, 2).await?;
    assert!(consumer.try_next().is_none());
    Ok(())
}

pub(crate) async fn two_consumers_share_a_queue(twin: Twin) -> Result<()> {
    let (one, two) = (twin.process().await?, twin.process().await?);
    let (mut left, mut right) = (one.consume_work("p", 1), two.consume_work("p", 1));
    publish(&one, &["a", "b"]).await?;
    let mut names = [next_name(&mut left).await?.0, next_name(&mut right).await?.0];
    names.sort();
    assert_eq!(names, ["a", "b"]);
    Ok(())
}

pub(crate) async fn reports_go_to_the_queue_that_the_item_named(twin: Twin) -> Result<()> {
    let (coordinator, worker) = (twin.process().await?, twin.process().await?);
    let mut events = [coordinator.consume_events(0, 10), coordinator.consume_events(1, 10)];
    insist(async || coordinator.publish_work("p", &coordinator.reply_to(7), &[item("one")]).await).await?;
    let delivery = next(&mut worker.consume_work("p", 1)).await?;
    let reply_to = delivery.reply_to.context("names a queue")?;
    insist(async || worker.publish_reports(&reply_to, &[report("w")]).await).await?;
    let report_delivery = next(&mut events[1]).await?;
    assert_eq!(report_delivery.content, Ok(vec![report("w")]));
    assert_eq!(&*report_delivery.queue, twin.name("events.1"));
    assert!(events[0].try_next().is_none());
    assert_eq!(coordinator.events_queues(), 2);
    Ok(())
}

pub(crate) async fn reports_to_one_process_come_to_no_other(twin: Twin) -> Result<()> {
    let (coordinator, other, worker) = (twin.process().await?, twin.process().await?, twin.process().await?);
    let (own, others) = (coordinator.with_own_events("one"), other.with_own_events("two"));
    let mut shared = [other.consume_events(0, 10), coordinator.consume_events(1, 10)];
    let (mut events, mut foreign) = (own.consume_events(0, 10), others.consume_events(0, 10));
    insist(async || own.publish_work("p", &own.reply_to(7), &[item("one")]).await).await?;
    let delivery = next(&mut worker.consume_work("p", 1)).await?;
    let reply_to = delivery.reply_to.context("names a queue")?;
    assert_eq!(&*reply_to.0, twin.name("events.own.one"));
    eventually(
        PATIENCE,
        async || worker.publish_reports(&reply_to, &[report("w")]).await.is_ok(),
        "the queue is there",
    )
    .await?;
    let report_delivery = next(&mut events).await?;
    assert_eq!(report_delivery.content, Ok(vec![report("w")]));
    assert_eq!(&*report_delivery.queue, &*reply_to.0);
    report_delivery.receipt.ack().await;
    assert!(foreign.try_next().is_none() && shared.iter_mut().all(|events| events.try_next().is_none()));
    assert_eq!((own.events_queues(), own.reply_to(8)), (1, reply_to));
    // The marker is the cluster's: this handle neither asks for it nor sets it.
    assert!(own.has_kept_data().await?);
    own.mark_data().await?;
    assert!(!coordinator.has_kept_data().await?);
    Ok(())
}

pub(crate) async fn reports_to_one_process_outlive_an_outage(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let own = queue.with_own_events("one");
    let mut events = own.consume_events(0, 10);
    let publish = async |name: &str| {
        let reports = [report(name)];
        eventually(PATIENCE, async || own.publish_reports(&own.reply_to(0), &reports).await.is_ok(), "it is taken")
            .await
    };
    publish("before").await?;
    let held = next(&mut events).await?;
    twin.cut().await?;
    becomes(&queue, Connection::Down).await?;
    twin.mend().await?;
    is_up(&queue).await?;
    assert!(!held.receipt.is_live());
    publish("after").await?;
    for name in ["before", "after"] {
        let delivery = next(&mut events).await?;
        assert_eq!(delivery.content, Ok(vec![report(name)]));
        delivery.receipt.ack().await;
    }
    Ok(())
}

pub(crate) async fn a_message_that_no_queue_takes_fails_and_no_other(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let nowhere = ReplyTo(twin.name("nowhere").into());
    let mut publishes = JoinSet::new();
    for index in 0..400 {
        let (queue, is_lost) = (queue.clone(), index % 3 == 0);
        let to = if is_lost { nowhere.clone() } else { queue.reply_to(index) };
        publishes.spawn(async move { (is_lost, queue.publish_reports(&to, &[report("w")]).await) });
    }
    for (is_lost, outcome) in publishes.join_all().await {
        match outcome {
            Ok(()) => ensure!(!is_lost, "a lost message was confirmed"),
            Err(Error::Unroutable(name)) => ensure!(is_lost && name == twin.name("nowhere"), "{name} is not lost"),
            Err(other) => return Err(other.into()),
        }
    }
    Ok(())
}

pub(crate) async fn a_message_that_is_too_large_fails_and_no_other(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let generation = is_up(&queue).await?;
    let large = |bytes: usize| Report {
        outcome: Outcome::Succeeded { output: JsonText::trusted("1".repeat(bytes)) },
        ..report("large")
    };
    let rest = encode_reports(&[large(0)]).len();
    let refused = queue.publish_reports(&queue.reply_to(0), &[large(BODY_BYTES_MAX - rest + 1)]).await;
    let expect = (BODY_BYTES_MAX + 1, BODY_BYTES_MAX);
    ensure!(
        matches!(refused, Err(Error::TooLarge { bytes, bytes_max }) if (bytes, bytes_max) == expect),
        "{refused:?}"
    );
    insist(async || queue.publish_reports(&queue.reply_to(0), &[large(BODY_BYTES_MAX - rest)]).await).await?;
    publish(&queue, &["another"]).await?;
    let mut consumer = queue.consume_events(0, 10);
    let delivery = next(&mut consumer).await?;
    assert_eq!(delivery.content, Ok(vec![large(BODY_BYTES_MAX - rest)]));
    delivery.receipt.ack().await;
    assert_eq!(is_up(&queue).await?, generation, "the connection stands");
    Ok(())
}

pub(crate) async fn a_batch_is_one_message(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let reports: Vec<_> = (0..64).map(|index| report(&index.to_string())).collect();
    insist(async || queue.publish_reports(&queue.reply_to(0), &reports).await).await?;
    let mut consumer = queue.consume_events(0, 1);
    let delivery = next(&mut consumer).await?;
    assert_eq!(delivery.content, Ok(reports));
    delivery.receipt.ack().await;
    insist(async || queue.publish_work("p", &queue.reply_to(0), &[item("a"), item("b")]).await).await?;
    assert_eq!(next(&mut queue.consume_work("p", 1)).await?.content, Ok(vec![item("a"), item("b")]));
    Ok(())
}

pub(crate) async fn a_cancel_reaches_every_process(twin: Twin) -> Result<()> {
    let (coordinator, one, two) = (twin.process().await?, twin.process().await?, twin.process().await?);
    coordinator.publish_cancel(&cancel()).await?;
    let mut consumers = [one.consume_cancels(), two.consume_cancels()];
    for consumer in &mut consumers {
        // Listening begins in the background: repeat until it is heard.
        let delivery = loop {
            coordinator.publish_cancel(&cancel()).await?;
            if let Some(delivery) = consumer.try_next() {
                break delivery;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(delivery.content, Ok(vec![cancel()]));
        delivery.receipt.ack().await;
    }
    Ok(())
}

pub(crate) async fn status_changes_go_to_whoever_has_bound_a_queue_for_them(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let unheard = status_change(ExecutionStatus::Running, "Early");
    // That nobody listens is no fault.
    insist(async || queue.publish_status_change(&unheard).await).await?;
    let [failures, orders, all] = ["FAILED.#", "*.us-east-1.123456789012.Orders", "#"];
    let mut listeners = Vec::new();
    for pattern in [failures, orders, all] {
        listeners.push(twin.listen(pattern).await?);
    }
    let changes = [
        status_change(ExecutionStatus::Running, "Orders"),
        status_change(ExecutionStatus::Failed, "Orders.v2"),
        status_change(ExecutionStatus::Succeeded, "Orders"),
    ];
    for change in &changes {
        insist(async || queue.publish_status_change(change).await).await?;
    }
    for (listener, expect) in listeners.iter_mut().zip([vec![1], vec![0, 2], vec![0, 1, 2]]) {
        let expect: Vec<_> = expect
            .into_iter()
            .map(|index| (changes[index].routing_key(), encode_status_change(&changes[index])))
            .collect();
        assert_eq!(listener.heard(expect.len()).await?, expect);
    }
    Ok(())
}

pub(crate) async fn a_dead_letter_is_kept_as_it_came(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let letter = DeadLetter {
        reason: "it was delivered 6 times".to_owned(),
        queue: twin.name("work.p"),
        kind: Some(WORK_TYPE.to_owned()),
        reply_to: Some(queue.reply_to(1)),
        body: b"[not JSON".to_vec(),
    };
    queue.publish_dead(&letter).await?;
    assert_eq!(twin.next_dead_letter().await?, letter);
    Ok(())
}

pub(crate) async fn what_cannot_be_read_is_handed_over_with_its_reason(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let mut consumer = queue.consume_events(0, 10);
    let cases: [(Option<&str>, &[u8], &str); 4] = [
        (Some(REPORT_TYPE), b"[{", "read the body as a JSON list"),
        (Some(REPORT_TYPE), b"[{}]", "read element 0: read its fields: missing field `execution`"),
        (Some("stepwell.report.v9"), b"[]", "the type is stepwell.report.v9, not stepwell.report.v1"),
        (None, b"[]", "the type is missing, not stepwell.report.v1"),
    ];
    for (kind, body, expect) in cases {
        twin.publish_raw(&twin.name("events.0"), kind, body).await?;
        let delivery = next(&mut consumer).await?;
        let malformed = delivery.content.expect_err("can't be read");
        assert!(malformed.reason.starts_with(expect), "{}", malformed.reason);
        assert_eq!((malformed.kind.as_deref(), &*malformed.body), (kind, body));
        delivery.receipt.ack().await;
    }
    Ok(())
}

pub(crate) async fn one_bad_element_costs_no_other(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let mut consumer = queue.consume_events(0, 1);
    let good = String::from_utf8(encode_reports(&[report("a"), report("b")]))?;
    let body = format!("[7,{}", good.trim_start_matches('['));
    twin.publish_raw(&twin.name("events.0"), Some(REPORT_TYPE), body.as_bytes()).await?;
    insist(async || queue.publish_reports(&queue.reply_to(0), &[report("c")]).await).await?;
    let (first, second) = (next(&mut consumer).await?, next(&mut consumer).await?);
    assert_eq!(first.content, Ok(vec![report("a"), report("b")]));
    assert_eq!(second.content.expect_err("can't be read").body, b"[7]");
    first.receipt.ack().await;
    // With a prefetch of 1 the next message comes only when both halves are acknowledged.
    assert!(consumer.try_next().is_none());
    second.receipt.ack().await;
    assert_eq!(next(&mut consumer).await?.content, Ok(vec![report("c")]));
    Ok(())
}

pub(crate) async fn an_unknown_pool_is_empty(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    assert_eq!(queue.depth("never-used").await?, 0);
    publish(&queue, &["a", "b"]).await?;
    depth_becomes(&queue, 2).await
}

pub(crate) async fn many_publishes_are_in_flight_at_once(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let mut consumer = queue.consume_work("p", 100);
    let mut publishes = JoinSet::new();
    for index in 0..2_000 {
        let queue = queue.clone();
        publishes.spawn(async move { queue.publish_work("p", &queue.reply_to(0), &[item(&index.to_string())]).await });
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2_000 {
        let (name, redeliveries, receipt) = next_name(&mut consumer).await?;
        ensure!(redeliveries == 0 && seen.insert(name.clone()), "{name} came twice");
        receipt.ack().await;
    }
    for outcome in publishes.join_all().await {
        outcome?;
    }
    Ok(())
}

pub(crate) async fn a_message_may_be_redelivered_without_limit(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    publish(&queue, &["a"]).await?;
    // RabbitMQ 4 would drop it at the 21st delivery.
    for expect in 0..25 {
        let mut consumer = queue.consume_work("p", 1);
        let (name, redeliveries, _) = next_name(&mut consumer).await?;
        assert_eq!((name.as_str(), redeliveries), ("a", expect));
    }
    Ok(())
}

pub(crate) async fn a_marker_tells_whether_the_data_is_kept(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    assert!(!queue.has_kept_data().await?);
    queue.mark_data().await?;
    queue.mark_data().await?;
    assert!(twin.process().await?.has_kept_data().await?);
    twin.lose_data().await?;
    assert!(!queue.has_kept_data().await?);
    Ok(())
}

pub(crate) async fn an_outage_ends_without_a_restart(twin: Twin) -> Result<()> {
    let queue = twin.process().await?;
    let generation = is_up(&queue).await?;
    queue.mark_data().await?;
    publish(&queue, &["a", "b", "c"]).await?;
    let mut consumer = queue.consume_work("p", 2);
    let old = [next_name(&mut consumer).await?, next_name(&mut consumer).await?];
    twin.cut().await?;
    becomes(&queue, Connection::Down).await?;
    let refused = publish(&queue, &["x"]).await.expect_err("there is no broker");
    ensure!(matches!(refused.downcast_ref(), Some(Error::Unavailable(_))), "{refused}");
    ensure!(matches!(queue.depth("p").await, Err(Error::Unavailable(_))), "there is no broker");
    twin.mend().await?;
    ensure!(is_up(&queue).await? > generation, "a new connection is a new generation");
    assert!(queue.has_kept_data().await?);
    // An acknowledgement of the old connection does nothing: the messages come again.
    for (_, _, receipt) in old {
        assert!(!receipt.is_live());
        receipt.ack().await;
    }
    publish(&queue, &["d"]).await?;
    let mut names = Vec::new();
    for _ in 0..4 {
        let (name, _, receipt) = next_name(&mut consumer).await?;
        names.push(name);
        receipt.ack().await;
    }
    names.sort();
    assert_eq!(names, ["a", "b", "c", "d"]);
    depth_becomes(&queue, 0).await
}

pub(crate) async fn an_alarm_blocks_publishes_only(twin: Twin) -> Result<()> {
    let (queue, other) = (twin.process().await?, twin.process().await?);
    publish(&queue, &["a"]).await?;
    twin.set_alarm(true).await?;
    // RabbitMQ tells a connection of the alarm when it publishes.
    let blocked = || async { matches!(publish(&queue, &["b"]).await, Err(ref error) if is_unavailable(error)) };
    eventually(PATIENCE, blocked, "publishes fail").await?;
    becomes(&queue, Connection::Blocked).await?;
    assert_eq!(next_name(&mut other.consume_work("p", 1)).await?.0, "a");
    twin.set_alarm(false).await?;
    is_up(&queue).await?;
    publish(&queue, &["c"]).await
}

fn is_unavailable(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Unavailable(_)))
}

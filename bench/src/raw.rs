//! The raw limit: what the broker itself can do with the messages of a task, whoever sends them.
//!
//! ```text
//!  publisher ── work item ──► quorum queue ──► consumer ── report ──► quorum queue ──► publisher
//! ```
//! Persistent messages, confirms, acknowledgements after the next message is confirmed, as Stepwell does; nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use tokio::sync::{Semaphore, mpsc};

/// Is how the raw limit is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many round trips are counted.
    pub(crate) round_trips: usize,
    /// How many are under way at once.
    pub(crate) in_flight: usize,
    /// What consumers may hold unacknowledged.
    pub(crate) prefetch: u16,
    /// The most reports a message carries; 1 sends each alone.
    pub(crate) batch_max: usize,
    /// The size of a work item's and of a report's body, in bytes.
    pub(crate) body_bytes: usize,
}

/// Is what was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Round trips a second.
    pub(crate) per_second: f64,
    /// Reports a message, on average.
    pub(crate) batch_mean: f64,
}

/// Measures round trips through two quorum queues.
pub(crate) async fn measure(amqp_url: &str, name: &str, plan: Plan) -> Result<Measured> {
    let (work, events) = (format!("{name}.work"), format!("{name}.events"));
    let publishing = connect(amqp_url).await?;
    let consuming = connect(amqp_url).await?;
    let publisher = confirmed_channel(&publishing).await?;
    let reporter = confirmed_channel(&publishing).await?;
    for queue in [&work, &events] {
        declare(&publisher, queue).await?;
    }
    let items = consume(&consuming, &work, plan.prefetch).await?;
    let reports = consume(&consuming, &events, plan.prefetch).await?;

    let open = Arc::new(Semaphore::new(plan.in_flight));
    let (ready, batches) = mpsc::unbounded_channel();
    let worker = tokio::spawn(hand_over(items, ready));
    let batcher = tokio::spawn(report_batches(batches, reporter, events.clone(), plan));
    let begun = Instant::now();
    let publishing_items = tokio::spawn(publish_items(publisher.clone(), work.clone(), plan, Arc::clone(&open)));
    let messages = take_reports(reports, plan, &open).await?;
    let elapsed = begun.elapsed();
    publishing_items.await.context("publish the work items")??;
    worker.abort();
    batcher.abort();
    Ok(Measured { per_second: rate(plan.round_trips, elapsed), batch_mean: ratio(plan.round_trips, messages) })
}

async fn publish_items(channel: Channel, queue: String, plan: Plan, open: Arc<Semaphore>) -> Result<()> {
    let body: Arc<[u8]> = vec![b'x'; plan.body_bytes].into();
    for _ in 0..plan.round_trips {
        open.acquire().await?.forget();
        let (channel, queue, body) = (channel.clone(), queue.clone(), Arc::clone(&body));
        tokio::spawn(async move { publish(&channel, &queue, &body).await });
    }
    Ok(())
}

async fn hand_over(mut items: Consumer, ready: mpsc::UnboundedSender<Delivery>) -> Result<()> {
    while let Some(delivery) = items.next().await {
        ready.send(delivery?).ok().context("hand over a work item")?;
    }
    Ok(())
}

async fn report_batches(
    mut ready: mpsc::UnboundedReceiver<Delivery>,
    channel: Channel,
    queue: String,
    plan: Plan,
) -> Result<()> {
    // One message at a time where reports are batched, so that batches grow under load; else as many as there are.
    let overlap = Arc::new(Semaphore::new(if plan.batch_max > 1 { 4 } else { plan.in_flight }));
    let mut batch = Vec::new();
    loop {
        let permit = Arc::clone(&overlap).acquire_owned().await?;
        if ready.recv_many(&mut batch, plan.batch_max).await == 0 {
            return Ok(());
        }
        let deliveries = std::mem::take(&mut batch);
        let (channel, queue) = (channel.clone(), queue.clone());
        let count = deliveries.len();
        tokio::spawn(async move {
            let mut body = vec![b'y'; plan.body_bytes * count];
            let head = u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes();
            for (place, byte) in body.iter_mut().zip(head) {
                *place = byte;
            }
            let published = publish(&channel, &queue, &body).await;
            drop(permit);
            for delivery in deliveries {
                delivery.ack(BasicAckOptions::default()).await?;
            }
            published
        });
    }
}

async fn take_reports(mut reports: Consumer, plan: Plan, open: &Semaphore) -> Result<usize> {
    let (mut done, mut messages) = (0, 0);
    while done < plan.round_trips {
        let delivery = reports.next().await.context("consume a report")??;
        let count = match delivery.data.get(..4).and_then(|head| <[u8; 4]>::try_from(head).ok()) {
            Some(head) => u32::from_be_bytes(head) as usize,
            None => 1,
        };
        delivery.ack(BasicAckOptions::default()).await?;
        open.add_permits(count);
        done += count;
        messages += 1;
    }
    Ok(messages)
}

async fn connect(url: &str) -> Result<Connection> {
    Connection::connect(url, ConnectionProperties::default()).await.context("connect to the broker")
}

async fn confirmed_channel(connection: &Connection) -> Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

async fn declare(channel: &Channel, queue: &str) -> Result<()> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, arguments).await?;
    Ok(())
}

async fn consume(connection: &Connection, queue: &str, prefetch: u16) -> Result<Consumer> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let tag = format!("{queue}.consumer");
    Ok(channel
        .basic_consume(queue.into(), tag.as_str().into(), BasicConsumeOptions::default(), FieldTable::default())
        .await?)
}

async fn publish(channel: &Channel, queue: &str, body: &[u8]) -> Result<()> {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let confirm = channel.basic_publish("".into(), queue.into(), options, body, properties).await?.await?;
    anyhow::ensure!(confirm.is_ack(), "the broker refused a message");
    Ok(())
}

fn rate(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

fn ratio(count: usize, of: usize) -> f64 {
    count as f64 / of.max(1) as f64
}

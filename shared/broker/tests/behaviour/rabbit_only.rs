//! What only a real server can do.

use anyhow::{Context, Result, ensure};
use broker::amqp::{Config, QueueKind};
use broker::{AmqpBroker, Connection, Error, SharedQueue, WorkQueue};
use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use model::JsonText;
use runtime::Runtime;
use support::{RabbitServer, eventually, shared_rabbit, unique_name};
use wire::message::{WORK_TYPE, WorkItem};

use crate::elements::item;
use crate::twin::{PATIENCE, RabbitTwin, becomes, insist, is_up, next};

async fn shared() -> Result<RabbitTwin> {
    Ok(RabbitTwin { server: shared_rabbit().await?.clone(), prefix: unique_name("t") })
}

async fn connect(config: Config) -> Result<SharedQueue> {
    let queue: SharedQueue = std::sync::Arc::new(AmqpBroker::connect(Runtime::system(), config)?);
    is_up(&queue).await?;
    Ok(queue)
}

#[tokio::test]
async fn a_message_says_what_it_is() -> Result<()> {
    let twin = shared().await?;
    let queue = connect(twin.config()).await?;
    insist(async || queue.publish_work("p", &queue.reply_to(0), &[item("one")]).await).await?;
    let connection = twin.raw().await?;
    let channel = connection.create_channel().await?;
    let name = queue.work_queue("p");
    assert_eq!(name, format!("{}.work.p", twin.prefix));
    let got = channel.basic_get(name.as_str().into(), BasicGetOptions { no_ack: true }).await?;
    let message = got.context("is there")?.delivery;
    let properties = &message.properties;
    assert_eq!(properties.kind().as_ref().map(|kind| kind.as_str()), Some(WORK_TYPE));
    assert_eq!(properties.delivery_mode(), &Some(2));
    assert_eq!(properties.content_type().as_ref().map(|text| text.as_str()), Some("application/json"));
    let reply_to = format!("{}.events.0", twin.prefix);
    assert_eq!(properties.reply_to().as_ref().map(|queue| queue.as_str()), Some(reply_to.as_str()));
    let traceparent = properties.headers().as_ref().and_then(|headers| headers.inner().get("traceparent").cloned());
    assert_eq!(traceparent, item("").traceparent.map(|text| AMQPValue::LongString(text.into())));
    Ok(())
}

#[tokio::test]
async fn the_queue_of_one_process_expires_after_it() -> Result<()> {
    let twin = shared().await?;
    let own = connect(twin.config()).await?.with_own_events("one");
    let events = own.consume_events(0, 10);
    let name = format!("{}.events.own.one", twin.prefix);
    eventually(PATIENCE, async || twin.has_queue(&name).await.unwrap_or(false), "it is declared").await?;
    let declare = async |expires: i32| -> Result<()> {
        let connection = twin.raw().await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
        arguments.insert("x-expires".into(), AMQPValue::LongInt(expires));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        connection.create_channel().await?.queue_declare(name.as_str().into(), options, arguments).await?;
        Ok(())
    };
    // A declaration with other arguments is refused.
    declare(600_000).await?;
    ensure!(declare(1_000).await.is_err(), "it is kept for ten minutes without a consumer");
    drop(events);
    ensure!(twin.has_queue(&name).await?, "it stays as long as its process may come back");
    Ok(())
}

#[tokio::test]
async fn a_queue_with_other_arguments_is_named_with_the_setting() -> Result<()> {
    let twin = shared().await?;
    let quorum = connect(twin.config()).await?;
    insist(async || quorum.publish_work("p", &quorum.reply_to(0), &[item("one")]).await).await?;
    let config = Config { queue_kind: QueueKind::Classic, events_queues: 0, ..twin.config() };
    // The queue of dead letters is in the way already when the other one connects.
    let classic = AmqpBroker::connect(Runtime::system(), config)?;
    let mut last = String::new();
    let told = || async {
        let Err(Error::Unavailable(reason)) = classic.depth("p").await else { return false };
        reason.contains("amqp.queue_kind") && reason.contains(&format!("{}.dead", twin.prefix))
    };
    let outcome = eventually(PATIENCE, told, "the error names queue and setting").await;
    if let Err(Error::Unavailable(reason)) = classic.depth("p").await {
        last = reason;
    }
    outcome.context(last)
}

#[tokio::test]
async fn a_refused_login_names_the_setting_and_no_password() -> Result<()> {
    let twin = shared().await?;
    let url = twin.server.amqp_url().replace("guest:guest", "guest:wrong-secret");
    let queue = AmqpBroker::connect(Runtime::system(), Config { url, ..twin.config() })?;
    let reason = std::sync::Mutex::new(String::new());
    let told = || async {
        let Err(Error::Unavailable(text)) = queue.depth("p").await else { return false };
        let told = text.contains("amqp.url") && text.contains("user and password");
        *reason.lock().expect("is not poisoned") = text;
        told
    };
    let outcome = eventually(PATIENCE, told, "the error names the setting").await;
    let reason = reason.lock().expect("is not poisoned").clone();
    ensure!(!reason.contains("secret"), "{reason}");
    outcome.context(reason)
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again() -> Result<()> {
    let twin = shared().await?;
    let queue = connect(twin.config()).await?;
    let mut consumer = queue.consume_work("p", 10);
    insist(async || queue.publish_work("p", &queue.reply_to(0), &[item("one")]).await).await?;
    next(&mut consumer).await?.receipt.ack().await;
    let name = format!("{}.work.p", twin.prefix);
    twin.delete_queue(&name).await?;
    // The consumer makes it again. (RabbitMQ 3.10 tells no consumer of a queue that someone else made again at once.)
    let is_back = || async { twin.has_queue(&name).await.unwrap_or(false) };
    eventually(PATIENCE, is_back, "the queue is there again").await?;
    insist(async || queue.publish_work("p", &queue.reply_to(0), &[item("two")]).await).await?;
    assert_eq!(next(&mut consumer).await?.content, Ok(vec![item("two")]));
    Ok(())
}

#[tokio::test]
async fn a_publish_declares_a_deleted_queue_again() -> Result<()> {
    let twin = shared().await?;
    let queue = connect(twin.config()).await?;
    insist(async || queue.publish_work("p", &queue.reply_to(0), &[item("one")]).await).await?;
    twin.delete_queue(&format!("{}.work.p", twin.prefix)).await?;
    insist(async || queue.publish_work("p", &queue.reply_to(0), &[item("two")]).await).await?;
    assert_eq!(next(&mut queue.consume_work("p", 1)).await?.content, Ok(vec![item("two")]));
    Ok(())
}

#[tokio::test]
async fn classic_queues_work_as_well() -> Result<()> {
    let twin = shared().await?;
    let queue = connect(Config { queue_kind: QueueKind::Classic, ..twin.config() }).await?;
    insist(async || queue.publish_work("p", &queue.reply_to(0), &[item("one")]).await).await?;
    let first = queue.consume_work("p", 1);
    let redelivered = || async { queue.depth("p").await.is_ok_and(|depth| depth == 0) };
    eventually(PATIENCE, redelivered, "it was delivered").await?;
    drop(first);
    let delivery = next(&mut queue.consume_work("p", 1)).await?;
    assert_eq!((delivery.content, delivery.redeliveries), (Ok(vec![item("one")]), 1));
    Ok(())
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() -> Result<()> {
    let twin = RabbitTwin { server: RabbitServer::start().await?, prefix: unique_name("t") };
    let queue = connect(twin.config()).await?;
    let mut consumer = queue.consume_work("p", 10);
    twin.server.freeze()?;
    becomes(&queue, Connection::Down).await?;
    ensure!(
        matches!(queue.publish_work("p", &queue.reply_to(0), &[item("one")]).await, Err(Error::Unavailable(_))),
        "nobody takes a message"
    );
    twin.server.thaw()?;
    is_up(&queue).await?;
    insist(async || queue.publish_work("p", &queue.reply_to(0), &[item("one")]).await).await?;
    assert_eq!(next(&mut consumer).await?.content, Ok(vec![item("one")]));
    Ok(())
}

#[tokio::test]
async fn a_broker_that_is_away_at_the_start_is_no_error() -> Result<()> {
    let twin = RabbitTwin { server: RabbitServer::start().await?, prefix: unique_name("t") };
    twin.server.stop().await?;
    let queue: SharedQueue = std::sync::Arc::new(AmqpBroker::connect(Runtime::system(), twin.config())?);
    let mut consumer = queue.consume_work("p", 10);
    let told =
        || async { matches!(queue.depth("p").await, Err(Error::Unavailable(reason)) if reason.contains("amqp.url")) };
    eventually(PATIENCE, told, "the error names the setting").await?;
    twin.server.start_again().await?;
    is_up(&queue).await?;
    insist(async || queue.publish_work("p", &queue.reply_to(0), &[item("one")]).await).await?;
    assert_eq!(next(&mut consumer).await?.content, Ok(vec![item("one")]));
    Ok(())
}

#[tokio::test]
async fn a_server_that_takes_less_is_asked_for_too_much_once() -> Result<()> {
    let server = RabbitServer::start_with("max_message_size = 100000").await?;
    let twin = RabbitTwin { server, prefix: unique_name("t") };
    let queue = connect(twin.config()).await?;
    let large = WorkItem { input: JsonText::trusted("1".repeat(200_000)), ..item("large") };
    let refused = || async {
        let published = queue.publish_work("p", &queue.reply_to(0), std::slice::from_ref(&large)).await;
        matches!(published, Err(Error::TooLarge { bytes_max: 100_000, .. }))
    };
    eventually(PATIENCE, refused, "it is refused here").await?;
    let generation = is_up(&queue).await?;
    assert_eq!(generation, 2, "the server refused one");
    insist(async || queue.publish_work("p", &queue.reply_to(0), &[item("one")]).await).await?;
    ensure!(refused().await, "it is refused again");
    assert_eq!(next(&mut queue.consume_work("p", 10)).await?.content, Ok(vec![item("one")]));
    assert_eq!(is_up(&queue).await?, generation, "the connection stands");
    Ok(())
}

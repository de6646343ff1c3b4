//! Message properties and headers.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::queue::{DeadLetter, Error, ReplyTo};

use super::names::short;

/// Persistent.
const DELIVERY_MODE: u8 = 2;
pub(super) const REASON_HEADER: &str = "x-stepwell-reason";
pub(super) const QUEUE_HEADER: &str = "x-stepwell-queue";
const TRACE_HEADER: &str = "traceparent";
const DELIVERY_COUNT_HEADER: &str = "x-delivery-count";

/// Gives the properties of a message; `traceparent` is that of a body's only element.
pub(super) fn properties(kind: &'static str, traceparent: Option<&str>) -> BasicProperties {
    let properties = plain().with_type(kind.into());
    match traceparent {
        Some(traceparent) => {
            let mut headers = FieldTable::default();
            headers.insert(TRACE_HEADER.into(), text(traceparent));
            properties.with_headers(headers)
        }
        None => properties,
    }
}

pub(super) fn with_reply_to(properties: BasicProperties, reply_to: &ReplyTo) -> Result<BasicProperties, Error> {
    Ok(properties.with_reply_to(short(&reply_to.0)?))
}

/// Gives the properties of a dead letter: those that it came with, and why it is one.
pub(super) fn dead(letter: &DeadLetter) -> Result<BasicProperties, Error> {
    let mut headers = FieldTable::default();
    headers.insert(REASON_HEADER.into(), text(&letter.reason));
    headers.insert(QUEUE_HEADER.into(), text(&letter.queue));
    let mut properties = plain().with_headers(headers);
    if let Some(kind) = &letter.kind {
        properties = properties.with_type(short(kind)?);
    }
    match &letter.reply_to {
        Some(reply_to) => with_reply_to(properties, reply_to),
        None => Ok(properties),
    }
}

/// Tells how often the broker delivered this before: quorum queues count, classic ones only tell whether.
pub(super) fn redeliveries(delivery: &Delivery) -> u32 {
    let headers = delivery.properties.headers().as_ref();
    let counted = headers.and_then(|headers| headers.inner().get(DELIVERY_COUNT_HEADER)).and_then(count);
    counted.unwrap_or(u32::from(delivery.redelivered))
}

fn count(value: &AMQPValue) -> Option<u32> {
    match value {
        AMQPValue::ShortShortInt(count) => u32::try_from(*count).ok(),
        AMQPValue::ShortShortUInt(count) => Some(u32::from(*count)),
        AMQPValue::ShortInt(count) => u32::try_from(*count).ok(),
        AMQPValue::ShortUInt(count) => Some(u32::from(*count)),
        AMQPValue::LongInt(count) => u32::try_from(*count).ok(),
        AMQPValue::LongUInt(count) => Some(*count),
        AMQPValue::LongLongInt(count) => u32::try_from(*count).ok(),
        AMQPValue::Boolean(_)
        | AMQPValue::Float(_)
        | AMQPValue::Double(_)
        | AMQPValue::DecimalValue(_)
        | AMQPValue::ShortString(_)
        | AMQPValue::LongString(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::Timestamp(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::Void => None,
    }
}

fn plain() -> BasicProperties {
    BasicProperties::default().with_content_type("application/json".into()).with_delivery_mode(DELIVERY_MODE)
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// Marks a publish, so that a returned message is known for what it is.
pub(super) fn message_id(number: u64) -> ShortString {
    ShortString::try_new(number.to_string()).unwrap_or_default()
}

/// Reads what [`message_id`] wrote.
pub(super) fn number_of(properties: &BasicProperties) -> Option<u64> {
    properties.message_id().as_ref().and_then(|id| id.as_str().parse().ok())
}

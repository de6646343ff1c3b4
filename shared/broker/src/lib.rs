//! Work items and reports: a trait, its memory twin and RabbitMQ.

pub mod amqp;
mod body;
pub mod memory;
mod own_events;
mod queue;

pub use amqp::AmqpBroker;
pub use memory::MemoryBroker;
pub use queue::{
    BODY_BYTES_MAX, Connection, Consumer, DeadLetter, Delivery, Error, Malformed, Receipt, ReplyTo, SharedQueue,
    WorkQueue,
};

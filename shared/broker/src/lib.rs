//! Work items and reports: a trait, its memory twin and RabbitMQ.

mod queue;

pub use queue::{
    Connection, Consumer, DeadLetter, Delivery, Error, Malformed, Receipt, ReplyTo, SharedQueue, WorkQueue,
};

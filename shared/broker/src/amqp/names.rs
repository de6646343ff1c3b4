//! Names of queues and exchanges, all with the configured prefix.

use std::sync::Arc;

use lapin::types::ShortString;

use crate::queue::Error;

#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: Arc<str>,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    pub(super) fn work_exchange(&self) -> String {
        format!("{}.work", self.prefix)
    }

    pub(super) fn control_exchange(&self) -> String {
        format!("{}.control", self.prefix)
    }

    pub(super) fn notify_exchange(&self) -> String {
        format!("{}.notify", self.prefix)
    }

    pub(super) fn work(&self, pool: &str) -> String {
        format!("{}.work.{pool}", self.prefix)
    }

    pub(super) fn events(&self, index: u32) -> String {
        format!("{}.events.{index}", self.prefix)
    }

    pub(super) fn own_events(&self, name: &str) -> String {
        format!("{}.events.own.{name}", self.prefix)
    }

    pub(super) fn dead(&self) -> String {
        format!("{}.dead", self.prefix)
    }

    pub(super) fn marker(&self, incarnation: &str) -> String {
        format!("{}.incarnation.{incarnation}", self.prefix)
    }
}

/// Makes a name into what AMQP carries.
///
/// # Errors
/// `Error::Unroutable` if it is longer than AMQP allows: there is no such queue.
pub(super) fn short(name: &str) -> Result<ShortString, Error> {
    ShortString::try_new(name).map_err(|_| Error::Unroutable(format!("{name:.64}…, a name over 255 bytes")))
}

//! Bodies as deliveries: what both twins do with the bytes that they carry.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use wire::message::{
    CONTROL_TYPE, Cancel, FormatError, REPORT_TYPE, Report, Sorted, WORK_TYPE, WorkItem, decode_cancels, decode_items,
    decode_reports, sort_cancels, sort_items, sort_reports,
};

use crate::queue::{Acknowledge, Delivery, Malformed, Receipt, ReplyTo};

/// Is what a body is a list of.
pub(crate) trait Element: Sized + Send + 'static {
    /// The AMQP `type` that says so.
    const KIND: &'static str;
    /// Whether the broker forgets a message as soon as it is with its consumer.
    const ACKNOWLEDGED_ON_ARRIVAL: bool = false;

    fn decode(body: &[u8]) -> Result<Vec<Self>, FormatError>;
    fn sort(body: &[u8]) -> Result<Sorted<Self>, FormatError>;
}

impl Element for WorkItem {
    const KIND: &'static str = WORK_TYPE;

    fn decode(body: &[u8]) -> Result<Vec<Self>, FormatError> {
        decode_items(body)
    }

    fn sort(body: &[u8]) -> Result<Sorted<Self>, FormatError> {
        sort_items(body)
    }
}

impl Element for Report {
    const KIND: &'static str = REPORT_TYPE;

    fn decode(body: &[u8]) -> Result<Vec<Self>, FormatError> {
        decode_reports(body)
    }

    fn sort(body: &[u8]) -> Result<Sorted<Self>, FormatError> {
        sort_reports(body)
    }
}

impl Element for Cancel {
    const KIND: &'static str = CONTROL_TYPE;
    const ACKNOWLEDGED_ON_ARRIVAL: bool = true;

    fn decode(body: &[u8]) -> Result<Vec<Self>, FormatError> {
        decode_cancels(body)
    }

    fn sort(body: &[u8]) -> Result<Sorted<Self>, FormatError> {
        sort_cancels(body)
    }
}

/// Is a message as it arrived.
pub(crate) struct Arrival<'a> {
    pub(crate) kind: Option<&'a str>,
    pub(crate) body: &'a [u8],
    pub(crate) redeliveries: u32,
    pub(crate) reply_to: Option<ReplyTo>,
    pub(crate) queue: Arc<str>,
}

impl Arrival<'_> {
    /// Makes the delivery, or two where some elements can't be read: those that can, then the others as a body of their own.
    pub(crate) fn into_deliveries<T: Element>(self, receipt: Receipt) -> (Delivery<T>, Option<Delivery<T>>) {
        let refuse = |reason: String, body: &[u8]| Malformed {
            reason,
            kind: self.kind.map(ToOwned::to_owned),
            body: body.to_vec(),
        };
        if self.kind != Some(T::KIND) {
            let reason = format!("the type is {}, not {}", self.kind.unwrap_or("missing"), T::KIND);
            return (self.delivery(Err(refuse(reason, self.body)), receipt), None);
        }
        let error = match T::decode(self.body) {
            Ok(elements) => return (self.delivery(Ok(elements), receipt), None),
            Err(error) => error,
        };
        match T::sort(self.body) {
            Ok(sorted) if !sorted.readable.is_empty() => {
                let (first, second) = shared(receipt);
                let rest = refuse(error.chain(), &sorted.rest);
                (self.delivery(Ok(sorted.readable), first), Some(self.delivery(Err(rest), second)))
            }
            Ok(_) | Err(_) => (self.delivery(Err(refuse(error.chain(), self.body)), receipt), None),
        }
    }

    fn delivery<T>(&self, content: Result<Vec<T>, Malformed>, receipt: Receipt) -> Delivery<T> {
        Delivery {
            content,
            redeliveries: self.redeliveries,
            reply_to: self.reply_to.clone(),
            queue: Arc::clone(&self.queue),
            receipt,
        }
    }
}

/// Splits a receipt in two: the message is acknowledged when both are.
fn shared(receipt: Receipt) -> (Receipt, Receipt) {
    let live = Arc::new(Both { missing: AtomicUsize::new(2), receipt: Mutex::new(Some(receipt)) });
    (Receipt(Box::new(Half(Arc::clone(&live)))), Receipt(Box::new(Half(live))))
}

#[derive(Debug)]
struct Both {
    missing: AtomicUsize,
    receipt: Mutex<Option<Receipt>>,
}

#[derive(Debug)]
struct Half(Arc<Both>);

#[async_trait]
impl Acknowledge for Half {
    async fn ack(self: Box<Self>) {
        if self.0.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            let receipt = self.0.receipt.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(receipt) = receipt {
                receipt.ack().await;
            }
        }
    }

    fn requeue(self: Box<Self>) {
        // The message goes back as a whole; nothing is left for the other half to do.
        let receipt = self.0.receipt.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(receipt) = receipt {
            receipt.0.requeue();
        }
    }

    fn is_live(&self) -> bool {
        let receipt = self.0.receipt.lock().unwrap_or_else(PoisonError::into_inner);
        receipt.as_ref().is_none_or(Receipt::is_live)
    }
}

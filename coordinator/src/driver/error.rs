//! Why an event did not end, and how long that is borne.

use broker::Receipt;
use model::Timestamp;

/// Says why something could not be brought to its end now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unable {
    /// The store did not do it, for as long as the caller has patience.
    #[error("reach the store")]
    Store(#[source] store::Error),
    /// The broker did not take a dead letter.
    #[error("publish a dead letter")]
    Broker(#[source] broker::Error),
    /// Too many commits were refused in a row.
    #[error("commit against other coordinators")]
    Contended,
    /// The record can't be worked on: a fault of ours or of the store.
    #[error("advance the branch: {0}")]
    Broken(String),
}

/// Is how long a store that can't be reached is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience<'a> {
    /// For ever.
    Endless,
    /// As long as the delivery can be acknowledged: once it can't, the broker delivers it again, and there would be two.
    While(&'a Receipt),
    /// Until an instant: a caller waits.
    Until(Timestamp),
}

impl Patience<'_> {
    pub(crate) fn has_ended(self, now: Timestamp) -> bool {
        match self {
            Patience::Endless => false,
            Patience::While(receipt) => !receipt.is_live(),
            Patience::Until(end) => now >= end,
        }
    }
}

/// Puts an error and its sources in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

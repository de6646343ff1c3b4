//! Work items that the broker will never take: their attempts fail, so that the definition can see to it and nothing waits for them.

use std::sync::Arc;

use engine::Outcome;
use model::error_name;

use super::Inner;
use super::advance::Trigger;
use super::error::{Patience, Unable};
use super::local::Item;
use super::relay::Dispatch;

/// Is a work item that is larger than any message that the broker takes.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) dispatch: Dispatch,
    /// The size of its message.
    pub(crate) bytes: usize,
    /// The most that a message may have.
    pub(crate) bytes_max: usize,
}

impl Inner {
    /// Has the attempt of an item fail. It stays noted as under way until that is committed.
    pub(super) fn refuse(self: &Arc<Self>, refused: Refused) {
        self.metrics.dispatches_refused.inc();
        self.proceed(Item::Fail(Box::new(refused)));
    }

    /// Commits that an attempt has failed whose item the broker does not take.
    pub(super) async fn fail_refused(self: &Arc<Self>, refused: &Refused) -> Result<(), Unable> {
        let Refused { dispatch: Dispatch { item, pool, partition }, bytes, bytes_max } = refused;
        if self.seldom.is_due("refused", &pool.name, self.runtime.now()) {
            tracing::warn!(
                pool = %pool.name,
                resource = item.resource,
                bytes,
                bytes_max,
                "a work item is larger than the broker takes, and its task fails: raise the broker's `max_message_size`"
            );
        }
        let cause = format!(
            "The work item is a message of {bytes} bytes, and the broker takes at most {bytes_max} (max_message_size)."
        );
        let outcome = Outcome::Failed { error: Some(error_name::DATA_LIMIT_EXCEEDED.to_owned()), cause: Some(cause) };
        let trigger = Trigger::Refused { attempt: item.attempt, outcome: &outcome };
        let ending = self.advance(&item.execution, &item.branch, trigger, false, Patience::Endless).await;
        match ending {
            Ok(_) => {
                self.outgoing.closed(*partition, item.attempt);
                Ok(())
            }
            Err(error) => {
                self.outgoing.keep(*partition, refused.dispatch.key(), item.attempt);
                Err(error)
            }
        }
    }
}

//! What comes by task tokens.

use std::sync::Arc;

use engine::Callback;
use model::TaskToken;
use telemetry::TraceContext;

use super::Inner;
use super::advance::{Ending, Trigger};
use super::error::{Unable, chain};

/// Is what became of a call by a task token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// It was taken.
    Taken,
    /// The attempt has ended.
    Ended,
    /// There is no such execution.
    Missing,
}

/// Says why a call by a task token was not answered.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// The store did not answer in time. The call may have been taken.
    #[error("reach the store: {0}")]
    Unavailable(String),
    /// The record can't be worked on.
    #[error("apply the callback: {0}")]
    Broken(String),
}

impl Inner {
    pub(super) async fn call_back(
        self: &Arc<Self>,
        token: &TaskToken,
        callback: &Callback,
        caller: Option<TraceContext>,
    ) -> Result<CallbackOutcome, CallbackError> {
        self.by_token(token, Trigger::Callback { attempt: token.attempt, callback, caller }).await
    }

    pub(super) async fn keep_alive(self: &Arc<Self>, token: &TaskToken) -> Result<CallbackOutcome, CallbackError> {
        self.by_token(token, Trigger::Alive { attempt: token.attempt }).await
    }

    async fn by_token(
        self: &Arc<Self>,
        token: &TaskToken,
        trigger: Trigger<'_>,
    ) -> Result<CallbackOutcome, CallbackError> {
        let patience = self.caller_patience();
        let unavailable = |error: store::Error| CallbackError::Unavailable(error.to_string());
        tracing::Span::current().record("execution", tracing::field::display(&token.execution));
        match self.advance(&token.execution, &token.branch, trigger, false, patience).await {
            Ok(Ending::Committed | Ending::Unchanged) => Ok(CallbackOutcome::Taken),
            Ok(Ending::Stale | Ending::Leased) => {
                let head = self.store.execution(&token.execution).await.map_err(unavailable)?;
                Ok(if head.is_some() { CallbackOutcome::Ended } else { CallbackOutcome::Missing })
            }
            Err(error @ Unable::Broken(_)) => Err(CallbackError::Broken(chain(&error))),
            Err(error @ (Unable::Store(_) | Unable::Broker(_) | Unable::Contended)) => {
                Err(CallbackError::Unavailable(chain(&error)))
            }
        }
    }
}

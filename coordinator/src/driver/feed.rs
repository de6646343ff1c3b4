//! Live progress: the history as this driver commits it.

use std::sync::Arc;

use model::{EventId, EventKind, ExecutionArn, ExecutionEnd, HistoryEvent};
use store::{Commit, Committed};

use super::Inner;

/// Is what one commit added to an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The execution.
    pub execution: ExecutionArn,
    /// The new events, in order. Commits of concurrent branches may be told in another order than that of their ids.
    pub events: Vec<HistoryEvent>,
    /// The end of the execution, if this was it.
    pub end: Option<ExecutionEnd>,
}

impl Inner {
    /// Tells listeners, if there are any.
    pub(super) fn tell(&self, commit: &Commit, committed: &Committed) {
        if self.feed.receiver_count() == 0 {
            return;
        }
        let progress = Progress {
            execution: commit.execution.clone(),
            events: added(commit, committed, |_| true).collect(),
            end: commit.end.as_ref().map(|(end, _)| end.clone()),
        };
        // Nobody may be listening any more, which is no failure.
        let _ = self.feed.send(Arc::new(progress));
    }
}

/// Gives those events of the kinds asked for that a commit has added to its history, as the history has them.
pub(super) fn added(
    commit: &Commit,
    committed: &Committed,
    is_asked_for: impl Fn(EventKind) -> bool,
) -> impl Iterator<Item = HistoryEvent> {
    let base = committed.base;
    let mut latest = committed.clamp;
    commit.history.events.iter().zip(base.0 + 1..).filter_map(move |(event, id)| {
        latest = latest.max(event.at);
        is_asked_for(event.kind).then(|| HistoryEvent {
            id: EventId(id),
            previous: event.previous.resolve(base),
            at: latest,
            kind: event.kind,
            details: event.details.clone(),
        })
    })
}

//! Tasks of activities: put into their queues, and handed to those that poll.
//!
//! ```text
//!  commit ─► outbox ─► offer ─► queue in the store ─► claim ─► ActivityStarted committed ─► poller ─► dropped from the queue
//! ```
//! A claim hides a task only for a while, and it leaves the queue once the poller has it: who dies in between, or goes away, loses
//! nothing. The queue lies in the store, so any coordinator serves any poller.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::Phase;
use model::{ActivityArn, JsonText, TaskToken};
use store::ActivityTask;
use tokio::sync::{Notify, oneshot};
use tracing::Instrument as _;
use wire::message::WorkItem;

use super::Inner;
use super::advance::{Ending, Trigger};
use super::error::{Unable, chain};
use super::log;
use super::relay::Dispatch;

/// Is a task that a poller was given. Unless it says that it has it, others see the task again.
#[derive(Debug)]
pub struct TakenTask {
    /// The task token.
    pub token: String,
    /// The task's input.
    pub input: JsonText,
    receipt: oneshot::Sender<()>,
}

impl TakenTask {
    /// Says that the poller has the task.
    pub fn received(self) {
        // Who waits for it has died with this process, or will see the task again.
        let _ = self.receipt.send(());
    }
}

/// Says why a poller gets no answer.
#[derive(Debug, thiserror::Error)]
#[error("reach the store: {0}")]
pub struct PollError(String);

/// Keeps those in line that poll one activity here: one of them looks at the queue, the others wait their turn.
#[derive(Debug, Default)]
pub(crate) struct Polls(Mutex<BTreeMap<ActivityArn, Arc<Line>>>);

#[derive(Debug, Default)]
struct Line {
    turn: tokio::sync::Mutex<()>,
    /// Rung when something was put into the queue by this process.
    bell: Notify,
}

impl Polls {
    fn line(&self, activity: &ActivityArn) -> Arc<Line> {
        Arc::clone(self.lines().entry(activity.clone()).or_default())
    }

    fn ring(&self, activity: &ActivityArn) {
        if let Some(line) = self.lines().get(activity) {
            line.bell.notify_one();
        }
    }

    /// Forgets a line that nobody stands in but who leaves it now.
    fn leave(&self, activity: &ActivityArn) {
        let mut lines = self.lines();
        if lines.get(activity).is_some_and(|line| Arc::strong_count(line) <= 2) {
            lines.remove(activity);
        }
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<ActivityArn, Arc<Line>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is a place in a line; leaves it when it is dropped, as when a poller goes away.
struct Place<'a> {
    polls: &'a Polls,
    activity: &'a ActivityArn,
    line: Arc<Line>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.polls.leave(self.activity);
    }
}

/// Gives the task of an activity that a work item is, if it is one.
pub(crate) fn activity_task(item: &WorkItem) -> Option<ActivityTask> {
    let activity = ActivityArn::parse(&item.resource).ok()?;
    let (execution, branch) = (item.execution.clone(), item.branch.clone());
    Some(ActivityTask { activity, execution, branch, attempt: item.attempt })
}

impl Inner {
    /// Puts a task into the queue of its activity; tells whether it is there now.
    pub(super) async fn queue_activity(&self, dispatch: &Dispatch, task: &ActivityTask) -> bool {
        match self.store.offer_activity_task(task).await {
            Ok(()) => {
                self.metrics.dispatches.inc();
                self.outgoing.left(dispatch.partition, dispatch.key(), task.attempt);
                self.polls.ring(&task.activity);
                true
            }
            Err(error) => {
                tracing::debug!(activity = %task.activity, %error, "a task can't be queued now");
                false
            }
        }
    }

    /// Gives the next task of an activity, or nothing if none comes within `wait`.
    pub(super) async fn next_activity_task(
        self: &Arc<Self>,
        activity: &ActivityArn,
        worker: Option<&str>,
        wait: Duration,
    ) -> Result<Option<TakenTask>, PollError> {
        let end = self.runtime.instant() + wait;
        let place = Place { polls: &self.polls, activity, line: self.polls.line(activity) };
        let _turn = tokio::select! {
            biased;
            turn = place.line.turn.lock() => turn,
            () = self.runtime.sleep(wait) => return Ok(None),
        };
        loop {
            let taken = self.take_activity_task(activity, worker).await;
            if let Some(taken) = taken.map_err(|error| PollError(chain(&error)))? {
                return Ok(Some(taken));
            }
            let left = end.saturating_duration_since(self.runtime.instant());
            if left.is_zero() {
                return Ok(None);
            }
            let pause = self.runtime.jittered(self.settings.activity_poll).min(left);
            tokio::select! {
                biased;
                () = place.line.bell.notified() => {}
                () = self.runtime.sleep(pause) => {}
            }
        }
    }

    /// Takes a task for a poller. What is begun goes on if the poller goes away meanwhile: then others see the task again.
    async fn take_activity_task(
        self: &Arc<Self>,
        activity: &ActivityArn,
        worker: Option<&str>,
    ) -> Result<Option<TakenTask>, Unable> {
        let (sender, receiver) = oneshot::channel();
        let (inner, activity, worker) = (self.clone(), activity.clone(), worker.map(str::to_owned));
        self.runtime.spawn(async move {
            let outcome = inner.claim_and_start(&activity, worker).await;
            let (receipt, received) = oneshot::channel();
            let (answer, task) = match outcome {
                Ok(Some((token, input, task))) => (Ok(Some(TakenTask { token, input, receipt })), Some(task)),
                Ok(None) => (Ok(None), None),
                Err(error) => (Err(error), None),
            };
            // An answer that nobody takes is dropped, and its receipt with it.
            drop(sender.send(answer));
            let Some(task) = task else { return };
            let is_there = received.await.is_ok();
            let settled = if is_there {
                inner.store.drop_activity_task(&task).await
            } else {
                inner.store.return_activity_task(&task).await
            };
            if let Err(error) = settled {
                tracing::debug!(%activity, %error, "a task that was taken may be seen by another poller");
            }
            if !is_there {
                inner.polls.ring(&activity);
            }
        });
        receiver.await.unwrap_or_else(|_| Err(Unable::Broken("the poll was cut off".to_owned())))
    }

    /// Claims tasks until one is still open, and commits that a worker has it.
    async fn claim_and_start(
        self: &Arc<Self>,
        activity: &ActivityArn,
        worker: Option<String>,
    ) -> Result<Option<(String, JsonText, ActivityTask)>, Unable> {
        let hidden = u32::try_from(self.settings.activity_claim.as_millis()).unwrap_or(u32::MAX);
        let patience = self.caller_patience();
        while let Some(task) = self.store.claim_activity_task(activity, hidden).await.map_err(Unable::Store)? {
            let trigger = Trigger::Taken { attempt: task.attempt, worker: worker.as_deref() };
            let span = log::about(&task.execution, Some(&task.branch), Some(task.attempt));
            let advanced = self.advance(&task.execution, &task.branch, trigger, false, patience);
            match advanced.instrument(span).await? {
                Ending::Committed | Ending::Unchanged => {}
                Ending::Stale | Ending::Leased => {
                    self.store.drop_activity_task(&task).await.map_err(Unable::Store)?;
                    continue;
                }
            }
            let found = self.find(&task.execution, &task.branch, false, patience).await?;
            let input = found.and_then(|found| match &found.held.branch.phase {
                Phase::Task(phase) if phase.attempt == task.attempt => Some(phase.payload.clone()),
                Phase::Task(_) | Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_) => None,
            });
            if let Some(input) = input {
                let token = TaskToken::render(task.execution.as_str(), &task.branch, task.attempt);
                return Ok(Some((token, input, task)));
            }
            self.store.drop_activity_task(&task).await.map_err(Unable::Store)?;
        }
        Ok(None)
    }
}

//! Work items that go out again: those that could not leave, and those whose entries of the outbox were left behind.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use broker::Connection;
use futures::future::join_all;
use model::{AttemptId, BranchPath, ExecutionArn, Timestamp};
use store::{OutboxKey, PendingEffect};

use super::Inner;
use super::backoff::Backoff;
use super::entries::Entries;
use super::error::{Patience, Unable, chain};
use super::relay::{Dispatch, outstanding};

/// How many items are tried again at once: some milliseconds' worth, so that a broker that just came back is not drowned.
const TRIED_AT_ONCE: usize = 256;

/// How often the outbox is cleared when the driver has been stopped.
const CLEARED_AT_THE_END: Duration = Duration::from_millis(50);

impl Inner {
    /// Makes the work item of an attempt anew, from the record; nothing if the attempt is over.
    pub(super) async fn dispatch_again(
        &self,
        execution: &ExecutionArn,
        path: &BranchPath,
        attempt: AttemptId,
    ) -> Result<Option<Dispatch>, Unable> {
        for fresh in [false, true] {
            let Some(found) = self.find(execution, path, fresh, Patience::Endless).await? else { return Ok(None) };
            let held = &found.held;
            if let Some(task) = outstanding(&held.branch).filter(|task| task.attempt == attempt) {
                return Ok(Some(self.dispatch(&held.known, &held.branch, task)));
            }
            if found.is_fresh {
                break;
            }
        }
        Ok(None)
    }

    /// Publishes what could not leave before, as soon as the broker is there.
    pub(super) async fn pending_loop(self: Arc<Self>) {
        let mut backoff = Backoff::new(&self.settings);
        loop {
            self.outgoing.changed().await;
            self.broker_is_up().await;
            let pending = self.outgoing.take_pending(TRIED_AT_ONCE);
            let tried = join_all(pending.into_iter().map(|(partition, key)| self.try_again(partition, key))).await;
            if tried.into_iter().all(|done| done) {
                backoff = Backoff::new(&self.settings);
            } else {
                self.back_off(&mut backoff).await;
            }
        }
    }

    async fn try_again(self: &Arc<Self>, partition: u32, key: OutboxKey) -> bool {
        let PendingEffect::Dispatch(path, attempt) = &key.effect else { return true };
        match self.dispatch_again(&key.execution, path, *attempt).await {
            Ok(Some(dispatch)) if self.own_call(&dispatch.item.resource).is_some() => {
                self.offer(dispatch);
                true
            }
            Ok(Some(dispatch)) => !self.outgoing.begin(*attempt) || self.publish(vec![dispatch]).await,
            Ok(None) => true,
            Err(error) => {
                tracing::warn!(execution = %key.execution, branch = %path, trace_id = self.trace_known(&key.execution), error = chain(&error), "can't publish a work item");
                self.outgoing.keep(partition, key.clone(), *attempt);
                false
            }
        }
    }

    /// Clears the outbox entries of items that have left, now and then.
    pub(super) async fn clear_loop(self: Arc<Self>) {
        let mut stopping = self.stopping.subscribe();
        loop {
            let pause = self.runtime.jittered(self.settings.outbox_clear);
            let is_stopping = tokio::select! {
                biased;
                is_stopping = async { stopping.wait_for(|stopping| *stopping).await.is_ok() } => is_stopping,
                () = self.runtime.sleep(pause) => false,
            };
            if is_stopping {
                // What is not cleared before the end goes out again, for nothing.
                self.runtime.sleep(CLEARED_AT_THE_END).await;
            }
            self.clear_left().await;
        }
    }

    /// Clears the entries of spans that were exported or given up.
    pub(super) async fn clear_exported(&self) {
        self.clear_entries(self.traces.entries()).await;
    }

    async fn clear_entries(&self, entries: &Entries) {
        for (partition, keys) in entries.take_done() {
            match self.store.clear_outbox(partition, &keys).await {
                Ok(()) => entries.cleared(&keys),
                Err(error) => {
                    tracing::debug!(partition, %error, "can't clear the outbox now");
                    entries.done(partition, keys);
                }
            }
        }
    }

    async fn clear_left(&self) {
        self.clear_exported().await;
        self.clear_entries(&self.notices.entries).await;
        self.clear_entries(&self.told).await;
        for (partition, keys) in self.outgoing.take_left() {
            match self.store.clear_outbox(partition, &keys).await {
                Ok(()) => self.metrics.outbox_cleared.add(keys.len() as u64),
                Err(error) => {
                    tracing::debug!(partition, %error, "can't clear the outbox now");
                    self.outgoing.put_back(partition, keys);
                }
            }
        }
    }

    /// Waits until the broker takes messages.
    pub(super) async fn broker_is_up(&self) {
        let mut connection = self.queue.connection();
        // The sender lives in the queue, which this driver holds.
        let _ = connection.wait_for(|connection| matches!(connection, Connection::Up { .. })).await;
    }

    /// Notes when the broker comes up, for judging how long something may be under way.
    pub(super) async fn watch_broker(self: Arc<Self>) {
        let mut connection = self.queue.connection();
        loop {
            let state = *connection.borrow_and_update();
            if matches!(state, Connection::Up { .. }) {
                let now = u64::try_from(self.runtime.now().as_millis()).unwrap_or_default();
                self.broker_up_at.store(now, Ordering::Relaxed);
            }
            match state {
                // Of two drivers on one connection the other one says so.
                _ if self.settings.express.is_synchronous => {}
                Connection::Up { generation } => tracing::info!(generation, "connected to the broker"),
                Connection::Down => tracing::warn!("no connection to the broker; work items wait in the outbox"),
                Connection::Blocked => tracing::warn!("the broker takes no messages: an alarm on its memory or disk"),
            }
            if connection.changed().await.is_err() {
                return;
            }
        }
    }

    /// Says when the store is gone, and when it is back.
    pub(super) async fn watch_store(self: Arc<Self>) {
        let mut connection = self.store.connection();
        loop {
            if *connection.borrow_and_update() {
                tracing::info!("connected to the store");
            } else {
                tracing::warn!("no connection to the store; nothing advances until it is back");
            }
            if connection.changed().await.is_err() {
                return;
            }
        }
    }

    /// Tells when the broker came up last.
    pub(super) fn broker_up_at(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.broker_up_at.load(Ordering::Relaxed)).unwrap_or(i64::MAX))
    }
}

//! Deletions that outlive their request: executions of a state machine that is DELETING are stopped, then it is removed.
//!
//! ```text
//!  DeleteStateMachine ─► noted ─► DELETING ─► answered
//!                          │
//!            here, or, should this process die, whoever sweeps its partition
//!                          ▼
//!                 executions stopped ─► removed ─► note removed
//! ```
//! Any number may go on with one deletion at once.

use std::sync::Arc;
use std::time::Duration;

use model::{ExecutionArn, ExecutionStatus, Revision, StateMachineArn, StateMachineStatus, Timestamp};
use store::{ExecutionQuery, Resource, ResourceKey, ResourceKind, ResourceQuery};

use super::Api;
use super::error::ApiError;

/// How many running executions of a partition are stopped before more are asked for.
const STOPPED_AT_ONCE: usize = 100;
/// How many notes of a partition are read at once.
const NOTES_AT_ONCE: usize = 100;
/// How many deletions this coordinator goes on with before it takes up more of those that are noted.
pub(super) const DELETIONS_AT_ONCE: usize = 16;
/// How often it looks whether there are fewer.
const ROOM_EVERY: Duration = Duration::from_millis(100);
/// How long after the note a state machine is marked, if it is at all: longer than a request may take.
const MARKED_WITHIN_MILLIS: i64 = 10 * 60 * 1_000;
/// How often the notes are looked at: an empty list costs one read a partition.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Api {
    /// Goes on, now and then, with the deletions in the partitions that this coordinator sweeps.
    pub(crate) async fn deletions_loop(self) {
        loop {
            self.runtime().sleep(self.runtime().jittered(LOOK_EVERY)).await;
            let Ok(driver) = self.driver() else { continue };
            for partition in driver.swept_partitions() {
                if let Err(error) = self.go_on_with_noted(partition).await {
                    tracing::debug!(partition, error = error.message, "can't look for deletions now");
                }
            }
        }
    }

    async fn go_on_with_noted(&self, partition: u32) -> Result<(), ApiError> {
        let mut query =
            ResourceQuery { kind: ResourceKind::Deletion, place: "".into(), after: None, limit: NOTES_AT_ONCE };
        loop {
            let notes = self.store()?.list_resources(partition, &query).await?;
            for (key, _) in &notes {
                match StateMachineArn::parse(&key.arn) {
                    Ok(arn) => {
                        self.room_to_delete(&arn).await;
                        self.go_on_deleting(arn);
                    }
                    Err(error) => tracing::warn!(key = %key.arn, %error, "a note of a deletion can't be read"),
                }
            }
            query.after = notes.last().map(|(key, _)| Arc::clone(&key.arn));
            if notes.len() < NOTES_AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Waits until few enough deletions are going on here, or this one is.
    async fn room_to_delete(&self, arn: &StateMachineArn) {
        let is_full = || {
            let deleting = self.deleting();
            deleting.len() >= DELETIONS_AT_ONCE && !deleting.contains(arn)
        };
        while is_full() {
            self.runtime().sleep(ROOM_EVERY).await;
        }
    }

    /// Notes that the deletion of a state machine, which is to be marked at once, is to be gone on with whatever becomes of this process.
    ///
    /// A note that is there already is made anew: who saw it before a creation under the same name can't remove it any more.
    pub(super) async fn note_deletion(&self, arn: &StateMachineArn) -> Result<(), ApiError> {
        let text = format!("{};{}", self.runtime().now().as_millis(), self.runtime().uuid());
        let (key, text) = (ResourceKey::deletion(arn), text.into_bytes());
        while let Some(existing) = self.store()?.create_resource(&key, &Resource::new(text.clone())).await? {
            let next = Resource::following(existing.revision, text.clone());
            if self.store()?.replace_resource(&key, existing.revision, Some(&next)).await? {
                break;
            }
        }
        Ok(())
    }

    /// Stops what runs of a state machine that is being deleted, and removes it then, apart from any request.
    pub(super) fn go_on_deleting(&self, arn: StateMachineArn) {
        if !self.deleting().insert(arn.clone()) {
            return;
        }
        let api = self.clone();
        self.runtime().spawn(async move {
            if let Err(error) = api.delete_noted(&arn).await {
                tracing::warn!(state_machine = %arn, error = error.message, "the deletion goes on in a while");
            }
            api.deleting().remove(&arn);
        });
    }

    async fn delete_noted(&self, arn: &StateMachineArn) -> Result<(), ApiError> {
        let key = ResourceKey::deletion(arn);
        let note = self.store()?.resource(&key).await?;
        let is_deleting = self.stop_running(arn).await?;
        if is_deleting {
            self.remove_state_machine(arn).await?;
        }
        if let Some(note) = note.filter(|note| is_deleting || !self.is_young(note)) {
            // A newer one belongs to a later deletion.
            self.store()?.replace_resource(&key, note.revision, None).await?;
        }
        if is_deleting { self.forget_deletion(arn).await } else { Ok(()) }
    }

    /// Removes the note of a state machine that is gone: one that another request has made anew, too.
    pub(super) async fn forget_deletion(&self, arn: &StateMachineArn) -> Result<(), ApiError> {
        let key = ResourceKey::deletion(arn);
        let Some(note) = self.store()?.resource(&key).await? else { return Ok(()) };
        if self.store()?.state_machine_alone(arn).await?.is_none() {
            self.store()?.replace_resource(&key, note.revision, None).await?;
        }
        Ok(())
    }

    /// Tells whether a note may be of a state machine that is about to be marked.
    fn is_young(&self, note: &Resource) -> bool {
        let text = String::from_utf8_lossy(&note.record);
        let at = text.split_once(';').and_then(|(millis, _)| millis.parse().ok()).map(Timestamp::from_millis);
        at.is_some_and(|at| self.runtime().now() < at.plus_millis(MARKED_WITHIN_MILLIS))
    }

    /// Stops what runs of a state machine as long as it is being deleted; tells whether it still is.
    async fn stop_running(&self, arn: &StateMachineArn) -> Result<bool, ApiError> {
        for partition in 0..self.store()?.partitions() {
            loop {
                let running = self.running(partition, arn, STOPPED_AT_ONCE).await?;
                if running.is_empty() {
                    break;
                }
                // Looked for after the list was read: otherwise these may be of another one, created since under the same name.
                if !self.is_deleting(arn).await? {
                    return Ok(false);
                }
                for execution in running {
                    if let Err(error) = self.driver()?.stop_execution(&execution, None, None).await {
                        return Err(store::Error::Unavailable(error.to_string()).into());
                    }
                }
            }
        }
        self.is_deleting(arn).await
    }

    async fn is_deleting(&self, arn: &StateMachineArn) -> Result<bool, ApiError> {
        let found = self.store()?.state_machine_alone(arn).await?;
        Ok(found.is_some_and(|(record, _)| record.status == StateMachineStatus::Deleting))
    }

    /// Tells whether executions of a state machine run.
    pub(super) async fn has_running(&self, arn: &StateMachineArn) -> Result<bool, ApiError> {
        for partition in 0..self.store()?.partitions() {
            if !self.running(partition, arn, 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn running(
        &self,
        partition: u32,
        arn: &StateMachineArn,
        limit: usize,
    ) -> Result<Vec<ExecutionArn>, ApiError> {
        let status = Some(ExecutionStatus::Running);
        let query = ExecutionQuery { listed_under: arn.as_str().into(), status, after: None, limit };
        let found = self.store()?.list_executions(partition, &query).await?;
        Ok(found.into_iter().map(|(_, arn)| arn).collect())
    }

    /// Removes a state machine that is being deleted, and no other of its name.
    pub(super) async fn remove_state_machine(&self, arn: &StateMachineArn) -> Result<(), ApiError> {
        while let Some((record, revision)) = self.store()?.state_machine_alone(arn).await? {
            if record.status == StateMachineStatus::Active {
                // It was removed and created again meanwhile.
                return Ok(());
            }
            if self.remove_published(arn, revision).await?
                && self.store()?.replace_resource(&ResourceKey::state_machine(arn), revision, None).await?
            {
                tracing::info!(state_machine = %arn, "state machine deleted");
            }
        }
        Ok(())
    }

    /// Removes what was published of a state machine that is being deleted and was seen at a revision; tells whether nothing of it is left.
    async fn remove_published(&self, arn: &StateMachineArn, seen: Revision) -> Result<bool, ApiError> {
        let key = ResourceKey::published(arn);
        let Some(published) = self.store()?.resource(&key).await? else { return Ok(true) };
        // Looked for after what was published was read: otherwise that may be of another one, created since under the same name.
        let machine = self.store()?.resource(&ResourceKey::state_machine(arn)).await?;
        if machine.is_none_or(|machine| machine.revision != seen) {
            return Ok(false);
        }
        Ok(self.store()?.replace_resource(&key, published.revision, None).await?)
    }
}

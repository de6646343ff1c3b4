//! Finding a branch: in memory, or else in the store.

use std::sync::Arc;

use engine::Execution;
use model::{BranchPath, ExecutionArn};
use store::{ExecutionHead, ResourceKey, StoredBranch};
use telemetry::TraceId;
use wire::record::ExecutionRecord;

use super::Inner;
use super::backoff::{Backoff, persist};
use super::cache::{Held, Known};
use super::error::{Patience, Unable};
use crate::convert;
use crate::definitions::{DefinitionError, part};

/// Is a branch that was found.
pub(crate) struct Found {
    pub(crate) held: Arc<Held>,
    /// Whether it was read from the store just now, so that what it rejects is really over.
    pub(crate) is_fresh: bool,
}

impl Inner {
    /// Finds an open branch of a running execution; nothing if either is not that.
    pub(super) async fn find(
        &self,
        arn: &ExecutionArn,
        path: &BranchPath,
        fresh: bool,
        patience: Patience<'_>,
    ) -> Result<Option<Found>, Unable> {
        if !fresh && let Some(held) = self.cache.branch(arn, path) {
            self.metrics.cache_hits.inc();
            return Ok(Some(Found { held, is_fresh: false }));
        }
        self.metrics.loads.inc();
        let loaded = persist!(self, patience, self.store.load(arn, path));
        let Some((head, Some(stored))) = loaded.filter(|(head, _)| head.end.is_none()) else {
            self.cache.forget(arn, path);
            return Ok(None);
        };
        let known = self.known(&head, patience).await?;
        let held = Arc::new(self.held(known, stored));
        self.cache.keep(held.clone());
        Ok(Some(Found { held, is_fresh: true }))
    }

    /// Gives what never changes of an execution whose head was read.
    pub(super) async fn known(&self, head: &ExecutionHead, patience: Patience<'_>) -> Result<Arc<Known>, Unable> {
        // A name may be used again once retention has removed its execution.
        if let Some(known) = self.cache.execution(&head.record.arn).filter(|known| known.record == head.record) {
            known.heard_of(head.last_event);
            return Ok(known);
        }
        let known = Arc::new(self.known_anew(head.record.as_ref().clone(), patience).await?);
        known.heard_of(head.last_event);
        self.cache.keep_execution(&known);
        Ok(known)
    }

    /// Gives what never changes of an execution whose definition the store has.
    pub(super) async fn known_anew(&self, record: ExecutionRecord, patience: Patience<'_>) -> Result<Known, Unable> {
        let mut backoff = Backoff::new(&self.settings);
        let definition = loop {
            match self.definitions.get(&record.definition).await.and_then(|definition| part(definition, &record)) {
                Ok(definition) => break definition,
                Err(DefinitionError::Store(error)) => self.bear(error, &mut backoff, patience).await?,
                Err(error @ (DefinitionError::Missing(_) | DefinitionError::Invalid { .. })) => {
                    return Err(Unable::Broken(error.to_string()));
                }
            }
        };
        let execution = self.execution_of(&record);
        let partition = record.arn.partition(self.partitions);
        Ok(Known::new(Arc::new(record), execution, definition, partition))
    }

    /// Gives what the core knows of an execution.
    pub(super) fn execution_of(&self, record: &ExecutionRecord) -> Execution {
        let execution = convert::execution_from_record(record);
        // Recorded of AWS: an asynchronous one of type EXPRESS has a count of redrives, though it has none.
        let redrive_count = execution.redrive_count.filter(|_| !self.settings.express.is_synchronous);
        Execution { redrive_count, ..execution }
    }

    /// Gives what the core knows of an execution, and which of its activities don't exist now.
    pub(super) async fn with_missing_activities(
        &self,
        known: &Known,
        patience: Patience<'_>,
    ) -> Result<Arc<Execution>, Unable> {
        let mut missing = Vec::new();
        for arn in &known.activities {
            let key = ResourceKey::activity(arn);
            if persist!(self, patience, self.store.resource(&key)).is_none() {
                missing.push(arn.as_str().to_owned());
            }
        }
        if missing.is_empty() {
            return Ok(known.execution.clone());
        }
        Ok(Arc::new(Execution { missing_activities: missing, ..known.execution.as_ref().clone() }))
    }

    /// Gives the trace of an execution as far as it is in memory, for a log line.
    pub(super) fn trace_known(&self, arn: &ExecutionArn) -> Option<tracing::field::DisplayValue<TraceId>> {
        self.cache.execution(arn).map(|known| tracing::field::display(known.trace.trace))
    }

    pub(super) fn held(&self, known: Arc<Known>, stored: StoredBranch) -> Held {
        Held {
            known,
            is_own: stored.owner == self.owner,
            revision: stored.revision,
            token: stored.token,
            branch: convert::branch_from_record(stored.record),
        }
    }
}

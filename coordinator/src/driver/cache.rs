//! Branches at their last known revision, so that most events cost one round trip: the commit.
//!
//! Nothing depends on what is here being fresh. A commit from an old revision is refused, and an event that an old
//! revision rejects is tried again on a loaded one.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asl::Definition;
use engine::{Branch, Execution, Phase};
use lru::LruCache;
use model::{ActivityArn, BranchPath, EventId, ExecutionArn, FencingToken, Revision};
use telemetry::TraceContext;
use wire::record::{ExecutionRecord, Waits};

use super::calls::waits;
use super::service::own;
use super::settings::DriverSettings;
use super::trace;
use crate::definitions::{activities, any_map_run, any_task};

/// Is what never changes of an execution, and the last event id that this coordinator heard of.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) record: Arc<ExecutionRecord>,
    pub(crate) execution: Arc<Execution>,
    pub(crate) definition: Arc<Definition>,
    pub(crate) partition: u32,
    pub(crate) trace: TraceContext,
    /// The activities that the definition names.
    pub(crate) activities: Vec<ActivityArn>,
    /// Whether it names tasks that wait for the end of an execution which they start.
    pub(crate) awaits_nested: bool,
    last_event: AtomicU64,
}

impl Known {
    pub(crate) fn new(
        record: Arc<ExecutionRecord>,
        execution: Execution,
        definition: Arc<Definition>,
        partition: u32,
    ) -> Self {
        let trace = trace::of_record(&record.arn, &record.traceparent);
        let execution = Arc::new(execution);
        let activities = activities(&definition);
        let awaits_nested = any_map_run(&definition)
            || any_task(&definition, &|resource| {
                own(resource.arn()).is_some_and(|resource| waits(&resource) != Waits::No)
            });
        let last_event = AtomicU64::new(0);
        Self { record, execution, definition, partition, trace, activities, awaits_nested, last_event }
    }

    pub(crate) fn arn(&self) -> &ExecutionArn {
        &self.record.arn
    }

    /// Gives the id of the last event heard of: the base that a run assumes first.
    pub(crate) fn last_event(&self) -> EventId {
        EventId(self.last_event.load(Ordering::Relaxed))
    }

    /// Takes over the last event id as the store tells it, which after a failover may be lower than the one heard of.
    pub(crate) fn moved_to(&self, event: EventId) {
        self.last_event.store(event.0, Ordering::Relaxed);
    }

    /// Takes note of an event id.
    pub(crate) fn heard_of(&self, event: EventId) {
        self.last_event.fetch_max(event.0, Ordering::Relaxed);
    }
}

/// Is an open branch at a revision.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) known: Arc<Known>,
    pub(crate) branch: Branch,
    pub(crate) revision: Revision,
    pub(crate) token: FencingToken,
    /// Whether this coordinator made the last commit: then its token stays.
    pub(crate) is_own: bool,
}

impl Held {
    /// Estimates the bytes of its texts.
    fn size(&self) -> usize {
        let variables: usize = self.branch.variables.iter().map(|(name, value)| name.len() + value.len()).sum();
        let item = self.branch.item.as_ref().map_or(0, |item| item.value.len());
        let phase = match &self.branch.phase {
            Phase::Task(task) if !task.payload.is_same(&self.branch.input) => task.payload.len(),
            Phase::Children(children) if !children.input.is_same(&self.branch.input) => children.input.len(),
            Phase::Task(_) | Phase::Children(_) | Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } => 0,
        };
        self.branch.input.len() + variables + item + phase
    }
}

type Key = (ExecutionArn, BranchPath);

/// Keeps the least recently used branches and executions out.
pub(crate) struct Cache {
    branches: Mutex<Branches>,
    executions: Mutex<LruCache<ExecutionArn, Arc<Known>>>,
    bytes_max: usize,
}

struct Branches {
    held: LruCache<Key, Arc<Held>>,
    bytes: usize,
}

impl Cache {
    pub(crate) fn new(settings: &DriverSettings) -> Self {
        let bound = |count: usize| NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
        Self {
            branches: Mutex::new(Branches { held: LruCache::new(bound(settings.cached_branches)), bytes: 0 }),
            executions: Mutex::new(LruCache::new(bound(settings.cached_executions))),
            bytes_max: settings.cached_bytes,
        }
    }

    pub(crate) fn branch(&self, execution: &ExecutionArn, path: &BranchPath) -> Option<Arc<Held>> {
        self.branches().held.get(&(execution.clone(), path.clone())).cloned()
    }

    /// Keeps a branch, unless a later revision of it is there.
    pub(crate) fn keep(&self, held: Arc<Held>) {
        let key = (held.known.arn().clone(), held.branch.path.clone());
        let mut branches = self.branches();
        if branches.held.peek(&key).is_some_and(|there| there.revision.number > held.revision.number) {
            return;
        }
        branches.bytes += held.size();
        if let Some((_, out)) = branches.held.push(key, held) {
            branches.bytes = branches.bytes.saturating_sub(out.size());
        }
        while branches.bytes > self.bytes_max
            && let Some((_, out)) = branches.held.pop_lru()
        {
            branches.bytes = branches.bytes.saturating_sub(out.size());
        }
    }

    pub(crate) fn forget(&self, execution: &ExecutionArn, path: &BranchPath) {
        let mut branches = self.branches();
        if let Some(out) = branches.held.pop(&(execution.clone(), path.clone())) {
            branches.bytes = branches.bytes.saturating_sub(out.size());
        }
    }

    pub(crate) fn execution(&self, arn: &ExecutionArn) -> Option<Arc<Known>> {
        self.executions().get(arn).cloned()
    }

    pub(crate) fn keep_execution(&self, known: &Arc<Known>) {
        self.executions().put(known.arn().clone(), known.clone());
    }

    pub(crate) fn forget_execution(&self, arn: &ExecutionArn) {
        self.executions().pop(arn);
    }

    fn branches(&self) -> MutexGuard<'_, Branches> {
        self.branches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn executions(&self) -> MutexGuard<'_, LruCache<ExecutionArn, Arc<Known>>> {
        self.executions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

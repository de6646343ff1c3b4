//! Definitions, parsed once and kept by the hash of their text.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use asl::{Definition, Machine, ProcessorMode, Resource, StateKind, StateName};
use lru::LruCache;
use model::ActivityArn;
use runtime::Runtime;
use sha2::{Digest, Sha256};
use store::SharedStore;
use wire::record::{DefinitionHash, ExecutionRecord};

/// Gives the content hash of a definition's text: SHA-256, hexadecimal.
pub fn hash_of(definition: &str) -> DefinitionHash {
    let digest = Sha256::digest(definition);
    DefinitionHash(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
}

/// Lists the activities that a definition names, each once.
pub(crate) fn activities(definition: &Definition) -> Vec<ActivityArn> {
    let mut found = Vec::new();
    collect_activities(&definition.machine, &mut found);
    found.sort();
    found.dedup();
    found
}

/// Tells whether a definition has a task of such a resource.
pub(crate) fn any_task(definition: &Definition, is_such: &dyn Fn(&Resource) -> bool) -> bool {
    any_task_of(&definition.machine, is_such)
}

/// Tells whether a definition has a Map state in distributed mode.
pub(crate) fn any_map_run(definition: &Definition) -> bool {
    any_map_run_of(&definition.machine)
}

fn any_map_run_of(machine: &Machine) -> bool {
    machine.states().any(|state| match &state.kind {
        StateKind::Parallel(parallel) => parallel.branches.iter().any(|machine| any_map_run_of(machine)),
        StateKind::Map(map) => matches!(map.mode, ProcessorMode::Distributed(_)) || any_map_run_of(&map.item_processor),
        StateKind::Task(_)
        | StateKind::Pass(_)
        | StateKind::Choice(_)
        | StateKind::Wait(_)
        | StateKind::Succeed(_)
        | StateKind::Fail(_) => false,
    })
}

/// Gives the part of a pinned definition that an execution runs: all of it, unless it is a Map Run or a child of one.
///
/// # Errors
/// `DefinitionError::Invalid` if there is no such part.
pub(crate) fn part(definition: Arc<Definition>, record: &ExecutionRecord) -> Result<Arc<Definition>, DefinitionError> {
    let Some(run) = &record.map_run else { return Ok(definition) };
    let way: Vec<(StateName, u32)> =
        run.way.iter().map(|step| (StateName::from(step.state.as_str()), step.branch)).collect();
    let found = if record.arn.is_map_run() {
        Resource::parse(engine::START_CHILD).and_then(|resource| definition.of_map_run(&way, &resource))
    } else {
        definition.of_map_child(&way)
    };
    let missing = || format!("it has no Map state in distributed mode where {} is to run", run.arn);
    found.map(Arc::new).ok_or_else(|| DefinitionError::Invalid { hash: record.definition.clone(), reason: missing() })
}

fn any_task_of(machine: &Machine, is_such: &dyn Fn(&Resource) -> bool) -> bool {
    machine.states().any(|state| match &state.kind {
        StateKind::Task(task) => is_such(&task.resource),
        StateKind::Parallel(parallel) => parallel.branches.iter().any(|machine| any_task_of(machine, is_such)),
        StateKind::Map(map) => any_task_of(&map.item_processor, is_such),
        StateKind::Pass(_) | StateKind::Choice(_) | StateKind::Wait(_) | StateKind::Succeed(_) | StateKind::Fail(_) => {
            false
        }
    })
}

fn collect_activities(machine: &Machine, found: &mut Vec<ActivityArn>) {
    for state in machine.states() {
        match &state.kind {
            StateKind::Task(task) => found.extend(ActivityArn::parse(task.resource.arn()).ok()),
            StateKind::Parallel(parallel) => {
                parallel.branches.iter().for_each(|machine| collect_activities(machine, found));
            }
            StateKind::Map(map) => collect_activities(&map.item_processor, found),
            StateKind::Pass(_)
            | StateKind::Choice(_)
            | StateKind::Wait(_)
            | StateKind::Succeed(_)
            | StateKind::Fail(_) => {}
        }
    }
}

/// Keeps parsed definitions: the least recently used ones go first.
pub struct Definitions {
    store: SharedStore,
    runtime: Runtime,
    parsed: Mutex<LruCache<DefinitionHash, Arc<Definition>>>,
}

/// Says why a definition can't be had.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The store does not hold it.
    #[error("find the definition {0}")]
    Missing(DefinitionHash),
    /// Its text can't be parsed (any more).
    #[error("parse the definition {hash}: {reason}")]
    Invalid {
        /// The hash of the text.
        hash: DefinitionHash,
        /// What is wrong with it.
        reason: String,
    },
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Definitions {
    /// Makes an empty cache of at most `kept` definitions.
    pub fn new(store: SharedStore, runtime: Runtime, kept: usize) -> Self {
        let kept = NonZeroUsize::new(kept).unwrap_or(NonZeroUsize::MIN);
        Self { store, runtime, parsed: Mutex::new(LruCache::new(kept)) }
    }

    /// Gives a definition by its hash, from memory or else from the store.
    ///
    /// # Errors
    /// `DefinitionError` when the store does not hold it, does not answer, or holds a text that can't be parsed.
    pub async fn get(&self, hash: &DefinitionHash) -> Result<Arc<Definition>, DefinitionError> {
        if let Some(definition) = self.known(hash) {
            return Ok(definition);
        }
        let text = self.store.definition(hash).await?.ok_or_else(|| DefinitionError::Missing(hash.clone()))?;
        self.parse(hash, text).await
    }

    /// Gives a definition whose text the caller has.
    ///
    /// # Errors
    /// `DefinitionError::Invalid` when it can't be parsed.
    pub async fn get_or_parse(
        &self,
        hash: &DefinitionHash,
        text: &Arc<str>,
    ) -> Result<Arc<Definition>, DefinitionError> {
        match self.known(hash) {
            Some(definition) => Ok(definition),
            None => self.parse(hash, text.clone()).await,
        }
    }

    fn known(&self, hash: &DefinitionHash) -> Option<Arc<Definition>> {
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    async fn parse(&self, hash: &DefinitionHash, text: Arc<str>) -> Result<Arc<Definition>, DefinitionError> {
        let invalid = |reason: String| DefinitionError::Invalid { hash: hash.clone(), reason };
        let parsed = self.runtime.blocking(move || Definition::load(&text).map_err(|error| error.to_string())).await;
        let definition = Arc::new(parsed.map_err(|stopped| invalid(stopped.to_string()))?.map_err(invalid)?);
        self.parsed.lock().unwrap_or_else(PoisonError::into_inner).put(hash.clone(), definition.clone());
        Ok(definition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_known_by_its_text() {
        assert_eq!(hash_of("{}").0.len(), 64);
        assert_ne!(hash_of("{}"), hash_of("{ }"));
    }
}

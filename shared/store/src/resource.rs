//! Named resources other than executions: state machines and what was published of them, activities, deletions, and the tasks that wait for activity workers.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{ActivityArn, AttemptId, BranchPath, ExecutionArn, Nonce, Revision, StateMachineArn, Timestamp};
use wire::record::DefinitionHash;

use crate::Error;

/// Is a kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// State machines.
    StateMachine,
    /// Activities.
    Activity,
    /// Versions and aliases of state machines, together under the ARN of the state machine.
    Published,
    /// State machines whose deletion somebody has to go on with, wherever they are.
    Deletion,
}

/// Names a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its ARN.
    pub arn: Arc<str>,
}

impl ResourceKey {
    /// Names a state machine.
    pub fn state_machine(arn: &StateMachineArn) -> Self {
        Self { kind: ResourceKind::StateMachine, arn: arn.as_str().into() }
    }

    /// Names an activity.
    pub fn activity(arn: &ActivityArn) -> Self {
        Self { kind: ResourceKind::Activity, arn: arn.as_str().into() }
    }

    /// Names what was published of a state machine.
    pub fn published(arn: &StateMachineArn) -> Self {
        Self { kind: ResourceKind::Published, arn: arn.as_str().into() }
    }

    /// Names the deletion of a state machine.
    pub fn deletion(arn: &StateMachineArn) -> Self {
        Self { kind: ResourceKind::Deletion, arn: arn.as_str().into() }
    }

    /// Gives the place that the resource is listed in: `REGION:ACCOUNT`, or nothing for deletions.
    pub fn place(&self) -> &str {
        if self.kind == ResourceKind::Deletion {
            return "";
        }
        let mut colons = self.arn.match_indices(':').map(|(at, _)| at).skip(2);
        let ends = colons.next().zip(colons.nth(1));
        ends.and_then(|(from, to)| self.arn.get(from + 1..to)).unwrap_or_default()
    }

    /// Gives the partition of the resource, of `count` partitions.
    pub fn partition(&self, count: u32) -> u32 {
        model::partition(&self.arn, count)
    }
}

/// Is a resource as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Counts its writes; the nonce follows from the content, so that it tells apart what was deleted and created again.
    pub revision: Revision,
    /// The record's text.
    pub record: Vec<u8>,
    /// The definitions that it refers to, each once, in order: they are not removed as long as it does.
    pub definitions: Vec<DefinitionHash>,
}

impl Resource {
    /// Makes a resource that is to be created.
    pub fn new(record: Vec<u8>) -> Self {
        Self { revision: Revision::first(digest(&record)), record, definitions: Vec::new() }
    }

    /// Makes what is to take the place of a resource at the revision `seen`.
    pub fn following(seen: Revision, record: Vec<u8>) -> Self {
        Self { revision: seen.next(digest(&record)), record, definitions: Vec::new() }
    }

    /// Has the resource refer to definitions, which must have been put.
    #[must_use]
    pub fn of_definitions<'a>(self, hashes: impl IntoIterator<Item = &'a DefinitionHash>) -> Self {
        let hashes: BTreeSet<&DefinitionHash> = hashes.into_iter().collect();
        Self { definitions: hashes.into_iter().cloned().collect(), ..self }
    }
}

/// Asks for resources of a partition, in order of their ARNs by bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceQuery {
    /// The kind.
    pub kind: ResourceKind,
    /// `REGION:ACCOUNT`, or nothing for deletions.
    pub place: Arc<str>,
    /// Only what comes after this ARN.
    pub after: Option<Arc<str>>,
    /// At most so many.
    pub limit: usize,
}

/// Asks for executions of a state machine, of a Map Run, or for the Map Runs of an execution, in a partition, the newest first: those that run count by their start, others by their end, as
/// with AWS. Those of one millisecond come in the reverse order of their ARNs.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionQuery {
    /// The ARN that they are listed under (`ExecutionRecord::listed_under`).
    pub listed_under: Arc<str>,
    /// Only those of this status.
    pub status: Option<model::ExecutionStatus>,
    /// Only what comes after this time and ARN, that is, what is older.
    pub after: Option<(Timestamp, ExecutionArn)>,
    /// At most so many.
    pub limit: usize,
}

/// Is an attempt that waits for a worker of an activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityTask {
    /// The activity.
    pub activity: ActivityArn,
    /// The execution.
    pub execution: ExecutionArn,
    /// The branch.
    pub branch: BranchPath,
    /// The attempt.
    pub attempt: AttemptId,
}

/// Says that a definition was put, and removed before the resource referred to it: whoever wants it puts it again.
pub(crate) fn removed_meanwhile(key: &ResourceKey) -> Error {
    Error::Unavailable(format!("a definition of {} was removed meanwhile", key.arn))
}

fn digest(record: &[u8]) -> Nonce {
    let hash = record
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    Nonce(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_listed_under_region_and_account() {
        let key = ResourceKey::activity(&ActivityArn::new("eu-west-1", "123456789012", "dig"));
        assert_eq!(key.place(), "eu-west-1:123456789012");
        assert_eq!(ResourceKey { kind: ResourceKind::Activity, arn: "x".into() }.place(), "");
    }
}

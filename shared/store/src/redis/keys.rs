//! The names of keys. `docs/formats/redis.md` says what lies under them.

use model::{ActivityArn, ExecutionArn, ExecutionStatus, ScopeKey};
use wire::record::DefinitionHash;

use crate::{ResourceKey, ResourceKind};

#[derive(Debug)]
pub(super) struct Keys {
    prefix: String,
    partitions: Vec<String>,
}

impl Keys {
    pub(super) fn new(prefix: &str, partitions: u32) -> Self {
        let partition = |number| format!("{prefix}:{{p{number}}}:");
        Self { prefix: prefix.to_owned(), partitions: (0..partitions).map(partition).collect() }
    }

    pub(super) fn partition_count(&self) -> u32 {
        u32::try_from(self.partitions.len()).expect("the count came as a u32")
    }

    /// Gives what all keys of a partition begin with; its hash tag puts them into one slot.
    pub(super) fn partition(&self, number: u32) -> Option<&str> {
        self.partitions.get(usize::try_from(number).ok()?).map(String::as_str)
    }

    /// Gives what all keys of an execution begin with.
    pub(super) fn of(&self, arn: &ExecutionArn) -> &str {
        self.of_arn(arn.as_str())
    }

    /// Gives what all keys of the partition of an ARN begin with.
    pub(super) fn of_arn(&self, arn: &str) -> &str {
        self.partition(model::partition(arn, self.partition_count())).expect("a remainder is below the divisor")
    }

    pub(super) fn execution(&self, arn: &ExecutionArn) -> String {
        format!("{}e:{arn}", self.of(arn))
    }

    pub(super) fn history(&self, arn: &ExecutionArn) -> String {
        format!("{}h:{arn}", self.of(arn))
    }

    pub(super) fn completions(&self, arn: &ExecutionArn, scope: &ScopeKey) -> String {
        format!("{}c:{scope};{arn}", self.of(arn))
    }

    pub(super) fn results(&self, arn: &ExecutionArn, scope: &ScopeKey) -> String {
        format!("{}r:{scope};{arn}", self.of(arn))
    }

    pub(super) fn items(&self, arn: &ExecutionArn, scope: &ScopeKey) -> String {
        format!("{}g:{scope};{arn}", self.of(arn))
    }

    pub(super) fn meta(prefix: &str) -> String {
        format!("{prefix}:meta")
    }

    pub(super) fn resource(&self, key: &ResourceKey) -> String {
        let partition = self.of_arn(&key.arn);
        format!("{partition}{}:{}", letter(key.kind), key.arn)
    }

    /// Names the list of a partition's resources of a kind in a place.
    pub(super) fn resources(&self, partition: u32, kind: ResourceKind, place: &str) -> Option<String> {
        Some(format!("{}l:{};{place}", self.partition(partition)?, letter(kind)))
    }

    /// Names the list of a partition's executions under an ARN, of all or of one status.
    pub(super) fn executions(&self, partition: u32, under: &str, status: Option<ExecutionStatus>) -> Option<String> {
        let prefix = self.partition(partition)?;
        Some(match status {
            None => format!("{prefix}i:{under}"),
            Some(status) => format!("{prefix}j:{};{under}", status.as_str()),
        })
    }

    /// Names the queue of an activity.
    pub(super) fn activity_tasks(&self, arn: &ActivityArn) -> String {
        format!("{}t:{arn}", self.of_arn(arn.as_str()))
    }

    pub(super) fn definition(&self, hash: &DefinitionHash) -> String {
        format!("{}:d:{hash}", self.prefix)
    }

    /// Names the signs of life of all processes.
    pub(super) fn members(&self) -> String {
        format!("{}:{{members}}", self.prefix)
    }

    /// Names what says that a partition has its data.
    pub(super) fn mark(partition: &str) -> String {
        format!("{partition}mark")
    }

    /// Names what a connection writes before it waits for replicas of what lies in the slot of a tag: a partition's prefix, or what
    /// [`Keys::tag`] makes of another key.
    pub(super) fn replicated(tag: &str) -> String {
        format!("{tag}replicated")
    }

    /// Makes a tag of a key that has none, with the same slot.
    pub(super) fn tag(key: &str) -> String {
        format!("{{{key}}}")
    }

    /// Tells whether [`Keys::tag`] made a tag.
    pub(super) fn is_tag(tag: &str) -> bool {
        tag.ends_with('}')
    }
}

fn letter(kind: ResourceKind) -> char {
    match kind {
        ResourceKind::StateMachine => 'm',
        ResourceKind::Activity => 'a',
        ResourceKind::Published => 'v',
        ResourceKind::Deletion => 'x',
    }
}

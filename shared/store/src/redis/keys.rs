//! The names of keys. `docs/formats/redis.md` says what lies under them.

use model::{ExecutionArn, ScopeKey, StateMachineArn};
use wire::record::DefinitionHash;

use crate::OwnerId;

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
        self.partition(arn.partition(self.partition_count())).expect("a remainder is below the divisor")
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

    pub(super) fn state_machine(&self, arn: &StateMachineArn) -> String {
        format!("{}:m:{arn}", self.prefix)
    }

    pub(super) fn definition(&self, hash: &DefinitionHash) -> String {
        format!("{}:d:{hash}", self.prefix)
    }

    /// Names the sign of life of a process; all of them share a slot.
    pub(super) fn member(&self, owner: &OwnerId) -> String {
        format!("{}:{{members}}:{owner}", self.prefix)
    }

    /// Names what a connection writes before it waits for replicas.
    pub(super) fn replicated(partition: &str) -> String {
        format!("{partition}replicated")
    }
}

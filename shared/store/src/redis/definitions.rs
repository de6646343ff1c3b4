//! Definitions: one text for all partitions, counted in each, removed once nothing refers to it. `define.lua` says why no reference is
//! missed.

use std::sync::Arc;

use futures::future::try_join_all;
use wire::record::DefinitionHash;

use super::keys::Keys;
use super::script::{DEFINE, Script, UNDEFINE};
use super::{RedisStore, command};
use crate::bounds::DEFINITIONS_REMOVED;
use crate::store::Error;

/// How many partitions are asked at once whether they refer to a definition.
const ASKED_AT_ONCE: usize = 16;

impl RedisStore {
    pub(super) async fn keep_definition(&self, partition: u32, hash: &DefinitionHash, text: &str) -> Result<(), Error> {
        // In this order: see the script.
        self.of_partition::<u32>(&DEFINE, partition, &["pin", &hash.0]).await?;
        self.replicated(self.partition(partition)?).await?;
        let key = self.keys.definition(hash);
        self.of_definition(&DEFINE, &key, &["define", text]).await?;
        self.replicated(&Keys::tag(&key)).await
    }

    pub(super) async fn read_definition(&self, hash: &DefinitionHash) -> Result<Option<Arc<str>>, Error> {
        if let Some(known) = self.definitions().get(hash) {
            return Ok(Some(Arc::clone(known)));
        }
        let mut read = command("HGET", &self.keys.definition(hash));
        read.arg("t");
        let text: Option<String> = self.link.run(&read).await?;
        let text: Option<Arc<str>> = text.map(Into::into);
        if let Some(text) = &text {
            self.definitions().put(hash.clone(), Arc::clone(text));
        }
        Ok(text)
    }

    /// Removes definitions that nothing refers to and that a partition last referred to; tells whether there may be more.
    pub(super) async fn remove_unused(&self, partition: u32, millis: u64) -> Result<bool, Error> {
        let (age, count) = (millis.to_string(), DEFINITIONS_REMOVED.to_string());
        let unused: Vec<String> = self.of_partition(&UNDEFINE, partition, &["unused", &age, &count]).await?;
        for hash in &unused {
            self.remove_if_unused(hash).await?;
            // Last, so that another removal follows one that was cut short.
            self.of_partition::<u32>(&UNDEFINE, partition, &["settle", hash]).await?;
        }
        Ok(unused.len() == DEFINITIONS_REMOVED)
    }

    async fn remove_if_unused(&self, hash: &str) -> Result<(), Error> {
        let hash = DefinitionHash(hash.into());
        let key = self.keys.definition(&hash);
        let mark = self.of_definition(&UNDEFINE, &key, &["condemn"]).await?;
        let partitions: Vec<u32> = (0..self.keys.partition_count()).collect();
        let mut in_use = Vec::with_capacity(partitions.len());
        for some in partitions.chunks(ASKED_AT_ONCE) {
            in_use.extend(try_join_all(some.iter().map(|partition| self.unpin(*partition, &hash))).await?);
        }
        if mark > 0 && in_use.iter().all(|count| *count == 0) {
            self.of_definition(&UNDEFINE, &key, &["remove", &mark.to_string()]).await?;
            self.definitions().pop(&hash);
        }
        Ok(())
    }

    async fn unpin(&self, partition: u32, hash: &DefinitionHash) -> Result<u32, Error> {
        self.of_partition(&UNDEFINE, partition, &["unpin", &hash.0]).await
    }

    async fn of_partition<T: redis::FromRedisValue>(
        &self,
        script: &Script,
        partition: u32,
        arguments: &[&str],
    ) -> Result<T, Error> {
        let prefix = self.partition(partition)?;
        let mut cmd = script.call(2);
        cmd.arg(format!("{prefix}uses")).arg(format!("{prefix}unused")).arg(arguments);
        self.link.script(script, prefix, &cmd).await
    }

    async fn of_definition(&self, script: &Script, key: &str, arguments: &[&str]) -> Result<u64, Error> {
        let mut cmd = script.call(1);
        cmd.arg(key).arg(arguments);
        self.link.script(script, key, &cmd).await
    }
}

//! What is fixed when a store is first used.

use std::sync::Arc;

use runtime::Runtime;

use super::config::RedisConfig;
use super::connect::Connection;
use super::keys::Keys;
use super::link::meaning;
use crate::store::Error;

/// Is the format of keys and scripts that this release reads and writes.
const FORMAT: u32 = 1;

/// Is what the first user of the store fixed for all.
#[derive(Clone, Debug)]
pub(super) struct Meta {
    pub(super) incarnation: Arc<str>,
    pub(super) events_queues: u32,
}

type Fields = (Option<u32>, Option<u32>, Option<String>, Option<u32>);

impl Meta {
    /// Reads what was fixed, or fixes it: anew with what was `known` if the store lost its data meanwhile.
    pub(super) async fn settle(
        connection: &mut Connection,
        config: &RedisConfig,
        runtime: &Runtime,
        known: Option<&Meta>,
    ) -> Result<Self, Error> {
        let key = Keys::meta(&config.prefix);
        let mut fields = read(connection, &key).await?;
        if fields.2.is_none() {
            let queues = known.map_or(config.events_queues.max(1), |known| known.events_queues);
            let mut fix = redis::pipe();
            for (field, value) in [
                ("format", FORMAT.to_string()),
                ("partitions", config.partitions.to_string()),
                ("events_queues", queues.to_string()),
                ("incarnation", known.map_or_else(|| runtime.uuid(), |known| known.incarnation.to_string())),
            ] {
                fix.cmd("HSETNX").arg(&key).arg(field).arg(value).ignore();
            }
            fix.query_async::<()>(connection).await.map_err(|error| meaning(&error))?;
            fields = read(connection, &key).await?;
        }
        let meta = check(fields, config)?;
        if known.is_some_and(|known| known.incarnation != meta.incarnation) {
            tracing::warn!(incarnation = &*meta.incarnation, "Redis holds another store than before");
        }
        Ok(meta)
    }
}

async fn read(connection: &mut Connection, key: &str) -> Result<Fields, Error> {
    let mut cmd = redis::cmd("HMGET");
    cmd.arg(key).arg("format").arg("partitions").arg("incarnation").arg("events_queues");
    cmd.query_async(connection).await.map_err(|error| meaning(&error))
}

fn check(fields: Fields, config: &RedisConfig) -> Result<Meta, Error> {
    let (Some(format), Some(partitions), Some(incarnation), Some(events_queues)) = fields else {
        return Err(Error::Corrupt(format!("{}:meta lacks a field", config.prefix)));
    };
    if format != FORMAT {
        return Err(Error::Unfit(format!(
            "the store has format {format} and this release uses format {FORMAT}: use the release that wrote it, or \
             another redis.prefix"
        )));
    }
    if partitions != config.partitions {
        return Err(Error::Unfit(format!(
            "redis.partitions is {}, but the store was first used with {partitions}: set redis.partitions = {partitions}",
            config.partitions
        )));
    }
    if events_queues != config.events_queues {
        tracing::warn!(configured = config.events_queues, events_queues, "keeping the number of events queues");
    }
    Ok(Meta { incarnation: incarnation.into(), events_queues })
}

//! What is fixed when a store is first used, and by which it is known again.

use std::sync::Arc;

use futures::future::try_join_all;
use runtime::Runtime;

use super::config::{RedisConfig, RedisMode};
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
    /// Reads what was fixed, or fixes it where nothing is there yet. A process stays with the store that it began with.
    ///
    /// # Errors
    /// `Error::Unfit` if the store has another shape, is another one than `known`, or lost its data; the last is borne where
    /// `redis.allow_volatile` says so, and the store then goes on under its name.
    pub(super) async fn settle(
        connection: &mut Connection,
        config: &RedisConfig,
        runtime: &Runtime,
        known: Option<&Meta>,
    ) -> Result<Self, Error> {
        let key = Keys::meta(&config.prefix);
        let mut fields = read(connection, &key).await?;
        let is_new = fields.2.is_none();
        if is_new {
            if let Some(known) = known {
                bear_loss(config, &format!("holds no store any more (key {key}); it held {}", known.incarnation))?;
            }
            // The marks come first: whoever finds the store finds them.
            mark(connection, config).await?;
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
        if let Some(known) = known {
            known.is(&meta.incarnation)?;
        }
        if !is_new && let Some(lost) = unmarked(connection, config).await? {
            bear_loss(config, &format!("lost the partition {lost}: a node of the cluster came back without its data"))?;
            mark(connection, config).await?;
        }
        Ok(meta)
    }

    /// Makes sure that the store is still this one, with its data.
    pub(super) async fn verify(&self, connection: &mut Connection, config: &RedisConfig) -> Result<(), Error> {
        let key = Keys::meta(&config.prefix);
        let Some(incarnation) = read(connection, &key).await?.2 else {
            return Err(Error::Unfit(format!(
                "Redis holds no store any more (key {key}); it held {}",
                self.incarnation
            )));
        };
        self.is(&incarnation)?;
        match unmarked(connection, config).await? {
            Some(lost) => Err(Error::Unfit(format!("Redis lost the partition {lost}"))),
            None => Ok(()),
        }
    }

    fn is(&self, incarnation: &str) -> Result<(), Error> {
        if *self.incarnation == *incarnation {
            return Ok(());
        }
        Err(Error::Unfit(format!(
            "Redis holds another store ({incarnation}) than the one that this process began with ({}): bring that one back, or \
             restart all coordinators to go on with the other",
            self.incarnation
        )))
    }
}

fn bear_loss(config: &RedisConfig, what: &str) -> Result<(), Error> {
    if config.allow_volatile {
        tracing::warn!(url = config.shown_url(), "Redis {what}; going on with what is there (redis.allow_volatile)");
        return Ok(());
    }
    Err(Error::Unfit(format!(
        "Redis {what}: bring its data back, or restart all coordinators with redis.allow_volatile = true to go on without them"
    )))
}

/// One server loses all or nothing, of which the meta record tells. The nodes of a cluster lose their data each for itself, so there
/// each partition bears a mark.
async fn mark(connection: &mut Connection, config: &RedisConfig) -> Result<(), Error> {
    for key in marks(config) {
        let mut cmd = redis::cmd("SET");
        cmd.arg(key).arg(1);
        cmd.query_async::<()>(connection).await.map_err(|error| meaning(&error))?;
    }
    Ok(())
}

/// Gives the first partition without its mark.
async fn unmarked(connection: &mut Connection, config: &RedisConfig) -> Result<Option<usize>, Error> {
    let asked = marks(config).into_iter().map(|key| {
        let mut connection = connection.clone();
        async move {
            let mut cmd = redis::cmd("EXISTS");
            cmd.arg(key);
            cmd.query_async::<bool>(&mut connection).await.map_err(|error| meaning(&error))
        }
    });
    Ok(try_join_all(asked).await?.into_iter().position(|exists| !exists))
}

fn marks(config: &RedisConfig) -> Vec<String> {
    if config.mode != RedisMode::Cluster {
        return Vec::new();
    }
    let keys = Keys::new(&config.prefix, config.partitions);
    (0..config.partitions).filter_map(|partition| keys.partition(partition).map(Keys::mark)).collect()
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

//! Waiting until replicas have a commit, one WAIT for a group of commits.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use redis::{FromRedisValue, Pipeline};
use runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use super::keys::Keys;
use super::link::Link;
use crate::store::Error;

/// How many commits may wait to be waited for: as many as a coordinator has in flight, and more.
const QUEUE: usize = 65_536;

type Asked = (String, oneshot::Sender<Result<(), String>>);

/// Hands commits to the loop that waits for replicas.
pub(super) struct Replicas {
    queue: mpsc::Sender<Asked>,
}

impl Replicas {
    pub(super) fn start(link: &Arc<Link>, runtime: &Runtime) -> Self {
        let (queue, asked) = mpsc::channel(QUEUE);
        let link = Arc::downgrade(link);
        runtime.spawn(async move { wait_in_groups(link, asked).await });
        Self { queue }
    }

    /// Waits until enough replicas have what was written to the partition so far.
    pub(super) async fn have(&self, partition: &str) -> Result<(), Error> {
        let (sender, answer) = oneshot::channel();
        let stopped = || Error::Unavailable("the store is closing".to_owned());
        self.queue.send((partition.to_owned(), sender)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?.map_err(Error::Unavailable)
    }
}

async fn wait_in_groups(link: Weak<Link>, mut asked: mpsc::Receiver<Asked>) {
    let mut group = Vec::new();
    while asked.recv_many(&mut group, QUEUE).await > 0 {
        let Some(link) = link.upgrade() else { return };
        let mut by_partition: BTreeMap<String, Vec<oneshot::Sender<_>>> = BTreeMap::new();
        for (partition, sender) in group.drain(..) {
            by_partition.entry(partition).or_default().push(sender);
        }
        wait_for(&link, by_partition).await;
    }
}

/// One server has all partitions, a cluster spreads them: there each partition waits on its own node.
async fn wait_for(link: &Link, by_partition: BTreeMap<String, Vec<oneshot::Sender<Result<(), String>>>>) {
    let is_one_server = link.config.mode != super::RedisMode::Cluster;
    let mut shared = None;
    for (partition, senders) in by_partition {
        let answer = match &shared {
            Some(answer) if is_one_server => Clone::clone(answer),
            _ => wait(link, &partition).await.map_err(|error| error.to_string()),
        };
        for sender in senders {
            // Who asked may have given up.
            let _ = sender.send(answer.clone());
        }
        shared = Some(answer);
    }
}

/// WAIT counts from the last write of its own connection, so there is a tiny one first.
async fn wait(link: &Link, partition: &str) -> Result<(), Error> {
    let generation = link.generation()?;
    let lacking = || Error::Unavailable("there is no connection for waiting on replicas".to_owned());
    let mut connection = generation.waiting.clone().ok_or_else(lacking)?;
    let (wanted, millis) = (link.config.replicas_min, link.config.replicas_timeout_millis);
    let key = Keys::replicated(partition);
    let mut pipeline = Pipeline::new();
    pipeline.cmd("SET").arg(&key).arg(1).ignore().cmd("WAIT").arg(wanted).arg(millis);
    let answer = connection.run_on(&key, &pipeline).await;
    let values = answer.map_err(|error| link.failed(generation.number(), &error))?;
    let last = values.into_iter().next_back().map(u32::from_redis_value);
    let count = last.and_then(Result::ok).unwrap_or_default();
    if count < wanted {
        return Err(Error::Unavailable(format!("{count} replicas have the commit after {millis} ms, not {wanted}")));
    }
    Ok(())
}

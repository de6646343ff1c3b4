//! Waiting until replicas have a commit, one WAIT for a group of commits.
//!
//! One server has all partitions. A cluster spreads them: there each node has a lane of its own, so that one whose replica is
//! away holds up no other. Which node has a partition is learned from the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::{FromRedisValue, Pipeline, Value};
use runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use super::RedisMode;
use super::keys::Keys;
use super::link::Link;
use crate::store::Error;

/// How many commits may wait to be waited for: as many as a coordinator has in flight, and more.
const QUEUE: usize = 65_536;
/// How long the writes last that come before a WAIT: they are for it alone.
const MARK_MILLIS: u32 = 60_000;

type Answer = Result<(), String>;
type Asked = (String, oneshot::Sender<Answer>);
/// Is who waits for the same WAIT, by the tags of what they wrote.
type Group = BTreeMap<String, Vec<oneshot::Sender<Answer>>>;

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

    /// Waits until enough replicas have what was written so far in the slot of a tag.
    pub(super) async fn have(&self, tag: &str) -> Result<(), Error> {
        let (sender, answer) = oneshot::channel();
        let stopped = || Error::Unavailable("the store is closing".to_owned());
        self.queue.send((tag.to_owned(), sender)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?.map_err(Error::Unavailable)
    }
}

async fn wait_in_groups(link: Weak<Link>, mut asked: mpsc::Receiver<Asked>) {
    let mut lanes = Lanes::default();
    let mut running = FuturesUnordered::new();
    let mut taken = Vec::new();
    loop {
        tokio::select! {
            biased;
            Some(ended) = running.next(), if !running.is_empty() => lanes.end(ended),
            count = asked.recv_many(&mut taken, QUEUE) => {
                if count == 0 {
                    return;
                }
            }
        }
        let Some(link) = link.upgrade() else { return };
        let is_one_server = link.config.mode != RedisMode::Cluster;
        for (tag, sender) in taken.drain(..) {
            lanes.add(tag, sender, is_one_server);
        }
        for (lane, group) in lanes.take_ready() {
            running.push(wait_for(Arc::clone(&link), lane, group));
        }
    }
}

/// Is which commits wait, in lanes of which each has one WAIT under way.
#[derive(Default)]
struct Lanes {
    /// The nodes that have partitions, as far as is known.
    nodes: BTreeMap<String, String>,
    waiting: BTreeMap<String, Group>,
    busy: BTreeSet<String>,
}

/// Is how a WAIT ended.
struct Ended {
    lane: String,
    tags: Vec<String>,
    /// The node that has all the tags, if they could be waited for in a cluster.
    node: Option<String>,
}

impl Lanes {
    fn add(&mut self, tag: String, sender: oneshot::Sender<Answer>, is_one_server: bool) {
        let lane = if is_one_server { "" } else { self.nodes.get(&tag).unwrap_or(&tag) };
        self.waiting.entry(lane.to_owned()).or_default().entry(tag).or_default().push(sender);
    }

    fn take_ready(&mut self) -> Vec<(String, Group)> {
        let is_ready = |lane: &&String| !self.busy.contains(*lane);
        let ready: Vec<String> = self.waiting.keys().filter(is_ready).cloned().collect();
        let take = |lane: String| {
            let group = self.waiting.remove(&lane)?;
            self.busy.insert(lane.clone());
            Some((lane, group))
        };
        ready.into_iter().filter_map(take).collect()
    }

    fn end(&mut self, ended: Ended) {
        let Ended { lane, tags, node } = ended;
        self.busy.remove(&lane);
        for tag in tags {
            match &node {
                // Partitions are few; other tags come and go.
                Some(node) if !Keys::is_tag(&tag) => drop(self.nodes.insert(tag, node.clone())),
                _ => drop(self.nodes.remove(&tag)),
            }
        }
    }
}

async fn wait_for(link: Arc<Link>, lane: String, group: Group) -> Ended {
    let tags: Vec<String> = group.keys().cloned().collect();
    let waited = wait(&link, &tags).await;
    let (answer, node) = match waited {
        Ok(node) => (Ok(()), node),
        Err(error) => (Err(error.to_string()), None),
    };
    for sender in group.into_values().flatten() {
        // Who asked may have given up.
        let _ = sender.send(answer.clone());
    }
    Ended { lane, tags, node }
}

/// WAIT counts from the last write of its own connection, so there is a tiny one for each tag first. Gives the node, in a cluster.
async fn wait(link: &Link, tags: &[String]) -> Result<Option<String>, Error> {
    let generation = link.generation()?;
    let lacking = || Error::Unavailable("there is no connection for waiting on replicas".to_owned());
    let mut connection = generation.waiting.clone().ok_or_else(lacking)?;
    let (wanted, millis) = (link.config.replicas_min, link.config.replicas_timeout_millis);
    let is_cluster = link.config.mode == RedisMode::Cluster;
    let keys: Vec<String> = tags.iter().map(|tag| Keys::replicated(tag)).collect();
    let Some(first) = keys.first() else { return Ok(None) };
    let mut pipeline = Pipeline::new();
    for key in &keys {
        pipeline.cmd("SET").arg(key).arg(1).arg("PX").arg(MARK_MILLIS);
    }
    pipeline.cmd("WAIT").arg(wanted).arg(millis);
    if is_cluster {
        pipeline.cmd("CLUSTER").arg("MYID");
    }
    let answer = connection.run_on(first, &pipeline).await;
    let values = answer.map_err(|error| link.failed(generation.number(), &error))?;
    let (written, rest) = values.split_at_checked(keys.len()).unwrap_or_default();
    if written.is_empty() || !written.iter().all(|value| matches!(value, Value::Okay)) {
        return Err(Error::Unavailable("partitions have moved to other nodes".to_owned()));
    }
    let count = rest.first().and_then(|value| u32::from_redis_value(value.clone()).ok()).unwrap_or_default();
    if count < wanted {
        return Err(Error::Unavailable(format!("{count} replicas have the commit after {millis} ms, not {wanted}")));
    }
    Ok(rest.get(1).and_then(|value| String::from_redis_value(value.clone()).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_has_a_lane_as_soon_as_it_is_known() {
        let mut lanes = Lanes::default();
        let add = |lanes: &mut Lanes, tag: &str| lanes.add(tag.to_owned(), oneshot::channel().0, false);
        let ready = |lanes: &mut Lanes| {
            let shown = |(lane, group): (String, Group)| (lane, group.into_keys().collect::<Vec<_>>().join(" "));
            lanes.take_ready().into_iter().map(shown).map(|(lane, tags)| format!("{lane}: {tags}")).collect::<Vec<_>>()
        };
        ["p1", "p2", "p1", "{d}"].iter().for_each(|tag| add(&mut lanes, tag));
        assert_eq!(ready(&mut lanes), ["p1: p1", "p2: p2", "{d}: {d}"]);
        add(&mut lanes, "p1");
        assert!(ready(&mut lanes).is_empty(), "one at a time");
        for tag in ["p1", "p2", "{d}"] {
            lanes.end(Ended { lane: tag.to_owned(), tags: vec![tag.to_owned()], node: Some("n".to_owned()) });
        }
        ["p1", "p2", "{d}"].iter().for_each(|tag| add(&mut lanes, tag));
        assert_eq!(ready(&mut lanes), ["n: p1 p2", "p1: p1", "{d}: {d}"]);
        lanes.end(Ended { lane: "n".to_owned(), tags: vec!["p1".to_owned(), "p2".to_owned()], node: None });
        add(&mut lanes, "p2");
        assert_eq!(ready(&mut lanes), ["p2: p2"], "it may have moved");
    }

    #[test]
    fn one_server_has_one_lane() {
        let mut lanes = Lanes::default();
        for tag in ["p1", "p2"] {
            lanes.add(tag.to_owned(), oneshot::channel().0, true);
        }
        let ready = lanes.take_ready();
        assert_eq!(ready.len(), 1);
        assert_eq!(ready.iter().map(|(_, group)| group.len()).sum::<usize>(), 2);
    }
}

//! A private Redis Cluster.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::redis::{RedisOptions, RedisServer};
use crate::wait::eventually;

const JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Redis servers that share the slots of one cluster, without replicas.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts that many nodes (at least 3) and waits until each of them sees the whole cluster.
    ///
    /// # Errors
    /// If a node doesn't start, or they don't join within 60 s.
    pub async fn start(count: usize) -> Result<Self> {
        ensure!(count >= 3, "a Redis Cluster has at least 3 nodes, not {count}");
        let mut nodes = Vec::with_capacity(count);
        for _ in 0..count {
            let options = RedisOptions { cluster_enabled: true, ..RedisOptions::default() };
            nodes.push(RedisServer::start(options).await?);
        }
        let cluster = Self { nodes };
        cluster.join().await?;
        Ok(cluster)
    }

    /// Gives the URLs of all nodes.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// Gives the nodes, for restarts.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    async fn join(&self) -> Result<()> {
        let addresses: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let mut words = vec!["--cluster", "create"];
        words.extend(addresses.iter().map(String::as_str));
        words.push("--cluster-yes");
        self.nodes[0].command(&words).await?;
        for node in &self.nodes {
            let sees_all = || async {
                node.command(&["CLUSTER", "INFO"]).await.is_ok_and(|info| info.contains("cluster_state:ok"))
            };
            eventually(JOIN_TIMEOUT, sees_all, "the cluster's state is ok").await?;
        }
        Ok(())
    }
}

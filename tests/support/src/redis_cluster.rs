//! A private Redis Cluster.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::redis::{RedisOptions, RedisServer};
use crate::wait::eventually;

const JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Redis servers that share the slots of one cluster.
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
        Self::of(count, 0).await
    }

    /// Starts that many masters (at least 3), each with a replica that takes its place within seconds, and waits until all of them
    /// see the whole cluster and every replica has its master's data.
    ///
    /// # Errors
    /// As for `start`.
    pub async fn start_with_replicas(masters: usize) -> Result<Self> {
        let cluster = Self::of(masters, 1).await?;
        for node in cluster.nodes() {
            let is_linked = || async {
                let info = node.command(&["INFO", "replication"]).await.unwrap_or_default();
                info.contains("master_link_status:up") || info.contains("connected_slaves:1")
            };
            eventually(JOIN_TIMEOUT, is_linked, "masters and replicas are linked").await?;
        }
        Ok(cluster)
    }

    async fn of(masters: usize, replicas: usize) -> Result<Self> {
        ensure!(masters >= 3, "a Redis Cluster has at least 3 masters, not {masters}");
        let mut nodes = Vec::with_capacity(masters * (1 + replicas));
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for _ in 0..masters * (1 + replicas) {
            let extra = if replicas == 0 {
                Vec::new()
            } else {
                vec![setting("repl-diskless-sync-delay", "0"), setting("cluster-node-timeout", "1500")]
            };
            let options = RedisOptions { cluster_enabled: true, extra, ..RedisOptions::default() };
            nodes.push(RedisServer::start(options).await?);
        }
        let cluster = Self { nodes };
        cluster.join(replicas).await?;
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

    async fn join(&self, replicas: usize) -> Result<()> {
        let addresses: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let mut words = vec!["--cluster", "create"];
        words.extend(addresses.iter().map(String::as_str));
        let replicas = replicas.to_string();
        words.extend(["--cluster-replicas", &replicas, "--cluster-yes"]);
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

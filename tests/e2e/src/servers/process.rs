//! Servers that are processes.

use anyhow::Result;
use async_trait::async_trait;
use support::{RabbitServer, RedisServer};

use super::Server;

#[async_trait]
impl Server for RedisServer {
    async fn kill(&self) -> Result<()> {
        self.kill().await
    }

    async fn stop(&self) -> Result<()> {
        self.stop().await
    }

    async fn start_again(&self) -> Result<()> {
        self.start_again().await
    }

    async fn start_empty(&self) -> Result<()> {
        self.start_again().await?;
        self.command(&["FLUSHALL"]).await.map(drop)
    }

    fn freeze(&self) -> Result<()> {
        self.freeze()
    }

    fn thaw(&self) -> Result<()> {
        self.thaw()
    }

    fn log_tail(&self) -> String {
        self.log_tail()
    }
}

#[async_trait]
impl Server for RabbitServer {
    async fn kill(&self) -> Result<()> {
        self.kill().await
    }

    async fn stop(&self) -> Result<()> {
        self.stop().await
    }

    async fn start_again(&self) -> Result<()> {
        self.start_again().await
    }

    async fn start_empty(&self) -> Result<()> {
        self.wipe().await?;
        self.start_again().await
    }

    fn freeze(&self) -> Result<()> {
        self.freeze()
    }

    fn thaw(&self) -> Result<()> {
        self.thaw()
    }

    fn log_tail(&self) -> String {
        self.log_tail()
    }
}

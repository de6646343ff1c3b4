//! One endpoint for several coordinators, as a load balancer gives one to clients.

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Is a listener that hands each connection to the next coordinator; it ends with this value.
#[derive(Debug)]
pub(crate) struct Balance {
    url: String,
    accepting: JoinHandle<()>,
}

impl Balance {
    /// Starts to listen.
    ///
    /// # Errors
    /// If there is no port.
    pub(crate) async fn start(addresses: Vec<String>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self { url, accepting: tokio::spawn(accept(listener, addresses)) })
    }

    /// Gives its endpoint.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Balance {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, addresses: Vec<String>) {
    for address in addresses.iter().cycle() {
        // A connection that fails is the client's to notice.
        let Ok((mut client, _)) = listener.accept().await else { continue };
        let address = address.clone();
        tokio::spawn(async move {
            if let Ok(mut coordinator) = TcpStream::connect(address).await {
                drop(copy_bidirectional(&mut client, &mut coordinator).await);
            }
        });
    }
}

//! The smallest HTTP client that can ask whether a server is up.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time;

const TIMEOUT: Duration = Duration::from_secs(5);

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The body as it came.
    pub body: String,
}

/// Asks for `http://host:port/path` by GET, on a connection of its own, within 5 seconds.
///
/// # Errors
/// If the URL is none, or nothing that looks like HTTP comes back in time.
pub async fn http_get(url: &str) -> Result<HttpAnswer> {
    time::timeout(TIMEOUT, get(url))
        .await
        .with_context(|| format!("GET {url} took over {TIMEOUT:?}"))?
        .with_context(|| format!("GET {url}"))
}

async fn get(url: &str) -> Result<HttpAnswer> {
    let rest = url.strip_prefix("http://").context("not an http:// URL")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).await?;
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    parse(&String::from_utf8_lossy(&bytes)).context("the answer isn't HTTP")
}

fn parse(text: &str) -> Option<HttpAnswer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(HttpAnswer { status, body: body.to_owned() })
}

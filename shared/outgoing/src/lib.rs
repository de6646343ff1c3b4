//! Requests to others over HTTP/1.1, with or without TLS. One client, and so one pool of connections, serves a whole process.
//!
//! TLS is rustls with ring. It trusts the system's certificates, or those of the file that `SSL_CERT_FILE` names.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// How long a connection may take to come about. A peer that is there answers within a second or two.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next request: less than most servers and balancers keep theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Sends requests; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// Made by the first request: reading the system's certificates takes time.
    client: Arc<OnceLock<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>>,
}

/// Is what came back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Gives a header that is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Says why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum NoReply {
    /// The peer can't be reached, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// The reply is larger than it may be.
    #[error("the reply has more than {0} bytes")]
    TooLarge(usize),
}

impl Outgoing {
    /// Sends a request and reads the whole reply, of which the body has at most `bytes_max` bytes. Dropping the future closes the connection.
    ///
    /// # Errors
    /// [`NoReply`] where the peer can't be reached, or replies too much.
    pub async fn send(&self, request: Request<Full<Bytes>>, bytes_max: usize) -> Result<Reply, NoReply> {
        let client = self.client().map_err(|error| NoReply::Unreachable(chain(&error)))?;
        let response = client.request(request).await.map_err(|error| NoReply::Unreachable(chain(&error)))?;
        let (head, body) = response.into_parts();
        let body = read(body, bytes_max).await?;
        Ok(Reply { status: head.status, headers: head.headers, body })
    }

    fn client(&self) -> Result<&Client<HttpsConnector<HttpConnector>, Full<Bytes>>, std::io::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let mut plain = HttpConnector::new();
        plain.set_connect_timeout(Some(CONNECT_TIMEOUT));
        plain.set_nodelay(true);
        plain.enforce_http(false);
        let provider = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        let connector = tls.https_or_http().enable_http1().wrap_connector(plain);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Ok(self.client.get_or_init(|| client))
    }
}

async fn read(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, NoReply> {
    let announced = body.size_hint().lower();
    if usize::try_from(announced).ok().is_none_or(|bytes| bytes > bytes_max) {
        return Err(NoReply::TooLarge(bytes_max));
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| NoReply::Unreachable(chain(&error)))?;
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
        if bytes.len() > bytes_max {
            return Err(NoReply::TooLarge(bytes_max));
        }
    }
    Ok(bytes)
}

/// Is what requests bear.
pub type Body = Full<Bytes>;

/// Renders an error with its sources; those that repeat what was said are left out.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = source.source();
    }
    text
}

//! A server that handlers call.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use runtime::{Runtime, Task};
use tokio::net::TcpListener;

/// Is a request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("is text"))
    }
}

type Answer = Arc<dyn Fn(&Seen) -> Response + Send + Sync>;

#[derive(Clone)]
struct Shared {
    answer: Answer,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// Answers every request with what a function says, and keeps the requests. It ends when it is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _task: Task,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let seen = Arc::default();
        let shared = Shared { answer: Arc::new(answer), seen: Arc::clone(&seen) };
        let router = Router::new().fallback(serve).with_state(shared);
        let task = Runtime::system().spawn(async move {
            axum::serve(listener, router).await.expect("it serves until it is dropped");
        });
        Self { url, seen, _task: task }
    }

    /// Gives all requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no holder panics").clone()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().expect("no holder panics").last().cloned().expect("there was a request")
    }
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let seen = Seen { uri: head.uri.to_string(), headers: head.headers, body };
    shared.seen.lock().expect("no holder panics").push(seen.clone());
    if seen.uri == "/never" {
        Runtime::system().sleep(Duration::from_secs(3600)).await;
    }
    (shared.answer)(&seen)
}

pub(crate) fn reply(status: u16, headers: &[(&'static str, &'static str)], body: impl Into<Bytes>) -> Response {
    let mut response = (StatusCode::from_u16(status).expect("is a status"), body.into()).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().expect("is a value"));
    }
    response
}

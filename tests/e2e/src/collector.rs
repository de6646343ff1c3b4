//! A collector of traces, as small as a test needs it: it takes OTLP over HTTP or gRPC and keeps the spans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Is a span as it was exported.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its trace, in hexadecimal digits.
    pub trace: String,
    /// Its id, likewise.
    pub id: String,
    /// The span that it hangs on, if it does.
    pub parent: Option<String>,
    /// Its name.
    pub name: String,
    /// The program that exported it (`service.name`).
    pub service: String,
    /// The process (`service.instance.id`).
    pub instance: String,
    /// When it began, in nanoseconds since 1970.
    pub start: u64,
    /// When it ended.
    pub end: u64,
}

/// Is a collector on a port of its own, until it is dropped.
#[derive(Debug)]
pub struct Collector {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Collector {
    /// Starts it.
    ///
    /// # Errors
    /// If there is no port.
    #[expect(clippy::disallowed_methods, reason = "beside real processes")]
    pub async fn start() -> Result<Self> {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&seen));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, seen, serving })
    }

    /// Starts one that speaks gRPC.
    ///
    /// # Errors
    /// If there is no port.
    #[expect(clippy::disallowed_methods, reason = "beside real processes")]
    pub async fn start_grpc() -> Result<Self> {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = Server::builder().add_service(TraceServiceServer::new(OverGrpc(Arc::clone(&seen))));
        let serving = tokio::spawn(async move {
            let _ = server.serve_with_incoming(TcpIncoming::from(listener)).await;
        });
        Ok(Self { url, seen, serving })
    }

    /// Gives what `OTEL_EXPORTER_OTLP_ENDPOINT` is to be.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Gives the traces so far.
    pub fn traces(&self) -> Traces {
        let mut traces: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
        for seen in self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            traces.entry(seen.trace.clone()).or_default().push(seen.clone());
        }
        Traces(traces)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(kept): State<Arc<Mutex<Vec<Seen>>>>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    keep(&kept, request);
    StatusCode::OK
}

struct OverGrpc(Arc<Mutex<Vec<Seen>>>);

#[tonic::async_trait]
impl TraceService for OverGrpc {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        keep(&self.0, request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn keep(kept: &Mutex<Vec<Seen>>, request: ExportTraceServiceRequest) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    for of_resource in request.resource_spans {
        let attributes = of_resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let (service, instance) = (text(&attributes, "service.name"), text(&attributes, "service.instance.id"));
        for span in of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans) {
            kept.push(Seen {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: Some(hex(&span.parent_span_id)).filter(|id| !id.is_empty()),
                name: span.name,
                service: service.clone(),
                instance: instance.clone(),
                start: span.start_time_unix_nano,
                end: span.end_time_unix_nano,
            });
        }
    }
}

fn text(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(_) | None => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Is the spans of several traces.
#[derive(Clone, Debug)]
pub struct Traces(BTreeMap<String, Vec<Seen>>);

impl Traces {
    /// Counts the traces.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Counts the spans, repetitions included, and those of them that are repetitions.
    pub fn spans(&self) -> (usize, usize) {
        let all = self.0.values().flatten().count();
        let ids: BTreeSet<_> = self.0.values().flatten().map(|seen| (&seen.trace, &seen.id)).collect();
        (all, all - ids.len())
    }

    /// Counts the processes that exported anything.
    pub fn instances(&self) -> usize {
        self.0.values().flatten().map(|seen| &seen.instance).collect::<BTreeSet<_>>().len()
    }

    /// Counts the traces in which several processes of a program took part.
    pub fn shared_by(&self, service: &str) -> usize {
        let instances = |spans: &Vec<Seen>| {
            let of = spans.iter().filter(|seen| seen.service == service).map(|seen| &seen.instance);
            of.collect::<BTreeSet<_>>().len()
        };
        self.0.values().filter(|spans| instances(spans) > 1).count()
    }

    /// Counts the traces whose execution has ended and which have a span of each of these names.
    pub fn complete(&self, names: &[&str]) -> usize {
        let has = |spans: &Vec<Seen>, name: &str| spans.iter().any(|seen| seen.name.starts_with(name));
        self.0.values().filter(|spans| names.iter().all(|name| has(spans, name))).count()
    }

    /// Checks that each trace has one root, every other span a parent in the same trace that began before it, and that a span exported
    /// twice is the same one.
    ///
    /// # Errors
    /// Says which span is otherwise.
    pub fn check(&self) -> Result<()> {
        self.0.values().try_for_each(|spans| check(spans))
    }
}

fn check(spans: &[Seen]) -> Result<()> {
    let mut by_id: BTreeMap<&str, &Seen> = BTreeMap::new();
    for seen in spans {
        let first = by_id.entry(&seen.id).or_insert(seen);
        ensure!((&first.parent, &first.name) == (&seen.parent, &seen.name), "one id for {first:?} and {seen:?}");
        // A run that was repeated has two times: what hangs on either began after the first.
        if seen.start < first.start {
            *first = seen;
        }
    }
    let mut roots = Vec::new();
    for seen in by_id.values() {
        ensure!(seen.start <= seen.end, "it ended before it began: {seen:?}");
        let Some(parent) = &seen.parent else {
            roots.push(&seen.name);
            continue;
        };
        let parent = by_id.get(parent.as_str()).with_context(|| format!("an orphan: {seen:?}"))?;
        ensure!(parent.start <= seen.start, "it began before its parent {parent:?}: {seen:?}");
    }
    ensure!(roots == ["StartExecution"], "a trace of {} spans has the roots {roots:?}", spans.len());
    Ok(())
}

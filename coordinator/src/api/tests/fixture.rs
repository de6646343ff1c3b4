//! An API over memory twins whose clock stands still.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use broker::MemoryBroker;
use model::{ExecutionArn, JsonText, Timestamp};
use runtime::Runtime;
use serde_json::{Value, json};
use store::{MemoryStore, OwnerId};
use telemetry::Registry;
use wire::record::{DefinitionHash, ExecutionRecord};

use crate::api::{Api, ApiSettings};
use crate::driver::{Driver, DriverSettings, Drivers, Parts};

/// A definition that ends at once.
pub(super) const PASS: &str =
    r#"{"StartAt":"S","States":{"S":{"Type":"Pass","Result":{"Arg1":"argument1"},"End":true}}}"#;
/// A definition that waits for a worker that never comes.
pub(super) const TASK: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:F","End":true}}}"#;
pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/R";
pub(super) const MACHINE: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine";

pub(super) struct Fixture {
    pub(super) api: Api,
    pub(super) store: MemoryStore,
    pub(super) broker: MemoryBroker,
    pub(super) driver: Driver,
    pub(super) drivers: Drivers,
    pub(super) runtime: Runtime,
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn error(&self) -> &str {
        self.body["__type"].as_str().and_then(|kind| kind.split('#').nth(1)).unwrap_or_default()
    }
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(ApiSettings::default())
    }

    pub(super) fn with(settings: ApiSettings) -> Self {
        let runtime = Runtime::simulated(1, Timestamp::from_millis(1_700_000_000_123));
        let store = MemoryStore::new(runtime.clone(), 4);
        let broker = MemoryBroker::new(runtime.clone(), 1);
        let registry = Registry::new();
        let drivers = Drivers::new(Parts {
            store: Arc::new(store.clone()),
            queue: Arc::new(broker.clone()),
            runtime: runtime.clone(),
            settings: DriverSettings::default(),
            owner: OwnerId("test".into()),
            registry: registry.clone(),
        });
        let api = Api::new(runtime.clone(), settings, &registry);
        api.attach(Arc::new(store.clone()), drivers.clone());
        Self { api, store, broker, driver: drivers.stored.clone(), drivers, runtime }
    }

    pub(super) async fn call(&self, operation: &str, body: &Value) -> Reply {
        self.post(operation, body.to_string()).await
    }

    pub(super) async fn post(&self, operation: &str, body: impl Into<Body>) -> Reply {
        post_to(&self.api, operation, body).await
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        send_to(&self.api, request).await
    }

    /// Makes a state machine and gives its ARN.
    pub(super) async fn create(&self, name: &str, definition: &str) -> String {
        self.create_of_type(name, definition, "STANDARD").await
    }

    pub(super) async fn create_of_type(&self, name: &str, definition: &str, kind: &str) -> String {
        let request = json!({ "name": name, "definition": definition, "roleArn": ROLE, "type": kind });
        let reply = self.call("CreateStateMachine", &request).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        format!("{MACHINE}:{name}")
    }
}

pub(super) async fn post_to(api: &Api, operation: &str, body: impl Into<Body>) -> Reply {
    let credential = "Credential=123456789012/20240101/eu-west-1/states/aws4_request";
    let request = Request::post("/")
        .header("host", "sync-anything.example")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
        .header("authorization", format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=00"))
        .body(body.into())
        .expect("is a request");
    send_to(api, request).await
}

async fn send_to(api: &Api, request: Request<Body>) -> Reply {
    let response = api.answer(request).await;
    let (head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("is in memory");
    let body = serde_json::from_slice(&bytes).expect("answers are JSON");
    Reply { status: head.status.as_u16(), headers: head.headers, body }
}

/// Makes the record of an execution that was started by nothing in particular.
pub(in crate::api) fn execution_record(arn: &str) -> ExecutionRecord {
    let arn = ExecutionArn::parse(arn).expect("is an ARN");
    ExecutionRecord {
        state_machine: arn.state_machine(),
        arn,
        definition: DefinitionHash("h".into()),
        role_arn: String::new(),
        input: JsonText::trusted("{\"a\": 1.0}"),
        started_at: Timestamp::from_millis(1_700_000_000_120),
        traceparent: String::new(),
        trace_header: None,
        revision_id: None,
        machine_updated_at: None,
        started_by: None,
        logging: None,
        version: None,
        alias: None,
        map_run: None,
    }
}

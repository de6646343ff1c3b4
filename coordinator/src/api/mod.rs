//! The API: AWS's JSON 1.0 protocol of Step Functions, the only place that knows AWS's shapes.
//!
//! ```text
//!  POST / ─► request (headers, body) ─► operation ─► one file per operation ─► store, driver
//!                                                        │
//!  HTTP ◄── answer ◄── Answer, or ApiError ◄─────────────┘
//! ```
//! A request is checked as AWS does it: first the types of its members (SerializationException), then the constraints of the
//! model (ValidationException, all at once), then ARNs, existence, names, and at last what a payload or definition says.

mod answer;
mod arn;
mod caller;
mod checks;
mod configuration;
mod create_state_machine;
mod describe_execution;
mod describe_state_machine;
mod error;
mod get_execution_history;
mod history;
mod members;
mod metrics;
mod name;
mod operation;
mod request;
mod settings;
mod start_execution;
mod stop_execution;
mod test_state;
mod token;
mod validate_state_machine_definition;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use model::{ExecutionArn, StateMachineArn};
use runtime::Runtime;
use store::{ExecutionHead, ExecutionStore, SharedStore};
use telemetry::Registry;
use wire::record::StateMachineRecord;

use crate::driver::Driver;
use error::{ApiError, ErrorCode};
use metrics::Metrics;

pub use settings::ApiSettings;

/// Answers requests; cheap to clone.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Runtime,
    settings: ApiSettings,
    metrics: Metrics,
    backend: OnceLock<Backend>,
}

struct Backend {
    store: SharedStore,
    driver: Driver,
}

impl Api {
    /// Makes an API that answers ServiceUnavailable until it is given a store and a driver by [`Api::attach`].
    pub fn new(runtime: Runtime, settings: ApiSettings, registry: &Registry) -> Self {
        let metrics = Metrics::new(registry);
        Self { inner: Arc::new(Inner { runtime, settings, metrics, backend: OnceLock::new() }) }
    }

    /// Gives it what it works on; a second time changes nothing.
    pub fn attach(&self, store: SharedStore, driver: Driver) {
        let _ = self.inner.backend.set(Backend { store, driver });
    }

    fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    fn settings(&self) -> &ApiSettings {
        &self.inner.settings
    }

    fn backend(&self) -> Result<&Backend, ApiError> {
        let missing = || ApiError::from(store::Error::Unavailable("not connected since the start".to_owned()));
        self.inner.backend.get().ok_or_else(missing)
    }

    fn store(&self) -> Result<&dyn ExecutionStore, ApiError> {
        Ok(&*self.backend()?.store)
    }

    fn driver(&self) -> Result<&Driver, ApiError> {
        Ok(&self.backend()?.driver)
    }

    async fn state_machine(&self, arn: &StateMachineArn) -> Result<StateMachineRecord, ApiError> {
        self.store()?.state_machine(arn).await?.ok_or_else(|| arn::does_not_exist(arn))
    }

    async fn execution(&self, arn: &ExecutionArn) -> Result<ExecutionHead, ApiError> {
        self.store()?.execution(arn).await?.ok_or_else(|| execution_does_not_exist(arn))
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Api")
    }
}

fn execution_does_not_exist(arn: &ExecutionArn) -> ApiError {
    ApiError::quoting(ErrorCode::ExecutionDoesNotExist, "Execution Does Not Exist", arn)
}

//! The API: AWS's JSON 1.0 protocol of Step Functions, the only place that knows AWS's shapes.
//!
//! ```text
//!  POST / ─► request (headers, body) ─► operation ─► one file per operation ─► store, driver
//!                                                        │
//!  HTTP ◄── answer ◄── Answer, or ApiError ◄─────────────┘
//! ```
//! A request is checked as AWS does it: first the types of its members (SerializationException), then the constraints of the
//! model (ValidationException, all at once), then ARNs, existence, names, and at last what a payload or definition says.

mod activities;
mod aliases;
mod answer;
mod arn;
mod callbacks;
mod caller;
mod checks;
mod configuration;
mod create_state_machine;
mod delete_state_machine;
mod deletions;
mod describe_execution;
mod describe_state_machine;
mod describe_state_machine_for_execution;
mod error;
mod get_execution_history;
mod history;
mod integration;
mod lists;
mod log_line;
mod map_runs;
mod members;
mod metrics;
mod name;
mod operation;
mod page;
mod published;
mod request;
mod resource;
mod routing;
mod settings;
mod start_execution;
mod start_sync_execution;
mod stop_execution;
mod tags;
mod test_state;
mod token;
mod update_state_machine;
mod validate_state_machine_definition;
mod versions;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use model::{ExecutionArn, StateMachineArn, StateMachineStatus};
use runtime::{Runtime, watch};
use store::{ExecutionHead, ExecutionStore, SharedStore};
use telemetry::Registry;
use wire::record::StateMachineRecord;

use crate::driver::{Driver, Drivers};
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
    /// Turns true when polls are to end.
    stopping: watch::Sender<bool>,
    /// The state machines whose deletion goes on here.
    deleting: Mutex<BTreeSet<StateMachineArn>>,
}

struct Backend {
    store: SharedStore,
    drivers: Drivers,
}

impl Api {
    /// Makes an API that answers ServiceUnavailable until it is given a store and a driver by [`Api::attach`].
    pub fn new(runtime: Runtime, settings: ApiSettings, registry: &Registry) -> Self {
        let metrics = Metrics::new(registry);
        let (backend, stopping, deleting) = (OnceLock::new(), watch::Sender::new(false), Mutex::default());
        Self { inner: Arc::new(Inner { runtime, settings, metrics, backend, stopping, deleting }) }
    }

    /// Gives it what it works on; a second time changes nothing.
    pub fn attach(&self, store: SharedStore, drivers: Drivers) {
        for driver in [&drivers.stored, &drivers.synchronous] {
            driver.answer_calls_by(Arc::new(integration::TaskCalls::new(&self.inner)));
        }
        let _ = self.inner.backend.set(Backend { store, drivers });
    }

    /// Answers all polls that wait, and those that come, at once when `stopping` turns true: the process is to stop.
    pub fn end_polls_when(&self, mut stopping: watch::Receiver<bool>) {
        let inner = self.inner.clone();
        self.runtime().spawn(async move {
            // A sender that is gone can't ask any more, and so it has.
            let _ = stopping.wait_for(|stopping| *stopping).await;
            inner.stopping.send_replace(true);
        });
    }

    /// Waits for something unless polls are to end.
    async fn until_stopping<T>(&self, polled: impl Future<Output = T>) -> Option<T> {
        let mut stopping = self.inner.stopping.subscribe();
        tokio::select! {
            biased;
            polled = polled => Some(polled),
            _ = stopping.wait_for(|stopping| *stopping) => None,
        }
    }

    fn deleting(&self) -> MutexGuard<'_, BTreeSet<StateMachineArn>> {
        self.inner.deleting.lock().unwrap_or_else(PoisonError::into_inner)
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
        Ok(&self.backend()?.drivers.stored)
    }

    /// Gives the driver of executions that callers wait for.
    fn synchronous(&self) -> Result<&Driver, ApiError> {
        Ok(&self.backend()?.drivers.synchronous)
    }

    /// Gives the driver that has an execution.
    fn driver_of(&self, execution: &ExecutionArn) -> Result<&Driver, ApiError> {
        let synchronous = self.synchronous()?;
        if synchronous.runs(execution) { Ok(synchronous) } else { self.driver() }
    }

    async fn state_machine(&self, arn: &StateMachineArn) -> Result<StateMachineRecord, ApiError> {
        let found = self.store()?.state_machine(arn).await?.ok_or_else(|| arn::does_not_exist(arn))?;
        self.see_to_deletion(&found);
        Ok(found)
    }

    /// Gives a state machine without the text of its definition.
    async fn state_machine_alone(&self, arn: &StateMachineArn) -> Result<StateMachineRecord, ApiError> {
        let found = self.store()?.state_machine_alone(arn).await?;
        let (found, _) = found.ok_or_else(|| arn::does_not_exist(arn))?;
        self.see_to_deletion(&found);
        Ok(found)
    }

    /// Goes on with the deletion of a state machine that is being deleted.
    fn see_to_deletion(&self, machine: &StateMachineRecord) {
        if machine.status == StateMachineStatus::Deleting {
            self.go_on_deleting(machine.arn.clone());
        }
    }

    async fn execution(&self, arn: &ExecutionArn) -> Result<ExecutionHead, ApiError> {
        concerns(arn);
        let head = self.store()?.execution(arn).await?.ok_or_else(|| execution_does_not_exist(arn))?;
        tracing::Span::current().record("trace_id", telemetry::trace_id_of(&head.record.traceparent));
        Ok(head)
    }
}

/// Says which execution the request is about, for the log.
fn concerns(execution: &ExecutionArn) {
    tracing::Span::current().record("execution", tracing::field::display(execution));
}

impl std::fmt::Debug for Api {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Api")
    }
}

fn execution_does_not_exist(arn: &ExecutionArn) -> ApiError {
    ApiError::quoting(ErrorCode::ExecutionDoesNotExist, "Execution Does Not Exist", arn)
}

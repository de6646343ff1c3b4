//! A whole coordinator: driver and API on any store and broker.

use std::io;
use std::time::Duration;

use axum::Router;
use broker::SharedQueue;
use runtime::{Runtime, watch};
use store::{OwnerId, SharedStore};
use telemetry::{Registry, Tracer};
use tokio::net::TcpListener;

use crate::api::{Api, ApiSettings};
use crate::driver::{self, Driver, DriverSettings, Drivers};
use crate::serve::serve;

/// How often a stopping coordinator looks whether it is done.
const IDLE_POLL: Duration = Duration::from_millis(20);

/// How long the last spans may take to reach the collector where the grace is used up.
const LAST_FLUSH: Duration = Duration::from_secs(1);

/// Is what a coordinator is made of.
pub struct Parts {
    /// Where executions are kept.
    pub store: SharedStore,
    /// What carries work items and reports.
    pub queue: SharedQueue,
    /// Time, chance and tasks of this process.
    pub runtime: Runtime,
    /// What can be set about the driver.
    pub driver: DriverSettings,
    /// What can be set about the API.
    pub api: ApiSettings,
    /// Where metrics are counted.
    pub registry: Registry,
}

/// Serves the API and advances executions; cheap to clone.
#[derive(Clone)]
pub struct Coordinator {
    runtime: Runtime,
    drivers: Drivers,
    api: Api,
}

impl Coordinator {
    /// Puts a coordinator together. Nothing runs before [`Coordinator::start`].
    pub fn build(parts: Parts) -> Self {
        let api = Api::new(parts.runtime.clone(), parts.api.clone(), &parts.registry);
        Self::behind(api, parts)
    }

    /// Puts a coordinator together behind an API that is being served already, and that answers ServiceUnavailable till now.
    pub fn behind(api: Api, parts: Parts) -> Self {
        let Parts { store, queue, runtime, driver, registry, api: _ } = parts;
        let drivers = Drivers::new(driver::Parts {
            store: store.clone(),
            queue,
            runtime: runtime.clone(),
            settings: driver,
            owner: OwnerId(runtime.uuid().into()),
            registry,
        });
        api.attach(store, drivers.clone());
        Self { runtime, drivers, api }
    }

    /// Begins to advance executions, and to go on with deletions that others left. To be called once.
    pub fn start(&self) {
        self.drivers.start();
        self.runtime.spawn(self.api.clone().deletions_loop());
    }

    /// Has traces exported from now on. To be called at most once, before [`Coordinator::start`].
    pub fn trace_to(&self, tracer: &Tracer) {
        self.drivers.trace_to(tracer);
    }

    /// Gives the driver of what the store keeps.
    pub fn driver(&self) -> &Driver {
        &self.drivers.stored
    }

    /// Gives the API.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Gives the routes of the API.
    pub fn router(&self) -> Router {
        self.api.router()
    }

    /// Serves the API on a port until `stopping` turns true and the requests in hand are answered, or `grace` is over.
    ///
    /// # Errors
    /// An `io::Error` if the port fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stopping: watch::Receiver<bool>,
        grace: Duration,
    ) -> io::Result<()> {
        self.api.end_polls_when(stopping.clone());
        serve(listener, self.router(), &self.runtime, stopping, grace).await
    }

    /// Stops taking reports in, and waits until what is in hand is done or `grace` is over; what is left comes back to another
    /// coordinator, or to this one when it starts again. Synchronous executions go on meanwhile, and what is left of them is lost.
    pub async fn stop(&self, grace: Duration) {
        self.drivers.wind_up();
        let end = self.runtime.instant() + grace;
        while !self.drivers.is_idle() && self.runtime.instant() < end {
            self.runtime.sleep(IDLE_POLL).await;
        }
        self.drivers.stop();
        let left = end.saturating_duration_since(self.runtime.instant()).max(LAST_FLUSH);
        self.drivers.flush_traces(left).await;
    }
}

impl std::fmt::Debug for Coordinator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Coordinator")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use broker::MemoryBroker;
    use model::Timestamp;
    use store::MemoryStore;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::serve::listen;

    const REQUEST: &str = "POST / HTTP/1.1\r\nhost: any\r\nconnection: close\r\ncontent-length: 2\r\n\
                           content-type: application/x-amz-json-1.0\r\n\
                           x-amz-target: AWSStepFunctions.DescribeExecution\r\n\r\n{}";

    fn started(runtime: &Runtime) -> Coordinator {
        let coordinator = Coordinator::build(Parts {
            store: Arc::new(MemoryStore::new(runtime.clone(), 4)),
            queue: Arc::new(MemoryBroker::new(runtime.clone(), 1)),
            runtime: runtime.clone(),
            driver: DriverSettings::default(),
            api: ApiSettings::default(),
            registry: Registry::new(),
        });
        coordinator.start();
        coordinator
    }

    #[tokio::test]
    async fn a_coordinator_serves_until_it_is_stopped() {
        let runtime = Runtime::simulated(1, Timestamp::default());
        let coordinator = started(&runtime);
        let listener = listen("api.listen", "127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("is bound");
        let (stop, stopping) = watch::channel(false);
        let own = coordinator.clone();
        let served = runtime.spawn(async move {
            own.serve(listener, stopping, Duration::from_secs(5)).await.expect("the port works");
        });
        let mut connection = TcpStream::connect(address).await.expect("is served");
        connection.write_all(REQUEST.as_bytes()).await.expect("is open");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.expect("is answered");
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("ValidationException"), "{answer}");
        stop.send_replace(true);
        served.join().await.expect("serving ends");
        coordinator.stop(Duration::from_secs(5)).await;
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopping_coordinator_waits_for_what_callers_wait_for() {
        const WAIT: &str =
            r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":8,"Next":"P"},"P":{"Type":"Pass","End":true}}}"#;
        let runtime = Runtime::simulated(1, Timestamp::default());
        let coordinator = started(&runtime);
        let role = "arn:aws:iam::000000000000:role/R";
        let create = format!(r#"{{"name":"W","definition":{WAIT:?},"roleArn":"{role}","type":"EXPRESS"}}"#);
        coordinator.api().ask("CreateStateMachine", create.as_bytes()).await.expect("is created");
        let api = coordinator.api().clone();
        let body = r#"{"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:W"}"#;
        let began = runtime.instant();
        let stopped = async {
            runtime.sleep(Duration::from_secs(1)).await;
            coordinator.stop(Duration::from_secs(60)).await;
        };
        let (answer, ()) = futures::future::join(api.ask("StartSyncExecution", body.as_bytes()), stopped).await;
        let took = began.elapsed();
        assert!((8..9).contains(&took.as_secs()), "no longer than it takes: {took:?}");
        let answer = String::from_utf8(answer.expect("is answered")).expect("is a text");
        assert!(answer.contains("\"status\":\"SUCCEEDED\""), "{answer}");
    }

    #[tokio::test]
    async fn an_address_that_can_not_be_is_named_with_its_setting() {
        let error = listen("api.listen", "127.0.0.1:99999").await.expect_err("is refused").to_string();
        assert!(error.contains("127.0.0.1:99999") && error.contains("api.listen"), "{error}");
    }
}

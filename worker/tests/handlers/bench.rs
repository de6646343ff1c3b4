//! A worker with handlers from a file, on a memory broker, in real time.

use std::sync::Arc;
use std::time::Duration;

use broker::{Consumer, MemoryBroker, SharedQueue, WorkQueue as _};
use model::{AttemptId, ExecutionArn, JsonText, Nonce, Timestamp};
use runtime::{Runtime, Task};
use support::DataDir;
use telemetry::Registry;
use wire::message::{Outcome, Report, WorkItem};
use worker::{Aws, Stopper, WorkConfig, Worker, WorkerConfig};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How much a handler may answer with here.
pub(crate) const OUTPUT_BYTES_MAX: usize = 100_000;

pub(crate) struct Bench {
    pub(crate) broker: MemoryBroker,
    pub(crate) runtime: Runtime,
    pub(crate) folder: DataDir,
    /// The role that further tasks are run as.
    pub(crate) role_arn: Option<String>,
    runs: Registry,
    worker: Task,
    stopper: Stopper,
    events: Consumer<Report>,
    ready: Vec<Report>,
    last: u64,
}

impl Bench {
    /// Starts a worker with handlers as `toml` declares them.
    pub(crate) async fn start(toml: &str) -> Self {
        Self::start_with(toml, None).await
    }

    /// Starts a worker that calls all other functions at `aws`.
    pub(crate) async fn start_with(toml: &str, aws: Option<Aws>) -> Self {
        let folder = DataDir::new("worker-handlers").expect("the folder for temporary files is writable");
        let files =
            [("child.py", include_str!("child.py")), ("play.py", include_str!("play.py")), ("handlers.toml", toml)];
        for (name, text) in files {
            std::fs::write(folder.file(name), text).expect("is writable");
        }
        let runtime = Runtime::system();
        let broker = MemoryBroker::new(runtime.clone(), 1);
        let queue: SharedQueue = Arc::new(broker.handle(runtime.clone()));
        let metrics = Registry::new();
        let config = WorkerConfig { output_bytes_max: OUTPUT_BYTES_MAX, ..WorkerConfig::default() };
        let worker = Worker::builder(queue, runtime.clone())
            .config(config, WorkConfig::default())
            .aws(aws)
            .metrics(metrics.clone())
            .handlers_file(folder.path().join("handlers.toml"))
            .build()
            .expect("the file is right");
        let stopper = worker.stopper();
        let worker = runtime.spawn(worker.run());
        let events = broker.consume_events(0, 1000);
        Self {
            broker,
            runtime,
            folder,
            role_arn: None,
            runs: metrics,
            worker,
            stopper,
            events,
            ready: Vec::new(),
            last: 0,
        }
    }

    /// Dispatches a task of a function and gives its attempt.
    pub(crate) async fn call(&mut self, function: &str, input: &str) -> AttemptId {
        self.call_until(function, input, None).await
    }

    pub(crate) async fn call_until(&mut self, function: &str, input: &str, deadline: Option<Timestamp>) -> AttemptId {
        let resource = format!("arn:aws:lambda:us-east-1:123456789012:function:{function}");
        self.dispatch(&resource, input, deadline).await
    }

    /// Runs `lambda:invoke` to its end.
    pub(crate) async fn invoke(&mut self, parameters: &str) -> Outcome {
        self.dispatch("arn:aws:states:::lambda:invoke", parameters, None).await;
        self.end().await.1
    }

    /// Dispatches a task of any resource and gives its attempt.
    pub(crate) async fn dispatch(&mut self, resource: &str, input: &str, deadline: Option<Timestamp>) -> AttemptId {
        self.last += 1;
        let attempt = AttemptId::first(Nonce(self.last));
        let item = WorkItem {
            execution: ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1")
                .expect("is one"),
            branch: "r".parse().expect("is a path"),
            attempt,
            state: "Work".to_owned(),
            resource: resource.to_owned(),
            input: JsonText::trusted(input),
            role_arn: self.role_arn.clone(),
            deadline,
            heartbeat_seconds: None,
            traceparent: None,
            deliveries: 0,
            dispatched_at: self.runtime.now(),
        };
        self.broker.publish_work("default", &self.broker.reply_to(0), &[item]).await.expect("the broker is there");
        attempt
    }

    /// Waits for the next report.
    pub(crate) async fn report(&mut self) -> Report {
        while self.ready.is_empty() {
            let delivery = within(self.events.next()).await.expect("the broker is there");
            delivery.receipt.ack().await;
            self.ready = delivery.content.expect("are reports");
        }
        self.ready.remove(0)
    }

    /// Waits for the end of any task, passing over notices.
    pub(crate) async fn end(&mut self) -> (AttemptId, Outcome) {
        loop {
            let report = self.report().await;
            if !matches!(report.outcome, Outcome::Started | Outcome::Heartbeat | Outcome::Holding) {
                return (report.attempt, report.outcome);
            }
        }
    }

    /// Runs a task to its end.
    pub(crate) async fn run(&mut self, function: &str, input: &str) -> Outcome {
        let attempt = self.call(function, input).await;
        let (ended, outcome) = self.end().await;
        assert_eq!(ended, attempt);
        outcome
    }

    pub(crate) async fn output(&mut self, function: &str, input: &str) -> String {
        let outcome = self.run(function, input).await;
        let Outcome::Succeeded { output } = outcome else { panic!("{function} {input}: {outcome:?}") };
        output.to_string()
    }

    /// Runs a task that fails, and gives error and cause.
    pub(crate) async fn failure(&mut self, function: &str, input: &str) -> (String, String) {
        parts(self.run(function, input).await)
    }

    /// Waits until a run has ended in that way.
    pub(crate) async fn runs_ended(&self, end: &str) {
        let counter = self.runs.counter(&worker::metrics::RUNS, &[end]);
        support::eventually(PATIENCE, async || counter.get() > 0, "a run has ended").await.expect("ends");
    }

    /// Stops the worker and waits for its end.
    pub(crate) async fn stop(self) {
        self.stopper.stop();
        within(self.worker.join()).await.expect("ends by itself");
    }
}

pub(crate) fn parts(outcome: Outcome) -> (String, String) {
    let Outcome::Failed { error: Some(error), cause: Some(cause) } = outcome else { panic!("{outcome:?}") };
    (error, cause)
}

/// Gives the message of a cause.
pub(crate) fn message(cause: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(cause).expect("is JSON");
    value["errorMessage"].as_str().expect("has a message").to_owned()
}

/// Is a role that a task may be run as.
pub(crate) const ROLE: &str = "arn:aws:iam::210987654321:role/team/Pay";

/// Waits, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("comes within 30 s")
}

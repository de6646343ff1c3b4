//! A small cluster in memory: one store, one broker, as many coordinators and workers as a test asks for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker::{MemoryBroker, WorkQueue};
use model::{
    EventId, EventKind, ExecutionArn, ExecutionStatus, HistoryEvent, JsonText, StateMachineArn, StateMachineStatus,
    Timestamp,
};
use runtime::Runtime;
use store::{ExecutionHead, ExecutionStore, HistoryQuery, MemoryStore, OwnerId};
use telemetry::Registry;
use wire::message::{Outcome, Report, WorkItem};
use wire::record::{DefinitionHash, StateMachineRecord};

use crate::api::{Api, ApiSettings};
use crate::driver::{Driver, DriverSettings, Drivers, Parts, StartOutcome, StartRequest};

/// How long a test waits for a condition, by the paused clock: longer than any back-off or lease.
const PATIENCE: Duration = Duration::from_secs(600);
pub(super) const EPOCH: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Is what all processes of a test share.
pub(super) struct World {
    pub(super) runtime: Runtime,
    pub(super) store: MemoryStore,
    pub(super) broker: MemoryBroker,
}

/// Is one coordinator.
pub(super) struct Node {
    pub(super) driver: Driver,
    pub(super) synchronous: Driver,
    pub(super) runtime: Runtime,
    /// Answers what tasks call of this service.
    _api: Api,
}

/// Is what a worker of a test does with an item.
pub(super) enum Act {
    /// Reports that, in one message, and acknowledges the item.
    Report(Vec<Outcome>),
    /// Acknowledges the item and says nothing.
    Lose,
}

/// Is a worker, and what it saw.
#[derive(Clone, Default)]
pub(super) struct Worker {
    seen: Arc<Mutex<Vec<WorkItem>>>,
}

impl Worker {
    pub(super) fn seen(&self) -> Vec<WorkItem> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl World {
    pub(super) fn new() -> Self {
        let runtime = Runtime::simulated(1, EPOCH);
        let store = MemoryStore::new(runtime.clone(), 4);
        let broker = MemoryBroker::new(runtime.clone(), 2);
        Self { runtime, store, broker }
    }

    /// Makes a coordinator that does not run yet.
    pub(super) fn node(&self, name: &str, settings: DriverSettings) -> Node {
        // It counts on from now, as the clocks of one machine do.
        self.node_ahead(name, settings, 0)
    }

    /// Makes a coordinator that does not run yet, whose clock is ahead of others'.
    pub(super) fn node_ahead(&self, name: &str, settings: DriverSettings, millis: i64) -> Node {
        let seed = name.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
        let runtime = Runtime::simulated(seed, self.runtime.now().plus_millis(millis));
        let registry = Registry::new();
        let drivers = Drivers::new(Parts {
            store: Arc::new(self.store.clone()),
            queue: Arc::new(self.broker.handle(runtime.clone())),
            runtime: runtime.clone(),
            settings,
            owner: OwnerId(name.into()),
            registry: registry.clone(),
        });
        let api = Api::new(runtime.clone(), ApiSettings::default(), &registry);
        api.attach(Arc::new(self.store.clone()), drivers.clone());
        Node { driver: drivers.stored, synchronous: drivers.synchronous, runtime, _api: api }
    }

    /// Makes a coordinator and starts it, with the driver of synchronous executions.
    pub(super) fn started_whole(&self, name: &str, settings: DriverSettings) -> Node {
        let node = self.node(name, settings);
        node.driver.start();
        node.synchronous.start();
        node
    }

    /// Makes a coordinator and starts it.
    pub(super) fn started(&self, name: &str) -> Node {
        let node = self.node(name, DriverSettings::default());
        node.driver.start();
        node
    }

    /// Starts a worker of the default pool. `act` is told of each item, and how often its attempt was seen before.
    pub(super) fn worker(&self, act: impl Fn(&WorkItem, usize) -> Act + Send + Sync + 'static) -> Worker {
        let worker = Worker::default();
        let runtime = Runtime::simulated(99, self.runtime.now());
        let broker = self.broker.handle(runtime.clone());
        let mut consumer = broker.consume_work("default", 100);
        let seen = worker.seen.clone();
        runtime.clone().spawn(async move {
            while let Some(delivery) = consumer.next().await {
                let Ok(items) = delivery.content else { continue };
                let reply_to = delivery.reply_to.expect("coordinators say where reports go");
                for item in items {
                    let before = {
                        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                        let before = seen.iter().filter(|other| other.attempt == item.attempt).count();
                        seen.push(item.clone());
                        before
                    };
                    if let Act::Report(outcomes) = act(&item, before) {
                        let now = runtime.now();
                        let reports: Vec<Report> =
                            outcomes.into_iter().map(|outcome| report_on(&item, outcome, now)).collect();
                        while broker.publish_reports(&reply_to, &reports).await.is_err() {
                            runtime.sleep(Duration::from_millis(100)).await;
                        }
                    }
                }
                delivery.receipt.ack().await;
            }
        });
        worker
    }

    /// Starts a worker whose every task takes `millis` and gives its input back.
    pub(super) fn echo(&self, millis: u64) -> Worker {
        let worker = Worker::default();
        let runtime = Runtime::simulated(98, self.runtime.now());
        let broker = self.broker.handle(runtime.clone());
        let mut consumer = broker.consume_work("default", 1_000);
        let seen = worker.seen.clone();
        runtime.clone().spawn(async move {
            while let Some(delivery) = consumer.next().await {
                let (broker, tasks, seen) = (broker.clone(), runtime.clone(), seen.clone());
                runtime.spawn(async move {
                    let Ok(items) = delivery.content else { return };
                    let reply_to = delivery.reply_to.expect("coordinators say where reports go");
                    tasks.sleep(Duration::from_millis(millis)).await;
                    for item in items {
                        let report = report_on(&item, Outcome::Succeeded { output: item.input.clone() }, tasks.now());
                        seen.lock().unwrap_or_else(PoisonError::into_inner).push(item);
                        while broker.publish_reports(&reply_to, std::slice::from_ref(&report)).await.is_err() {
                            tasks.sleep(Duration::from_millis(100)).await;
                        }
                    }
                    delivery.receipt.ack().await;
                });
            }
        });
        worker
    }

    /// Creates the state machine if need be, and starts an execution.
    pub(super) async fn start(&self, node: &Node, definition: &str, name: &str, input: &str) -> ExecutionArn {
        let machine = self.machine(definition).await;
        self.start_of(node, machine, name, input).await
    }

    /// Starts an execution of a state machine.
    pub(super) async fn start_of(
        &self,
        node: &Node,
        machine: StateMachineRecord,
        name: &str,
        input: &str,
    ) -> ExecutionArn {
        let input = JsonText::parse(input).expect("the test's input is JSON");
        let request = StartRequest::new(machine, name, input);
        match node.driver.start_execution(request).await.expect("the execution starts") {
            StartOutcome::Started { arn, .. } => arn,
            StartOutcome::Exists(head) => head.record.arn.clone(),
        }
    }

    pub(super) async fn machine(&self, definition: &str) -> StateMachineRecord {
        self.machine_named("M", definition).await
    }

    /// Makes a state machine of type EXPRESS.
    pub(super) async fn express(&self, name: &str, definition: &str) -> StateMachineRecord {
        let kind = StateMachineRecord::EXPRESS.to_owned();
        let machine = StateMachineRecord { kind, ..self.new_machine(name, definition) };
        self.store.create_state_machine(&machine).await.expect("the store answers");
        machine
    }

    pub(super) async fn machine_named(&self, name: &str, definition: &str) -> StateMachineRecord {
        let machine = self.new_machine(name, definition);
        self.store.create_state_machine(&machine).await.expect("the store answers");
        machine
    }

    fn new_machine(&self, name: &str, definition: &str) -> StateMachineRecord {
        StateMachineRecord {
            arn: StateMachineArn::new("us-east-1", "123456789012", name),
            definition: definition.into(),
            hash: DefinitionHash(format!("hash-{name}-{}", definition.len()).into()),
            role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
            kind: "STANDARD".to_owned(),
            status: StateMachineStatus::Active,
            created_at: self.runtime.now(),
            revision_id: None,
            updated_at: None,
            tags: Vec::new(),
            logging: None,
            tracing: None,
            encryption: None,
            publication: None,
        }
    }

    /// Waits until the execution has ended, and checks what holds for every one that has.
    pub(super) async fn ended(&self, arn: &ExecutionArn) -> (ExecutionHead, Vec<HistoryEvent>) {
        let mut head = None;
        self.until("the execution ends", async || {
            head = self.store.execution(arn).await.ok().flatten();
            head.as_ref().is_some_and(|head| head.end.is_some())
        })
        .await;
        let head = head.expect("was waited for");
        let history = self.history(arn).await;
        check_history(&history, &head);
        (head, history)
    }

    /// Waits until the execution has succeeded; gives its output.
    pub(super) async fn succeeded(&self, arn: &ExecutionArn) -> String {
        let (head, history) = self.ended(arn).await;
        let (end, _) = head.end.expect("was waited for");
        assert_eq!(end.status, ExecutionStatus::Succeeded, "{end:?} {history:#?}");
        end.output.expect("a success has an output").to_string()
    }

    pub(super) async fn history(&self, arn: &ExecutionArn) -> Vec<HistoryEvent> {
        let mut events = Vec::new();
        let mut cursor = None;
        loop {
            let query = HistoryQuery { cursor, limit: 1_000, reverse: false };
            let page = self.store.history(arn, query).await.expect("the store answers");
            events.extend(page.events);
            cursor = page.next;
            if cursor.is_none() {
                return events;
            }
        }
    }

    /// Counts the entries of the whole outbox.
    pub(super) async fn store_outbox(&self) -> usize {
        let mut count = 0;
        for partition in 0..self.store.partitions() {
            let (entries, _) = self.store.outbox(partition, 0).await.expect("the store answers");
            count += entries.len();
        }
        count
    }

    /// Waits for a condition by the paused clock.
    pub(super) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let end = self.runtime.instant() + PATIENCE;
        while !holds().await {
            assert!(self.runtime.instant() < end, "waited in vain until {what}");
            self.runtime.sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) async fn pass(&self, seconds: u64) {
        self.runtime.sleep(Duration::from_secs(seconds)).await;
    }
}

pub(super) fn report_on(item: &WorkItem, outcome: Outcome, at: Timestamp) -> Report {
    Report {
        execution: item.execution.clone(),
        branch: item.branch.clone(),
        attempt: item.attempt,
        traceparent: item.traceparent.clone(),
        deliveries: item.deliveries,
        worker: Some("w".to_owned()),
        started_at: Some(at),
        at,
        outcome,
    }
}

pub(super) fn success(item: &WorkItem) -> Act {
    Act::Report(vec![Outcome::Succeeded { output: item.input.clone() }])
}

pub(super) fn failure(error: &str) -> Act {
    Act::Report(vec![Outcome::Failed { error: Some(error.to_owned()), cause: None }])
}

pub(super) fn kinds(history: &[HistoryEvent]) -> Vec<&'static str> {
    history.iter().map(|event| event.kind.as_str()).collect()
}

fn check_history(history: &[HistoryEvent], head: &ExecutionHead) {
    for (event, id) in history.iter().zip(1..) {
        assert_eq!(event.id, EventId(id), "ids have no gap");
        assert!(event.previous < event.id, "{event:?} follows from an older event");
    }
    assert!(history.is_sorted_by_key(|event| event.at), "time never runs backwards");
    assert_eq!(head.last_event, EventId(history.len() as u64));
    let terminal: Vec<&EventKind> = history.iter().map(|event| &event.kind).filter(|kind| kind.is_terminal()).collect();
    assert_eq!(terminal.len(), 1, "there is one terminal event");
    assert!(history.last().is_some_and(|event| event.kind.is_terminal()), "the terminal event is the last");
}

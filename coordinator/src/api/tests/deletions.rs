//! Deletions whose coordinator dies, and others that go on.

use std::sync::Arc;
use std::time::Duration;

use broker::MemoryBroker;
use futures::FutureExt as _;
use model::{ExecutionArn, ExecutionStatus, StateMachineArn, StateMachineStatus, Timestamp};
use runtime::Runtime;
use serde_json::json;
use store::{ExecutionStore as _, MemoryStore, Resource, ResourceKey, ResourceKind, ResourceQuery};
use telemetry::Registry;

use super::fixture::{Fixture, MACHINE, PASS, ROLE, Reply, TASK, post_to};
use crate::api::ApiSettings;
use crate::api::deletions::DELETIONS_AT_ONCE;
use crate::driver::DriverSettings;
use crate::{Coordinator, Parts};

const PARTITIONS: u32 = 4;
const EXECUTIONS: usize = 40;
/// How long the next coordinator may take: the lease of the dead one's sweeps, and a look.
const PATIENCE: Duration = Duration::from_secs(20);

/// Is what coordinators share.
struct Place {
    runtime: Runtime,
    store: MemoryStore,
    broker: MemoryBroker,
}

impl Place {
    fn new() -> Self {
        let runtime = Runtime::simulated(1, Timestamp::from_millis(1_700_000_000_000));
        let store = MemoryStore::new(runtime.clone(), PARTITIONS);
        let broker = MemoryBroker::new(runtime.clone(), 1);
        Self { runtime, store, broker }
    }

    fn started(&self, seed: u64) -> (Coordinator, Runtime) {
        let runtime = Runtime::simulated(seed, self.runtime.now());
        let coordinator = Coordinator::build(Parts {
            store: Arc::new(self.store.clone()),
            queue: Arc::new(self.broker.handle(runtime.clone())),
            runtime: runtime.clone(),
            driver: DriverSettings::default(),
            api: ApiSettings::default(),
            registry: Registry::new(),
        });
        coordinator.start();
        (coordinator, runtime)
    }

    /// Starts executions that wait for a worker that never comes.
    async fn executions(&self, coordinator: &Coordinator) -> Vec<ExecutionArn> {
        let request = json!({ "name": "S", "definition": TASK, "roleArn": ROLE });
        ask(coordinator, "CreateStateMachine", request).await;
        let mut arns = Vec::new();
        for index in 0..EXECUTIONS {
            let request = json!({ "stateMachineArn": format!("{MACHINE}:S"), "name": format!("e-{index}") });
            let reply = ask(coordinator, "StartExecution", request).await;
            let arn = reply.body["executionArn"].as_str().expect("is a text");
            arns.push(ExecutionArn::parse(arn).expect("is one"));
        }
        arns
    }

    async fn stopped(&self, arns: &[ExecutionArn]) -> usize {
        let mut count = 0;
        for arn in arns {
            let head = self.store.execution(arn).await.expect("answers").expect("is kept");
            count += usize::from(head.end.is_some_and(|(end, _)| end.status == ExecutionStatus::Aborted));
        }
        count
    }

    async fn notes(&self) -> usize {
        let mut count = 0;
        for partition in 0..PARTITIONS {
            let query = ResourceQuery { kind: ResourceKind::Deletion, place: "".into(), after: None, limit: 10 };
            count += self.store.list_resources(partition, &query).await.expect("answers").len();
        }
        count
    }

    async fn has_published(&self) -> bool {
        self.store.resource(&ResourceKey::published(&machine())).await.expect("answers").is_some()
    }

    async fn has_machine(&self) -> bool {
        self.store.state_machine(&machine()).await.expect("answers").is_some()
    }

    async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let end = self.runtime.instant() + PATIENCE;
        while !holds().await {
            assert!(self.runtime.instant() < end, "waited in vain until {what}");
            self.runtime.sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn ask(coordinator: &Coordinator, operation: &str, request: serde_json::Value) -> Reply {
    let reply = post_to(coordinator.api(), operation, request.to_string()).await;
    assert_eq!(reply.status, 200, "{operation}: {}", reply.body);
    reply
}

fn machine() -> StateMachineArn {
    StateMachineArn::parse(&format!("{MACHINE}:S")).expect("is one")
}

#[tokio::test(start_paused = true)]
async fn another_coordinator_goes_on_with_the_deletion_of_a_dead_one() {
    for dies_in_the_middle in [false, true] {
        let place = Place::new();
        let (dying, runtime) = place.started(2);
        let arns = place.executions(&dying).await;
        if dies_in_the_middle {
            // As many tries as one stop makes: it does not come to the end.
            place.store.contend(&arns[0], 9);
        }
        ask(&dying, "DeleteStateMachine", json!({ "stateMachineArn": format!("{MACHINE}:S") })).await;
        if dies_in_the_middle {
            place.until("some are stopped", async || place.stopped(&arns).await > 0).await;
        }
        runtime.kill();
        let stopped = place.stopped(&arns).await;
        assert!(stopped < EXECUTIONS && dies_in_the_middle == (stopped > 0), "{stopped} are stopped");
        assert!(place.has_machine().await && place.notes().await == 1);

        let (_alive, _) = place.started(3);
        place.until("the state machine is gone", async || !place.has_machine().await).await;
        assert_eq!(place.stopped(&arns).await, EXECUTIONS);
        place.until("nothing is left to do", async || place.notes().await == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_died_before_its_answer_is_gone_on_with() {
    let place = Place::new();
    let (dying, runtime) = place.started(2);
    let arns = place.executions(&dying).await;
    dying.api().note_deletion(&machine()).await.expect("notes");
    place.runtime.sleep(PATIENCE).await;
    assert_eq!(place.notes().await, 1, "it may be marked in this moment");
    let (mut record, revision) = place.store.state_machine_at(&machine()).await.expect("reads").expect("is there");
    record.status = StateMachineStatus::Deleting;
    runtime.kill();
    assert!(place.store.replace_state_machine(revision, &record).await.expect("marks"));

    let (_alive, _) = place.started(3);
    place.until("the state machine is gone", async || !place.has_machine().await).await;
    place.until("nothing is left to do", async || place.notes().await == 0).await;
    assert_eq!(place.stopped(&arns).await, EXECUTIONS);
}

#[tokio::test(start_paused = true)]
async fn a_note_whose_state_machine_was_never_marked_is_forgotten() {
    let place = Place::new();
    let (coordinator, _) = place.started(2);
    let arns = place.executions(&coordinator).await;
    coordinator.api().note_deletion(&machine()).await.expect("notes");
    place.runtime.sleep(Duration::from_secs(15 * 60)).await;
    assert_eq!((place.notes().await, place.stopped(&arns).await), (0, 0));
    assert!(place.has_machine().await);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_leaves_nothing_behind() {
    let place = Place::new();
    let (coordinator, _) = place.started(2);
    let arns = place.executions(&coordinator).await;
    ask(&coordinator, "PublishStateMachineVersion", json!({ "stateMachineArn": format!("{MACHINE}:S") })).await;
    assert!(place.has_published().await);
    for _ in 0..2 {
        ask(&coordinator, "DeleteStateMachine", json!({ "stateMachineArn": format!("{MACHINE}:S") })).await;
    }
    place.until("nothing is left to do", async || place.notes().await == 0).await;
    assert_eq!((place.has_machine().await, place.stopped(&arns).await), (false, EXECUTIONS));
    assert!(!place.has_published().await);
}

#[tokio::test(start_paused = true)]
async fn what_is_created_under_the_name_of_a_deleted_one_stays() {
    let place = Place::new();
    let (coordinator, _) = place.started(2);
    let arns = place.executions(&coordinator).await;
    // A coordinator died after it had removed the state machine, and before it had removed its note.
    let note = Resource::new(b"left".to_vec());
    place.store.create_resource(&ResourceKey::deletion(&machine()), &note).await.expect("answers");
    place.until("the note is gone", async || place.notes().await == 0).await;
    assert_eq!((place.has_machine().await, place.stopped(&arns).await), (true, 0));
    ask(&coordinator, "UpdateStateMachine", json!({ "stateMachineArn": format!("{MACHINE}:S"), "definition": PASS }))
        .await;
}

/// Makes a state machine that has a version and is being deleted.
async fn deleting() -> Fixture {
    let fixture = Fixture::new();
    fixture.create("S", PASS).await;
    fixture.api.publish(&machine(), None, None).await.expect("publishes");
    let arn = machine();
    let marked = fixture.api.change_state_machine(&arn, |record| {
        record.status = StateMachineStatus::Deleting;
        Ok(())
    });
    marked.await.expect("is marked");
    fixture
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_lags_behind_leaves_what_a_newer_state_machine_published() {
    let fixture = deleting().await;
    let rival = fixture.api.clone();
    fixture.store.meanwhile(ResourceKey::published(&machine()), move || {
        for (operation, request) in [
            ("DeleteStateMachine", json!({ "stateMachineArn": format!("{MACHINE}:S") })),
            ("CreateStateMachine", json!({ "name": "S", "definition": TASK, "roleArn": ROLE, "publish": true })),
        ] {
            let reply = post_to(&rival, operation, request.to_string()).now_or_never().expect("is done at once");
            assert_eq!(reply.status, 200, "{operation}: {}", reply.body);
        }
    });
    fixture.api.remove_state_machine(&machine()).await.expect("goes on");
    let (published, _) = fixture.store.published(&machine()).await.expect("answers").expect("is there");
    assert_eq!(published.versions.len(), 1);
    let described = fixture.call("DescribeStateMachine", &json!({ "stateMachineArn": format!("{MACHINE}:S:1") })).await;
    assert_eq!(described.body["definition"], TASK);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_removes_what_was_published_in_the_middle_of_it() {
    let fixture = deleting().await;
    let key = ResourceKey::state_machine(&machine());
    let store = fixture.store.clone();
    fixture.store.meanwhile(key.clone(), move || {
        let publisher = store.clone();
        // Once it has read what was published, it looks again for the state machine.
        store.meanwhile(key, move || {
            let done = async {
                let (published, seen) = publisher.published(&machine()).await.expect("answers").expect("is there");
                publisher.publish(&machine(), Some(seen), &published).await.expect("answers")
            };
            assert!(done.now_or_never().expect("is done at once").is_some());
        });
    });
    fixture.api.remove_state_machine(&machine()).await.expect("goes on");
    assert_eq!(fixture.store.published(&machine()).await.expect("answers"), None);
    assert_eq!(fixture.store.state_machine(&machine()).await.expect("answers"), None);
}

#[tokio::test(start_paused = true)]
async fn noted_deletions_go_on_a_few_at_a_time_past_what_cannot_be_read() {
    let place = Place::new();
    let named = |name: String| StateMachineArn::parse(&format!("{MACHINE}:{name}")).expect("is one");
    let unreadable = ResourceKey { kind: ResourceKind::Deletion, arn: "a".into() };
    let keys = (0..40).map(|index| ResourceKey::deletion(&named(format!("S{index}"))));
    for key in keys.chain([unreadable]) {
        place.store.create_resource(&key, &Resource::new(Vec::new())).await.expect("answers");
    }
    let noted = place.notes().await;
    let (coordinator, _) = place.started(2);
    let others = || (0..DELETIONS_AT_ONCE).map(|index| named(format!("Other{index}")));
    coordinator.api().deleting().extend(others());
    place.runtime.sleep(PATIENCE).await;
    assert_eq!(place.notes().await, noted, "there is no room");
    others().for_each(|other| assert!(coordinator.api().deleting().remove(&other)));
    place.until("all but the one that can't be read are done", async || place.notes().await == 1).await;
}

//! A simulated cluster: real coordinators and workers on the memory twins, one clock, one seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use broker::WorkQueue;
use broker::memory::MemoryBroker;
use coordinator::api::{Api, ApiSettings};
use coordinator::driver::{Driver, DriverSettings, Drivers, Parts, StartOutcome, StartRequest};
use model::{ExecutionArn, ExecutionStatus, JsonText, StateMachineStatus, Timestamp};
use runtime::Runtime;
use serde_json::Value;
use store::{ExecutionHead, ExecutionQuery, ExecutionStore, MemoryStore, OwnerId, SharedStore};
use wire::record::{DefinitionHash, StateMachineRecord};
use worker::{Context, Failure, Worker};

use crate::chaos::Chaos;
use crate::checker::Checker;
use crate::faulty_queue::FaultyQueue;
use crate::faulty_store::FaultyStore;
use crate::scenario::{self, Expected, Scenario};

/// Is the size of a simulated cluster, and what it runs.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many coordinators run at a time.
    pub coordinators: usize,
    /// How many workers run at a time.
    pub workers: usize,
    /// How many executions are started.
    pub executions: u64,
    /// How long faults are injected, in simulated time.
    pub storm: Duration,
    /// How long the executions may take to end afterwards, in simulated time.
    pub patience: Duration,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            coordinators: 2,
            workers: 2,
            executions: 3,
            storm: Duration::from_secs(60),
            patience: Duration::from_secs(1_800),
        }
    }
}

/// Is what came of a seed.
#[derive(Debug)]
pub struct Outcome {
    /// What went wrong: a broken invariant, an execution that did not end or ended otherwise than the model says.
    pub result: Result<()>,
    /// All effects with their times and fates, then all histories, a line each: the same for the same seed.
    pub trace: String,
}

/// Runs the simulation of a seed.
pub fn simulate(seed: u64, plan: Plan) -> Outcome {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let tokio = tokio.expect("a runtime without I/O needs nothing of the system");
    tokio.block_on(async {
        let mut world = World::new(seed, plan);
        let lived = world.live().await;
        let violations = world.checker.violations();
        let result = if violations.is_empty() { lived } else { Err(anyhow!(violations.join("\n"))) };
        Outcome { result, trace: world.chaos.journal() + &world.checker.histories() }
    })
}

struct World {
    seed: u64,
    plan: Plan,
    chaos: Chaos,
    checker: Arc<Checker>,
    /// The world itself: it is never killed.
    runtime: Runtime,
    store: MemoryStore,
    broker: MemoryBroker,
    /// The queue that is bound to all status changes.
    told: usize,
    coordinators: Vec<Process>,
    workers: Vec<Process>,
    born: u64,
    running: Vec<(ExecutionArn, Scenario)>,
    /// The execution that is stopped from outside, unless it ends before.
    stopped: Option<ExecutionArn>,
}

/// Is a simulated process; when it dies, another takes its place.
struct Process {
    runtime: Runtime,
    driver: Option<Driver>,
    /// Answers what tasks call of this service.
    _api: Option<Api>,
    reborn_at: Option<Timestamp>,
}

const EPOCH: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// Is how often the world looks at its processes, in simulated time.
const TICK: Duration = Duration::from_millis(250);
/// One tick in so many kills a process, even if no effect did.
const KILL_ODDS: u64 = 60;
/// One tick in so many begins or ends an outage of the broker or the store.
const OUTAGE_ODDS: u64 = 80;
const PARTITIONS: u32 = 4;
const EVENTS_QUEUES: u32 = 2;

impl World {
    fn new(seed: u64, plan: Plan) -> Self {
        let runtime = Runtime::simulated(seed, EPOCH);
        let store = MemoryStore::new(runtime.clone(), PARTITIONS);
        let broker = MemoryBroker::new(runtime.clone(), EVENTS_QUEUES);
        // The checker and the world read a handle that is never cut off.
        let checker = Arc::new(Checker::new(Arc::new(store.clone())));
        let chaos = Chaos::new(seed);
        let told = broker.bind_status_changes("#");
        let (coordinators, workers, running) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            seed,
            plan,
            chaos,
            checker,
            runtime,
            store,
            broker,
            told,
            coordinators,
            workers,
            born: 0,
            running,
            stopped: None,
        }
    }

    async fn live(&mut self) -> Result<()> {
        for _ in 0..self.plan.coordinators {
            let process = self.coordinator();
            self.coordinators.push(process);
        }
        for _ in 0..self.plan.workers {
            let process = self.worker()?;
            self.workers.push(process);
        }
        for number in 0..self.plan.executions {
            self.start(number).await?;
        }
        let storm_ends = self.runtime.now().plus_millis(self.plan.storm.as_millis().try_into()?);
        let mut stops_at = self.runtime.now().plus_millis(i64::try_from(self.chaos.draw(20_000))?);
        while self.runtime.now() < storm_ends && !self.are_all_ended().await? {
            self.runtime.sleep(TICK).await;
            self.stir()?;
            if self.runtime.now() >= stops_at && self.stop().await? {
                stops_at = storm_ends;
            }
        }
        self.come_to_rest().await
    }

    /// Starts an execution as a client does: again and again until it hears that it has started.
    async fn start(&mut self, number: u64) -> Result<()> {
        let scenario = scenario::scenario(self.seed.wrapping_mul(1_000).wrapping_add(number));
        let machine = machine(&format!("m{number}"), &scenario.definition, self.runtime.now());
        self.store.create_state_machine(&machine).await.context("create a state machine")?;
        for (name, definition) in &scenario.nested {
            let nested = crate::world::machine(name, definition, self.runtime.now());
            self.store.create_state_machine(&nested).await.context("create a state machine")?;
        }
        let arn = machine.arn.execution("e");
        for _ in 0..1_000 {
            let request = StartRequest::new(machine.clone(), "e", JsonText::from_value(&scenario.input));
            if self.ask_to_start(request).await {
                self.running.push((arn, scenario));
                return Ok(());
            }
            self.runtime.sleep(TICK).await;
            self.stir()?;
        }
        bail!("{arn} could not be started")
    }

    async fn ask_to_start(&mut self, request: StartRequest) -> bool {
        let Some(process) = self.coordinators.iter().find(|process| !process.runtime.is_killed()) else {
            return false;
        };
        let Some(driver) = process.driver.clone() else { return false };
        let (answer, heard) = tokio::sync::oneshot::channel();
        process.runtime.spawn(async move {
            let started = driver.start_execution(request).await;
            let _ = answer.send(matches!(started, Ok(StartOutcome::Started { .. } | StartOutcome::Exists(_))));
        });
        heard.await.unwrap_or(false)
    }

    /// Asks for the end of the last execution, as a client does; tells whether it heard an answer.
    async fn stop(&mut self) -> Result<bool> {
        let (arn, _) = self.running.last().context("something runs")?;
        let arn = arn.clone();
        self.stopped = Some(arn.clone());
        let driver = self.coordinators.iter().find(|process| !process.runtime.is_killed());
        let Some((runtime, driver)) = driver.and_then(|process| Some((&process.runtime, process.driver.clone()?)))
        else {
            return Ok(false);
        };
        let (answer, heard) = tokio::sync::oneshot::channel();
        runtime.spawn(async move {
            let _ = answer.send(driver.stop_execution(&arn, None, None).await.is_ok());
        });
        Ok(heard.await.unwrap_or(false))
    }

    /// Kills, raises from the dead, and cuts connections.
    fn stir(&mut self) -> Result<()> {
        let now = self.runtime.now();
        if self.chaos.draw(KILL_ODDS) == 0 {
            let all: Vec<&Process> = self.coordinators.iter().chain(&self.workers).collect();
            let index = usize::try_from(self.chaos.draw(all.len() as u64))?;
            if let Some(process) = all.get(index) {
                process.runtime.kill();
                self.chaos.note(&self.runtime, &format!("kill process {index}"));
            }
        }
        if self.chaos.draw(OUTAGE_ODDS) == 0 {
            let is_up = self.chaos.draw(3) > 0;
            if self.chaos.draw(2) == 0 {
                self.broker.set_connected(is_up);
                self.chaos.note(&self.runtime, &format!("the broker is up: {is_up}"));
            } else {
                self.chaos.set_store(is_up);
                self.chaos.note(&self.runtime, &format!("the store is up: {is_up}"));
            }
        }
        for index in 0..self.coordinators.len() {
            if self.is_due(now, index, false) {
                let process = self.coordinator();
                self.coordinators[index] = process;
            }
        }
        for index in 0..self.workers.len() {
            if self.is_due(now, index, true) {
                let process = self.worker()?;
                self.workers[index] = process;
            }
        }
        Ok(())
    }

    /// Tells whether a dead process is to be replaced now; one found dead the first time gets its hour.
    fn is_due(&mut self, now: Timestamp, index: usize, is_worker: bool) -> bool {
        let pause = i64::try_from(self.chaos.draw(4_000)).unwrap_or_default();
        let processes = if is_worker { &mut self.workers } else { &mut self.coordinators };
        let Some(process) = processes.get_mut(index).filter(|process| process.runtime.is_killed()) else {
            return false;
        };
        process.driver = None;
        now >= *process.reborn_at.get_or_insert(now.plus_millis(pause))
    }

    async fn come_to_rest(&mut self) -> Result<()> {
        self.chaos.calm_down();
        self.broker.set_connected(true);
        let deadline = self.runtime.now().plus_millis(self.plan.patience.as_millis().try_into()?);
        while !self.are_all_ended().await? {
            ensure!(self.runtime.now() < deadline, "not all executions ended: {}", self.open_ones().await);
            self.runtime.sleep(TICK).await;
            self.raise_all()?;
        }
        for (arn, scenario) in &self.running {
            let head = self.head(arn).await?;
            let is_stopped = self.stopped.as_ref() == Some(arn)
                && head.end.as_ref().is_some_and(|(end, _)| end.status == ExecutionStatus::Aborted);
            if !is_stopped {
                check_end(arn, &head, &scenario.expected)?;
            }
        }
        // What ended executions left over is removed in the background, by whoever lives.
        self.raise_all()?;
        self.runtime.sleep(Duration::from_secs(120)).await;
        self.checker.at_rest().await;
        self.check_told().await
    }

    /// Checks that every start and every end was told, each under one id however often.
    async fn check_told(&self) -> Result<()> {
        let mut told: BTreeMap<(String, String), Vec<u8>> = BTreeMap::new();
        for (topic, body) in self.broker.take_status_changes(self.told) {
            let envelope: Value = serde_json::from_slice(&body)?;
            let text = |name: &str| envelope["detail"][name].as_str().unwrap_or_default().to_owned();
            let before = told.insert((text("executionArn"), text("status")), body.clone());
            ensure!(
                before.as_ref().is_none_or(|before| *before == body),
                "{topic} is told in two ways: {envelope} after {}",
                String::from_utf8_lossy(before.as_deref().unwrap_or_default())
            );
        }
        for arn in &self.all_executions().await? {
            let end = self.head(arn).await?.end.map_or(ExecutionStatus::Running, |(end, _)| end.status);
            for status in [ExecutionStatus::Running, end] {
                let change = (arn.to_string(), status.as_str().to_owned());
                ensure!(told.remove(&change).is_some(), "nobody was told that {arn} is {}", status.as_str());
            }
        }
        ensure!(told.is_empty(), "what never happened was told: {told:?}");
        Ok(())
    }

    /// Lists the executions that were started, and those nested in them.
    async fn all_executions(&self) -> Result<Vec<ExecutionArn>> {
        let mut all: Vec<ExecutionArn> = self.running.iter().map(|(arn, _)| arn.clone()).collect();
        let nested = self.running.iter().flat_map(|(_, scenario)| &scenario.nested);
        for (machine, _) in nested {
            let listed_under = scenario::machine_arn(machine).as_str().into();
            let query = ExecutionQuery { listed_under, status: None, after: None, limit: usize::MAX };
            for partition in 0..PARTITIONS {
                let listed = self.store.list_executions(partition, &query).await.context("list executions")?;
                all.extend(listed.into_iter().map(|(_, arn)| arn));
            }
        }
        Ok(all)
    }

    fn raise_all(&mut self) -> Result<()> {
        for index in 0..self.coordinators.len() {
            if self.coordinators[index].runtime.is_killed() {
                self.coordinators[index] = self.coordinator();
            }
        }
        for index in 0..self.workers.len() {
            if self.workers[index].runtime.is_killed() {
                self.workers[index] = self.worker()?;
            }
        }
        Ok(())
    }

    async fn are_all_ended(&self) -> Result<bool> {
        for (arn, _) in &self.running {
            if self.head(arn).await?.end.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn open_ones(&self) -> String {
        let mut open = String::new();
        for (arn, scenario) in &self.running {
            let branches = self.store.open_branches(arn, None, usize::MAX).await.unwrap_or_default();
            if !branches.is_empty() {
                open.push_str(&format!("\n{arn} of {}: {branches:#?}", scenario.definition));
            }
        }
        open
    }

    async fn head(&self, arn: &ExecutionArn) -> Result<ExecutionHead> {
        self.store.execution(arn).await.context("read an execution")?.with_context(|| format!("{arn} is lost"))
    }

    fn process(&mut self) -> (Runtime, FaultyQueue) {
        self.born += 1;
        let seed = self.seed.wrapping_mul(7_919).wrapping_add(self.born);
        let runtime = Runtime::simulated(seed, self.runtime.now());
        let handle = Arc::new(self.broker.handle(runtime.clone()));
        let queue = FaultyQueue::new(handle, runtime.clone(), self.chaos.clone());
        (runtime, queue)
    }

    fn coordinator(&mut self) -> Process {
        let (runtime, queue) = self.process();
        let store = FaultyStore::new(
            Arc::new(self.store.clone()),
            runtime.clone(),
            self.chaos.clone(),
            Arc::clone(&self.checker),
        );
        let store: SharedStore = Arc::new(store);
        let registry = telemetry::Registry::new();
        let drivers = Drivers::new(Parts {
            store: store.clone(),
            queue: Arc::new(queue) as Arc<dyn WorkQueue>,
            runtime: runtime.clone(),
            // So few that cutting off takes several commits.
            settings: DriverSettings { closed_at_once: 2, ..DriverSettings::default() },
            owner: OwnerId(format!("coordinator-{}", self.born).into()),
            registry: registry.clone(),
        });
        let api = Api::new(runtime.clone(), ApiSettings::default(), &registry);
        let driver = drivers.stored.clone();
        api.attach(store, drivers);
        driver.start();
        Process { runtime, driver: Some(driver), _api: Some(api), reborn_at: None }
    }

    fn worker(&mut self) -> Result<Process> {
        let (runtime, queue) = self.process();
        let clock = runtime.clone();
        let worker = Worker::builder(Arc::new(queue), runtime.clone())
            .handler("work", move |input: Value, context: Context| work(input, context, clock.clone()))
            .handler("fatal", |_: Value, _: Context| async {
                Err::<Value, _>(Failure::new(scenario::FATAL, "as asked"))
            })
            .handler("endless", {
                let clock = runtime.clone();
                move |_: Value, _: Context| endless(clock.clone())
            })
            .handler("sum", |numbers: Vec<u64>, _: Context| async move { Ok::<_, Failure>(scenario::sum(&numbers)) })
            .handler("spread", |input: Value, _: Context| async move {
                Ok::<_, Failure>(scenario::spread(number(&input, "x"), number(&input, "count")))
            })
            .name(format!("worker-{}", self.born))
            .build()?;
        runtime.spawn(worker.run());
        Ok(Process { runtime, driver: None, _api: None, reborn_at: None })
    }
}

/// Does not answer before every execution has ended.
async fn endless(clock: Runtime) -> Result<Value, Failure> {
    clock.sleep(Duration::from_secs(86_400)).await;
    Ok(Value::Null)
}

/// Fails as often as it is told to, then answers; at times it is slow.
async fn work(input: Value, _: Context, clock: Runtime) -> Result<u64, Failure> {
    let pause = if number(&input, "add").is_multiple_of(10) { 2_500 } else { number(&input, "add") };
    clock.sleep(Duration::from_millis(pause)).await;
    if number(&input, "retry") < number(&input, "fails") {
        return Err(Failure::new(scenario::AGAIN, "not this time"));
    }
    Ok(scenario::work(number(&input, "x"), number(&input, "add")))
}

fn number(input: &Value, name: &str) -> u64 {
    input.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn machine(name: &str, definition: &Value, at: Timestamp) -> StateMachineRecord {
    let definition = definition.to_string();
    StateMachineRecord {
        arn: scenario::machine_arn(name),
        hash: DefinitionHash(format!("hash-of-{name}").into()),
        definition: definition.into(),
        role_arn: "arn:aws:iam::123456789012:role/sim".to_owned(),
        kind: "STANDARD".to_owned(),
        status: StateMachineStatus::Active,
        created_at: at,
        revision_id: None,
        updated_at: None,
        tags: Vec::new(),
        logging: None,
        tracing: None,
        encryption: None,
        publication: None,
    }
}

fn check_end(arn: &ExecutionArn, head: &ExecutionHead, expected: &Expected) -> Result<()> {
    let Some((end, _)) = &head.end else { bail!("{arn} has not ended") };
    match expected {
        Expected::Output(output) => {
            ensure!(end.status == ExecutionStatus::Succeeded, "{arn} ended {end:?} instead of with {output}");
            let found = end.output.as_ref().map(|text| text.to_value()).transpose()?;
            ensure!(found.as_ref() == Some(output), "{arn} gave {found:?} instead of {output}");
        }
        Expected::Error(error) => {
            ensure!(end.status == ExecutionStatus::Failed, "{arn} ended {end:?} instead of with {error}");
            ensure!(end.error.as_ref() == Some(error), "{arn} failed with {:?} instead of {error}", end.error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_missing_number_is_zero() {
        assert_eq!(number(&json!({ "x": 3 }), "x"), 3);
        assert_eq!(number(&json!(null), "x"), 0);
    }
}

//! Stores to test, and commits to make on them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{
    AttemptId, BranchPath, CommitId, Details, EventId, EventKind, EventRef, ExecutionArn, ExecutionEnd,
    ExecutionStatus, FencingToken, JsonText, Nonce, Revision, ScopeKey, StateMachineArn, Timestamp,
};
use runtime::Runtime;
use store::{
    ClosedScope, Commit, CommitOutcome, Committed, EmbeddedConfig, EmbeddedStore, ExecutionStore, Joined, MemoryStore,
    NextBranch, OpenedScope, OutboxKey, OwnerId, PendingEffect, RedisConfig, RedisMode, RedisStore, Refusal, Retention,
    SharedStore, Subject, TimerKey,
};
use support::{DataDir, RedisCluster, shared_redis, unique_name};
use tokio::sync::OnceCell;
use wire::record::{
    BranchRecord, ChildrenRecord, CompletionRecord, CompletionResult, DefinitionHash, DeliveryRecord, EventRecord,
    ExecutionRecord, HistoryChunk, PhaseRecord, TaskRecord,
};

pub(crate) const PARTITIONS: u32 = 4;
const STARTED: i64 = 1_700_000_000_000;

/// Is a store under test.
pub(crate) struct Stage {
    pub(crate) store: SharedStore,
    dump: Dump,
}

enum Dump {
    Memory(MemoryStore),
    Embedded(EmbeddedStore),
    Redis { urls: Vec<String>, prefix: String },
}

/// Runs a test on its own runtime: a connection of one test must not hang on the runtime of another.
pub(crate) fn on_memory<F: Future<Output = ()>>(test: impl FnOnce(Stage) -> F) {
    run(async {
        let memory = MemoryStore::new(Runtime::system(), PARTITIONS);
        test(Stage { store: Arc::new(memory.clone()), dump: Dump::Memory(memory) }.with_definition().await).await;
    });
}

pub(crate) fn on_embedded<F: Future<Output = ()>>(test: impl FnOnce(Stage) -> F) {
    run(async {
        let folder = DataDir::new("store").expect("is made");
        let config = EmbeddedConfig { partitions: PARTITIONS, ..EmbeddedConfig::new(folder.path()) };
        let store = EmbeddedStore::open(&config, Runtime::system()).await.expect("opens");
        test(Stage { store: Arc::new(store.clone()), dump: Dump::Embedded(store) }.with_definition().await).await;
        drop(folder);
    });
}

pub(crate) fn on_redis<F: Future<Output = ()>>(test: impl FnOnce(Stage) -> F) {
    run(async {
        let url = shared_redis().await.expect("starts").fresh_database();
        test(open(RedisConfig { url, ..config() }).await).await;
    });
}

pub(crate) fn on_cluster<F: Future<Output = ()>>(test: impl FnOnce(Stage) -> F) {
    static CLUSTER: OnceCell<RedisCluster> = OnceCell::const_new();
    run(async {
        let cluster = CLUSTER.get_or_try_init(|| RedisCluster::start(3)).await.expect("starts");
        let config = RedisConfig { url: cluster.urls().join(","), mode: RedisMode::Cluster, ..config() };
        test(open(config).await).await;
    });
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("starts").block_on(test);
}

fn config() -> RedisConfig {
    RedisConfig { prefix: unique_name("t"), partitions: PARTITIONS, ..RedisConfig::default() }
}

async fn open(config: RedisConfig) -> Stage {
    let store = RedisStore::open(config.clone(), Runtime::system()).await.expect("opens");
    Stage::on(store, &config).with_definition().await
}

impl Stage {
    /// Puts a store on the stage.
    pub(crate) fn on(store: RedisStore, config: &RedisConfig) -> Self {
        let dump =
            Dump::Redis { urls: config.url.split(',').map(str::to_owned).collect(), prefix: config.prefix.clone() };
        Self { store: Arc::new(store), dump }
    }

    async fn with_definition(self) -> Self {
        define(&*self.store).await;
        self
    }

    /// Tells whether the store has a definition's text, past every cache.
    pub(crate) async fn has_definition(&self, hash: &DefinitionHash) -> bool {
        match &self.dump {
            Dump::Memory(_) | Dump::Embedded(_) => self.store.definition(hash).await.expect("reads").is_some(),
            Dump::Redis { .. } => self.dump().await.keys().any(|key| key.ends_with(&format!(":d:{hash}"))),
        }
    }

    /// Renders all that the store holds.
    pub(crate) async fn dump(&self) -> BTreeMap<String, String> {
        match &self.dump {
            Dump::Memory(memory) => [("all".to_owned(), memory.dump().await.expect("reads"))].into(),
            Dump::Embedded(embedded) => [("all".to_owned(), embedded.dump().await.expect("reads"))].into(),
            Dump::Redis { urls, prefix } => dump(urls, prefix).await,
        }
    }

    pub(crate) async fn commit(&self, commit: &Commit) -> CommitOutcome {
        self.store.commit(commit).await.expect("the store is there")
    }

    /// Makes a commit that must succeed.
    pub(crate) async fn made(&self, commit: &Commit) -> Committed {
        match self.commit(commit).await {
            CommitOutcome::Committed(committed) => committed,
            CommitOutcome::Refused(refusal) => panic!("refused: {refusal:?}"),
        }
    }

    /// Makes a commit that must be refused, and checks that nothing changed.
    pub(crate) async fn refused(&self, commit: &Commit) -> Refusal {
        let before = self.dump().await;
        let CommitOutcome::Refused(refusal) = self.commit(commit).await else { panic!("was made: {commit:?}") };
        assert_eq!(self.dump().await, before, "a refused commit changed something: {refusal:?}");
        refusal
    }

    /// Creates an execution with one event and an open root.
    pub(crate) async fn created(&self, name: &str) -> Seen {
        let seen = Seen::root(name);
        self.store.put_definition(partition(&seen.arn), &definition(), "{}").await.expect("is put");
        self.made(&seen.creation()).await;
        seen
    }

    /// Creates an execution whose root waits for so many children, all of them open.
    pub(crate) async fn forked(&self, name: &str, children: u32) -> (Seen, Vec<Seen>) {
        let root = self.created(name).await;
        self.fork(&root, children).await
    }

    /// Opens a scope with so many children.
    pub(crate) async fn fork(&self, parent: &Seen, children: u32) -> (Seen, Vec<Seen>) {
        let next = parent.next();
        let mut commit = parent.commit(Some(next.waiting_for(children)));
        commit.opened.push(OpenedScope { key: next.scope(), items: Vec::new() });
        let children: Vec<Seen> = (0..children).map(|index| next.child(index)).collect();
        commit.children = children.iter().map(Seen::branch).collect();
        self.made(&commit).await;
        (next, children)
    }

    pub(crate) async fn outbox(&self, arn: &ExecutionArn) -> Vec<PendingEffect> {
        let (mut effects, mut cursor) = (Vec::new(), 0);
        loop {
            let (entries, next) = self.store.outbox(partition(arn), cursor).await.expect("reads");
            effects.extend(entries.into_iter().filter(|entry| entry.key.execution == *arn).map(|it| it.key.effect));
            cursor = next;
            if cursor == 0 {
                return effects;
            }
        }
    }

    pub(crate) async fn timers(&self, arn: &ExecutionArn) -> Vec<String> {
        let end_of_time = Timestamp::from_millis(STARTED * 5);
        let due = self.store.due_timers(partition(arn), end_of_time, 1_000).await.expect("reads");
        let names = due.into_iter().filter(|(key, _)| key.execution == *arn);
        names.map(|(key, _)| format!("{} {}", key.branch, key.name)).collect()
    }

    /// Cleans up until nothing is left over.
    pub(crate) async fn clean_up(&self, arn: &ExecutionArn, millis: u64) {
        self.clean_up_for(arn, &Retention { millis, bytes: None, express_millis: millis, unused_millis: 0 }).await;
    }

    pub(crate) async fn clean_up_for(&self, arn: &ExecutionArn, retention: &Retention) {
        for _ in 0..10_000 {
            if !self.store.clean_up(partition(arn), retention).await.expect("cleans") {
                return;
            }
        }
        panic!("there is always more to clean up");
    }
}

/// Puts the definition of the executions of these tests, for all partitions. Servers that have just been started may be late.
pub(crate) async fn define(store: &dyn ExecutionStore) {
    for partition in 0..store.partitions() {
        let mut outcome = store.put_definition(partition, &definition(), "{}").await;
        for _ in 0..10 {
            if let Err(store::Error::Unavailable(_)) = outcome {
                outcome = store.put_definition(partition, &definition(), "{}").await;
            }
        }
        outcome.expect("is put");
    }
}

async fn dump(urls: &[String], prefix: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for url in urls {
        let client = redis::Client::open(url.as_str()).expect("is a URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
        let pattern = format!("{prefix}:*");
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.expect("lists");
        for key in keys {
            let content = content(&mut connection, &key).await;
            all.insert(key, content);
        }
    }
    all
}

/// Renders a key's content. Redis moves the entries of its tables about on its own, so unordered kinds are sorted.
async fn content(connection: &mut redis::aio::MultiplexedConnection, key: &str) -> String {
    let kind: String = redis::cmd("TYPE").arg(key).query_async(connection).await.expect("tells");
    let (command, more): (&str, &[&str]) = match kind.as_str() {
        "hash" => ("HGETALL", &[]),
        "set" => ("SMEMBERS", &[]),
        "list" => ("LRANGE", &["0", "-1"]),
        "zset" => ("ZRANGE", &["0", "-1", "WITHSCORES"]),
        _ => ("GET", &[]),
    };
    let mut cmd = redis::cmd(command);
    cmd.arg(key).arg(more);
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if kind == "hash" {
        let fields: BTreeMap<Vec<u8>, Vec<u8>> = cmd.query_async(connection).await.expect("reads");
        fields.iter().map(|(field, value)| format!("{} = {}\n", shown(field), shown(value))).collect()
    } else {
        let mut values: Vec<Vec<u8>> = cmd.query_async(connection).await.expect("reads");
        if kind == "set" {
            values.sort();
        }
        values.iter().map(|value| shown(value) + "\n").collect()
    }
}

/// Is a branch as its last writer left it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) arn: ExecutionArn,
    pub(crate) path: BranchPath,
    pub(crate) revision: Revision,
    pub(crate) token: FencingToken,
    pub(crate) owner: OwnerId,
}

pub(crate) fn nonce() -> Nonce {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    Nonce(COUNTER.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

pub(crate) fn arn(name: &str) -> ExecutionArn {
    machine().execution(name)
}

pub(crate) fn machine() -> StateMachineArn {
    StateMachineArn::new("us-east-1", "123456789012", "Orders")
}

pub(crate) fn definition() -> DefinitionHash {
    DefinitionHash("abc".into())
}

pub(crate) fn partition(arn: &ExecutionArn) -> u32 {
    arn.partition(PARTITIONS)
}

pub(crate) fn text(text: &str) -> JsonText {
    JsonText::parse(text).expect("is JSON")
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(STARTED + millis)
}

pub(crate) fn owner(name: &str) -> OwnerId {
    OwnerId(name.into())
}

/// An event that follows from the one at `previous` of the same commit, or from none.
pub(crate) fn event(millis: i64, previous: EventRef) -> EventRecord {
    let details = Details::StateEntered { name: format!("S{millis}"), input: text("{\"a\" :  1.0}") };
    EventRecord { previous, at: at(millis), kind: EventKind::PassStateEntered, details }
}

pub(crate) fn events(count: u32, millis: i64) -> HistoryChunk {
    let previous = |index: u32| if index == 0 { EventRef::NONE } else { EventRef::New(index - 1) };
    HistoryChunk { events: (0..count).map(|index| event(millis, previous(index))).collect() }
}

pub(crate) fn succeeded() -> ExecutionEnd {
    ExecutionEnd {
        status: ExecutionStatus::Succeeded,
        output: Some(text("{\"done\":  1.50}")),
        error: None,
        cause: None,
    }
}

impl Seen {
    pub(crate) fn root(name: &str) -> Self {
        Self {
            arn: arn(name),
            path: BranchPath::root(),
            revision: Revision::first(nonce()),
            token: FencingToken::first(nonce()),
            owner: owner("c;1"),
        }
    }

    /// The same branch one commit later.
    pub(crate) fn next(&self) -> Self {
        Self { revision: self.revision.next(nonce()), ..self.clone() }
    }

    pub(crate) fn child(&self, index: u32) -> Self {
        Self {
            path: self.scope().child(index),
            revision: Revision::first(nonce()),
            token: FencingToken::first(nonce()),
            ..self.clone()
        }
    }

    /// The scope that the branch opens in these tests: its entry 1.
    pub(crate) fn scope(&self) -> ScopeKey {
        ScopeKey { branch: self.path.clone(), entry: 1 }
    }

    pub(crate) fn guard(&self) -> (BranchPath, Revision) {
        (self.path.clone(), self.revision)
    }

    pub(crate) fn record(&self, phase: PhaseRecord) -> BranchRecord {
        BranchRecord {
            path: self.path.clone(),
            location: Vec::new(),
            state: "Pay".to_owned(),
            entry: 1,
            attempts: 1,
            input: text("{\"order\":  \"é\"}"),
            entered_at: at(0),
            entered_event: EventRef::New(0),
            before_entered: EventRef::NONE,
            last_event: EventRef::New(0),
            retries: Vec::new(),
            retry_count: 0,
            item: None,
            variables: Vec::new(),
            phase,
            traceparent: None,
        }
    }

    /// The branch in wait of a work item.
    pub(crate) fn branch(&self) -> NextBranch {
        self.next_branch(PhaseRecord::Task(TaskRecord {
            attempt: self.attempt(),
            resource: "arn:aws:lambda:us-east-1:123456789012:function:Pay".to_owned(),
            payload: text("{\"order\":  \"é\"}"),
            role_arn: None,
            scheduled_at: at(0),
            deadline: None,
            heartbeat_seconds: None,
            heard_at: at(0),
            started: false,
            delivery: DeliveryRecord::Dispatched,
            deliveries: 0,
            timeout_seconds: None,
            early: None,
        }))
    }

    pub(crate) fn attempt(&self) -> AttemptId {
        AttemptId { number: 1, nonce: self.revision.nonce }
    }

    pub(crate) fn waiting_for(&self, total: u32) -> NextBranch {
        self.next_branch(PhaseRecord::Children(ChildrenRecord {
            scope: self.scope(),
            total,
            started: total,
            taken: 0,
            succeeded: 0,
            concurrency: total.max(1),
            started_event: EventRef::New(0),
            input: text("[]"),
            last_child_event: EventRef::New(0),
            results_bytes: 0,
            cutting_off: false,
            failed: 0,
            tolerated: 0,
        }))
    }

    fn next_branch(&self, phase: PhaseRecord) -> NextBranch {
        NextBranch { record: self.record(phase), revision: self.revision, token: self.token }
    }

    pub(crate) fn creation(&self) -> Commit {
        let record = ExecutionRecord {
            arn: self.arn.clone(),
            state_machine: machine(),
            definition: definition(),
            role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
            input: text("{\"orderId\":  \"12345\"}"),
            started_at: at(0),
            traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
            trace_header: None,
            revision_id: None,
            machine_updated_at: None,
            started_by: None,
            logging: None,
            version: None,
            alias: None,
            map_run: None,
        };
        let root = Some(Box::new(self.branch()));
        let mut commit = self.empty(Subject::Creation { record: Box::new(record), root });
        commit.history = events(1, 0);
        commit
    }

    /// Commits on this branch one event, and what it becomes.
    pub(crate) fn commit(&self, next: Option<NextBranch>) -> Commit {
        let (path, revision, token) = (self.path.clone(), self.revision, self.token);
        let mut commit = self.empty(Subject::Branch { path, revision, token, next: next.map(Box::new) });
        commit.history = events(1, 1);
        commit
    }

    /// Commits one event, the branch staying open.
    pub(crate) fn advance(&self) -> (Seen, Commit) {
        let next = self.next();
        (next.clone(), self.commit(Some(next.branch())))
    }

    /// Ends the branch as a child.
    pub(crate) fn join(&self, output: Option<&str>) -> Commit {
        let (scope, index) = self.path.parent_scope().expect("is a child");
        let output = output.map(text);
        let result = match &output {
            Some(output) => CompletionResult::Succeeded { bytes: output.len() as u64, failed: false },
            None => {
                CompletionResult::Failed { error: Some("E".to_owned()), cause: None, terminal: false, heartbeat: false }
            }
        };
        let mut commit = self.commit(None);
        let completion = CompletionRecord { index, last_event: EventRef::New(0), result };
        commit.joined = Some(Joined { scope, completion, output });
        commit
    }

    /// Ends the execution by its root.
    pub(crate) fn end(&self) -> Commit {
        let mut commit = self.commit(None);
        commit.end = Some((succeeded(), at(2)));
        commit
    }

    /// Ends the execution as a whole.
    pub(crate) fn stop(&self) -> Commit {
        let mut commit = self.empty(Subject::Execution);
        commit.history = events(1, 1);
        let end = ExecutionEnd { status: ExecutionStatus::Aborted, output: None, error: None, cause: None };
        commit.end = Some((end, at(2)));
        commit
    }

    pub(crate) fn close(&self, open: &[&Seen]) -> ClosedScope {
        ClosedScope { key: self.scope(), branches: open.iter().map(|seen| seen.guard()).collect(), more_open: false }
    }

    /// Shuts the scope, more branches being open in it than these.
    pub(crate) fn shut(&self, open: &[&Seen]) -> ClosedScope {
        ClosedScope { more_open: true, ..self.close(open) }
    }

    pub(crate) fn timer(&self, name: &str) -> TimerKey {
        TimerKey { execution: self.arn.clone(), branch: self.path.clone(), name: name.to_owned() }
    }

    pub(crate) fn effect(&self, effect: PendingEffect) -> OutboxKey {
        OutboxKey { execution: self.arn.clone(), effect }
    }

    pub(crate) fn dispatch(&self) -> OutboxKey {
        self.effect(PendingEffect::Dispatch(self.path.clone(), self.attempt()))
    }

    fn empty(&self, subject: Subject) -> Commit {
        Commit {
            id: CommitId(nonce()),
            execution: self.arn.clone(),
            owner: self.owner.clone(),
            lease_millis: 60_000,
            respects_lease: false,
            subject,
            assumed_base: None,
            events_max: None,
            history: HistoryChunk { events: Vec::new() },
            children: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            inline_results: Vec::new(),
            joined: None,
            taken: None,
            timers_set: Vec::new(),
            timers_dropped: Vec::new(),
            outbox_added: Vec::new(),
            outbox_dropped: Vec::new(),
            end: None,
        }
    }
}

pub(crate) fn committed(base: u64, clamp: Timestamp) -> Committed {
    Committed { base: EventId(base), clamp, woke_parent: false, more_completions: false }
}

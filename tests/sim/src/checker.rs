//! The invariants of ARCHITECTURE.md, checked after every commit against what the store holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use model::{AttemptId, EventId, EventKind, ExecutionArn, HistoryEvent, Timestamp};
use store::{Commit, CommitOutcome, HistoryQuery, OutboxKey, PendingEffect, SharedStore, StoredBranch, TimerKey};
use wire::record::{DeliveryRecord, PhaseRecord, TaskRecord};

/// Checks and remembers; violations are collected, so that a run can end and report them with its seed.
pub struct Checker {
    store: SharedStore,
    seen: Mutex<BTreeMap<ExecutionArn, Snapshot>>,
    violations: Mutex<Vec<String>>,
}

/// Is all that is stored of an execution.
#[derive(Clone, Debug, Default, PartialEq)]
struct Snapshot {
    history: Vec<HistoryEvent>,
    branches: Vec<StoredBranch>,
    ended: bool,
}

/// Is later than any instant of a simulation.
const END_OF_TIME: Timestamp = Timestamp::from_millis(i64::MAX / 4);

impl Checker {
    /// Makes a checker that reads this store, which must not fail.
    pub fn new(store: SharedStore) -> Self {
        Self { store, seen: Mutex::default(), violations: Mutex::default() }
    }

    /// Gives the violations found up to now.
    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the histories of all executions, a line an event.
    pub fn histories(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let events = seen.iter().flat_map(|(arn, snapshot)| snapshot.history.iter().map(move |event| (arn, event)));
        events.map(|(arn, event)| format!("{arn} {event:?}\n")).collect()
    }

    /// Checks the execution of a commit that was just answered.
    pub async fn after(&self, commit: &Commit, outcome: &CommitOutcome) {
        let arn = &commit.execution;
        let now = self.snapshot(arn).await;
        let before = self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(arn.clone(), now.clone());
        let before = before.unwrap_or_default();
        if let CommitOutcome::Refused(refusal) = outcome {
            self.expect(now == before, || format!("{arn}: a commit refused as {refusal:?} changed something"));
        }
        self.expect(now.history.starts_with(&before.history), || format!("{arn}: a committed event changed"));
        if before.ended {
            self.expect(now.history.len() == before.history.len(), || format!("{arn}: written to after its end"));
        }
        self.check_history(arn, &now);
        // What is left in a scope that is shut waits for nothing but its end.
        let shut = now.branches.iter().filter_map(|branch| match &branch.record.phase {
            PhaseRecord::Children(children) if children.cutting_off => Some(&children.scope),
            PhaseRecord::Ready
            | PhaseRecord::Task(_)
            | PhaseRecord::Wait { .. }
            | PhaseRecord::Backoff { .. }
            | PhaseRecord::Children(_) => None,
        });
        let shut: Vec<_> = shut.collect();
        for branch in now.branches.iter().filter(|branch| !shut.iter().any(|scope| branch.record.path.is_within(scope)))
        {
            self.check_branch(arn, branch).await;
            self.check_dispatch(arn, &before, branch).await;
        }
    }

    /// Checks that a commit made again under its id got the same answer.
    pub fn repeated(&self, commit: &Commit, first: &CommitOutcome, second: &CommitOutcome) {
        // What closes a branch or an execution leaves no record that could remember its id for long.
        let is_void = matches!(second, CommitOutcome::Refused(_)) && matches!(first, CommitOutcome::Refused(_));
        self.expect(is_void || first == second, || {
            format!("{}: a repeated commit was answered {second:?} after {first:?}", commit.execution)
        });
    }

    /// Checks what must hold once all executions have ended and the leftovers are removed.
    pub async fn at_rest(&self) {
        for partition in 0..self.store.partitions() {
            let timers = self.store.due_timers(partition, END_OF_TIME, 10).await.unwrap_or_default();
            self.expect(timers.is_empty(), || format!("timers are left over: {timers:?}"));
            let (open, _) = self.store.open_executions(partition, 0).await.unwrap_or_default();
            self.expect(open.is_empty(), || format!("nested executions are left running: {open:?}"));
            let (outbox, _) = self.store.outbox(partition, 0).await.unwrap_or_default();
            self.expect(outbox.is_empty(), || format!("the outbox is left over: {outbox:?}"));
        }
    }

    /// Notes a violation.
    pub fn expect(&self, holds: bool, violation: impl FnOnce() -> String) {
        if !holds {
            self.violations.lock().unwrap_or_else(PoisonError::into_inner).push(violation());
        }
    }

    async fn snapshot(&self, arn: &ExecutionArn) -> Snapshot {
        let query = HistoryQuery { cursor: None, limit: usize::MAX / 4, reverse: false };
        let history = self.store.history(arn, query).await.map(|page| page.events).unwrap_or_default();
        let branches = self.store.open_branches(arn, None, usize::MAX).await.unwrap_or_default();
        let head = self.store.execution(arn).await.ok().flatten();
        Snapshot { history, branches, ended: head.is_some_and(|head| head.end.is_some()) }
    }

    fn check_history(&self, arn: &ExecutionArn, now: &Snapshot) {
        let mut ended_attempts = BTreeSet::new();
        let mut latest = Timestamp::from_millis(i64::MIN);
        for (event, id) in now.history.iter().zip(1..) {
            self.expect(event.id == EventId(id), || format!("{arn}: event {} stands at place {id}", event.id));
            self.expect(event.previous < event.id, || format!("{arn}: event {id} follows {}", event.previous));
            self.expect(event.at >= latest, || format!("{arn}: time runs backwards at event {id}"));
            latest = latest.max(event.at);
            let is_last = id == now.history.len() as u64;
            self.expect(!event.kind.is_terminal() || (is_last && now.ended), || {
                format!("{arn}: {} is event {id} of {}", event.kind.as_str(), now.history.len())
            });
            if ends_attempt(event.kind) {
                let is_first = ended_attempts.insert(event.previous);
                self.expect(is_first, || format!("{arn}: an attempt ended twice, the second time at event {id}"));
            }
        }
        let terminal = now.history.last().is_some_and(|event| event.kind.is_terminal());
        self.expect(terminal == now.ended, || format!("{arn}: ended is {}, its last event says {terminal}", now.ended));
        self.expect(!now.ended || now.branches.is_empty(), || format!("{arn}: ended with open branches"));
        self.expect(now.ended || !now.branches.is_empty(), || format!("{arn}: runs without an open branch"));
    }

    /// State implies effects: what an open branch waits for must exist.
    async fn check_branch(&self, arn: &ExecutionArn, branch: &StoredBranch) {
        let path = &branch.record.path;
        match &branch.record.phase {
            PhaseRecord::Ready => {
                let effect = PendingEffect::Continue(path.clone());
                self.expect(self.is_pending(arn, effect).await, || {
                    format!("{arn} {path}: ready, but nobody is to run it")
                });
            }
            PhaseRecord::Wait { .. } => self.expect_timer(arn, branch, "wait").await,
            PhaseRecord::Backoff { .. } => self.expect_timer(arn, branch, "backoff").await,
            PhaseRecord::Task(task) => {
                for name in timers(task) {
                    self.expect_timer(arn, branch, name).await;
                }
            }
            PhaseRecord::Children(children) => {
                let join = self.store.join(arn, &children.scope, children.taken, 0, 0).await.unwrap_or_default();
                if !join.completions.is_empty() {
                    let effect = PendingEffect::Wake(children.scope.clone());
                    let woken = self.is_pending(arn, effect).await;
                    self.expect(woken, || format!("{arn} {path}: children completed, but nobody is to wake it"));
                }
            }
        }
    }

    /// An item that was to go out, for the first time or again, by this commit, must be on its way.
    async fn check_dispatch(&self, arn: &ExecutionArn, before: &Snapshot, branch: &StoredBranch) {
        let path = &branch.record.path;
        let Some(attempt) = outgoing(branch) else { return };
        let earlier = before.branches.iter().find(|earlier| earlier.record.path == *path).and_then(outgoing);
        if earlier != Some(attempt) {
            let effect = PendingEffect::Dispatch(path.clone(), attempt);
            let is_pending = self.is_pending(arn, effect).await;
            self.expect(is_pending, || {
                format!("{arn} {path}: attempt {attempt:?} is open, but nobody is to dispatch it")
            });
        }
    }

    async fn expect_timer(&self, arn: &ExecutionArn, branch: &StoredBranch, name: &str) {
        let partition = arn.partition(self.store.partitions());
        let timers = self.store.due_timers(partition, END_OF_TIME, usize::MAX / 4).await.unwrap_or_default();
        let path = &branch.record.path;
        let is_it = |timer: &TimerKey| {
            timer.execution == *arn && timer.branch == *path && timer.name.split('.').next() == Some(name)
        };
        let stands = timers.iter().any(|(timer, _)| is_it(timer));
        self.expect(stands, || format!("{arn} {path}: waits for a timer {name} that does not stand"));
    }

    async fn is_pending(&self, arn: &ExecutionArn, effect: PendingEffect) -> bool {
        let partition = arn.partition(self.store.partitions());
        let key = OutboxKey { execution: arn.clone(), effect };
        let mut cursor = 0;
        loop {
            let (entries, next) = self.store.outbox(partition, cursor).await.unwrap_or_default();
            if entries.iter().any(|entry| entry.key == key) {
                return true;
            }
            if next == 0 {
                return false;
            }
            cursor = next;
        }
    }
}

/// Names the timers that an open task implies.
fn timers(task: &TaskRecord) -> Vec<&'static str> {
    // Once it is out again, an item that no worker took on waits for the next report.
    let waits = match task.delivery {
        DeliveryRecord::Held { .. } => true,
        DeliveryRecord::Unhandled { until, .. } => until < END_OF_TIME,
        DeliveryRecord::Dispatched | DeliveryRecord::Queued | DeliveryRecord::Waiting => false,
    };
    let implied = [
        ("timeout", task.deadline.is_some()),
        (
            "heartbeat",
            task.heartbeat_seconds.is_some() && task.early.is_none() && task.delivery != DeliveryRecord::Queued,
        ),
        ("redispatch", waits),
    ];
    implied.into_iter().filter_map(|(name, is_implied)| is_implied.then_some(name)).collect()
}

/// Gives the attempt of a branch whose item is with the broker or to go there.
fn outgoing(branch: &StoredBranch) -> Option<AttemptId> {
    let PhaseRecord::Task(task) = &branch.record.phase else { return None };
    match task.delivery {
        DeliveryRecord::Dispatched | DeliveryRecord::Queued => Some(task.attempt),
        DeliveryRecord::Unhandled { until, .. } if until >= END_OF_TIME => Some(task.attempt),
        DeliveryRecord::Held { .. } | DeliveryRecord::Unhandled { .. } | DeliveryRecord::Waiting => None,
    }
}

fn ends_attempt(kind: EventKind) -> bool {
    let names = ["LambdaFunctionSucceeded", "LambdaFunctionFailed", "LambdaFunctionTimedOut"];
    names.contains(&kind.as_str())
}

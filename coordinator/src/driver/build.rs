//! The commit of a run.

use std::sync::Arc;

use engine::{Branch, Effect, NewEvent, Phase, Run};
use model::{CommitId, ExecutionEnd, ExecutionStatus, FencingToken, Revision, Timestamp};
use store::{ClosedScope, Commit, NextBranch, OpenedScope, OutboxKey, PendingEffect, StoredBranch, Subject, TimerKey};
use telemetry::TraceContext;
use wire::message::Cancelled;
use wire::record::{HistoryChunk, PhaseRecord};

use super::Inner;
use super::cache::{Held, Known};
use super::events::Trigger;
use super::spans::{Cause, Spans};
use super::trace;
use crate::convert;
use crate::timers::timer_name;

/// Is a commit, with what it takes to go on when it is made.
pub(crate) struct Plan {
    pub(crate) known: Arc<Known>,
    pub(crate) commit: Commit,
    /// The branches that the commit writes, their references not settled, with their revisions and tokens.
    pub(crate) branches: Vec<(Branch, Revision, FencingToken)>,
    /// The branch that the commit closes, or wrote before.
    pub(crate) before: Option<Arc<Held>>,
    /// What workers are to stop.
    pub(crate) cancels: Vec<Cancelled>,
    /// The spans of what the commit ends.
    pub(crate) spans: Spans,
}

impl Inner {
    /// Makes the commit of a run of an open branch.
    pub(super) fn plan(
        &self,
        held: &Arc<Held>,
        mut run: Run,
        open: &[StoredBranch],
        trigger: Trigger<'_>,
        background: bool,
    ) -> Plan {
        let token = if held.is_own { held.token } else { held.token.next(self.runtime.nonce()) };
        let revision = held.revision.next(self.runtime.nonce());
        let path = held.branch.path.clone();
        let left = std::mem::take(&mut run.left);
        let subject = |next| Subject::Branch { path: path.clone(), revision: held.revision, token: held.token, next };
        let mut plan = self.plan_run(&held.known, run, Some((revision, token)), subject);
        plan.commit.respects_lease = background;
        self.close_scopes(&mut plan, open);
        self.stop_awaited(&mut plan, held);
        self.tell_starter(&mut plan);
        let dropped = &mut plan.commit.outbox_dropped;
        if matches!(trigger, Trigger::Resume) {
            dropped.push(outbox_key(&held.known, PendingEffect::Continue(path.clone())));
        }
        if let Phase::Task(task) = &held.branch.phase
            && !(task.delivery.is_with_broker() && is_waiting_still(&plan.branches, &path, task))
        {
            dropped.push(outbox_key(&held.known, PendingEffect::Dispatch(path.clone(), task.attempt)));
        }
        // What goes into the outbox by this commit must not be dropped by it.
        let added = &plan.commit.outbox_added;
        plan.commit.outbox_dropped.retain(|key| !added.contains(key));
        plan.before = Some(held.clone());
        self.add_spans(&mut plan, &left, open, Cause::Event(held, trigger));
        plan
    }

    /// Makes the commit of an execution's first run, asked for at a time by a caller in a trace.
    pub(super) fn plan_creation(
        &self,
        known: &Arc<Known>,
        mut run: Run,
        asked: (Timestamp, Option<TraceContext>),
    ) -> Plan {
        let left = std::mem::take(&mut run.left);
        let root = Some((Revision::first(self.runtime.nonce()), FencingToken::first(self.runtime.nonce())));
        let record = Box::new(known.record.as_ref().clone());
        let mut plan = self.plan_run(known, run, root, |root| Subject::Creation { record, root });
        self.add_notice(&mut plan.commit, ExecutionStatus::Running);
        self.tell_starter(&mut plan);
        let (begun, caller) = asked;
        self.add_spans(&mut plan, &left, &[], Cause::Start { begun, caller });
        plan
    }

    /// Makes a commit that ends the execution as a whole, however many branches it has: what they leave is cleaned up later. `open` is
    /// what was seen open, where it is traced.
    pub(super) fn plan_end(
        &self,
        known: &Arc<Known>,
        open: &[StoredBranch],
        history: Vec<NewEvent>,
        end: ExecutionEnd,
    ) -> Plan {
        let mut commit = self.empty_commit(known, Subject::Execution);
        commit.history = HistoryChunk { events: history.into_iter().map(convert::event_to_record).collect() };
        self.add_notice(&mut commit, end.status);
        commit.end = Some((end, self.runtime.now()));
        let (known, cancels) = (known.clone(), vec![Cancelled::Execution]);
        let mut plan = Plan { known, commit, branches: Vec::new(), before: None, cancels, spans: Spans::default() };
        self.tell_starter(&mut plan);
        self.add_spans(&mut plan, &[], open, Cause::Closing);
        plan
    }

    fn plan_run(
        &self,
        known: &Arc<Known>,
        run: Run,
        driven: Option<(Revision, FencingToken)>,
        subject: impl FnOnce(Option<Box<NextBranch>>) -> Subject,
    ) -> Plan {
        let mut branches = Vec::with_capacity(1 + run.children.len());
        let mut next = None;
        if let (Some(branch), Some((revision, token))) = (run.branch, driven) {
            next = Some(Box::new(self.next_branch(known, &branch, revision, token)));
            branches.push((branch, revision, token));
        }
        let mut commit = self.empty_commit(known, subject(next));
        for child in run.children {
            let (revision, token) = (Revision::first(self.runtime.nonce()), FencingToken::first(self.runtime.nonce()));
            commit.children.push(self.next_branch(known, &child, revision, token));
            branches.push((child, revision, token));
        }
        commit.assumed_base = run.assumed_base;
        commit.history = HistoryChunk { events: run.history.into_iter().map(convert::event_to_record).collect() };
        commit.opened =
            run.opened.into_iter().map(|scope| OpenedScope { key: scope.key, items: scope.items }).collect();
        let closed = run.closed.into_iter().map(|key| (key, false)).chain(run.shut.map(|key| (key, true)));
        commit.closed = closed.map(|(key, more_open)| ClosedScope { key, branches: Vec::new(), more_open }).collect();
        commit.inline_results =
            run.inline_results.into_iter().map(|result| (result.scope, result.index, result.output)).collect();
        commit.joined = run.joined.map(convert::joined_to_record);
        commit.taken = run.taken;
        commit.end = run.end.map(|end| (end, self.runtime.now()));
        // The last event that a history holds is kept for the end of the execution.
        let reserve = u64::from(commit.end.is_none());
        commit.events_max = self.limits_of(known.arn()).events_max.map(|max| max.saturating_sub(reserve));
        let cancels = sort_effects(known, run.effects, &mut commit);
        if let Some(status) = commit.end.as_ref().map(|(end, _)| end.status) {
            self.add_notice(&mut commit, status);
        }
        Plan { known: known.clone(), commit, branches, before: None, cancels, spans: Spans::default() }
    }

    /// Lists what the closed scopes hold: it is closed with them, at the revisions seen, and its effects need not leave any more.
    fn close_scopes(&self, plan: &mut Plan, open: &[StoredBranch]) {
        let closed =
            |stored: &&StoredBranch| plan.commit.closed.iter().any(|scope| stored.record.path.is_within(&scope.key));
        let stops = self.all_awaited(&plan.known, open.iter().filter(closed));
        plan.commit.outbox_added.extend(stops);
        for scope in &mut plan.commit.closed {
            let within = || open.iter().filter(|stored| stored.record.path.is_within(&scope.key));
            let branches = within().map(|stored| (stored.record.path.clone(), stored.revision)).collect();
            let entries = within().filter_map(|stored| entry_of(&plan.known, stored));
            plan.commit.outbox_dropped.extend(entries);
            if within().any(has_work) {
                plan.cancels.push(Cancelled::Scope(scope.key.clone()));
            }
            scope.branches = branches;
        }
    }

    fn next_branch(&self, known: &Known, branch: &Branch, revision: Revision, token: FencingToken) -> NextBranch {
        let context = trace::of_state(known.trace, known.arn(), &branch.path, branch.entry);
        NextBranch { record: convert::branch_to_record(branch, Some(context.to_string())), revision, token }
    }

    fn empty_commit(&self, known: &Known, subject: Subject) -> Commit {
        Commit {
            id: CommitId(self.runtime.nonce()),
            execution: known.arn().clone(),
            owner: self.owner.clone(),
            lease_millis: u32::try_from(self.settings.lease.as_millis()).unwrap_or(u32::MAX),
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

/// Puts effects where they belong in a commit; gives those that are not stored.
fn sort_effects(known: &Known, effects: Vec<Effect>, commit: &mut Commit) -> Vec<Cancelled> {
    let mut cancels = Vec::new();
    let timer_key = |branch, timer| TimerKey { execution: known.arn().clone(), branch, name: timer_name(timer) };
    for effect in effects {
        match effect {
            Effect::DispatchWorkItem { branch, attempt } => {
                commit.outbox_added.push(outbox_key(known, PendingEffect::Dispatch(branch, attempt)));
            }
            Effect::ScheduleTimer { branch, timer, due } => commit.timers_set.push((timer_key(branch, timer), due)),
            Effect::CancelTimer { branch, timer } => commit.timers_dropped.push(timer_key(branch, timer)),
            Effect::CancelWork { branch, attempt } => cancels.push(Cancelled::Attempt(branch, attempt)),
            Effect::ContinueRun { branch } => {
                commit.outbox_added.push(outbox_key(known, PendingEffect::Continue(branch)));
            }
        }
    }
    cancels
}

/// Tells whether the attempt is open as before and nothing was heard of it yet: its item may still have to leave.
fn is_waiting_still(
    branches: &[(Branch, Revision, FencingToken)],
    path: &model::BranchPath,
    task: &engine::TaskPhase,
) -> bool {
    branches.first().is_some_and(|(branch, ..)| match &branch.phase {
        Phase::Task(next) => {
            branch.path == *path && next.attempt == task.attempt && !next.started && next.delivery == task.delivery
        }
        Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_) => false,
    })
}

/// Gives the entry that the outbox may hold for a branch that is cut off.
fn entry_of(known: &Known, stored: &StoredBranch) -> Option<OutboxKey> {
    let path = stored.record.path.clone();
    let effect = match &stored.record.phase {
        PhaseRecord::Task(task) => PendingEffect::Dispatch(path, task.attempt),
        PhaseRecord::Ready => PendingEffect::Continue(path),
        PhaseRecord::Children(children) => PendingEffect::Wake(children.scope.clone()),
        PhaseRecord::Wait { .. } | PhaseRecord::Backoff { .. } => return None,
    };
    Some(outbox_key(known, effect))
}

fn has_work(stored: &StoredBranch) -> bool {
    matches!(stored.record.phase, PhaseRecord::Task(_))
}

fn outbox_key(known: &Known, effect: PendingEffect) -> OutboxKey {
    OutboxKey { execution: known.arn().clone(), effect }
}

/// Tells how long an execution took.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    std::time::Duration::from_millis(to.millis_since(from)).as_secs_f64()
}

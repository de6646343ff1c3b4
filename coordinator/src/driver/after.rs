//! What follows a commit at once, in this process. All of it is repeated by someone else if this process dies first.

use std::sync::Arc;

use engine::Phase;
use model::{ExecutionEnd, ExecutionStatus, Timestamp};
use store::{Commit, Committed, PendingEffect, Subject};
use wire::message::Cancel;

use super::Inner;
use super::build::{Plan, seconds_between};
use super::cache::Held;
use super::local::Item;
use super::relay::outstanding;

impl Inner {
    /// Lets the effects of a commit leave, and keeps what it wrote.
    pub(super) fn after(self: &Arc<Self>, mut plan: Plan, committed: &Committed) {
        self.count(&plan);
        self.tell(&plan.commit, committed);
        self.log_history(&plan, committed);
        if self.settings.express.is_synchronous
            && let Some(end) = ended(&plan.commit, committed)
        {
            self.tell_waiter(&plan, end);
        }
        let events = plan.commit.history.events.len() as u64;
        plan.known.heard_of(model::EventId(committed.base.0 + events));
        self.forget_closed(&plan);
        self.set_timers(&plan);
        self.proceed_with_joins(&plan, committed);
        self.let_spans_go(std::mem::take(&mut plan.spans), plan.known.partition);
        let Plan { known, commit, branches, before, cancels, spans: _ } = plan;
        let mut kept = Vec::with_capacity(branches.len());
        for (mut branch, revision, token) in branches {
            branch.settle(committed.base);
            let held = Arc::new(Held { known: known.clone(), branch, revision, token, is_own: true });
            self.cache.keep(held.clone());
            kept.push(held);
        }
        for key in &commit.outbox_added {
            match &key.effect {
                PendingEffect::Dispatch(path, _) => {
                    if let Some(held) = kept.iter().find(|held| held.branch.path == *path) {
                        self.let_go(held, before.as_deref());
                    }
                }
                PendingEffect::Continue(path) => {
                    let (execution, branch) = (commit.execution.clone(), path.clone());
                    self.proceed(Item::Resume { execution, branch, background: false });
                }
                PendingEffect::Notify(_) => self.notify(&known, key, ended(&commit, committed).as_ref()),
                PendingEffect::Started | PendingEffect::Ended | PendingEffect::Stop(..) => self.send(key),
                PendingEffect::Wake(_) | PendingEffect::Export(_) => {}
            }
        }
        for of in cancels {
            let cancel = Cancel { execution: commit.execution.clone(), of };
            self.proceed(Item::Cancel(cancel, known.trace.trace));
        }
    }

    /// Gives the work item of a branch to the relay.
    fn let_go(self: &Arc<Self>, held: &Held, before: Option<&Held>) {
        let Some(task) = outstanding(&held.branch) else { return };
        let is_open_before = before.is_some_and(|before| match &before.branch.phase {
            Phase::Task(previous) => previous.attempt == task.attempt,
            Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_) => false,
        });
        if is_open_before {
            let now = self.runtime.now();
            self.outgoing.repeat(task.attempt, |repeated| repeated.at = Some(now));
            self.metrics.redispatches.inc();
        }
        self.offer(self.dispatch(&held.known, &held.branch, task));
    }

    fn set_timers(&self, plan: &Plan) {
        for key in &plan.commit.timers_dropped {
            self.wheel.cancel(key);
        }
        if plan.commit.timers_set.is_empty() {
            return;
        }
        let now = self.runtime.now();
        for (key, due) in &plan.commit.timers_set {
            if u128::from(due.millis_since(now)) <= self.settings.timers_horizon.as_millis() {
                self.wheel.set(key.clone(), *due);
            } else {
                self.wheel.cancel(key);
            }
        }
    }

    /// Wakes the parent if this commit is the one to do so, and goes on if completions came meanwhile.
    fn proceed_with_joins(self: &Arc<Self>, plan: &Plan, committed: &Committed) {
        let execution = &plan.commit.execution;
        let resume = |branch| Item::Resume { execution: execution.clone(), branch, background: false };
        if committed.woke_parent
            && let Some(joined) = &plan.commit.joined
        {
            self.proceed(resume(joined.scope.branch.clone()));
        }
        if committed.more_completions
            && let Some((scope, _)) = &plan.commit.taken
        {
            self.proceed(resume(scope.branch.clone()));
        }
    }

    fn forget_closed(&self, plan: &Plan) {
        let Plan { known, commit, before, .. } = plan;
        for key in &commit.outbox_dropped {
            if let PendingEffect::Dispatch(_, attempt) = &key.effect {
                self.outgoing.closed(known.partition, *attempt);
            }
        }
        if let (Some(before), Subject::Branch { next: None, .. }) = (before, &commit.subject) {
            self.cache.forget(&commit.execution, &before.branch.path);
        }
        for (path, _) in commit.closed.iter().flat_map(|scope| &scope.branches) {
            self.cache.forget(&commit.execution, path);
        }
        if commit.end.is_some() {
            self.cache.forget_execution(&commit.execution);
        }
    }

    fn count(&self, plan: &Plan) {
        self.metrics.commits.inc();
        self.metrics.events.add(plan.commit.history.events.len() as u64);
        if plan.before.as_ref().is_some_and(|before| !before.is_own) {
            self.metrics.take_overs.inc();
        }
        if plan.known.arn().is_map_run() {
            return;
        }
        let scheduled_at = plan.before.as_ref().and_then(|before| match &before.branch.phase {
            Phase::Task(task) => Some(task.scheduled_at),
            Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_) => None,
        });
        self.task_metrics.count(&plan.commit.history.events, scheduled_at);
        let Some((end, at)) = &plan.commit.end else { return };
        self.metrics.execution_time.observe(seconds_between(plan.known.record.started_at, *at));
        match end.status {
            ExecutionStatus::Succeeded => self.metrics.executions_succeeded.inc(),
            ExecutionStatus::Failed => self.metrics.executions_failed.inc(),
            ExecutionStatus::TimedOut => self.metrics.executions_timed_out.inc(),
            ExecutionStatus::Aborted => self.metrics.executions_aborted.inc(),
            ExecutionStatus::Running => {}
        }
    }
}

/// Gives how the execution ended with a commit, and when, as the store tells it from now on: no event of it is later.
fn ended(commit: &Commit, committed: &Committed) -> Option<(ExecutionEnd, Timestamp)> {
    let (end, at) = commit.end.as_ref()?;
    let last = commit.history.events.iter().map(|event| event.at).fold(committed.clamp, Timestamp::max);
    Some((end.clone(), last.max(*at)))
}

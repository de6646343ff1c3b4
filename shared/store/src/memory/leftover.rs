//! What closed scopes and ended executions left over, and its removal in bounded batches.

use std::collections::BTreeSet;

use model::{AttemptId, BranchPath, ExecutionArn, ScopeKey, Timestamp};

use super::state::{Open, Partition};
use crate::commit::PendingEffect;
use crate::text;

/// How many branches one call cleans up.
const BRANCHES: usize = 64;
/// How many ended executions one call removes.
const EXECUTIONS: usize = 16;

#[derive(Debug)]
pub(super) enum Leftover {
    Branches { execution: ExecutionArn, branches: Vec<ClosedBranch> },
    Execution(ExecutionArn),
}

#[derive(Debug)]
pub(super) struct ClosedBranch {
    path: BranchPath,
    attempt: Option<AttemptId>,
    scope: Option<ScopeKey>,
    timers: BTreeSet<String>,
}

impl ClosedBranch {
    pub(super) fn new(path: BranchPath, open: Open) -> Self {
        Self { path, attempt: open.attempt, scope: open.scope, timers: open.timers }
    }
}

impl Partition {
    /// Removes a batch; tells whether there is more.
    pub(super) fn clean_up(&mut self, kept_from: Timestamp) -> bool {
        match self.leftovers.pop_front() {
            Some(Leftover::Branches { execution, mut branches }) => {
                let rest = branches.split_off(branches.len().min(BRANCHES));
                branches.iter().for_each(|branch| self.forget(&execution, branch));
                if !rest.is_empty() {
                    self.leftovers.push_front(Leftover::Branches { execution, branches: rest });
                }
            }
            Some(Leftover::Execution(execution)) => self.clean_execution(execution),
            None => return self.drop_old(kept_from),
        }
        true
    }

    fn clean_execution(&mut self, arn: ExecutionArn) {
        let Some(execution) = self.executions.get_mut(&arn) else { return };
        let mut batch = Vec::new();
        while batch.len() < BRANCHES
            && let Some((path, open)) = execution.branches.pop_first()
        {
            batch.push(ClosedBranch::new(path, open));
        }
        let mut scopes = Vec::new();
        if execution.branches.is_empty() {
            scopes.extend(std::mem::take(&mut execution.scopes).into_keys());
        } else {
            self.leftovers.push_front(Leftover::Execution(arn.clone()));
        }
        batch.iter().for_each(|branch| self.forget(&arn, branch));
        for scope in scopes {
            self.outbox.remove(&text::effect(&arn, &PendingEffect::Wake(scope)));
        }
    }

    fn forget(&mut self, arn: &ExecutionArn, branch: &ClosedBranch) {
        let attempt = branch.attempt.map(|attempt| PendingEffect::Dispatch(branch.path.clone(), attempt));
        let wake = branch.scope.clone().map(PendingEffect::Wake);
        for effect in [Some(PendingEffect::Continue(branch.path.clone())), attempt, wake].into_iter().flatten() {
            self.outbox.remove(&text::effect(arn, &effect));
        }
        for name in &branch.timers {
            self.timers.remove(&text::timer_of(branch.path.as_str(), name, arn.as_str()));
        }
    }

    fn drop_old(&mut self, kept_from: Timestamp) -> bool {
        for _ in 0..EXECUTIONS {
            let is_old = self.closed.first().is_some_and(|(at, _)| *at < kept_from);
            let Some((_, arn)) = is_old.then(|| self.closed.pop_first()).flatten() else { return false };
            self.executions.remove(&arn);
        }
        self.closed.first().is_some_and(|(at, _)| *at < kept_from)
    }
}

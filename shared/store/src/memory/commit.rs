//! The commit: every check first, then every write.

use std::collections::BTreeSet;

use model::{BranchPath, CommitId, EventId, JsonText, Revision, ScopeKey, Timestamp};
use wire::record::{EndRecord, ItemsRecord, PhaseRecord};

use super::leftover::{ClosedBranch, Leftover};
use super::state::{ChildResult, Chunk, Execution, Open, Partition, Scope};
use crate::commit::{
    ClosedScope, Commit, CommitOutcome, Committed, Joined, NextBranch, OpenedScope, PendingEffect, Refusal, Subject,
};
use crate::store::Error;
use crate::{bounds, text};

/// Is a commit with its texts, as they will be kept.
struct Texts {
    execution: Option<Vec<u8>>,
    next: Option<Vec<u8>>,
    children: Vec<Vec<u8>>,
    chunk: Option<Vec<u8>>,
    items: Vec<Vec<Vec<u8>>>,
    completion: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
}

impl Partition {
    pub(super) fn commit(&mut self, commit: &Commit, now: Timestamp) -> Result<CommitOutcome, Error> {
        let texts = Texts::new(commit);
        bounds::check_bytes(commit, texts.bytes() + payload_bytes(commit))?;
        let execution = self.executions.get(&commit.execution);
        if let Some(answer) = execution.and_then(|execution| repeated(execution, commit)) {
            return Ok(CommitOutcome::Committed(answer));
        }
        if let Err(refusal) = check(execution, commit, now) {
            return Ok(CommitOutcome::Refused(refusal));
        }
        Ok(CommitOutcome::Committed(self.write(commit, texts, now)))
    }
}

impl Texts {
    fn new(commit: &Commit) -> Self {
        let (execution, next) = match &commit.subject {
            Subject::Creation { record, root } => (Some(record.encode()), root.as_deref()),
            Subject::Branch { next, .. } => (None, next.as_deref()),
            Subject::Execution { .. } => (None, None),
        };
        let groups = |scope: &OpenedScope| {
            bounds::item_groups(&scope.items).map(|items| ItemsRecord { items: items.to_vec() }.encode()).collect()
        };
        let end = commit.end.as_ref().map(|(end, at)| EndRecord { end: end.clone(), at: *at });
        Self {
            execution,
            next: next.map(|next| next.record.encode()),
            children: commit.children.iter().map(|child| child.record.encode()).collect(),
            chunk: Some(&commit.history).filter(|chunk| !chunk.events.is_empty()).map(|chunk| chunk.encode()),
            items: commit.opened.iter().map(groups).collect(),
            completion: commit.joined.as_ref().map(|joined| joined.completion.encode()),
            end: end.map(|end| end.encode()),
        }
    }

    fn bytes(&self) -> usize {
        let single = [&self.execution, &self.next, &self.chunk, &self.completion, &self.end];
        let lists = self.children.iter().chain(self.items.iter().flatten());
        single.into_iter().flatten().chain(lists).map(Vec::len).sum()
    }
}

fn payload_bytes(commit: &Commit) -> usize {
    let joined = commit.joined.as_ref().and_then(|joined| joined.output.as_ref());
    commit.inline_results.iter().map(|(_, _, output)| output).chain(joined).map(JsonText::len).sum()
}

/// Finds the first answer to a commit that was made before.
fn repeated(execution: &Execution, commit: &Commit) -> Option<Committed> {
    let same = |(id, answer): &(CommitId, Committed)| (*id == commit.id).then(|| answer.clone());
    let of_subject = match &commit.subject {
        Subject::Creation { .. } => same(&execution.creation),
        Subject::Branch { path, .. } => match execution.branches.get(path) {
            Some(open) => same(&open.commit),
            None => path.parent_scope().and_then(|(scope, index)| {
                let result = execution.scopes.get(&scope)?.results.get(&index)?;
                result.commit.as_ref().and_then(same)
            }),
        },
        Subject::Execution { .. } => None,
    };
    of_subject.or_else(|| execution.whole.as_ref().and_then(same))
}

fn check(execution: Option<&Execution>, commit: &Commit, now: Timestamp) -> Result<(), Refusal> {
    match (&commit.subject, execution) {
        (Subject::Creation { .. }, Some(_)) => Err(Refusal::Exists),
        (Subject::Creation { .. }, None) => check_base(EventId(0), commit),
        (Subject::Branch { .. } | Subject::Execution { .. }, None) => Err(Refusal::Missing),
        (Subject::Branch { .. } | Subject::Execution { .. }, Some(execution)) => {
            check_open(execution, commit)?;
            check_subject(execution, commit)?;
            check_scopes(execution, commit)?;
            check_lease(execution, commit, now)?;
            check_base(execution.last_event, commit)
        }
    }
}

fn check_open(execution: &Execution, commit: &Commit) -> Result<(), Refusal> {
    let enclosing = match &commit.subject {
        Subject::Branch { path, .. } => path.scopes(),
        Subject::Creation { .. } | Subject::Execution { .. } => Vec::new(),
    };
    let is_open = execution.end.is_none() && enclosing.iter().all(|scope| execution.scopes.contains_key(scope));
    if is_open { Ok(()) } else { Err(Refusal::Closed) }
}

fn check_subject(execution: &Execution, commit: &Commit) -> Result<(), Refusal> {
    let is_current = match &commit.subject {
        Subject::Creation { .. } => true,
        Subject::Branch { path, revision, token, .. } => {
            execution.branches.get(path).is_some_and(|open| open.revision == *revision && open.token == *token)
        }
        Subject::Execution { branches } => is_all_open(execution, branches, |_| true),
    };
    if is_current { Ok(()) } else { Err(Refusal::Stale) }
}

/// Tells whether the listed branches are just the open ones among those wanted, at these revisions.
fn is_all_open(execution: &Execution, listed: &[(BranchPath, Revision)], wanted: impl Fn(&BranchPath) -> bool) -> bool {
    let paths: BTreeSet<&BranchPath> = listed.iter().map(|(path, _)| path).collect();
    let at_revision = |(path, revision): &(BranchPath, Revision)| {
        wanted(path) && execution.branches.get(path).is_some_and(|open| open.revision == *revision)
    };
    let open = execution.branches.keys().filter(|path| wanted(path)).count();
    paths.len() == listed.len() && open == listed.len() && listed.iter().all(at_revision)
}

fn check_scopes(execution: &Execution, commit: &Commit) -> Result<(), Refusal> {
    let opened = |scope: &ScopeKey| commit.opened.iter().any(|opened| opened.key == *scope);
    let is_there = |scope: &ScopeKey| execution.scopes.contains_key(scope) || opened(scope);
    let parents = commit.children.iter().filter_map(|child| child.record.path.parent_scope());
    let parents_open = parents.into_iter().all(|(scope, _)| is_there(&scope));
    let results_open = commit.inline_results.iter().all(|(scope, _, _)| is_there(scope));
    let taken_open = commit.taken.as_ref().is_none_or(|(scope, _)| is_there(scope));
    let joined_open = commit.joined.as_ref().is_none_or(|joined| is_there(&joined.scope));
    let closed_seen = commit.closed.iter().all(|closed| {
        let within = |path: &BranchPath| path.is_within(&closed.key);
        execution.scopes.contains_key(&closed.key) && is_all_open(execution, &closed.branches, within)
    });
    if parents_open && results_open && taken_open && joined_open && closed_seen { Ok(()) } else { Err(Refusal::Stale) }
}

fn check_lease(execution: &Execution, commit: &Commit, now: Timestamp) -> Result<(), Refusal> {
    let Subject::Branch { path, .. } = &commit.subject else { return Ok(()) };
    let lease = execution
        .branches
        .get(path)
        .filter(|open| commit.respects_lease && open.owner != commit.owner && open.leased_until > now);
    lease.map_or(Ok(()), |open| Err(Refusal::Leased { until: open.leased_until }))
}

fn check_base(base: EventId, commit: &Commit) -> Result<(), Refusal> {
    if commit.assumed_base.is_some_and(|assumed| assumed != base) {
        return Err(Refusal::BaseMoved { base });
    }
    let last = base.0 + commit.history.events.len() as u64;
    if commit.events_max.is_some_and(|max| last > max) {
        return Err(Refusal::HistoryFull { base });
    }
    Ok(())
}

impl Partition {
    fn write(&mut self, commit: &Commit, mut texts: Texts, now: Timestamp) -> Committed {
        let arn = &commit.execution;
        let execution = self.executions.entry(arn.clone()).or_insert_with(|| Execution {
            record: texts.execution.take().unwrap_or_default(),
            creation: (commit.id, Committed::default()),
            whole: None,
            last_event: EventId(0),
            at: Timestamp::default(),
            end: None,
            branches: std::collections::BTreeMap::new(),
            scopes: std::collections::BTreeMap::new(),
            history: Vec::new(),
        });
        let mut answer = Committed { base: execution.last_event, clamp: execution.at, ..Committed::default() };
        write_history(execution, commit, texts.chunk, &answer);
        let leftover = if commit.end.is_none() { close(execution, &commit.closed) } else { Vec::new() };
        write_scopes(execution, commit, texts.items);
        let mut effects: Vec<PendingEffect> = commit.outbox_added.iter().map(|key| key.effect.clone()).collect();
        let mut dropped: Vec<PendingEffect> = commit.outbox_dropped.iter().map(|key| key.effect.clone()).collect();
        if let (Some(joined), Some(completion)) = (&commit.joined, texts.completion) {
            answer.woke_parent = join(execution, joined, completion, answer.base);
            effects.extend(answer.woke_parent.then(|| PendingEffect::Wake(joined.scope.clone())));
        }
        if let Some((key, taken)) = &commit.taken
            && let Some(scope) = execution.scopes.get_mut(key)
        {
            answer.more_completions = scope.completions.len() > *taken as usize;
            if !answer.more_completions {
                scope.is_awake = false;
                dropped.push(PendingEffect::Wake(key.clone()));
            }
        }
        if commit.end.is_none() {
            dropped.extend(commit.closed.iter().map(|scope| PendingEffect::Wake(scope.key.clone())));
        }
        write_branches(execution, commit, texts.next, texts.children, &answer, now);
        note_answer(execution, commit, &answer);
        if !leftover.is_empty() {
            self.leftovers.push_back(Leftover::Branches { execution: arn.clone(), branches: leftover });
        }
        for effect in &dropped {
            self.outbox.remove(&text::effect(arn, effect));
        }
        for effect in &effects {
            self.outbox.insert(text::effect(arn, effect), text::entry_value(&commit.owner, now));
        }
        self.write_timers(commit);
        self.close_subject(commit);
        if let Some(end) = texts.end {
            self.end(commit, end);
        }
        answer
    }

    fn write_timers(&mut self, commit: &Commit) {
        let Some(execution) = self.executions.get_mut(&commit.execution) else { return };
        for key in &commit.timers_dropped {
            self.timers.remove(&text::timer(key));
            if let Some(open) = execution.branches.get_mut(&key.branch) {
                open.timers.remove(&key.name);
            }
        }
        for (key, at) in &commit.timers_set {
            self.timers.set(text::timer(key), *at);
            if let Some(open) = execution.branches.get_mut(&key.branch) {
                open.timers.insert(key.name.clone());
            }
        }
    }

    /// Removes the subject where nothing follows it, with the timers that it still has.
    fn close_subject(&mut self, commit: &Commit) {
        let Subject::Branch { path, next: None, .. } = &commit.subject else { return };
        let Some(execution) = self.executions.get_mut(&commit.execution) else { return };
        let closed = execution.branches.remove(path);
        for name in closed.map(|closed| closed.timers).unwrap_or_default() {
            self.timers.remove(&text::timer_of(path.as_str(), &name, commit.execution.as_str()));
        }
    }

    fn end(&mut self, commit: &Commit, end: Vec<u8>) {
        let Some(execution) = self.executions.get_mut(&commit.execution) else { return };
        execution.end = Some(end);
        let at = commit.end.as_ref().map_or(execution.at, |(_, at)| execution.at.max(*at));
        self.closed.insert((at, commit.execution.clone()));
        if !execution.branches.is_empty() || !execution.scopes.is_empty() {
            self.leftovers.push_back(Leftover::Execution(commit.execution.clone()));
        }
    }
}

fn write_history(execution: &mut Execution, commit: &Commit, chunk: Option<Vec<u8>>, answer: &Committed) {
    let Some(bytes) = chunk else { return };
    execution.history.push(Chunk { base: answer.base, clamp: answer.clamp, bytes });
    execution.last_event.0 += commit.history.events.len() as u64;
    let latest = commit.history.events.iter().map(|event| event.at).max();
    execution.at = execution.at.max(latest.unwrap_or_default());
}

fn write_scopes(execution: &mut Execution, commit: &Commit, items: Vec<Vec<Vec<u8>>>) {
    for (opened, items) in commit.opened.iter().zip(items) {
        execution.scopes.insert(opened.key.clone(), Scope { items, ..Scope::default() });
    }
    for (scope, index, output) in &commit.inline_results {
        if let Some(scope) = execution.scopes.get_mut(scope) {
            scope.results.insert(*index, ChildResult { commit: None, output: Some(output.clone()) });
        }
    }
}

/// Closes scopes and all branches within; what hangs on those is left over.
fn close(execution: &mut Execution, closed: &[ClosedScope]) -> Vec<ClosedBranch> {
    let mut leftover = Vec::new();
    for scope in closed {
        execution.scopes.remove(&scope.key);
        for (path, _) in &scope.branches {
            if let Some(open) = execution.branches.remove(path) {
                if let Some(nested) = &open.scope {
                    execution.scopes.remove(nested);
                }
                leftover.push(ClosedBranch::new(path.clone(), open));
            }
        }
    }
    leftover
}

/// Adds a completion; tells whether this set the wake flag.
fn join(execution: &mut Execution, joined: &Joined, completion: Vec<u8>, base: EventId) -> bool {
    let Some(scope) = execution.scopes.get_mut(&joined.scope) else { return false };
    scope.completions.push((base, completion));
    !std::mem::replace(&mut scope.is_awake, true)
}

fn write_branches(
    execution: &mut Execution,
    commit: &Commit,
    next: Option<Vec<u8>>,
    children: Vec<Vec<u8>>,
    answer: &Committed,
    now: Timestamp,
) {
    let mut insert = |branch: &NextBranch, text: Vec<u8>| {
        let path = branch.record.path.clone();
        let timers = execution.branches.remove(&path).map(|before| before.timers).unwrap_or_default();
        execution.branches.insert(path, open(branch, text, commit, answer, now, timers));
    };
    let subject = match &commit.subject {
        Subject::Creation { root, .. } => root,
        Subject::Branch { next, .. } => next,
        Subject::Execution { .. } => &None,
    };
    if let (Some(branch), Some(text)) = (subject, next) {
        insert(branch, text);
    }
    for (branch, text) in commit.children.iter().zip(children) {
        insert(branch, text);
    }
}

fn open(
    branch: &NextBranch,
    text: Vec<u8>,
    commit: &Commit,
    answer: &Committed,
    now: Timestamp,
    timers: BTreeSet<String>,
) -> Open {
    let (attempt, scope) = match &branch.record.phase {
        PhaseRecord::Task(task) => (Some(task.attempt), None),
        PhaseRecord::Children(children) => (None, Some(children.scope.clone())),
        PhaseRecord::Ready | PhaseRecord::Wait { .. } | PhaseRecord::Backoff { .. } => (None, None),
    };
    Open {
        text,
        revision: branch.revision,
        token: branch.token,
        owner: commit.owner.clone(),
        leased_until: now.plus_millis(commit.lease_millis.into()),
        commit: (commit.id, answer.clone()),
        attempt,
        scope,
        timers,
    }
}

/// Keeps the answer where a repeated commit looks for it.
fn note_answer(execution: &mut Execution, commit: &Commit, answer: &Committed) {
    let noted = (commit.id, answer.clone());
    if let Some(joined) = &commit.joined {
        let result = ChildResult { commit: Some(noted.clone()), output: joined.output.clone() };
        if let Some(scope) = execution.scopes.get_mut(&joined.scope) {
            scope.results.insert(joined.completion.index, result);
        }
    }
    match &commit.subject {
        Subject::Creation { .. } => execution.creation = noted,
        Subject::Execution { .. } => execution.whole = Some(noted),
        Subject::Branch { .. } if commit.end.is_some() => execution.whole = Some(noted),
        Subject::Branch { .. } => {}
    }
}

//! The writes of a commit that was checked.

use std::collections::BTreeMap;

use model::{BranchPath, EventId, ExecutionArn, ScopeKey, Timestamp};

use super::commit::{Prepared, Seen};
use super::map::{Map, View};
use super::values::{self, Answered, Branch, ChildResult, Head, Scope};
use super::{definitions, keys, lists, read};
use crate::commit::{Commit, Committed, NextBranch, PendingEffect, Subject, TimerKey};
use crate::{Error, text};

/// Writes all of a commit.
pub(super) fn write(map: &mut dyn Map, seen: Seen, prepared: &Prepared) -> Result<Committed, Error> {
    let commit = &prepared.commit;
    let mut writing = Writing::begin(map, seen, prepared)?;
    writing.history();
    if commit.end.is_none() {
        writing.close_scopes()?;
    }
    writing.open_scopes()?;
    writing.join()?;
    writing.take()?;
    writing.branches()?;
    writing.timers()?;
    writing.finish()
}

/// Is a commit half-way.
struct Writing<'a> {
    map: &'a mut dyn Map,
    prepared: &'a Prepared,
    head: Head,
    answer: Committed,
    /// The subject as it was, with its timers.
    before: Option<Branch>,
    branches: BTreeMap<BranchPath, Branch>,
    added: Vec<PendingEffect>,
    dropped: Vec<PendingEffect>,
}

impl<'a> Writing<'a> {
    fn begin(map: &'a mut dyn Map, seen: Seen, prepared: &'a Prepared) -> Result<Self, Error> {
        let commit = &prepared.commit;
        let head = match seen.head {
            Some(head) => head,
            None => create(map, prepared)?,
        };
        let answer = Committed { base: head.last_event, clamp: head.at, ..Committed::default() };
        let effects = |keys: &[crate::OutboxKey]| keys.iter().map(|key| key.effect.clone()).collect();
        let (added, dropped) = (effects(&commit.outbox_added), effects(&commit.outbox_dropped));
        Ok(Self { map, prepared, head, answer, before: seen.branch, branches: BTreeMap::new(), added, dropped })
    }

    fn commit(&self) -> &'a Commit {
        &self.prepared.commit
    }

    fn arn(&self) -> &'a ExecutionArn {
        &self.prepared.commit.execution
    }

    fn history(&mut self) {
        let events = &self.commit().history.events;
        self.head.last_event.0 += events.len() as u64;
        let latest = events.iter().map(|event| event.at).max();
        self.head.at = self.head.at.max(latest.unwrap_or_default());
    }

    /// Closes scopes and all branches within. What the scopes hold is left over.
    fn close_scopes(&mut self) -> Result<(), Error> {
        let commit = self.commit();
        for scope in &commit.closed {
            if scope.more_open {
                self.shut_scope(&scope.key)?;
            } else {
                self.close_scope(&scope.key)?;
            }
            for (path, _) in &scope.branches {
                let key = keys::branch(&commit.execution, path);
                let Some(branch) = self.map.get(&key)? else { continue };
                let branch = Branch::decode(&branch)?;
                self.map.remove(&key)?;
                if let Some(nested) = &branch.scope {
                    self.close_scope(nested)?;
                }
                forget(self.map, self.prepared.partition, &commit.execution, path, &branch)?;
            }
        }
        Ok(())
    }

    fn shut_scope(&mut self, key: &ScopeKey) -> Result<(), Error> {
        let Some(mut scope) = self.scope(key)? else { return Ok(()) };
        scope.is_shut = true;
        self.map.put(&keys::scope(self.arn(), key), &scope.encode())
    }

    fn close_scope(&mut self, scope: &ScopeKey) -> Result<(), Error> {
        self.map.remove(&keys::scope(self.arn(), scope))?;
        self.map.put(&keys::leftover(self.prepared.partition, self.arn(), Some(scope)), &[])?;
        self.dropped.push(PendingEffect::Wake(scope.clone()));
        Ok(())
    }

    fn open_scopes(&mut self) -> Result<(), Error> {
        let commit = self.commit();
        for (opened, groups) in commit.opened.iter().zip(&self.prepared.texts.items) {
            self.map.put(&keys::scope(&commit.execution, &opened.key), &Scope::default().encode())?;
            for (index, group) in (0..).zip(groups) {
                self.map.put(&keys::items(&commit.execution, &opened.key, index), group)?;
            }
        }
        for (scope, index, output) in &commit.inline_results {
            let result = ChildResult { commit: None, output: Some(output.clone()) };
            self.map.put(&keys::result(&commit.execution, scope, *index), &result.encode())?;
        }
        Ok(())
    }

    fn scope(&self, key: &ScopeKey) -> Result<Option<Scope>, Error> {
        self.map.get(&keys::scope(self.arn(), key))?.as_deref().map(Scope::decode).transpose()
    }

    /// Adds the subject's end to the join record of its parent; the first since the parent took them wakes it.
    fn join(&mut self) -> Result<(), Error> {
        let (Some(joined), Some(record)) = (&self.commit().joined, &self.prepared.texts.completion) else {
            return Ok(());
        };
        let Some(mut scope) = self.scope(&joined.scope)? else { return Ok(()) };
        let key = keys::completion(self.arn(), &joined.scope, scope.completions);
        self.map.put(&key, &values::completion(self.answer.base, record))?;
        self.answer.woke_parent = !scope.is_awake;
        if self.answer.woke_parent {
            self.added.push(PendingEffect::Wake(joined.scope.clone()));
        }
        scope.completions += 1;
        scope.is_awake = true;
        self.map.put(&keys::scope(self.arn(), &joined.scope), &scope.encode())
    }

    /// Clears the wake flag if no completion came beyond those taken.
    fn take(&mut self) -> Result<(), Error> {
        let Some((key, taken)) = &self.commit().taken else { return Ok(()) };
        let Some(mut scope) = self.scope(key)? else { return Ok(()) };
        self.answer.more_completions = scope.completions > *taken;
        if self.answer.more_completions {
            return Ok(());
        }
        self.dropped.push(PendingEffect::Wake(key.clone()));
        if !scope.is_awake {
            return Ok(());
        }
        scope.is_awake = false;
        self.map.put(&keys::scope(self.arn(), key), &scope.encode())
    }

    /// Collects the branches that are written; those that were there keep their timers.
    fn branches(&mut self) -> Result<(), Error> {
        let (commit, texts) = (self.commit(), &self.prepared.texts);
        let subject = match &commit.subject {
            Subject::Creation { root, .. } => root.as_deref(),
            Subject::Branch { next, .. } => next.as_deref(),
            Subject::Execution => None,
        };
        if let (Some(next), Some(record)) = (subject, &texts.next) {
            let timers = self.before.as_ref().map(|before| before.timers.clone()).unwrap_or_default();
            let branch = Branch { timers, ..self.branch(next, record) };
            self.branches.insert(next.record.path.clone(), branch);
        }
        for (next, record) in commit.children.iter().zip(&texts.children) {
            self.branches.insert(next.record.path.clone(), self.branch(next, record));
        }
        Ok(())
    }

    fn branch(&self, next: &NextBranch, record: &[u8]) -> Branch {
        Branch::new(next, record.to_vec(), self.commit(), &self.answer, self.prepared.now)
    }

    fn timers(&mut self) -> Result<(), Error> {
        let (commit, partition) = (self.commit(), self.prepared.partition);
        for key in &commit.timers_dropped {
            lists::remove_timer(self.map, partition, &text::timer(key))?;
            self.note_timer(key, false)?;
        }
        for (key, at) in &commit.timers_set {
            lists::set_timer(self.map, partition, &text::timer(key), *at)?;
            self.note_timer(key, true)?;
        }
        Ok(())
    }

    /// Notes with its branch that a timer is set, or is not any more.
    fn note_timer(&mut self, key: &TimerKey, is_set: bool) -> Result<(), Error> {
        let is_subject = matches!(&self.commit().subject, Subject::Branch { path, .. } if *path == key.branch);
        if is_subject && let Some(before) = &mut self.before {
            note(before, &key.name, is_set);
        }
        if let Some(branch) = self.branches.get_mut(&key.branch) {
            note(branch, &key.name, is_set);
            return Ok(());
        }
        let stored = if is_subject { None } else { self.map.get(&keys::branch(self.arn(), &key.branch))? };
        if let Some(stored) = stored {
            let mut branch = Branch::decode(&stored)?;
            note(&mut branch, &key.name, is_set);
            self.branches.insert(key.branch.clone(), branch);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Committed, Error> {
        let (commit, partition) = (self.commit(), self.prepared.partition);
        let mut kept = self.prepared.texts.kept();
        if let Some(chunk) = &self.prepared.texts.chunk {
            if commit.execution.has_history() {
                self.map.put(&keys::chunk(&commit.execution, self.head.chunks), &values::chunk(&self.answer, chunk))?;
                self.head.chunks += 1;
            } else {
                kept -= chunk.len() as u64;
            }
        }
        self.head.bytes += kept;
        self.note_answer()?;
        self.close_subject()?;
        for (path, branch) in &mut self.branches {
            if branch.commit.id == commit.id {
                branch.commit.answer = self.answer.clone();
            }
            self.map.put(&keys::branch(&commit.execution, path), &branch.encode())?;
        }
        for effect in &self.dropped {
            self.map.remove(&keys::effect(partition, &text::effect(&commit.execution, effect)))?;
        }
        let value = text::entry_value(&commit.owner, self.prepared.now);
        for effect in &self.added {
            let key = keys::effect(partition, &text::effect(&commit.execution, effect));
            self.map.put(&key, value.as_bytes())?;
        }
        if let Some(end) = &self.prepared.texts.end {
            self.end(end)?;
        }
        self.map.put(&keys::head(&commit.execution), &self.head.encode())?;
        Ok(self.answer)
    }

    /// Keeps the answer where a repeated commit looks for it.
    fn note_answer(&mut self) -> Result<(), Error> {
        let commit = self.commit();
        let made = Answered { id: commit.id, answer: self.answer.clone() };
        if let Some(joined) = &commit.joined {
            let result = ChildResult { commit: Some(made.clone()), output: joined.output.clone() };
            let key = keys::result(&commit.execution, &joined.scope, joined.completion.index);
            self.map.put(&key, &result.encode())?;
        }
        match &commit.subject {
            Subject::Creation { .. } => self.head.creation = made,
            Subject::Execution => self.head.whole = Some(made),
            Subject::Branch { .. } if commit.end.is_some() => self.head.whole = Some(made),
            Subject::Branch { .. } => {}
        }
        Ok(())
    }

    /// Removes the subject where nothing follows it, with the timers that it still has.
    fn close_subject(&mut self) -> Result<(), Error> {
        let Subject::Branch { path, next: None, .. } = &self.commit().subject else { return Ok(()) };
        self.map.remove(&keys::branch(self.arn(), path))?;
        self.branches.remove(path);
        for name in self.before.take().map(|before| before.timers).unwrap_or_default() {
            let name = text::timer_of(path.as_str(), &name, self.arn().as_str());
            lists::remove_timer(self.map, self.prepared.partition, &name)?;
        }
        Ok(())
    }

    fn end(&mut self, end: &[u8]) -> Result<(), Error> {
        let (commit, partition) = (self.commit(), self.prepared.partition);
        self.head.has_ended = true;
        self.map.put(&keys::end(&commit.execution), end)?;
        let at = commit.end.as_ref().map_or(self.head.at, |(_, at)| self.head.at.max(*at));
        self.map.remove(&keys::open(partition, self.head.sequence))?;
        self.map.put(&keys::closed(partition, at, &commit.execution), &[])?;
        if !commit.execution.is_express() {
            let ended = read::ended_bytes(self.map, partition)? + self.head.bytes;
            self.map.put(&keys::ended_bytes(partition), &values::of_number(ended))?;
        }
        if let (Some((end, _)), Some(record)) = (&commit.end, read::record(self.map, &commit.execution)?) {
            lists::list_ended(self.map, partition, &record, (end.status, at))?;
        }
        let view: &dyn View = self.map;
        let leaves_branches = !view.suffixes(&keys::branches(&commit.execution, None), 1)?.is_empty();
        if leaves_branches || !view.suffixes(&keys::scopes(&commit.execution), 1)?.is_empty() {
            self.map.put(&keys::leftover(partition, &commit.execution, None), &[])?;
        }
        Ok(())
    }
}

fn note(branch: &mut Branch, timer: &str, is_set: bool) {
    if is_set {
        branch.timers.insert(timer.to_owned());
    } else {
        branch.timers.remove(timer);
    }
}

/// Writes what never changes of a new execution, and gives its head.
fn create(map: &mut dyn Map, prepared: &Prepared) -> Result<Head, Error> {
    let (commit, partition) = (&prepared.commit, prepared.partition);
    let counter = keys::sequence(partition);
    let last = map.get(&counter)?.map_or(Ok(0), |number| keys::sequence_of(&number))?;
    let sequence = last + 1;
    map.put(&counter, &sequence.to_be_bytes())?;
    map.put(&keys::open(partition, sequence), commit.execution.as_str().as_bytes())?;
    map.put(&keys::record(&commit.execution), prepared.texts.execution.as_deref().unwrap_or_default())?;
    if let Subject::Creation { record, .. } = &commit.subject {
        definitions::refer(map, &record.definition)?;
        lists::list_begun(map, partition, record)?;
    }
    Ok(Head {
        last_event: EventId(0),
        at: Timestamp::default(),
        chunks: 0,
        sequence,
        bytes: 0,
        has_ended: false,
        creation: Answered { id: commit.id, answer: Committed::default() },
        whole: None,
    })
}

/// Removes the timers and effects of a branch that is closed.
pub(super) fn forget(
    map: &mut dyn Map,
    partition: u32,
    arn: &ExecutionArn,
    path: &BranchPath,
    branch: &Branch,
) -> Result<(), Error> {
    let dispatch = branch.attempt.map(|attempt| PendingEffect::Dispatch(path.clone(), attempt));
    let wake = branch.scope.clone().map(PendingEffect::Wake);
    for effect in [Some(PendingEffect::Continue(path.clone())), dispatch, wake].into_iter().flatten() {
        map.remove(&keys::effect(partition, &text::effect(arn, &effect)))?;
    }
    for name in &branch.timers {
        lists::remove_timer(map, partition, &text::timer_of(path.as_str(), name, arn.as_str()))?;
    }
    Ok(())
}

//! The commit: every check first. `write` has the writes.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use model::{BranchPath, EventId, JsonText, ScopeKey, Timestamp};
use wire::record::{EndRecord, ItemsRecord};

use super::map::{Map, View};
use super::values::{Answered, Branch, ChildResult, Head, Scope};
use super::{definitions, keys, write};
use crate::commit::{ClosedScope, Commit, CommitOutcome, Committed, OpenedScope, Refusal, Subject};
use crate::{Error, bounds};

/// Is a commit of which everything is done that needs no transaction. It may be made again: the transaction of the first time
/// may have been given up.
pub(crate) struct Prepared {
    pub(super) commit: Commit,
    pub(super) texts: Texts,
    pub(super) partition: u32,
    pub(super) now: Timestamp,
}

/// Is a commit's records as they will be kept.
pub(super) struct Texts {
    pub(super) execution: Option<Vec<u8>>,
    pub(super) next: Option<Vec<u8>>,
    pub(super) children: Vec<Vec<u8>>,
    pub(super) chunk: Option<Vec<u8>>,
    pub(super) items: Vec<Vec<Vec<u8>>>,
    pub(super) completion: Option<Vec<u8>>,
    pub(super) end: Option<Vec<u8>>,
}

impl Prepared {
    /// Prepares a commit on a store of so many partitions, unless it is too large.
    ///
    /// # Errors
    /// `Error::Unfit` if its execution can't be named in a key.
    pub(crate) fn new(commit: &Commit, partitions: u32, now: Timestamp) -> Result<Result<Self, Refusal>, Error> {
        keys::check(&commit.execution)?;
        if let Err(refusal) = bounds::check_records(commit) {
            return Ok(Err(refusal));
        }
        let texts = Texts::new(commit);
        let partition = commit.execution.partition(partitions);
        let is_fit = bounds::check_bytes(texts.bytes() + payload_bytes(commit));
        Ok(is_fit.map(|()| Self { partition, commit: commit.clone(), texts, now }))
    }

    /// Makes the commit.
    ///
    /// # Errors
    /// `Error` where the map can't be read or written: then the transaction is to be given up.
    pub(crate) fn make(&self, map: &mut dyn Map) -> Result<CommitOutcome, Error> {
        let seen = Seen::read(map, &self.commit)?;
        if let Some(answer) = repeated(map, &seen, &self.commit)? {
            return Ok(CommitOutcome::Committed(answer));
        }
        if let Err(refusal) = check(map, &seen, &self.commit, self.now)? {
            return Ok(CommitOutcome::Refused(refusal));
        }
        Ok(CommitOutcome::Committed(write::write(map, seen, self)?))
    }
}

impl Texts {
    fn new(commit: &Commit) -> Self {
        let (execution, next) = match &commit.subject {
            Subject::Creation { record, root } => (Some(record.encode()), root.as_deref()),
            Subject::Branch { next, .. } => (None, next.as_deref()),
            Subject::Execution => (None, None),
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

    /// Counts what is kept as long as the execution is.
    pub(super) fn kept(&self) -> u64 {
        [&self.execution, &self.chunk, &self.end].into_iter().flatten().map(|text| text.len() as u64).sum()
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

/// Is what the checks look at.
pub(super) struct Seen {
    pub(super) head: Option<Head>,
    /// The subject, where it is a branch and open.
    pub(super) branch: Option<Branch>,
}

impl Seen {
    fn read(map: &dyn View, commit: &Commit) -> Result<Self, Error> {
        let head = map.get(&keys::head(&commit.execution))?;
        let branch = match &commit.subject {
            Subject::Branch { path, .. } => map.get(&keys::branch(&commit.execution, path))?,
            Subject::Creation { .. } | Subject::Execution => None,
        };
        Ok(Self {
            head: head.as_deref().map(Head::decode).transpose()?,
            branch: branch.as_deref().map(Branch::decode).transpose()?,
        })
    }
}

/// Finds the first answer to a commit that was made before.
fn repeated(map: &dyn View, seen: &Seen, commit: &Commit) -> Result<Option<Committed>, Error> {
    let Some(head) = &seen.head else { return Ok(None) };
    let same = |made: &Answered| (made.id == commit.id).then(|| made.answer.clone());
    let of_subject = match &commit.subject {
        Subject::Creation { .. } => same(&head.creation),
        Subject::Branch { path, .. } => match &seen.branch {
            Some(branch) => same(&branch.commit),
            None => as_child(map, commit, path)?.as_ref().and_then(same),
        },
        Subject::Execution => None,
    };
    Ok(of_subject.or_else(|| head.whole.as_ref().and_then(same)))
}

/// Finds the last commit of a branch that ended as a child.
fn as_child(map: &dyn View, commit: &Commit, path: &BranchPath) -> Result<Option<Answered>, Error> {
    let Some((scope, index)) = path.parent_scope() else { return Ok(None) };
    if !has_scope(map, commit, &scope)? {
        return Ok(None);
    }
    let result = map.get(&keys::result(&commit.execution, &scope, index))?;
    Ok(result.as_deref().map(ChildResult::decode).transpose()?.and_then(|result| result.commit))
}

fn has_scope(map: &dyn View, commit: &Commit, scope: &ScopeKey) -> Result<bool, Error> {
    Ok(map.get(&keys::scope(&commit.execution, scope))?.is_some())
}

/// Tells whether things may happen within a scope.
fn is_scope_open(map: &dyn View, commit: &Commit, scope: &ScopeKey) -> Result<bool, Error> {
    let scope = map.get(&keys::scope(&commit.execution, scope))?;
    Ok(scope.as_deref().map(Scope::decode).transpose()?.is_some_and(|scope| !scope.is_shut))
}

type Checked = Result<Result<(), Refusal>, Error>;

fn check(map: &dyn View, seen: &Seen, commit: &Commit, now: Timestamp) -> Checked {
    let is_creation = matches!(commit.subject, Subject::Creation { .. });
    let head = match (is_creation, &seen.head) {
        (true, Some(_)) => return Ok(Err(Refusal::Exists)),
        (true, None) if !is_defined(map, commit)? => return Ok(Err(Refusal::Undefined)),
        (true, None) => return Ok(check_base(EventId(0), commit)),
        (false, None) => return Ok(Err(Refusal::Missing)),
        (false, Some(head)) => head,
    };
    if head.has_ended || !is_open_around(map, commit)? {
        return Ok(Err(Refusal::Closed));
    }
    if !is_current(seen, commit) || !are_scopes_as_seen(map, commit)? {
        return Ok(Err(Refusal::Stale));
    }
    Ok(check_lease(seen, commit, now).and_then(|()| check_base(head.last_event, commit)))
}

/// Tells whether the definition of a new execution is there to refer to.
fn is_defined(map: &dyn View, commit: &Commit) -> Result<bool, Error> {
    match &commit.subject {
        Subject::Creation { record, .. } => definitions::is_there(map, &record.definition),
        Subject::Branch { .. } | Subject::Execution => Ok(true),
    }
}

/// Tells whether no scope around the subject is closed.
fn is_open_around(map: &dyn View, commit: &Commit) -> Result<bool, Error> {
    let Subject::Branch { path, .. } = &commit.subject else { return Ok(true) };
    for scope in path.scopes() {
        if !is_scope_open(map, commit, &scope)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Tells whether the subject is as the committer saw it.
fn is_current(seen: &Seen, commit: &Commit) -> bool {
    match &commit.subject {
        Subject::Creation { .. } | Subject::Execution => true,
        Subject::Branch { revision, token, .. } => {
            seen.branch.as_ref().is_some_and(|branch| branch.revision == *revision && branch.token == *token)
        }
    }
}

/// Tells whether the branches to be closed with a scope are those open within, or some of more, at these revisions.
fn is_as_seen(map: &dyn View, commit: &Commit, closed: &ClosedScope) -> Result<bool, Error> {
    let listed = &closed.branches;
    let paths: BTreeSet<&BranchPath> = listed.iter().map(|(path, _)| path).collect();
    let mut open = 0;
    map.scan_prefix(&keys::branches(&commit.execution, Some(&closed.key)), &mut |_, _| {
        open += 1;
        Ok(if open <= listed.len() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    let is_right_count = if closed.more_open { open > listed.len() } else { open == listed.len() };
    if !is_right_count || paths.len() != listed.len() || !paths.iter().all(|path| path.is_within(&closed.key)) {
        return Ok(false);
    }
    for (path, revision) in listed {
        let branch = map.get(&keys::branch(&commit.execution, path))?;
        let branch = branch.as_deref().map(Branch::decode).transpose()?;
        if branch.is_none_or(|branch| branch.revision != *revision) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Tells whether every scope that the commit speaks of is open, and what it closes is as listed.
fn are_scopes_as_seen(map: &dyn View, commit: &Commit) -> Result<bool, Error> {
    let parents = commit.children.iter().filter_map(|child| Some(child.record.path.parent_scope()?.0));
    let results = commit.inline_results.iter().map(|(scope, _, _)| scope.clone());
    let taken = commit.taken.iter().map(|(scope, _)| scope.clone());
    let joined = commit.joined.iter().map(|joined| joined.scope.clone());
    let wanted: BTreeSet<ScopeKey> = parents.chain(results).chain(taken).chain(joined).collect();
    for scope in wanted {
        let is_opened = commit.opened.iter().any(|opened| opened.key == scope);
        if !is_opened && !is_scope_open(map, commit, &scope)? {
            return Ok(false);
        }
    }
    for closed in &commit.closed {
        if !has_scope(map, commit, &closed.key)? || !is_as_seen(map, commit, closed)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn check_lease(seen: &Seen, commit: &Commit, now: Timestamp) -> Result<(), Refusal> {
    let lives = |branch: &&Branch| commit.respects_lease && branch.owner != commit.owner && branch.leased_until > now;
    match seen.branch.as_ref().filter(lives) {
        Some(branch) => Err(Refusal::Leased { until: branch.leased_until }),
        None => Ok(()),
    }
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

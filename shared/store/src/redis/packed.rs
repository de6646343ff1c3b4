//! A commit as one call of the script, and its answer.

use std::collections::{BTreeMap, BTreeSet};

use model::{BranchPath, EventId, JsonText, ScopeKey, Timestamp};
use redis::Cmd;
use wire::record::{EndRecord, ItemsRecord, PhaseRecord};

use super::keys::Keys;
use super::script::COMMIT;
use crate::commit::{Commit, CommitOutcome, Committed, NextBranch, Refusal, Subject};
use crate::store::Error;
use crate::{bounds, text};

/// Builds the call of a commit.
///
/// # Errors
/// `Refusal::TooLarge` if the commit is too large.
pub(super) fn pack(keys: &Keys, commit: &Commit) -> Result<Cmd, Refusal> {
    bounds::check_records(commit)?;
    let scopes = Scopes::of(commit);
    let mut args = Args::default();
    args.head(commit, &scopes);
    let prefix = keys.of(&commit.execution);
    for text in [&commit.id.to_string(), &commit.owner.to_string(), commit.execution.as_str(), prefix] {
        args.text(text);
    }
    args.subject(commit);
    args.scopes(&scopes);
    args.joined(commit);
    args.listed(commit);
    if let Some((scope, taken)) = &commit.taken {
        args.display(scope);
        args.display(taken);
    }
    args.branches(commit);
    args.opened(commit, &scopes);
    args.inline(commit);
    if !commit.history.events.is_empty() {
        args.bytes(commit.history.encode());
    }
    args.end(commit);
    args.effects(commit);
    bounds::check_bytes(args.size)?;
    Ok(args.call(&[
        &keys.execution(&commit.execution),
        &keys.history(&commit.execution),
        &format!("{prefix}outbox"),
        &format!("{prefix}timers"),
    ]))
}

/// Reads the answer of the script.
pub(super) fn outcome(answer: &str) -> Result<CommitOutcome, Error> {
    let corrupt = || Error::Corrupt(format!("answer {answer:?} to a commit"));
    let mut parts = answer.split(';');
    let kind = parts.next().unwrap_or_default();
    let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok()).ok_or_else(corrupt);
    let event = |number: i64| u64::try_from(number).map(EventId).map_err(|_| corrupt());
    let refusal = match kind {
        "ok" => {
            return Ok(CommitOutcome::Committed(Committed {
                base: event(number()?)?,
                clamp: Timestamp::from_millis(number()?),
                woke_parent: number()? == 1,
                more_completions: number()? == 1,
            }));
        }
        "stale" => Refusal::Stale,
        "closed" => Refusal::Closed,
        "missing" => Refusal::Missing,
        "exists" => Refusal::Exists,
        "undefined" => Refusal::Undefined,
        "base" => Refusal::BaseMoved { base: event(number()?)? },
        "full" => Refusal::HistoryFull { base: event(number()?)? },
        "leased" => Refusal::Leased { until: Timestamp::from_millis(number()?) },
        _ => return Err(corrupt()),
    };
    Ok(CommitOutcome::Refused(refusal))
}

/// Is what a commit needs of scopes that are open, and what it changes in them.
#[derive(Default)]
struct Scopes {
    used: BTreeMap<ScopeKey, Use>,
    /// The scopes that the commit opens, with the number of branches open within.
    opened: BTreeMap<ScopeKey, u32>,
    /// The branches that it closes by listing them, each once.
    closed: BTreeSet<BranchPath>,
}

#[derive(Default)]
struct Use {
    is_around: bool,
    closed_with: Option<usize>,
    is_shut: bool,
    /// Whether something happens within, for which it must be open.
    is_needed: bool,
    delta: i32,
}

impl Scopes {
    fn of(commit: &Commit) -> Self {
        let mut scopes = Self::default();
        scopes.opened.extend(commit.opened.iter().map(|opened| (opened.key.clone(), 0)));
        if let Subject::Branch { path, next, .. } = &commit.subject {
            for scope in path.scopes() {
                scopes.used.entry(scope).or_default().is_around = true;
            }
            if next.is_none() {
                scopes.count(path, -1);
            }
        }
        for closed in &commit.closed {
            let used = scopes.used.entry(closed.key.clone()).or_default();
            if closed.more_open {
                used.is_shut = true;
            } else {
                used.closed_with = Some(closed.branches.len());
            }
        }
        for path in commit.closed.iter().flat_map(|closed| closed.branches.iter().map(|(path, _)| path)) {
            if scopes.closed.insert(path.clone()) {
                scopes.count(path, -1);
            }
        }
        for child in &commit.children {
            scopes.count(&child.record.path, 1);
            if let Some((scope, _)) = child.record.path.parent_scope() {
                scopes.need(&scope);
            }
        }
        let inline = commit.inline_results.iter().map(|(scope, _, _)| scope);
        let joined = commit.joined.iter().map(|joined| &joined.scope);
        let taken = commit.taken.iter().map(|(scope, _)| scope);
        for scope in inline.chain(joined).chain(taken) {
            scopes.need(scope);
        }
        scopes
    }

    /// Counts a branch that opens (1) or closes (-1) in all scopes around it.
    fn count(&mut self, path: &BranchPath, delta: i32) {
        for scope in path.scopes() {
            self.touch(&scope, delta);
        }
    }

    fn need(&mut self, scope: &ScopeKey) {
        if !self.opened.contains_key(scope) {
            self.used.entry(scope.clone()).or_default().is_needed = true;
        }
    }

    fn touch(&mut self, scope: &ScopeKey, delta: i32) {
        match self.opened.get_mut(scope) {
            Some(count) => *count = count.saturating_add_signed(delta),
            None => self.used.entry(scope.clone()).or_default().delta += delta,
        }
    }
}

#[derive(Default)]
struct Args {
    list: Vec<Vec<u8>>,
    size: usize,
}

impl Args {
    fn bytes(&mut self, bytes: Vec<u8>) {
        self.size += bytes.len();
        self.list.push(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes().to_vec());
    }

    fn display(&mut self, value: &impl std::fmt::Display) {
        self.bytes(value.to_string().into_bytes());
    }

    fn call(self, keys: &[&str]) -> Cmd {
        let mut cmd = COMMIT.call(keys.len());
        for key in keys {
            cmd.arg(key);
        }
        for bytes in &self.list {
            cmd.arg(bytes.as_slice());
        }
        cmd
    }

    /// Packs the numbers; the order is the script's.
    fn head(&mut self, commit: &Commit, scopes: &Scopes) {
        let (kind, has_next) = match &commit.subject {
            Subject::Creation { root, .. } => (1, root.is_some()),
            Subject::Branch { next, .. } => (2, next.is_some()),
            Subject::Execution => (3, false),
        };
        let latest = commit.history.events.iter().map(|event| event.at.as_millis()).max().unwrap_or_default();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes();
        let flags = [
            kind,
            u8::from(commit.respects_lease),
            u8::from(has_next),
            u8::from(commit.end.is_some()),
            u8::from(commit.joined.is_some()),
            u8::from(commit.taken.is_some()),
        ];
        let mut head = Vec::with_capacity(96);
        head.extend_from_slice(&flags);
        head.extend_from_slice(&count(commit.history.events.len()));
        head.extend_from_slice(&latest.max(0).to_le_bytes());
        head.extend_from_slice(&commit.assumed_base.map_or(0, |base| base.0 + 1).to_le_bytes());
        head.extend_from_slice(&commit.events_max.map_or(0, |max| max.saturating_add(1)).to_le_bytes());
        head.extend_from_slice(&commit.lease_millis.to_le_bytes());
        for length in [
            scopes.used.len(),
            listed(commit).count(),
            commit.children.len(),
            commit.opened.len(),
            commit.inline_results.len(),
            commit.timers_set.len(),
            commit.timers_dropped.len(),
            commit.outbox_added.len(),
            commit.outbox_dropped.len(),
        ] {
            head.extend_from_slice(&count(length));
        }
        self.bytes(head);
    }

    fn subject(&mut self, commit: &Commit) {
        match &commit.subject {
            Subject::Creation { record, .. } => {
                self.bytes(record.encode());
                self.text(record.listed_under());
                self.display(&record.started_at);
                self.text(&record.definition.0);
            }
            Subject::Branch { path, revision, token, .. } => {
                self.text(path.as_str());
                self.display(&format_args!("{revision};{token};"));
            }
            Subject::Execution => {}
        }
    }

    fn scopes(&mut self, scopes: &Scopes) {
        for (key, used) in &scopes.used {
            self.display(key);
            match used.closed_with {
                Some(count) => self.display(&count),
                None if used.is_shut => self.text("-3"),
                None if used.is_around => self.text("-1"),
                None if used.is_needed => self.text("-2"),
                None => self.text("-4"),
            }
            self.display(&used.delta);
        }
    }

    fn joined(&mut self, commit: &Commit) {
        let Some(joined) = &commit.joined else { return };
        self.display(&joined.scope);
        self.display(&joined.completion.index);
        self.bytes(joined.completion.encode());
        self.text(joined.output.as_ref().map_or("", JsonText::as_str));
    }

    fn listed(&mut self, commit: &Commit) {
        for (path, revision) in listed(commit) {
            self.text(path.as_str());
            self.display(&format_args!("{revision};"));
        }
    }

    /// Writes the subject's next record and the children, each with its timers.
    fn branches(&mut self, commit: &Commit) {
        let names = |path: &BranchPath| {
            let set = commit.timers_set.iter().map(|(key, _)| key).filter(move |key| key.branch == *path);
            set.map(|key| key.name.as_str()).collect::<Vec<_>>()
        };
        let next = match &commit.subject {
            Subject::Creation { root, .. } => {
                let path = root.as_ref().map(|root| &root.record.path);
                self.text(&listed_timers(&path.map(names).unwrap_or_default()));
                root
            }
            Subject::Branch { path, next, .. } => {
                let dropped = commit.timers_dropped.iter().filter(|key| key.branch == *path);
                self.text(&dropped.map(|key| key.name.as_str()).collect::<Vec<_>>().join(","));
                self.text(&names(path).join(","));
                next
            }
            Subject::Execution => &None,
        };
        if let Some(next) = next {
            self.branch(next, None);
        }
        for child in &commit.children {
            self.branch(child, Some(listed_timers(&names(&child.record.path))));
        }
    }

    fn branch(&mut self, branch: &NextBranch, timers: Option<String>) {
        let (mut attempt, mut entry) = (String::new(), String::new());
        match &branch.record.phase {
            PhaseRecord::Task(task) => attempt = task.attempt.to_string(),
            PhaseRecord::Children(children) => entry = children.scope.entry.to_string(),
            PhaseRecord::Ready | PhaseRecord::Wait { .. } | PhaseRecord::Backoff { .. } => {}
        }
        self.text(branch.record.path.as_str());
        self.display(&format_args!("{};{};", branch.revision, branch.token));
        self.bytes(attempt.into_bytes());
        self.bytes(entry.into_bytes());
        if let Some(timers) = timers {
            self.bytes(timers.into_bytes());
        }
        self.bytes(branch.record.encode());
    }

    fn opened(&mut self, commit: &Commit, scopes: &Scopes) {
        for opened in &commit.opened {
            self.display(&opened.key);
            self.display(scopes.opened.get(&opened.key).unwrap_or(&0));
            let groups: Vec<_> = bounds::item_groups(&opened.items).collect();
            self.display(&groups.len());
            for items in groups {
                self.bytes(ItemsRecord { items: items.to_vec() }.encode());
            }
        }
    }

    fn inline(&mut self, commit: &Commit) {
        for (scope, index, output) in &commit.inline_results {
            self.display(scope);
            self.display(index);
            self.text(output.as_str());
        }
    }

    fn end(&mut self, commit: &Commit) {
        let Some((end, at)) = &commit.end else { return };
        self.text(end.status.as_str());
        self.display(at);
        self.bytes(EndRecord { end: end.clone(), at: *at }.encode());
    }

    fn effects(&mut self, commit: &Commit) {
        for key in &commit.outbox_dropped {
            self.bytes(text::effect(&key.execution, &key.effect).into_bytes());
        }
        for key in &commit.outbox_added {
            self.bytes(text::effect(&key.execution, &key.effect).into_bytes());
            // The script puts time and committer here.
            self.text("");
        }
        for key in &commit.timers_dropped {
            self.bytes(text::timer(key).into_bytes());
        }
        for (key, at) in &commit.timers_set {
            self.display(at);
            self.bytes(text::timer(key).into_bytes());
        }
    }
}

/// Lists the branches that must be as seen, each once.
fn listed(commit: &Commit) -> impl Iterator<Item = &(BranchPath, model::Revision)> {
    let mut seen = BTreeSet::new();
    let closed = commit.closed.iter().flat_map(|closed| &closed.branches);
    closed.filter(move |(path, _)| seen.insert(path))
}

/// Renders timers as they stand in the header of a branch: `,a,b,`.
fn listed_timers(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!(",{},", names.join(",")) }
}

//! Scopes in a replay: which children have ended, and when their parents may have seen it.

use std::collections::BTreeMap;

use model::{Details, EventKind, EventRef, HistoryEvent, JsonText, Nonce, Timestamp};

use crate::branch::{Branch, ChildrenPhase, Phase};
use crate::event::{ChildResult, Completion, Event, Moment};
use crate::replay::Replay;
use crate::replay::candidate::Candidate;
use crate::turn::{After, BranchEnd, Yield};

/// Is what is known of an open scope.
#[derive(Debug, Default)]
pub(super) struct Scope {
    items: Vec<JsonText>,
    results: BTreeMap<u32, JsonText>,
    /// The children that have ended, and of which the parent has not heard.
    pub(super) pending: Vec<Completion>,
}

impl Replay<'_> {
    /// Lists what a parent may have heard of its children: each way to take some of those that have ended.
    pub(super) fn of_children(&self, branch: &Branch, phase: &ChildrenPhase, next: &HistoryEvent) -> Vec<Vec<Event>> {
        let Some(scope) = self.scopes.get(&phase.scope) else { return Vec::new() };
        let failed = |completion: &Completion| matches!(completion.result, ChildResult::Failed { .. });
        let first_failure = scope.pending.iter().position(failed);
        let recorded = self.recorded_successes(scope);
        let mut counts: Vec<usize> = Vec::new();
        match (next.kind, first_failure) {
            (EventKind::MapIterationSucceeded, Some(failure)) if failure == recorded => {
                counts.push(recorded + 1);
                counts.extend((1..=recorded).rev());
            }
            (EventKind::MapIterationSucceeded, _) => counts.extend((1..=recorded).rev()),
            (_, Some(failure)) => counts.extend([failure + 1, 0]),
            (_, None) => counts.extend([scope.pending.len(), 0]),
        }
        counts.dedup();
        // A parent that has not got all results at hand takes the last child's end first, and goes on later.
        let ways = counts.into_iter().flat_map(|count| [(count, true), (count, false)]);
        ways.map(|way| vec![self.joining(branch, phase, scope, way)]).collect()
    }

    /// Counts how many of the children that have ended the record says next to have succeeded, in their order.
    fn recorded_successes(&self, scope: &Scope) -> usize {
        let recorded = self.history.iter().skip(self.position);
        let pairs = recorded.zip(&scope.pending);
        pairs
            .take_while(|(event, ended)| {
                let succeeded = event.kind == EventKind::MapIterationSucceeded;
                succeeded
                    && matches!(event.details, Details::MapIteration { index, .. } if index == u64::from(ended.index))
            })
            .count()
    }

    /// Makes the event that tells a parent of the first `count` children that have ended, with the results of all if wanted.
    fn joining(
        &self,
        branch: &Branch,
        phase: &ChildrenPhase,
        scope: &Scope,
        (count, with_results): (usize, bool),
    ) -> Event {
        let completions = scope.pending[..count].to_vec();
        let failed = completions.iter().any(|completion| matches!(completion.result, ChildResult::Failed { .. }));
        let all = usize::try_from(phase.total).is_ok_and(|total| scope.results.len() == total);
        let started = usize::try_from(phase.started).unwrap_or(usize::MAX);
        let within = |other: &&Branch| failed && other.path != branch.path && other.path.is_within(&phase.scope);
        Event::Children {
            scope: phase.scope.clone(),
            completions,
            results: (all && with_results).then(|| scope.results.values().cloned().collect()),
            items: scope.items.iter().skip(started).cloned().collect(),
            open: self.branches.values().filter(within).cloned().collect(),
            more_open: false,
        }
    }

    /// Makes a transition that makes no event: an iteration fails as it starts, or a parent hears of a failed child and is tried
    /// again later, or fails with its own parent.
    pub(super) fn go_on_silently(&mut self) -> bool {
        let ways: Vec<Candidate> = self.branches.values().filter_map(|branch| self.silent_way(branch)).collect();
        ways.into_iter().any(|way| self.attempt(way).is_ok())
    }

    fn silent_way(&self, branch: &Branch) -> Option<Candidate> {
        let (event, after) = match &branch.phase {
            Phase::Ready if branch.entry == 0 => (Event::Proceed, branch.last_event),
            Phase::Children(phase) => {
                let scope = self.scopes.get(&phase.scope)?;
                let failed = |completion: &Completion| matches!(completion.result, ChildResult::Failed { .. });
                let failure = scope.pending.iter().position(failed)?;
                (self.joining(branch, phase, scope, (failure + 1, true)), scope.pending[failure].last_event)
            }
            Phase::Ready | Phase::Task(_) | Phase::Wait { .. } | Phase::Backoff { .. } => return None,
        };
        let moment = Moment { at: self.time_of(after), seed: Nonce(0) };
        Some(Candidate { path: branch.path.clone(), events: vec![event], moment, room: u32::MAX, silent: true })
    }

    fn time_of(&self, event: EventRef) -> Timestamp {
        let id = event.resolve(self.base()).0;
        let position = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        let found = position.and_then(|position| self.history.get(position));
        found.map_or(self.execution.started_at, |event| event.at)
    }

    /// Keeps what a transition came to, which made so many events.
    pub(super) fn keep(&mut self, candidate: &Candidate, after: After, yielded: Yield, made: usize) {
        let base = self.base();
        self.position += made;
        if let Some(Event::Children { scope, completions, .. }) = candidate.events.last()
            && let Some(scope) = self.scopes.get_mut(scope)
        {
            scope.pending.drain(..completions.len());
        }
        if let Some(scope) = &yielded.closed {
            self.branches.retain(|path, _| !path.is_within(scope));
            self.scopes.retain(|key, _| key != scope && !key.branch.is_within(scope));
        }
        if let Some(opened) = yielded.opened {
            self.scopes.insert(opened.key, Scope { items: opened.items, ..Scope::default() });
        }
        match after {
            After::Open(mut branch) => {
                branch.settle(base);
                self.branches.insert(branch.path.clone(), *branch);
            }
            After::Ended(end) => {
                self.branches.remove(&candidate.path);
                self.end(end, base);
            }
        }
        for mut child in yielded.children {
            child.settle(base);
            self.branches.insert(child.path.clone(), child);
        }
    }

    fn end(&mut self, end: BranchEnd, base: model::EventId) {
        let Some((scope, index)) = end.path.parent_scope() else { return };
        let Some(scope) = self.scopes.get_mut(&scope) else { return };
        let result = match end.result {
            Ok(output) => {
                let bytes = u64::try_from(output.len()).unwrap_or(u64::MAX);
                scope.results.insert(index, output);
                ChildResult::Succeeded { bytes }
            }
            Err(failure) => ChildResult::Failed { error: failure.error, cause: failure.cause },
        };
        scope.pending.push(Completion { index, last_event: end.last_event.resolved(base), result });
    }
}

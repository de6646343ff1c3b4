//! Scopes in a replay: which children have ended, and when their parents may have seen it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use model::{Details, EventKind, EventRef, HistoryEvent, JsonText, Nonce, Timestamp};

use crate::branch::{Branch, ChildrenPhase, Phase};
use crate::event::{ChildResult, Completion, Event, Moment, Timer};
use crate::replay::Replay;
use crate::replay::candidate::Candidate;
use crate::turn::{After, BranchEnd, Yield};

/// Is what is known of an open scope.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    items: Vec<JsonText>,
    results: BTreeMap<u32, JsonText>,
    /// The children that have ended, and of which the parent has not heard.
    pub(super) pending: Vec<Completion>,
}

impl Replay<'_> {
    /// Lists what a parent may have heard of its children: each way to take some of those that have ended.
    pub(super) fn of_children(&self, phase: &ChildrenPhase, next: &HistoryEvent) -> Vec<Vec<Event>> {
        let Some(scope) = self.scopes.get(&phase.scope) else { return Vec::new() };
        let succeeded: Vec<&Completion> = scope.pending.iter().filter(|ended| !has_failed(ended)).collect();
        let told = next.kind == EventKind::MapIterationSucceeded;
        let most = if told { self.recorded_successes(&succeeded) } else { succeeded.len() };
        let taken = |count: usize| succeeded[..count].iter().copied().cloned();
        let mut ways: Vec<Vec<Completion>> = Vec::new();
        for failure in scope.pending.iter().filter(|ended| has_failed(ended)) {
            // Only a Map tells of those that succeeded before.
            let before = if told { most } else { 0 };
            let others = self.recorded_others(scope, failure, before);
            ways.push(taken(before).chain([failure.clone()]).chain(others).collect());
        }
        ways.extend((0..=most).rev().map(|count| taken(count).collect()));
        // A parent that has not got all results at hand takes the last child's end first, and goes on later.
        let ways = ways.into_iter().flat_map(|way| [(way.clone(), true), (way, false)]);
        ways.map(|(completions, with_results)| vec![self.joining(phase, scope, completions, with_results)]).collect()
    }

    /// Counts how many of these children the record says next to have succeeded, in their order.
    fn recorded_successes(&self, ended: &[&Completion]) -> usize {
        let pairs = self.history.iter().skip(self.position).zip(ended);
        pairs
            .take_while(|(event, ended)| {
                let index = u64::from(ended.index);
                event.kind == EventKind::MapIterationSucceeded
                    && matches!(event.details, Details::MapIteration { index: recorded, .. } if recorded == index)
            })
            .count()
    }

    /// Lists which other children the record says to have ended, too, when the failure of one was heard of, which it tells after so many
    /// events.
    fn recorded_others(&self, scope: &Scope, failure: &Completion, before: usize) -> Vec<Completion> {
        let tells = |event: &HistoryEvent, ended: &Completion| {
            event.previous == ended.last_event.resolve(self.base())
                && matches!(event.kind, EventKind::MapIterationSucceeded | EventKind::MapIterationFailed)
                && matches!(event.details, Details::MapIteration { index, .. } if index == u64::from(ended.index))
        };
        let mut rest = self.history.iter().skip(self.position + before);
        if !rest.next().is_some_and(|event| tells(event, failure)) {
            return Vec::new();
        }
        rest.skip_while(|event| is_cut_off(event.kind))
            .map_while(|event| scope.pending.iter().find(|ended| tells(event, ended)).cloned())
            .collect()
    }

    /// Makes the event that tells a parent of children that have ended, with the results of all if wanted.
    fn joining(&self, phase: &ChildrenPhase, scope: &Scope, completions: Vec<Completion>, with_results: bool) -> Event {
        let failed = completions.iter().any(has_failed);
        let all = usize::try_from(phase.total).is_ok_and(|total| scope.results.len() == total);
        let started = usize::try_from(phase.started).unwrap_or(usize::MAX);
        let within = |other: &&Branch| failed && other.path.is_within(&phase.scope);
        Event::Children {
            scope: phase.scope.clone(),
            completions,
            results: (all && with_results).then(|| scope.results.values().cloned().collect()),
            items: scope.items.iter().skip(started).cloned().collect(),
            open: self.branches.values().filter(within).cloned().collect(),
            more_open: false,
        }
    }

    /// Makes a transition that makes no event: an iteration fails as it starts, a Wait as it ends, a retry at once and is tried
    /// again, a parent hears of a failed child, or of results too large together, and is tried again later or fails with its own parent. What the next event follows from comes
    /// first, then what lies deepest: what goes on further out closes what lies within.
    /// Of these, so many are passed over; gives the place of the one that was made.
    pub(super) fn go_on_silently(&mut self, passed_over: usize) -> Option<usize> {
        let next = self.history.get(self.position).map(|event| event.previous);
        let mut branches: Vec<&Branch> = self.branches.values().collect();
        branches.sort_by_key(|branch| Reverse(branch.location.len()));
        let ways = branches.into_iter().flat_map(|branch| self.silent_ways(branch));
        let (concerned, others): (Vec<_>, Vec<_>) =
            ways.partition(|(after, _)| Some(after.resolve(self.base())) == next);
        let mut ways = concerned.into_iter().chain(others).enumerate().skip(passed_over);
        ways.find_map(|(place, (_, way))| self.attempt(way).is_ok().then_some(place))
    }

    fn silent_ways(&self, branch: &Branch) -> Vec<(EventRef, Candidate)> {
        let way = |after: EventRef, at: Timestamp, event: Event| {
            let (path, moment) = (branch.path.clone(), Moment { at, seed: Nonce(0) });
            (after, Candidate { path, events: vec![event], moment, room: u32::MAX, silent: true })
        };
        match &branch.phase {
            Phase::Ready if branch.entry == 0 => {
                vec![way(branch.last_event, self.time_of(branch.last_event), Event::Proceed)]
            }
            Phase::Wait { until } => {
                let timer = Timer::Wait { entry: branch.entry };
                vec![way(branch.last_event, *until, Event::Timer { timer })]
            }
            Phase::Backoff { until } => {
                let timer = Timer::Backoff { entry: branch.entry, retry: branch.retry_count };
                vec![way(branch.last_event, *until, Event::Timer { timer })]
            }
            Phase::Children(phase) => {
                let Some(scope) = self.scopes.get(&phase.scope) else { return Vec::new() };
                let joined = |completions: Vec<Completion>| {
                    let last = completions.last()?.last_event;
                    Some(way(last, self.time_of(last), self.joining(phase, scope, completions, true)))
                };
                let (failed, succeeded): (Vec<_>, Vec<_>) = scope.pending.iter().cloned().partition(has_failed);
                let failed = failed.into_iter().map(|failure| vec![failure]);
                let taken = usize::try_from(phase.succeeded).unwrap_or(usize::MAX);
                let are_all =
                    usize::try_from(phase.total).is_ok_and(|total| taken.saturating_add(succeeded.len()) == total);
                failed.chain(are_all.then_some(succeeded)).filter_map(joined).collect()
            }
            Phase::Ready | Phase::Task(_) => Vec::new(),
        }
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
            scope.pending.retain(|ended| completions.iter().all(|taken| taken.index != ended.index));
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
                ChildResult::Succeeded { bytes, failed: false }
            }
            Err(failure) => ChildResult::Failed(failure),
        };
        scope.pending.push(Completion { index, last_event: end.last_event.resolved(base), result });
    }
}

fn is_cut_off(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::TaskStateAborted
            | EventKind::WaitStateAborted
            | EventKind::ParallelStateAborted
            | EventKind::MapStateAborted
            | EventKind::MapIterationAborted
    )
}

fn has_failed(completion: &Completion) -> bool {
    matches!(completion.result, ChildResult::Failed(_))
}

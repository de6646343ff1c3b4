//! Replay of a recorded history: the same transitions once more.
//!
//! What came from outside (reports, callbacks, timers, the order in which children ended) is taken from the record: the event
//! that comes next tells which branch went on, and why. Everything else is worked out anew, and must be what was recorded, to
//! the byte. Bounds of runs and the coordinators' commits leave no trace in a history, so each transition is replayed by itself.
//!
//! ```text
//! next event ─► candidates: (branch, what may have happened to it) ─► transition ─► its events are those recorded? ─► go on
//! ```
//!
//! Not to be replayed are: a scope whose branches were cut off in several commits (more of them than one commit closes);
//! a task token that the definition took apart before it put it into a payload; the results of a Map Run of which something else was
//! made before they left the Map state; and, where a state around tells the two apart, a heartbeat whose timer fired so late that the
//! task's deadline was over, too.

mod candidate;
mod scopes;

use std::collections::{BTreeMap, VecDeque};

use asl::Definition;
use model::{BranchPath, Details, EventId, EventKind, HistoryEvent, ScopeKey};

use crate::branch::{Branch, Execution};
use crate::event::{Moment, NewEvent};
use crate::limits::Limits;
use crate::replay::candidate::{Candidate, candidates, closings};
use crate::replay::scopes::Scope;
use crate::run::{root, started};
use crate::step::advance;
use crate::turn::{After, Turn};

/// How many transitions without an event are remembered, to try others in their place.
const FORKS_MAX: usize = 16;
/// How often others are tried.
const TRIES_MAX: usize = 256;

/// Is the first event at which a replay comes to something else than was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("replay event {id}: recorded was {recorded:?}, replayed {replayed:?}")]
pub struct Difference {
    /// Its id.
    pub id: EventId,
    /// What was recorded, if anything.
    pub recorded: Option<Box<HistoryEvent>>,
    /// What the replay came to, if anything.
    pub replayed: Option<Box<HistoryEvent>>,
}

/// Replays the history of an execution from its first event, up to its end or as far as it was recorded.
///
/// # Errors
/// The first `Difference`.
pub fn replay(
    definition: &Definition,
    execution: &Execution,
    limits: &Limits,
    history: &[HistoryEvent],
) -> Result<(), Difference> {
    let mut replay = Replay {
        definition,
        execution,
        limits,
        history,
        position: 0,
        branches: BTreeMap::new(),
        scopes: BTreeMap::new(),
    };
    replay.begin()?;
    // Where a transition without an event was chosen, and which one is to be tried instead.
    let mut forks: VecDeque<(Replay<'_>, usize)> = VecDeque::new();
    let mut tries = 0;
    while replay.position < history.len() {
        let Err(difference) = replay.go_on() else { continue };
        let mut fork = Some((replay.clone(), 0));
        loop {
            let Some((at, next)) = fork.filter(|_| tries < TRIES_MAX) else { return Err(difference) };
            tries += usize::from(next > 0);
            replay = at.clone();
            if let Some(taken) = replay.go_on_silently(next) {
                if forks.len() == FORKS_MAX {
                    forks.pop_front();
                }
                forks.push_back((at, taken + 1));
                break;
            }
            fork = forks.pop_back();
        }
    }
    Ok(())
}

/// Is how far a replay has come.
#[derive(Clone)]
struct Replay<'a> {
    definition: &'a Definition,
    execution: &'a Execution,
    limits: &'a Limits,
    history: &'a [HistoryEvent],
    /// How many events are replayed.
    position: usize,
    branches: BTreeMap<BranchPath, Branch>,
    scopes: BTreeMap<ScopeKey, Scope>,
}

impl<'a> Replay<'a> {
    fn begin(&mut self) -> Result<(), Difference> {
        let Some(first) = self.history.first() else { return Ok(()) };
        let mut turn = self.turn(Moment { at: first.at, seed: model::Nonce(0) });
        started(&mut turn);
        self.compare(&turn.history)?;
        self.position = 1;
        let root = root(self.definition.machine.start_at(), self.execution, turn.moment);
        self.branches.insert(root.path.clone(), root);
        Ok(())
    }

    /// Replays the transition that made the next event; fails if one without an event was before it.
    fn go_on(&mut self) -> Result<(), Difference> {
        let mut first = None;
        for closing in closings(self) {
            match self.compare(&[closing]) {
                Ok(()) => {
                    self.position += 1;
                    self.branches.clear();
                    return Ok(());
                }
                Err(difference) => first = further(first, difference),
            }
        }
        for candidate in candidates(self) {
            match self.attempt(candidate) {
                Ok(()) => return Ok(()),
                Err(difference) => first = further(first, difference),
            }
        }
        Err(first.unwrap_or_else(|| self.difference(self.position, None)))
    }

    /// Makes a transition, and keeps it if it made just the events that were recorded.
    fn attempt(&mut self, mut candidate: Candidate) -> Result<(), Difference> {
        let Some(branch) = self.branches.get(&candidate.path) else { return Err(self.difference(self.position, None)) };
        let mut turn = self.turn(candidate.moment);
        (turn.room, turn.bytes_max) = (candidate.room, u64::MAX);
        let mut after = After::Open(Box::new(branch.clone()));
        for event in candidate.events.clone() {
            let After::Open(branch) = after else { return Err(self.difference(self.position, None)) };
            after = advance(&mut turn, *branch, event).map_err(|_| self.difference(self.position, None))?;
        }
        if turn.history.is_empty() && !candidate.silent {
            return Err(self.difference(self.position, None));
        }
        match self.compare(&turn.history) {
            Ok(()) => {
                let made = turn.history.len();
                let yielded = std::mem::take(&mut turn.yielded);
                self.keep(&candidate, after, yielded, made);
                Ok(())
            }
            // Iterations start as there is room in a commit: what did not fit was started later.
            Err(difference) => match room(&turn.history, self.position, &difference) {
                Some(room) if room < candidate.room => {
                    candidate.room = room;
                    self.attempt(candidate)
                }
                Some(_) | None => Err(difference),
            },
        }
    }

    fn turn(&self, moment: Moment) -> Turn<'a> {
        Turn::new(self.definition, self.execution, self.limits, moment, self.base())
    }

    fn base(&self) -> EventId {
        EventId(u64::try_from(self.position).unwrap_or(u64::MAX))
    }

    /// Compares what a transition made with what was recorded from the position on.
    fn compare(&self, made: &[NewEvent]) -> Result<(), Difference> {
        let base = self.base();
        for (position, event) in (self.position..).zip(made) {
            let replayed = HistoryEvent {
                id: EventId(u64::try_from(position).unwrap_or(u64::MAX) + 1),
                previous: event.previous.resolve(base),
                at: event.at,
                kind: event.kind,
                details: event.details.clone(),
            };
            if self.history.get(position) != Some(&replayed) {
                return Err(self.difference(position, Some(Box::new(replayed))));
            }
        }
        Ok(())
    }

    fn difference(&self, position: usize, replayed: Option<Box<HistoryEvent>>) -> Difference {
        let id = EventId(u64::try_from(position).unwrap_or(u64::MAX) + 1);
        Difference { id, recorded: self.history.get(position).cloned().map(Box::new), replayed }
    }
}

/// Keeps the difference that lies further on, which comes from what most likely happened.
fn further(one: Option<Difference>, other: Difference) -> Option<Difference> {
    match one {
        Some(one) if (one.id, one.replayed.is_some()) >= (other.id, other.replayed.is_some()) => Some(one),
        Some(_) | None => Some(other),
    }
}

/// Tells how many iterations the transition started before it came to another event than was recorded, if that was to be the
/// start of one more.
fn room(made: &[NewEvent], position: usize, difference: &Difference) -> Option<u32> {
    let wrong = usize::try_from(difference.id.0).ok()?.checked_sub(position + 1)?;
    let starts = |event: &&NewEvent| event.kind == EventKind::MapIterationStarted;
    made.get(wrong).filter(starts)?;
    debug_assert!(matches!(made[wrong].details, Details::MapIteration { .. }));
    u32::try_from(made[..wrong].iter().rev().take_while(starts).count()).ok()
}

//! Parallel states: what is their own; what they share with Map is in `children`.

use asl::{Parallel, State};
use model::{Details, EventKind};

use crate::branch::Branch;
use crate::children::{self, Scope};
use crate::dataflow;
use crate::failure::Failure;
use crate::step::Move;
use crate::turn::Turn;

pub(crate) fn enter(
    turn: &mut Turn<'_>,
    branch: &mut Branch,
    state: &State,
    parallel: &Parallel,
) -> Result<Move, Failure> {
    let selected = dataflow::selected(turn, branch, state)?;
    let input = dataflow::parameters(turn, branch, state, selected)?;
    branch.last_event = turn.emit(branch.last_event, EventKind::ParallelStateStarted, Details::None);
    let total = u32::try_from(parallel.branches.len()).unwrap_or(u32::MAX);
    children::open(turn, branch, state, Scope { total, concurrency: total, input, items: Vec::new(), tolerated: 0 })
}

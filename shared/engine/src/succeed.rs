//! Succeed states.

use asl::{State, Transition};

use crate::branch::Branch;
use crate::dataflow;
use crate::exit;
use crate::failure::Failure;
use crate::step::Move;
use crate::turn::Turn;

pub(crate) fn enter(turn: &mut Turn<'_>, branch: &Branch, state: &State) -> Result<Move, Failure> {
    let selected = dataflow::selected(turn, branch, state)?;
    let exit = exit::of_state(turn, branch, state, selected)?;
    Ok(Move::leave(branch, exit, &Transition::End))
}

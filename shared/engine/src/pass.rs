//! Pass states.

use asl::{Pass, State};

use crate::branch::Branch;
use crate::dataflow;
use crate::exit;
use crate::failure::Failure;
use crate::step::Move;
use crate::turn::Turn;

pub(crate) fn enter(turn: &mut Turn<'_>, branch: &Branch, state: &State, pass: &Pass) -> Result<Move, Failure> {
    let selected = dataflow::selected(turn, branch, state)?;
    let input = dataflow::parameters(turn, branch, state, selected)?;
    let result = pass.result.clone().unwrap_or(input);
    let exit = exit::of_state(turn, branch, state, result)?;
    Ok(Move::leave(branch, exit, &pass.next))
}

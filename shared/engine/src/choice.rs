//! Choice states.

use asl::{Choice, State, StateName, Transition};
use model::JsonText;

use crate::branch::Branch;
use crate::dataflow::{self, Field};
use crate::failure::Failure;
use crate::step::Move;
use crate::turn::Turn;

const NO_CHOICE: &str = "Failed to transition out of the state. The state does not point to a next state.";

pub(crate) fn enter(turn: &mut Turn<'_>, branch: &Branch, state: &State, choice: &Choice) -> Result<Move, Failure> {
    let selected = dataflow::selected(turn, branch, state)?;
    let next = choose(turn, branch, choice, selected.clone())?;
    let output = dataflow::output(turn, branch, state, selected)?;
    Ok(Move::leave(branch, output, &Transition::Next(next)))
}

fn choose(turn: &mut Turn<'_>, branch: &Branch, choice: &Choice, input: JsonText) -> Result<StateName, Failure> {
    let scope = dataflow::scope(turn, branch, input, Field::Other);
    for rule in &choice.choices {
        match rule.condition.evaluate(&scope) {
            Ok(true) => return Ok(rule.next.clone()),
            Ok(false) => {}
            Err(error) => return Err(Failure::runtime(turn, branch, &error.to_string())),
        }
    }
    choice.default.clone().ok_or_else(|| Failure::runtime(turn, branch, NO_CHOICE))
}

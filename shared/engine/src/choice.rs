//! Choice states.

use asl::{Choice, ChoiceRule, State, Transition};
use jsonata::Kind;
use model::JsonText;

use crate::branch::Branch;
use crate::dataflow::{self, Field};
use crate::exit;
use crate::failure::Failure;
use crate::queries::Queries;
use crate::step::Move;
use crate::turn::Turn;

const NO_CHOICE: &str = "Failed to transition out of the state. The state does not point to a next state.";

pub(crate) fn enter(turn: &mut Turn<'_>, branch: &Branch, state: &State, choice: &Choice) -> Result<Move, Failure> {
    let selected = dataflow::selected(turn, branch, state)?;
    if let Some(rule) = choose(turn, branch, state, (choice, selected.clone()))? {
        let exit = exit::of(turn, branch, state, selected, (rule.output.as_ref(), &rule.assign))?;
        return Ok(Move::leave(branch, exit, &Transition::Next(rule.next.clone())));
    }
    let next = choice.default.clone().ok_or_else(|| Failure::runtime(turn, branch, NO_CHOICE))?;
    let exit = exit::of_state(turn, branch, state, selected)?;
    Ok(Move::leave(branch, exit, &Transition::Next(next)))
}

/// Finds the first rule that holds.
fn choose<'a>(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (choice, input): (&'a Choice, JsonText),
) -> Result<Option<&'a ChoiceRule>, Failure> {
    let scope = dataflow::scope(turn, branch, input, Field::Other);
    let mut queries = Queries::new(turn, branch, state, dataflow::salt(branch, Field::Input));
    for rule in &choice.choices {
        let holds = match rule.condition.as_query() {
            Some(query) => match query.evaluate_to(Kind::Boolean, &mut queries) {
                Ok(text) => text.as_str() == "true",
                Err(error) => return Err(Failure::query(turn, branch, &error)),
            },
            None => match rule.condition.evaluate(&scope) {
                Ok(holds) => holds,
                Err(error) => return Err(Failure::runtime(turn, branch, &error.to_string())),
            },
        };
        if holds {
            return Ok(Some(rule));
        }
    }
    Ok(None)
}

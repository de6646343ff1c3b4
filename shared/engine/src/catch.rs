//! Catch: where a failed state leads.

use asl::{State, Transition};
use model::JsonText;
use serde_json::Value;

use crate::branch::Branch;
use crate::exit::{self, Exit};
use crate::failure::Failure;
use crate::retry;
use crate::turn::Turn;

/// Gives what the state leaves behind and the way out of it, if a Catcher takes the failure.
pub(crate) fn leave(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    failure: &Failure,
) -> Result<Option<(Exit, Transition)>, Failure> {
    let Some(index) = state.catch().iter().position(|catcher| retry::matches(&catcher.error_equals, failure)) else {
        return Ok(None);
    };
    let catcher = &state.catch()[index];
    turn.note(|inspection| inspection.catch_index = Some(index));
    let exit = exit::of_catcher(turn, branch, state, (catcher, error_output(failure)))?;
    Ok(Some((exit, Transition::Next(catcher.next.clone()))))
}

/// Renders the error output; what the failure lacks is null.
fn error_output(failure: &Failure) -> JsonText {
    let render = |text: &Option<String>| Value::from(text.as_deref()).to_string();
    JsonText::trusted(format!(r#"{{"Error":{},"Cause":{}}}"#, render(&failure.error), render(&failure.cause)))
}

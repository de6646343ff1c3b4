//! InputPath, Parameters, ResultSelector, ResultPath and OutputPath, and Arguments.
//!
//! What no field looks inside is handed on as the same text, unparsed.

use asl::{DataPath, State, Template};
use jsonpath::WriteError;
use model::JsonText;

use crate::branch::Branch;
use crate::context_object::StateScope;
use crate::failure::Failure;
use crate::queries::Queries;
use crate::turn::Turn;

/// Tells the fields of a state apart where chance is concerned.
#[derive(Clone, Copy)]
pub(crate) enum Field {
    Input = 0,
    Parameters = 1,
    ResultSelector = 2,
    Output = 3,
    Other = 4,
    Assign = 5,
    Backoff = 6,
}

/// Gives what InputPath selects.
pub(crate) fn selected(turn: &mut Turn<'_>, branch: &Branch, state: &State) -> Result<JsonText, Failure> {
    let selected = select(turn, branch, state.flow.input_path.as_ref(), branch.input.clone(), Field::Input)?;
    turn.note(|inspection| inspection.after_input_path = Some(selected.clone()));
    Ok(selected)
}

/// Gives the effective input: what Parameters make of the selected one, or Arguments.
pub(crate) fn parameters(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    selected: JsonText,
) -> Result<JsonText, Failure> {
    if let Some(arguments) = &state.arguments {
        let filled = arguments.evaluate(&mut Queries::new(turn, branch, state, salt(branch, Field::Parameters)));
        let payload = filled.map_err(|error| Failure::query(turn, branch, &error))?;
        check_size(turn, branch, &payload)?;
        turn.note(|inspection| inspection.after_arguments = Some(payload.clone()));
        return Ok(payload);
    }
    let payload = match &state.flow.parameters {
        Some(template) => {
            let payload = fill(turn, branch, template, selected, Field::Parameters)?;
            check_size(turn, branch, &payload)?;
            payload
        }
        None => selected,
    };
    turn.note(|inspection| inspection.after_parameters = Some(payload.clone()));
    Ok(payload)
}

/// Gives what ResultSelector makes of a raw result.
pub(crate) fn selected_result(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    result: JsonText,
) -> Result<JsonText, Failure> {
    match &state.flow.result_selector {
        Some(template) => fill(turn, branch, template, result, Field::ResultSelector),
        None => Ok(result),
    }
}

/// Gives the output of a JSONPath state for a selected result.
pub(crate) fn output(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    result: JsonText,
) -> Result<JsonText, Failure> {
    turn.note(|inspection| inspection.after_result_selector = Some(result.clone()));
    let placed = match &state.flow.result_path {
        None => branch.input.clone(),
        Some(path) if path.is_root() => result,
        Some(path) => place(turn, branch, path, &result)?,
    };
    turn.note(|inspection| inspection.after_result_path = Some(placed.clone()));
    let output = select(turn, branch, state.flow.output_path.as_ref(), placed, Field::Output)?;
    check_size(turn, branch, &output)?;
    Ok(output)
}

/// Puts a result into the raw input.
pub(crate) fn place(
    turn: &mut Turn<'_>,
    branch: &Branch,
    path: &jsonpath::ReferencePath,
    result: &JsonText,
) -> Result<JsonText, Failure> {
    match path.write_text(branch.input.as_str(), result.as_str()) {
        Ok(text) => Ok(JsonText::trusted(text)),
        Err(WriteError::Conflict { step, .. }) => Err(Failure::conflict(path.as_path(), &step, &branch.input)),
        Err(error @ WriteError::NotJson(_)) => Err(Failure::runtime(turn, branch, &error.to_string())),
    }
}

/// Reads a path; none (written `null`) gives an empty object.
fn select(
    turn: &mut Turn<'_>,
    branch: &Branch,
    path: Option<&DataPath>,
    input: JsonText,
    field: Field,
) -> Result<JsonText, Failure> {
    match path {
        None => Ok(JsonText::trusted("{}")),
        Some(path) if path.is_whole_input() => Ok(input),
        Some(path) => {
            let found = path.read(&scope(turn, branch, input, field));
            found.map_err(|error| Failure::path(turn, branch, &error))
        }
    }
}

fn fill(
    turn: &mut Turn<'_>,
    branch: &Branch,
    template: &Template,
    input: JsonText,
    field: Field,
) -> Result<JsonText, Failure> {
    let filled = template.evaluate(&scope(turn, branch, input, field));
    filled.map_err(|error| Failure::template(turn, branch, &error))
}

/// Makes the scope of a field of the branch's state.
pub(crate) fn scope<'a>(turn: &Turn<'a>, branch: &'a Branch, input: JsonText, field: Field) -> StateScope<'a> {
    let scope = StateScope::new(turn.definition, turn.execution, turn.moment, branch, input, salt(branch, field));
    match turn.given_context(branch) {
        Some(context) => scope.with_context(context),
        None => scope,
    }
}

/// Gives the number by which chance tells the fields of a state apart.
pub(crate) fn salt(branch: &Branch, field: Field) -> u32 {
    branch.retry_count.wrapping_mul(8).wrapping_add(field as u32)
}

/// Refuses a payload that is too large, or nests too deep.
pub(crate) fn check_size(turn: &Turn<'_>, branch: &Branch, payload: &JsonText) -> Result<(), Failure> {
    if turn.refuses(payload) { Err(Failure::output_too_large(branch.state.as_str())) } else { Ok(()) }
}

//! How a state is left: its output and the variables that it sets.

use asl::{Assignment, Catcher, Payload, QueryLanguage, QueryTemplate, State};
use model::JsonText;

use crate::branch::Branch;
use crate::dataflow::{self, Field};
use crate::failure::Failure;
use crate::queries::Queries;
use crate::turn::Turn;

/// The largest value of a variable, and of all that one Assign sets, in bytes, as AWS has it.
const ASSIGN_BYTES_MAX: usize = 256 * 1024;
/// The most that all variables in sight hold, in bytes; AWS's bound is for an execution.
const VARIABLES_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Is what a state leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exit {
    pub(crate) output: JsonText,
    /// The variables set, in order of their names.
    pub(crate) assigned: Vec<(String, JsonText)>,
}

/// Makes what a state leaves behind, by its own Output and Assign. `result` is its raw result, or its input where its type
/// has no result.
pub(crate) fn of_state(turn: &mut Turn<'_>, branch: &Branch, state: &State, result: JsonText) -> Result<Exit, Failure> {
    of(turn, branch, state, result, (state.output.as_ref(), &state.assign))
}

/// Makes what a state leaves behind, by the Output and Assign of the state or of one of its rules. All right-hand sides see
/// the variables as they were before.
pub(crate) fn of(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    result: JsonText,
    (output, assign): (Option<&QueryTemplate>, &Assignment),
) -> Result<Exit, Failure> {
    match state.query_language {
        QueryLanguage::JsonPath => {
            let result = dataflow::selected_result(turn, branch, state, result)?;
            let assigned = assigned(turn, branch, assign, &result)?;
            let output = dataflow::output(turn, branch, state, result)?;
            Ok(Exit { output, assigned })
        }
        QueryLanguage::Jsonata => {
            let mut queries = Queries::new(turn, branch, state, dataflow::salt(branch, Field::Output));
            if state.has_result() {
                queries = queries.with_result(&result);
            }
            computed(turn, branch, (output, assign), &result, queries)
        }
    }
}

/// Makes what a state leaves behind whose failure a Catcher took.
pub(crate) fn of_catcher(
    turn: &mut Turn<'_>,
    branch: &Branch,
    state: &State,
    (catcher, error_output): (&Catcher, JsonText),
) -> Result<Exit, Failure> {
    match state.query_language {
        QueryLanguage::JsonPath => {
            let assigned = assigned(turn, branch, &catcher.assign, &error_output)?;
            let output = match &catcher.result_path {
                None => branch.input.clone(),
                Some(path) if path.is_root() => error_output,
                Some(path) => dataflow::place(turn, branch, path, &error_output)?,
            };
            // A cause may tell much of the input.
            dataflow::check_size(turn, branch, &output)?;
            Ok(Exit { output, assigned })
        }
        QueryLanguage::Jsonata => {
            let salt = dataflow::salt(branch, Field::Output);
            let queries = Queries::new(turn, branch, state, salt).with_error_output(&error_output);
            computed(turn, branch, (catcher.output.as_ref(), &catcher.assign), &error_output, queries)
        }
    }
}

fn computed(
    turn: &mut Turn<'_>,
    branch: &Branch,
    (output, assign): (Option<&QueryTemplate>, &Assignment),
    default: &JsonText,
    mut queries: Queries<'_>,
) -> Result<Exit, Failure> {
    let assigned = set(turn, branch, assign, &mut |payload| match payload {
        Payload::Query(template) => template.evaluate(&mut queries).map_err(Problem::Query),
        Payload::Template(_) => Ok(JsonText::trusted("null")),
    })?;
    let output = match output {
        Some(template) => template.evaluate(&mut queries).map_err(|error| Failure::query(turn, branch, &error))?,
        None => default.clone(),
    };
    dataflow::check_size(turn, branch, &output)?;
    Ok(Exit { output, assigned })
}

enum Problem {
    Query(asl::QueryError),
    Template(asl::TemplateError),
}

/// Evaluates Assign in JSONPath; `dollar` is what `$` stands for.
fn assigned(
    turn: &mut Turn<'_>,
    branch: &Branch,
    assign: &Assignment,
    dollar: &JsonText,
) -> Result<Vec<(String, JsonText)>, Failure> {
    if assign.is_empty() {
        return Ok(Vec::new());
    }
    let scope = dataflow::scope(turn, branch, dollar.clone(), Field::Assign);
    set(turn, branch, assign, &mut |payload| match payload {
        Payload::Template(template) => template.evaluate(&scope).map_err(Problem::Template),
        Payload::Query(_) => Ok(JsonText::trusted("null")),
    })
}

type Evaluate<'e> = dyn FnMut(&Payload) -> Result<JsonText, Problem> + 'e;

/// Evaluates all right-hand sides; gives them in order of their names.
fn set(
    turn: &mut Turn<'_>,
    branch: &Branch,
    assign: &Assignment,
    evaluate: &mut Evaluate<'_>,
) -> Result<Vec<(String, JsonText)>, Failure> {
    let mut assigned = Vec::with_capacity(assign.variables().len());
    let mut bytes = 0;
    for (name, payload) in assign.variables() {
        let value = evaluate(payload).map_err(|problem| match problem {
            Problem::Query(error) => Failure::query(turn, branch, &error),
            Problem::Template(error) => Failure::template(turn, branch, &error),
        })?;
        bytes += value.len();
        if bytes > ASSIGN_BYTES_MAX {
            return Err(Failure::output_too_large(branch.state.as_str()));
        }
        assigned.push((name.to_owned(), value));
    }
    assigned.sort_by(|left, right| left.0.cmp(&right.0));
    let is_kept = |name: &String| assigned.iter().all(|(other, _)| other != name);
    let kept: usize = branch.variables.iter().filter(|(name, _)| is_kept(name)).map(|(_, value)| value.len()).sum();
    if bytes + kept > VARIABLES_BYTES_MAX {
        return Err(Failure::output_too_large(branch.state.as_str()));
    }
    Ok(assigned)
}

/// Puts what was assigned into the branch.
pub(crate) fn assign(branch: &mut Branch, assigned: &[(String, JsonText)]) {
    if assigned.is_empty() {
        return;
    }
    let variables = std::sync::Arc::make_mut(&mut branch.variables);
    for (name, value) in assigned {
        match variables.binary_search_by(|(other, _)| other.cmp(name)) {
            Ok(position) => variables[position].1 = value.clone(),
            Err(position) => variables.insert(position, (name.clone(), value.clone())),
        }
    }
}

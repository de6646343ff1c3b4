//! How large a commit is, by what it holds and not by what the core counts.

use engine::{Branch, Callback, Phase, Run};
use model::{Details, JsonText};

/// Counts the bytes of payload that the commit of a run writes.
pub(crate) fn bytes(run: &Run) -> usize {
    let branches: usize = run.branch.iter().chain(&run.children).map(of_branch).sum();
    let events: usize = run.history.iter().map(|event| of_event(&event.details)).sum();
    let results = run.inline_results.iter().map(|result| &result.output);
    let joined = run.joined.iter().filter_map(|entry| entry.output.as_ref());
    let items = run.opened.iter().flat_map(|scope| &scope.items);
    branches + events + results.chain(joined).chain(items).map(JsonText::len).sum::<usize>()
}

/// Counts its records, those that it removes not among them.
pub(crate) fn records(run: &Run) -> usize {
    usize::from(run.branch.is_some()) + run.children.len() + run.opened.len() + run.inline_results.len()
}

fn of_branch(branch: &Branch) -> usize {
    let waits_with = match &branch.phase {
        Phase::Task(task) => {
            let early = match &task.early {
                Some(Callback::Succeeded { output }) => output.len(),
                Some(Callback::Failed { .. }) | None => 0,
            };
            task.payload.len() + early
        }
        Phase::Children(children) => children.input.len(),
        Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } => 0,
    };
    let item = branch.item.as_ref().map_or(0, |item| item.value.len());
    let variables: usize = branch.variables.iter().map(|(_, value)| value.len()).sum();
    branch.input.len() + waits_with + item + variables
}

fn of_event(details: &Details) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    match details {
        Details::None | Details::WorkerStarted { .. } | Details::TaskStarted { .. } => 0,
        Details::MapStarted { .. } | Details::MapIteration { .. } => 0,
        Details::ExecutionStarted { input, .. }
        | Details::StateEntered { input, .. }
        | Details::Scheduled { input, .. }
        | Details::TaskScheduled { parameters: input, .. } => input.len(),
        Details::Output { output } | Details::TaskOutput { output, .. } => output.len(),
        Details::StateExited { output, assigned, .. } => {
            output.len() + assigned.iter().map(|(_, value)| value.len()).sum::<usize>()
        }
        Details::Failure { error, cause } | Details::TaskFailure { error, cause, .. } => {
            optional(error) + optional(cause)
        }
        Details::EvaluationFailed { cause, .. } => cause.len(),
    }
}

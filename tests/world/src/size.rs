//! How large a commit is: of branches, results and items by what it holds and not by what the core counts.

use engine::{Branch, Callback, Phase, Run};
use model::JsonText;

/// Counts the bytes of payload that the commit of a run writes.
pub(crate) fn bytes(run: &Run) -> usize {
    let branches: usize = run.branch.iter().chain(&run.children).map(of_branch).sum();
    let events: usize = run.history.iter().map(|event| event.details.payload_bytes()).sum();
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

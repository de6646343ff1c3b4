//! The context object `$$`, and what a state's paths and templates may look at.

use std::sync::OnceLock;

use asl::{Chance, Definition, Document, IntegrationPattern, Scope, StateKind};
use model::{AttemptId, JsonText, Nonce, TaskToken};
use serde_json::Value;

use crate::branch::{Branch, Execution};
use crate::chance;
use crate::event::Moment;
use crate::turn::machine;

/// Is what a state's paths and templates may look at. The context object is made only if somebody looks.
pub(crate) struct StateScope<'a> {
    definition: &'a Definition,
    execution: &'a Execution,
    branch: &'a Branch,
    input: Document,
    context: OnceLock<Document>,
    variables: OnceLock<Vec<(String, Document)>>,
    chance: Chance,
    /// The attempt that the branch is about to begin, if it is to enter a Task.
    attempt: AttemptId,
}

impl<'a> StateScope<'a> {
    /// Makes the scope of a field; `salt` tells the fields of one state apart.
    pub(crate) fn new(
        definition: &'a Definition,
        execution: &'a Execution,
        moment: Moment,
        branch: &'a Branch,
        input: JsonText,
        salt: u32,
    ) -> Self {
        Self {
            definition,
            execution,
            branch,
            input: Document::new(input),
            context: OnceLock::new(),
            variables: OnceLock::new(),
            attempt: next_attempt(moment.seed, branch),
            chance: chance::sequence(execution.seed, &branch.path, [branch.entry, salt]),
        }
    }
}

impl StateScope<'_> {
    /// Puts a context object in the place of the real one.
    pub(crate) fn with_context(self, context: JsonText) -> Self {
        Self { context: OnceLock::from(Document::new(context)), ..self }
    }
}

impl Scope for StateScope<'_> {
    fn input(&self) -> &Document {
        &self.input
    }

    fn context(&self) -> &Document {
        self.context.get_or_init(|| Document::new(render(self.definition, self.execution, self.branch, self.attempt)))
    }

    fn variable(&self, name: &str) -> Option<&Document> {
        let variables = self.variables.get_or_init(|| {
            let document = |(name, text): &(String, JsonText)| (name.clone(), Document::new(text.clone()));
            self.branch.variables.iter().map(document).collect()
        });
        variables.iter().find(|(other, _)| other == name).map(|(_, document)| document)
    }

    fn chance(&self) -> &Chance {
        &self.chance
    }
}

/// Renders the context object, its members in AWS's order; `attempt` is the one that the branch begins next.
pub(crate) fn render(definition: &Definition, execution: &Execution, branch: &Branch, attempt: AttemptId) -> JsonText {
    let quote = |text: &str| Value::from(text).to_string();
    let mut text = format!(
        r#"{{"Execution":{{"Id":{},"Input":{},"StartTime":"{}","Name":{},"RoleArn":{}"#,
        quote(&execution.arn),
        jsonpath::compact(execution.input.as_str()),
        execution.started_at.iso_8601(),
        quote(&execution.name),
        quote(&execution.role_arn),
    );
    if let Some(count) = execution.redrive_count {
        text.push_str(&format!(r#","RedriveCount":{count}"#));
    }
    text.push_str(&format!(
        r#"}},"StateMachine":{{"Id":{},"Name":{}}}"#,
        quote(&execution.state_machine_arn),
        quote(&execution.state_machine_name),
    ));
    let state = quote(branch.state.as_str());
    text.push_str(&format!(
        r#","State":{{"Name":{state},"EnteredTime":"{}"{}}}"#,
        branch.entered_at.iso_8601(),
        retry_count(definition, branch),
    ));
    text.push_str(&task_token(definition, execution, branch, attempt));
    if let Some(item) = &branch.item {
        text.push(',');
        text.push_str(&item_member(item.index, &item.value));
    }
    text.push('}');
    JsonText::trusted(text)
}

/// Adds an iteration's item to a context object without one.
pub(crate) fn with_item(context: &JsonText, index: u32, value: &JsonText) -> JsonText {
    let open = context.as_str().trim_end().strip_suffix('}').unwrap_or("{").trim_end();
    let comma = if open.ends_with('{') { "" } else { "," };
    JsonText::trusted(format!("{open}{comma}{}}}", item_member(index, value)))
}

fn item_member(index: u32, value: &JsonText) -> String {
    format!(r#""Map":{{"Item":{{"Index":{index},"Value":{}}}}}"#, jsonpath::compact(value.as_str()))
}

/// Gives the id of the attempt that a branch begins next.
pub(crate) fn next_attempt(seed: Nonce, branch: &Branch) -> AttemptId {
    let number = branch.attempts + 1;
    AttemptId { number, nonce: Nonce(chance::sequence(seed, &branch.path, [number, u32::MAX]).draw()) }
}

/// Renders the task token where the state waits for it.
fn task_token(definition: &Definition, execution: &Execution, branch: &Branch, attempt: AttemptId) -> String {
    let machine = machine(definition, &branch.location).ok();
    let state = machine.and_then(|machine| machine.state(branch.state.as_str()));
    match state.map(|state| &state.kind) {
        Some(StateKind::Task(task)) if task.resource.pattern() == IntegrationPattern::WaitForTaskToken => {
            let token = TaskToken::render(&execution.arn, &branch.path, attempt);
            format!(r#","Task":{{"Token":"{token}"}}"#)
        }
        Some(_) | None => String::new(),
    }
}

/// Renders the retry count where the state's type has Retry; AWS shows none elsewhere.
fn retry_count(definition: &Definition, branch: &Branch) -> String {
    let machine = machine(definition, &branch.location).ok();
    let state = machine.and_then(|machine| machine.state(branch.state.as_str()));
    match state.map(|state| &state.kind) {
        Some(StateKind::Task(_) | StateKind::Parallel(_) | StateKind::Map(_)) => {
            format!(r#","RetryCount":{}"#, branch.retry_count)
        }
        Some(
            StateKind::Pass(_) | StateKind::Choice(_) | StateKind::Wait(_) | StateKind::Succeed(_) | StateKind::Fail(_),
        )
        | None => String::new(),
    }
}

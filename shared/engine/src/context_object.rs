//! The context object `$$`, and what a state's paths and templates may look at.

use std::sync::OnceLock;

use asl::{Chance, Definition, Document, IntegrationPattern, Scope, StateKind};
use model::{AttemptId, JsonText, Nonce, TaskToken, Timestamp};
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
        r#"{{"Execution":{{"Id":{},"Input":{},"StartTime":"{}","Name":{},"RoleArn":{},"RedriveCount":{}}}"#,
        quote(&execution.arn),
        jsonpath::compact(execution.input.as_str()),
        iso_8601(execution.started_at),
        quote(&execution.name),
        quote(&execution.role_arn),
        execution.redrive_count,
    );
    text.push_str(&format!(
        r#","StateMachine":{{"Id":{},"Name":{}}}"#,
        quote(&execution.state_machine_arn),
        quote(&execution.state_machine_name),
    ));
    let state = quote(branch.state.as_str());
    text.push_str(&format!(
        r#","State":{{"Name":{state},"EnteredTime":"{}"{}}}"#,
        iso_8601(branch.entered_at),
        retry_count(definition, branch),
    ));
    text.push_str(&task_token(definition, execution, branch, attempt));
    if let Some(item) = &branch.item {
        let value = jsonpath::compact(item.value.as_str());
        text.push_str(&format!(r#","Map":{{"Item":{{"Index":{},"Value":{value}}}}}"#, item.index));
    }
    text.push('}');
    JsonText::trusted(text)
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

/// Renders an instant as AWS does in the context object: `2024-02-29T23:59:59.007Z`.
pub fn iso_8601(instant: Timestamp) -> String {
    const DAY_MILLIS: i64 = 86_400_000;
    let (days, millis) = (instant.as_millis().div_euclid(DAY_MILLIS), instant.as_millis().rem_euclid(DAY_MILLIS));
    let (year, month, day) = civil_from_days(days);
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Gives the date so many days after 1970-01-01 in the proleptic Gregorian calendar.
/// Source: <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_rendered_in_utc_with_milliseconds() {
        let check = |text: &str| {
            let (instant, _) = asl::timestamp::parse(text).expect("is a timestamp");
            assert_eq!(iso_8601(instant), text);
        };
        check("1970-01-01T00:00:00.000Z");
        check("2024-02-29T23:59:59.007Z");
        check("1999-12-31T23:59:59.999Z");
        check("2026-03-01T00:00:00.000Z");
        check("1900-01-01T12:30:00.500Z");
    }
}

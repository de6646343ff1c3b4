//! DescribeStateMachineForExecution: shows a state machine as an execution has it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use store::ExecutionHead;
use wire::record::{ExecutionRecord, StateMachineRecord};

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::execution_arn;
use super::configuration::{Encryption, Logging, Tracing};
use super::error::ApiError;
use super::members::{Members, described};

impl Api {
    /// Answers DescribeStateMachineForExecution. Definition, role and revision are those that the execution started with; logging and the like are
    /// those of its version, or of the state machine as it is.
    pub(super) async fn describe_state_machine_for_execution(&self, members: Members) -> Result<Answer, ApiError> {
        let (arn, with_data) = described(members, "executionArn")?;
        let head = self.execution(&execution_arn(&arn)?).await?;
        let definition: Arc<str> = if with_data {
            let hash = &head.record.definition;
            let missing = || store::Error::Corrupt(format!("definition {hash} of {} is missing", head.record.arn));
            self.store()?.definition(hash).await?.ok_or_else(missing)?
        } else {
            "".into()
        };
        let machine = self.machine_of(&head.record).await?;
        let references = self.variable_references(&definition).await;
        let mut view = view(&head, &definition, machine.as_ref());
        if let Some(references) = references {
            view["variableReferences"] = references;
        }
        Answer::render(&view)
    }

    /// Gives the state machine that an execution is of, without the text of its definition: as its version has it, or else as it is now.
    async fn machine_of(&self, execution: &ExecutionRecord) -> Result<Option<StateMachineRecord>, ApiError> {
        let (machine, _) = execution.state_machine.without_label();
        let found = self.store()?.state_machine_alone(&machine).await?;
        let (Some((now, _)), Some(number)) = (&found, execution.version) else {
            return Ok(found.map(|(now, _)| now));
        };
        let (published, _) = self.published(now).await?;
        // A later state machine of the name may have a version of the number.
        let version = published.version(number).filter(|version| version.hash == execution.definition);
        Ok(Some(version.map_or_else(|| now.clone(), |version| version.machine(now))))
    }
}

fn view(head: &ExecutionHead, definition: &str, machine: Option<&StateMachineRecord>) -> Value {
    let record = &head.record;
    let mut view = Map::new();
    let mut set = |name: &str, value: Value| view.insert(name.to_owned(), value);
    set("stateMachineArn", record.state_machine.as_str().into());
    let (machine_alone, label) = record.state_machine.without_label();
    set("name", machine_alone.name().into());
    if let (Some(run), Some(label)) = (&record.map_run, label) {
        set("mapRunArn", run.arn.as_str().into());
        set("label", label.into());
    }
    set("definition", definition.into());
    set("roleArn", record.role_arn.as_str().into());
    set("updateDate", seconds(record.machine_updated_at.unwrap_or(record.started_at)).into());
    set("loggingConfiguration", machine.map_or_else(Logging::default_shown, Logging::shown));
    set("tracingConfiguration", machine.map_or_else(|| json!({ "enabled": false }), Tracing::shown));
    set("encryptionConfiguration", machine.map_or_else(|| json!({ "type": "AWS_OWNED_KEY" }), Encryption::shown));
    if let Some(revision) = &record.revision_id {
        set("revisionId", revision.as_str().into());
    }
    Value::Object(view)
}

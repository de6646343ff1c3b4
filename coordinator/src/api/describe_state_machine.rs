//! DescribeStateMachine: shows a definition and what goes with it.

use std::sync::Arc;

use asl::Definition;
use model::Qualifier;
use serde_json::{Map, Value};
use wire::record::StateMachineRecord;

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::{does_not_exist, qualified_arn};
use super::configuration::{Encryption, Logging, Tracing};
use super::error::ApiError;
use super::members::{Members, described};
use super::published::Resolved;

impl Api {
    /// Answers DescribeStateMachine.
    pub(super) async fn describe_state_machine(&self, members: Members) -> Result<Answer, ApiError> {
        let (arn, with_data) = described(members, "stateMachineArn")?;
        let arn = qualified_arn(&arn)?;
        // An alias stands for one or two versions, none of which is it.
        if let Some(Qualifier::Alias(_)) = arn.qualifier {
            return Err(does_not_exist(&arn));
        }
        let Resolved { machine, version, .. } = self.resolve(&arn).await?;
        let mut view = self.described_machine(&machine, with_data).await;
        if let Some(version) = version {
            view["stateMachineArn"] = arn.to_string().into();
            view["creationDate"] = seconds(version.created_at).into();
            if let Some(description) = version.description {
                view["description"] = description.into();
            }
        }
        Answer::render(&view)
    }

    async fn described_machine(&self, record: &StateMachineRecord, with_data: bool) -> Value {
        let references = if with_data { self.variable_references(&record.definition).await } else { None };
        view(record, with_data, references)
    }

    /// Lists the variables that each state of a definition refers to; nothing where there are none.
    pub(super) async fn variable_references(&self, definition: &Arc<str>) -> Option<Value> {
        // Without an Assign there are no variables.
        if !definition.contains("\"Assign\"") {
            return None;
        }
        let text = definition.clone();
        let listed = move || Definition::load(&text).map(|definition| definition.variable_references());
        let references = self.runtime().blocking(listed).await.ok()?.ok()?;
        let references = references.into_iter().map(|(state, names)| (state.to_string(), names.into()));
        let references: Map<String, Value> = references.collect();
        (!references.is_empty()).then_some(Value::Object(references))
    }
}

fn view(record: &StateMachineRecord, with_data: bool, variable_references: Option<Value>) -> Value {
    let mut view = Map::new();
    let mut set = |name: &str, value: Value| view.insert(name.to_owned(), value);
    set("stateMachineArn", record.arn.as_str().into());
    set("name", record.arn.name().into());
    set("status", record.status.as_str().into());
    // The model requires the member, so it is there, but empty, where only metadata are asked for.
    set("definition", if with_data { &*record.definition } else { "" }.into());
    set("roleArn", record.role_arn.as_str().into());
    set("type", record.kind.as_str().into());
    set("creationDate", seconds(record.created_at).into());
    set("loggingConfiguration", Logging::shown(record));
    set("tracingConfiguration", Tracing::shown(record));
    set("encryptionConfiguration", Encryption::shown(record));
    if let Some(references) = variable_references {
        set("variableReferences", references);
    }
    if let Some(revision) = &record.revision_id {
        set("revisionId", revision.as_str().into());
    }
    Value::Object(view)
}

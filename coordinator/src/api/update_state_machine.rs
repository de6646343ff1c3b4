//! UpdateStateMachine: changes what later executions of a state machine do.

use std::sync::Arc;

use serde_json::{Map, Value};
use wire::record::StateMachineRecord;

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::state_machine_arn;
use super::checks::Checks;
use super::configuration::{Configuration, Logging};
use super::error::{ApiError, ErrorCode};
use super::members::Members;
use super::resource::refuse_deleting;
use super::versions::{revision_of, version_arn};
use crate::definitions::hash_of;

struct Input {
    arn: String,
    definition: Option<Arc<str>>,
    configuration: Configuration,
}

impl Input {
    fn read(mut members: Members, definition_bytes_max: usize) -> Result<Self, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("stateMachineArn")?;
        let definition = members.text("definition")?;
        let role_arn = members.text("roleArn")?;
        checks.required("stateMachineArn", arn.as_ref());
        checks.length("stateMachineArn", arn.as_deref(), 1, 256);
        checks.secret_length("definition", definition.as_deref(), 1, definition_bytes_max);
        checks.length("roleArn", role_arn.as_deref(), 1, 256);
        let logging = Logging::read(&mut members, &mut checks)?;
        let configuration = Configuration::read(role_arn, logging, members, checks)?;
        Ok(Self { arn: arn.unwrap_or_default(), definition: definition.map(Into::into), configuration })
    }

    /// Checks what the model's constraints don't tell.
    fn check(&self) -> Result<(), ApiError> {
        if self.definition.is_none() && self.configuration.is_empty() {
            let message = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified";
            return Err(ApiError::new(ErrorCode::MissingRequiredParameter, message));
        }
        self.configuration.check()
    }

    /// Puts what was given into a record.
    fn apply(&self, record: &mut StateMachineRecord) {
        if let Some(definition) = &self.definition {
            (record.definition, record.hash) = (definition.clone(), hash_of(definition));
        }
        self.configuration.apply(record);
    }
}

impl Api {
    /// Answers UpdateStateMachine. An update that changes nothing makes no new revision. Executions that run keep what they started with.
    pub(super) async fn update_state_machine(&self, members: Members) -> Result<Answer, ApiError> {
        let input = Input::read(members, self.settings().definition_bytes_max)?;
        let arn = state_machine_arn(&input.arn)?;
        input.check()?;
        let machine = self.state_machine_alone(&arn).await?;
        refuse_deleting(&machine)?;
        if let Some(definition) = &input.definition {
            self.check_definition(definition.clone(), machine.is_express()).await?;
        }
        if input.configuration.publication.is_some() {
            self.check_publication(&machine, &input).await?;
        }
        let now = self.runtime().now();
        let revision = self.runtime().uuid();
        let updated = self
            .change_state_machine(&arn, |record| {
                refuse_deleting(record)?;
                let before = record.clone();
                input.apply(record);
                if *record != before {
                    (record.revision_id, record.updated_at) = (Some(revision.clone()), Some(now));
                }
                Ok(())
            })
            .await?;
        tracing::info!(state_machine = %arn, revision = updated.revision_id, "state machine updated");
        let mut answer = Map::new();
        answer.insert("updateDate".to_owned(), seconds(updated.updated_at.unwrap_or(now)).into());
        if let Some(revision) = &updated.revision_id {
            answer.insert("revisionId".to_owned(), revision.as_str().into());
        }
        if let Some(publication) = input.configuration.publication {
            let version = self.publish(&arn, Some(revision_of(&updated)), publication.description).await?;
            answer.insert("stateMachineVersionArn".to_owned(), version_arn(&arn, version.number).to_string().into());
        }
        Answer::render(&Value::Object(answer))
    }

    /// Refuses an update whose version would be one too many, as long as nothing is changed.
    async fn check_publication(&self, machine: &StateMachineRecord, input: &Input) -> Result<(), ApiError> {
        let (published, _) = self.published(machine).await?;
        let mut next = machine.clone();
        input.apply(&mut next);
        // The hash tells whether it is another one.
        next.definition.clone_from(&machine.definition);
        if next == *machine && published.version_of(machine.revision_id.as_deref()).is_some() {
            return Ok(());
        }
        self.check_room(&published)
    }
}

//! UpdateStateMachine: changes what later executions of a state machine do.

use std::sync::Arc;

use model::{JsonText, StateMachineStatus};
use serde_json::{Map, Value};
use wire::record::StateMachineRecord;

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::state_machine_arn;
use super::checks::Checks;
use super::configuration::{Encryption, Logging, Tracing};
use super::create_state_machine::is_role;
use super::error::{ApiError, ErrorCode};
use super::members::Members;
use crate::definitions::hash_of;

struct Input {
    arn: String,
    definition: Option<Arc<str>>,
    role_arn: Option<String>,
    logging: Option<Logging>,
    tracing: Option<Tracing>,
    encryption: Option<Encryption>,
    publish: bool,
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
        let tracing = Tracing::read(&mut members)?;
        let publish = members.boolean("publish")?.unwrap_or_default();
        let version_description = members.text("versionDescription")?;
        checks.secret_length("versionDescription", version_description.as_deref(), 0, 256);
        let encryption = Encryption::read(&mut members, &mut checks)?;
        checks.finish()?;
        if version_description.is_some() && !publish {
            let message = "Version description can only be set when publish is true";
            return Err(ApiError::new(ErrorCode::ValidationException, message));
        }
        let definition = definition.map(Into::into);
        Ok(Self { arn: arn.unwrap_or_default(), definition, role_arn, logging, tracing, encryption, publish })
    }

    /// Checks what the model's constraints don't tell.
    fn check(&self) -> Result<(), ApiError> {
        let is_something = self.definition.is_some()
            || self.role_arn.is_some()
            || self.logging.is_some()
            || self.tracing.is_some()
            || self.encryption.is_some();
        if !is_something {
            let message = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified";
            return Err(ApiError::new(ErrorCode::MissingRequiredParameter, message));
        }
        if let Some(role) = self.role_arn.as_ref().filter(|role| !is_role(role)) {
            return Err(ApiError::quoting(ErrorCode::InvalidArn, "Invalid Role Arn", role));
        }
        if self.publish {
            let message = "Versions (publish) are not supported by this version of Stepwell";
            return Err(ApiError::new(ErrorCode::ValidationException, message));
        }
        self.logging.as_ref().map_or(Ok(()), Logging::check)?;
        self.encryption.as_ref().map_or(Ok(()), Encryption::check)
    }

    /// Puts what was given into a record.
    fn apply(&self, record: &mut StateMachineRecord) {
        if let Some(definition) = &self.definition {
            (record.definition, record.hash) = (definition.clone(), hash_of(definition));
        }
        if let Some(role) = &self.role_arn {
            record.role_arn.clone_from(role);
        }
        if let Some(logging) = &self.logging {
            record.logging = Some(JsonText::from_value(&logging.to_value()));
        }
        if let Some(tracing) = &self.tracing {
            record.tracing = Some(JsonText::from_value(&tracing.to_value()));
        }
        if let Some(encryption) = &self.encryption {
            record.encryption = Some(JsonText::from_value(&encryption.to_value()));
        }
    }
}

impl Api {
    /// Answers UpdateStateMachine. An update that changes nothing makes no new revision. Executions that run keep what they started with.
    pub(super) async fn update_state_machine(&self, members: Members) -> Result<Answer, ApiError> {
        let input = Input::read(members, self.settings().definition_bytes_max)?;
        let arn = state_machine_arn(&input.arn)?;
        input.check()?;
        if let Some(definition) = &input.definition {
            self.check_definition(definition.clone(), false).await?;
        }
        let now = self.runtime().now();
        let revision = self.runtime().uuid();
        let updated = self
            .change_state_machine(&arn, |record| {
                if record.status == StateMachineStatus::Deleting {
                    let what = "State Machine is being deleted";
                    return Err(ApiError::quoting(ErrorCode::StateMachineDeleting, what, &record.arn));
                }
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
        Answer::render(&Value::Object(answer))
    }
}

//! CreateStateMachine: checks and keeps a definition under a name.

use std::sync::Arc;

use asl::{Definition, Options};
use model::StateMachineStatus;
use serde_json::json;
use wire::record::{PublicationRecord, StateMachineRecord, VersionRecord};

use super::Api;
use super::answer::{Answer, seconds};
use super::caller::Caller;
use super::checks::Checks;
use super::configuration::{Configuration, Encryption, Logging, Tracing};
use super::error::{ApiError, ErrorCode};
use super::members::Members;
use super::name::check_name;
use super::resource::refuse_deleting;
use super::tags;
use super::versions::{INITIAL, version_arn};
use crate::definitions::hash_of;

struct Input {
    name: String,
    definition: Arc<str>,
    kind: String,
    tags: tags::Tags,
    configuration: Configuration,
}

impl Input {
    fn read(mut members: Members, definition_bytes_max: usize) -> Result<Self, ApiError> {
        let mut checks = Checks::default();
        let name = members.text("name")?;
        let definition = members.text("definition")?;
        let role_arn = members.text("roleArn")?;
        let kind = members.text("type")?;
        checks.required("name", name.as_ref());
        checks.length("name", name.as_deref(), 1, 80);
        checks.required("definition", definition.as_ref());
        checks.secret_length("definition", definition.as_deref(), 1, definition_bytes_max);
        checks.required("roleArn", role_arn.as_ref());
        checks.length("roleArn", role_arn.as_deref(), 1, 256);
        checks.one_of("type", kind.as_deref(), &["STANDARD", "EXPRESS"]);
        let logging = Logging::read(&mut members, &mut checks)?;
        let tags = tags::read(&mut members, &mut checks)?.unwrap_or_default();
        Ok(Self {
            configuration: Configuration::read(role_arn, logging, members, checks)?,
            name: name.unwrap_or_default(),
            definition: definition.unwrap_or_default().into(),
            kind: kind.unwrap_or_else(|| "STANDARD".to_owned()),
            tags,
        })
    }

    /// Checks what the model's constraints don't tell; of tags with the same key the last one stays.
    fn check(&mut self, tags_max: usize) -> Result<(), ApiError> {
        check_name(&self.name)?;
        self.configuration.check()?;
        let given = std::mem::take(&mut self.tags);
        tags::add(&mut self.tags, &given, tags_max)
    }

    fn into_record(mut self, api: &Api, caller: &Caller) -> StateMachineRecord {
        let mut record = StateMachineRecord {
            arn: caller.state_machine(&self.name),
            hash: hash_of(&self.definition),
            definition: self.definition,
            role_arn: String::new(),
            kind: self.kind,
            status: StateMachineStatus::Active,
            created_at: api.runtime().now(),
            revision_id: None,
            updated_at: None,
            tags: self.tags,
            logging: None,
            tracing: None,
            encryption: None,
            publication: self.configuration.publication.take(),
        };
        self.configuration.apply(&mut record);
        record
    }
}

impl Api {
    /// Answers CreateStateMachine. Repeated with the same content it gives the state machine that is there; role and tags don't
    /// count for that, and are not changed.
    pub(super) async fn create_state_machine(&self, members: Members, caller: &Caller) -> Result<Answer, ApiError> {
        let mut input = Input::read(members, self.settings().definition_bytes_max)?;
        input.check(self.settings().tags_max)?;
        self.check_definition(input.definition.clone(), input.kind == StateMachineRecord::EXPRESS).await?;
        let record = input.into_record(self, caller);
        let created = match self.store()?.create_state_machine(&record).await? {
            None => record,
            Some(existing) => {
                self.see_to_deletion(&existing);
                agree(existing, &record)?
            }
        };
        tracing::info!(state_machine = %created.arn, "state machine created");
        let mut answer = json!({
            "stateMachineArn": created.arn.as_str(),
            "creationDate": seconds(created.created_at),
        });
        if let Some(publication) = &created.publication {
            let version = self.first_version(&created, publication).await?;
            answer["stateMachineVersionArn"] = version_arn(&created.arn, version.number).to_string().into();
        }
        Answer::render(&answer)
    }

    /// Gives the version of what a state machine was created with; publishes it unless that is done.
    async fn first_version(
        &self,
        machine: &StateMachineRecord,
        publication: &PublicationRecord,
    ) -> Result<VersionRecord, ApiError> {
        let (published, _) = self.published(machine).await?;
        match published.version_of(None) {
            Some(version) => Ok(version.clone()),
            None => self.publish(&machine.arn, Some(INITIAL), publication.description.clone()).await,
        }
    }

    pub(super) async fn check_definition(&self, text: Arc<str>, express: bool) -> Result<(), ApiError> {
        let options = Options { express, ..Options::default() };
        let parse = move || Definition::parse_as(&text, options).map(|_| ()).map_err(|findings| findings.to_string());
        match self.runtime().blocking(parse).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(message)) => Err(ApiError::new(ErrorCode::InvalidDefinition, message)),
            Err(stopped) => {
                tracing::error!(error = %stopped, "a definition could not be parsed");
                Err(ApiError::new(ErrorCode::InternalFailure, "The definition could not be parsed."))
            }
        }
    }
}

/// Gives the state machine that exists if it has the content asked for, and its creation asked for the same version.
///
/// AWS: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html>
fn agree(existing: StateMachineRecord, asked: &StateMachineRecord) -> Result<StateMachineRecord, ApiError> {
    refuse_deleting(&existing)?;
    let same = existing.hash == asked.hash
        && existing.kind == asked.kind
        && existing.publication == asked.publication
        && Logging::shown(&existing) == Logging::shown(asked)
        && Tracing::shown(&existing) == Tracing::shown(asked)
        && Encryption::shown(&existing) == Encryption::shown(asked);
    if same {
        return Ok(existing);
    }
    Err(ApiError::quoting(ErrorCode::StateMachineAlreadyExists, "State Machine Already Exists", &existing.arn))
}

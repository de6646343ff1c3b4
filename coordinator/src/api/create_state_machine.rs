//! CreateStateMachine: checks and keeps a definition under a name.

use std::sync::Arc;

use asl::{Definition, Options};
use model::{JsonText, StateMachineStatus};
use serde_json::{Value, json};
use wire::record::StateMachineRecord;

use super::Api;
use super::answer::{Answer, seconds};
use super::caller::Caller;
use super::checks::Checks;
use super::configuration::{Encryption, Logging, Tracing};
use super::error::{ApiError, ErrorCode};
use super::members::Members;
use super::name::check_name;
use super::tags;
use crate::definitions::hash_of;

struct Input {
    name: String,
    definition: Arc<str>,
    role_arn: String,
    kind: String,
    logging: Option<Logging>,
    tracing: Option<Tracing>,
    encryption: Option<Encryption>,
    tags: Vec<(String, String)>,
    publish: bool,
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
        let given = tags::read(&mut members, &mut checks)?.unwrap_or_default();
        let mut own = tags::Tags::new();
        tags::add(&mut own, &given);
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
        Ok(Self {
            name: name.unwrap_or_default(),
            definition: definition.unwrap_or_default().into(),
            role_arn: role_arn.unwrap_or_default(),
            kind: kind.unwrap_or_else(|| "STANDARD".to_owned()),
            logging,
            tracing,
            encryption,
            tags: own,
            publish,
        })
    }

    fn refuse_express(&self) -> Result<(), ApiError> {
        if self.kind != "EXPRESS" {
            return Ok(());
        }
        let message = "Express state machines are not supported by this version of Stepwell";
        Err(ApiError::new(ErrorCode::StateMachineTypeNotSupported, message))
    }

    /// Checks what the model's constraints don't tell.
    fn check(&self) -> Result<(), ApiError> {
        check_name(&self.name)?;
        if !is_role(&self.role_arn) {
            return Err(ApiError::quoting(ErrorCode::InvalidArn, "Invalid Role Arn", &self.role_arn));
        }
        if self.publish {
            let message = "Versions (publish) are not supported by this version of Stepwell";
            return Err(ApiError::new(ErrorCode::ValidationException, message));
        }
        if let Some(logging) = &self.logging {
            logging.check()?;
        }
        tags::check_count(&self.tags)?;
        self.encryption.as_ref().map_or(Ok(()), Encryption::check)
    }

    fn into_record(self, api: &Api, caller: &Caller) -> StateMachineRecord {
        StateMachineRecord {
            arn: caller.state_machine(&self.name),
            hash: hash_of(&self.definition),
            definition: self.definition,
            role_arn: self.role_arn,
            kind: self.kind,
            status: StateMachineStatus::Active,
            created_at: api.runtime().now(),
            revision_id: None,
            updated_at: None,
            tags: self.tags,
            logging: self.logging.map(|logging| JsonText::from_value(&logging.to_value())),
            tracing: self.tracing.map(|tracing| JsonText::from_value(&tracing.to_value())),
            encryption: self.encryption.map(|encryption| JsonText::from_value(&encryption.to_value())),
        }
    }
}

impl Api {
    /// Answers CreateStateMachine. Repeated with the same content it gives the state machine that is there; role and tags don't
    /// count for that, and are not changed.
    pub(super) async fn create_state_machine(&self, members: Members, caller: &Caller) -> Result<Answer, ApiError> {
        let input = Input::read(members, self.settings().definition_bytes_max)?;
        input.check()?;
        self.check_definition(input.definition.clone(), input.kind == "EXPRESS").await?;
        input.refuse_express()?;
        let record = input.into_record(self, caller);
        let created = match self.store()?.create_state_machine(&record).await? {
            None => record,
            Some(existing) => agree(existing, &record)?,
        };
        tracing::info!(state_machine = %created.arn, "state machine created");
        Answer::render(&json!({
            "stateMachineArn": created.arn.as_str(),
            "creationDate": seconds(created.created_at),
        }))
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

/// Gives the state machine that exists if it has the content asked for.
fn agree(existing: StateMachineRecord, asked: &StateMachineRecord) -> Result<StateMachineRecord, ApiError> {
    if existing.status == StateMachineStatus::Deleting {
        return Err(ApiError::quoting(ErrorCode::StateMachineDeleting, "State Machine is being deleted", existing.arn));
    }
    let same = existing.hash == asked.hash
        && existing.kind == asked.kind
        && Logging::shown(&existing) == Logging::shown(asked)
        && Tracing::shown(&existing) == Tracing::shown(asked)
        && Encryption::shown(&existing) == Encryption::shown(asked);
    if same {
        return Ok(existing);
    }
    Err(ApiError::quoting(ErrorCode::StateMachineAlreadyExists, "State Machine Already Exists", existing.arn))
}

/// Tells whether a text is the ARN of a role; whether there is such a role can't be known.
pub(super) fn is_role(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let is = |part: Option<&str>, fits: fn(&str) -> bool| part.is_some_and(fits);
    is(parts.next(), |part| part == "arn")
        && is(parts.next(), |part| part.starts_with("aws"))
        && is(parts.next(), |part| part == "iam")
        && is(parts.next(), str::is_empty)
        && is(parts.next(), |part| !part.is_empty())
        && is(parts.next(), |part| part.strip_prefix("role/").is_some_and(|name| !name.is_empty()))
}

/// Gives a configuration as it was stored, or what holds where none was given.
pub(super) fn stored_or(stored: Option<&JsonText>, default: Value) -> Value {
    stored.and_then(|text| text.to_value().ok()).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_told_from_other_texts() {
        for role in ["arn:aws:iam::123456789012:role/R", "arn:aws-cn:iam::1:role/service-role/R"] {
            assert!(is_role(role), "{role}");
        }
        for other in ["", "role", "arn:aws:iam::1:user/U", "arn:aws:iam::1:role/", "arn:aws:states:r:1:stateMachine:S"]
        {
            assert!(!is_role(other), "{other}");
        }
    }
}

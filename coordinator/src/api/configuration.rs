//! Role, logging, tracing and encryption of a state machine: checked, kept and shown. Executions are logged as the second says; nothing
//! acts on the last two yet.

use model::JsonText;
use serde_json::{Map, Value, json};
use wire::record::{LogLevel, LoggingRecord, PublicationRecord, StateMachineRecord};

use super::checks::Checks;
use super::error::{ApiError, ErrorCode};
use super::members::Members;

/// Is what the creation and the update of a state machine take alike, besides its definition.
pub(super) struct Configuration {
    role_arn: Option<String>,
    logging: Option<Logging>,
    tracing: Option<Tracing>,
    encryption: Option<Encryption>,
    /// Whether a version is to be published.
    pub(super) publication: Option<PublicationRecord>,
}

impl Configuration {
    /// Reads the rest of a request, after its role and logging, and ends the checks of the model's constraints.
    pub(super) fn read(
        role_arn: Option<String>,
        logging: Option<Logging>,
        mut members: Members,
        mut checks: Checks,
    ) -> Result<Self, ApiError> {
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
        let publication = publish.then_some(PublicationRecord { description: version_description });
        Ok(Self { role_arn, logging, tracing, encryption, publication })
    }

    /// Tells whether nothing of it was given.
    pub(super) fn is_empty(&self) -> bool {
        let Self { role_arn, logging, tracing, encryption, publication: _ } = self;
        role_arn.is_none() && logging.is_none() && tracing.is_none() && encryption.is_none()
    }

    /// Checks what the model's constraints don't tell.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        self.role_arn.as_deref().map_or(Ok(()), check_role)?;
        self.logging.as_ref().map_or(Ok(()), Logging::check)?;
        self.encryption.as_ref().map_or(Ok(()), Encryption::check)
    }

    /// Puts what was given into a record.
    pub(super) fn apply(&self, record: &mut StateMachineRecord) {
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

/// Is the `loggingConfiguration`.
pub(super) struct Logging {
    level: Option<String>,
    include_execution_data: bool,
    destinations: Vec<Option<String>>,
}

impl Logging {
    pub(super) fn read(members: &mut Members, checks: &mut Checks) -> Result<Option<Self>, ApiError> {
        let Some(mut given) = members.structure("loggingConfiguration")? else { return Ok(None) };
        let level = given.text("level")?;
        checks.one_of("loggingConfiguration.level", level.as_deref(), &["ALL", "ERROR", "FATAL", "OFF"]);
        let include_execution_data = given.boolean("includeExecutionData")?.unwrap_or_default();
        let mut destinations = Vec::new();
        for (index, mut destination) in given.structures("destinations")?.unwrap_or_default().into_iter().enumerate() {
            let group = destination.structure("cloudWatchLogsLogGroup")?;
            let arn = group.map(|mut group| group.text("logGroupArn")).transpose()?.flatten();
            let place = format!("loggingConfiguration.destinations.{}.member", index + 1);
            checks.length(&format!("{place}.cloudWatchLogsLogGroup.logGroupArn"), arn.as_deref(), 1, 256);
            destinations.push(arn);
        }
        Ok(Some(Self { level, include_execution_data, destinations }))
    }

    /// Refuses a level that nothing takes what is logged at, and what is no log group. Whether there is such a group is not asked: nothing
    /// is written to it.
    fn check(&self) -> Result<(), ApiError> {
        let off = self.level.as_deref().is_none_or(|level| level == "OFF");
        let fault = match self.destinations.as_slice() {
            [Some(group)] => log_group_fault(group),
            [] if off => None,
            _ => Some("Must specify exactly one Log Destination."),
        };
        let Some(fault) = fault else { return Ok(()) };
        let message = format!("Invalid Logging Configuration: {fault}");
        Err(ApiError::new(ErrorCode::InvalidLoggingConfiguration, message))
    }

    pub(super) fn to_value(&self) -> Value {
        let mut value = Map::new();
        value.insert("level".to_owned(), self.level.as_deref().unwrap_or("OFF").into());
        value.insert("includeExecutionData".to_owned(), self.include_execution_data.into());
        if !self.destinations.is_empty() {
            let group = |arn: &Option<String>| json!({ "cloudWatchLogsLogGroup": { "logGroupArn": arn } });
            value.insert("destinations".to_owned(), self.destinations.iter().map(group).collect());
        }
        Value::Object(value)
    }

    /// Gives what is to be logged of the executions of a state machine; nothing where the level is OFF.
    pub(super) fn of(record: &StateMachineRecord) -> Option<LoggingRecord> {
        let given = record.logging.as_ref()?.to_value().ok()?;
        let level = LogLevel::from_name(given["level"].as_str()?)?;
        Some(LoggingRecord { level, with_data: given["includeExecutionData"] == true })
    }

    /// Gives what is shown of a state machine's.
    pub(super) fn shown(record: &StateMachineRecord) -> Value {
        stored_or(record.logging.as_ref(), Self::default_shown())
    }

    /// Gives what holds where none was given.
    pub(super) fn default_shown() -> Value {
        json!({ "level": "OFF", "includeExecutionData": false })
    }
}

/// Is the `tracingConfiguration`.
pub(super) struct Tracing {
    enabled: bool,
}

impl Tracing {
    pub(super) fn read(members: &mut Members) -> Result<Option<Self>, ApiError> {
        let Some(mut given) = members.structure("tracingConfiguration")? else { return Ok(None) };
        Ok(Some(Self { enabled: given.boolean("enabled")?.unwrap_or_default() }))
    }

    pub(super) fn to_value(&self) -> Value {
        json!({ "enabled": self.enabled })
    }

    /// Gives what is shown of a state machine's.
    pub(super) fn shown(record: &StateMachineRecord) -> Value {
        stored_or(record.tracing.as_ref(), json!({ "enabled": false }))
    }
}

/// Is the `encryptionConfiguration`.
pub(super) struct Encryption {
    kind: String,
    key: Option<String>,
    reuse_seconds: Option<i64>,
}

impl Encryption {
    pub(super) fn read(members: &mut Members, checks: &mut Checks) -> Result<Option<Self>, ApiError> {
        let Some(mut given) = members.structure("encryptionConfiguration")? else { return Ok(None) };
        let kind = given.text("type")?;
        checks.required("encryptionConfiguration.type", kind.as_ref());
        let kinds = ["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"];
        checks.one_of("encryptionConfiguration.type", kind.as_deref(), &kinds);
        let key = given.text("kmsKeyId")?;
        checks.length("encryptionConfiguration.kmsKeyId", key.as_deref(), 1, 2048);
        let reuse_seconds = given.integer("kmsDataKeyReusePeriodSeconds")?;
        checks.range("encryptionConfiguration.kmsDataKeyReusePeriodSeconds", reuse_seconds, 60, 900);
        Ok(Some(Self { kind: kind.unwrap_or_default(), key, reuse_seconds }))
    }

    /// Refuses keys that can't be used: a promise to encrypt that is not kept would be worse.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        if self.kind == "AWS_OWNED_KEY" && self.key.is_none() {
            return Ok(());
        }
        let message =
            "Invalid Encryption Configuration: customer managed keys are not supported by this version of Stepwell";
        Err(ApiError::new(ErrorCode::InvalidEncryptionConfiguration, message))
    }

    pub(super) fn to_value(&self) -> Value {
        let mut value = Map::new();
        value.insert("type".to_owned(), self.kind.as_str().into());
        if let Some(key) = &self.key {
            value.insert("kmsKeyId".to_owned(), key.as_str().into());
        }
        if let Some(seconds) = self.reuse_seconds {
            value.insert("kmsDataKeyReusePeriodSeconds".to_owned(), seconds.into());
        }
        Value::Object(value)
    }

    /// Gives what is shown of a state machine's.
    pub(super) fn shown(record: &StateMachineRecord) -> Value {
        stored_or(record.encryption.as_ref(), json!({ "type": "AWS_OWNED_KEY" }))
    }
}

/// Refuses what is not the ARN of a role.
pub(super) fn check_role(arn: &str) -> Result<(), ApiError> {
    if is_role(arn) { Ok(()) } else { Err(ApiError::quoting(ErrorCode::InvalidArn, "Invalid Role Arn", arn)) }
}

/// Says why a text is not the ARN of a log group with all its streams: `arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*`.
///
/// AWS's words about the qualifier are reported in <https://github.com/hashicorp/terraform-provider-aws/pull/17683>.
fn log_group_fault(arn: &str) -> Option<&'static str> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "logs", region, account, "log-group", name, qualifier @ ..] = parts.as_slice() else {
        return Some("Log Destination not found.");
    };
    if !partition.starts_with("aws") || [region, account, name].into_iter().any(|part| part.is_empty()) {
        return Some("Log Destination not found.");
    }
    (qualifier != ["*"]).then_some("Log Group ARN must be provided with '*' qualifier.")
}

/// Tells whether a text is the ARN of a role; whether there is such a role can't be known.
fn is_role(arn: &str) -> bool {
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

    #[test]
    fn log_groups_are_told_from_other_texts() {
        let (missing, unqualified) =
            (Some("Log Destination not found."), Some("Log Group ARN must be provided with '*' qualifier."));
        for (arn, expect) in [
            ("arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/states/g:*", None),
            ("arn:aws-cn:logs:cn-north-1:123456789012:log-group:g:*", None),
            ("arn:aws:logs:us-east-1:123456789012:log-group:g", unqualified),
            ("arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream:s", unqualified),
            ("arn:aws:logs:us-east-1:123456789012:log-group::*", missing),
            ("arn:aws:logs:us-east-1::log-group:g:*", missing),
            ("arn:aws:s3:::b", missing),
            ("nope", missing),
        ] {
            assert_eq!(log_group_fault(arn), expect, "{arn}");
        }
    }
}

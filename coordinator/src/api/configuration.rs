//! Logging, tracing and encryption of a state machine: checked, kept and shown. Nothing acts on them yet.

use serde_json::{Map, Value, json};
use wire::record::StateMachineRecord;

use super::checks::Checks;
use super::create_state_machine::stored_or;
use super::error::{ApiError, ErrorCode};
use super::members::Members;

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

    /// Refuses a level that nothing takes what is logged at.
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let off = self.level.as_deref().is_none_or(|level| level == "OFF");
        let one = matches!(self.destinations.as_slice(), [Some(_)]);
        if one || off && self.destinations.is_empty() {
            return Ok(());
        }
        let message = "Invalid Logging Configuration: Must specify exactly one Log Destination.";
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

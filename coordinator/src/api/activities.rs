//! CreateActivity, DescribeActivity, DeleteActivity, GetActivityTask.

use model::JsonText;
use serde_json::{Value, json};
use store::{Resource, ResourceKey};
use wire::record::ActivityRecord;

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::activity_arn;
use super::caller::Caller;
use super::checks::Checks;
use super::configuration::{Encryption, stored_or};
use super::error::{ApiError, ErrorCode};
use super::members::Members;
use super::name::check_name;
use super::resource::{activity_does_not_exist, corrupt};
use super::tags;
use crate::driver::TakenTask;

impl Api {
    /// Answers CreateActivity. One of this name that is there already is given; its tags stay as they are.
    pub(super) async fn create_activity(&self, mut members: Members, caller: &Caller) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let name = members.text("name")?;
        checks.required("name", name.as_ref());
        checks.length("name", name.as_deref(), 1, 80);
        let given = tags::read(&mut members, &mut checks)?.unwrap_or_default();
        let encryption = Encryption::read(&mut members, &mut checks)?;
        checks.finish()?;
        let name = name.unwrap_or_default();
        check_name(&name)?;
        let mut own = tags::Tags::new();
        tags::add(&mut own, &given, self.settings().tags_max)?;
        encryption.as_ref().map_or(Ok(()), Encryption::check)?;
        let record = ActivityRecord {
            arn: caller.activity(&name),
            created_at: self.runtime().now(),
            tags: own,
            encryption: encryption.map(|encryption| JsonText::from_value(&encryption.to_value())),
        };
        let key = ResourceKey::activity(&record.arn);
        let created = match self.store()?.create_resource(&key, &Resource::new(record.encode())).await? {
            None => record,
            Some(existing) => agree(ActivityRecord::decode(&existing.record).map_err(corrupt)?, &record)?,
        };
        tracing::info!(activity = %created.arn, "activity created");
        let (arn, at) = (created.arn.as_str(), seconds(created.created_at));
        Answer::render(&json!({ "activityArn": arn, "creationDate": at }))
    }

    /// Answers DescribeActivity.
    pub(super) async fn describe_activity(&self, mut members: Members) -> Result<Answer, ApiError> {
        let arn = activity_arn(&arn_member(&mut members, Checks::default())?)?;
        let (record, _) = self.activity(&arn).await?.ok_or_else(|| activity_does_not_exist(&arn))?;
        Answer::render(&json!({
            "activityArn": arn.as_str(),
            "name": arn.name(),
            "creationDate": seconds(record.created_at),
            "encryptionConfiguration": encryption_shown(&record),
        }))
    }

    /// Answers DeleteActivity; one that is not there is as good as deleted. What waits in its queue waits on, for one of the same name.
    pub(super) async fn delete_activity(&self, mut members: Members) -> Result<Answer, ApiError> {
        let arn = activity_arn(&arn_member(&mut members, Checks::default())?)?;
        let key = ResourceKey::activity(&arn);
        while let Some(found) = self.store()?.resource(&key).await? {
            if self.store()?.replace_resource(&key, found.revision, None).await? {
                tracing::info!(activity = %arn, "activity deleted");
                break;
            }
        }
        Answer::render(&json!({}))
    }

    /// Answers GetActivityTask: waits until there is a task, and answers without one at last.
    pub(super) async fn get_activity_task(&self, members: Members) -> Result<Answer, ApiError> {
        let taken = self.poll_activity(members).await?;
        let answer = Answer::render(&polled(taken.as_ref()))?;
        if let Some(taken) = taken {
            taken.received();
        }
        Ok(answer)
    }

    /// Waits for a task of an activity. Who is given one says when it has it.
    pub(super) async fn poll_activity(&self, mut members: Members) -> Result<Option<TakenTask>, ApiError> {
        let mut checks = Checks::default();
        let worker = members.text("workerName")?;
        checks.length("workerName", worker.as_deref(), 1, 80);
        let arn = activity_arn(&arn_member(&mut members, checks)?)?;
        self.activity(&arn).await?.ok_or_else(|| activity_does_not_exist(&arn))?;
        let wait = self.settings().activity_wait;
        let polled = self.until_stopping(self.driver()?.activity_task(&arn, worker.as_deref(), wait)).await;
        let taken = polled.transpose().map_err(|error| {
            tracing::debug!(activity = %arn, %error, "a poll gets no answer");
            ApiError::from(store::Error::Unavailable(error.to_string()))
        })?;
        Ok(taken.flatten())
    }
}

/// Gives the answer to a poll.
pub(super) fn polled(taken: Option<&TakenTask>) -> Value {
    match taken {
        Some(taken) => json!({ "taskToken": taken.token, "input": taken.input.as_str() }),
        None => json!({ "taskToken": null }),
    }
}

fn arn_member(members: &mut Members, mut checks: Checks) -> Result<String, ApiError> {
    let arn = members.text("activityArn")?;
    checks.required("activityArn", arn.as_ref());
    checks.length("activityArn", arn.as_deref(), 1, 256);
    checks.finish()?;
    Ok(arn.unwrap_or_default())
}

fn encryption_shown(record: &ActivityRecord) -> Value {
    stored_or(record.encryption.as_ref(), json!({ "type": "AWS_OWNED_KEY" }))
}

/// Gives the activity that exists if it is encrypted as asked.
fn agree(existing: ActivityRecord, asked: &ActivityRecord) -> Result<ActivityRecord, ApiError> {
    if encryption_shown(&existing) == encryption_shown(asked) {
        return Ok(existing);
    }
    Err(ApiError::quoting(ErrorCode::ActivityAlreadyExists, "Activity Already Exists", existing.arn))
}

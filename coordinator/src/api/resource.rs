//! Resources that are read, changed and written back, whoever changes them at the same time.

use model::{ActivityArn, Revision, StateMachineArn, StateMachineStatus};
use store::{Resource, ResourceKey};
use wire::record::{ActivityRecord, RecordError, StateMachineRecord};

use super::error::{ApiError, ErrorCode};
use super::{Api, arn};

/// How often a change is tried against others: each of them made one.
pub(super) const TRIES_MAX: usize = 16;

impl Api {
    /// Changes a state machine; gives it as it is then. A change that leaves it as it was writes nothing.
    pub(super) async fn change_state_machine(
        &self,
        arn: &StateMachineArn,
        mut change: impl FnMut(&mut StateMachineRecord) -> Result<(), ApiError>,
    ) -> Result<StateMachineRecord, ApiError> {
        for _ in 0..TRIES_MAX {
            let found = self.store()?.state_machine_at(arn).await?;
            let (record, revision) = found.ok_or_else(|| arn::does_not_exist(arn))?;
            let mut next = record.clone();
            change(&mut next)?;
            if next == record || self.store()?.replace_state_machine(revision, &next).await? {
                return Ok(next);
            }
        }
        Err(contended(arn))
    }

    /// Changes an activity; gives it as it is then.
    pub(super) async fn change_activity(
        &self,
        arn: &ActivityArn,
        mut change: impl FnMut(&mut ActivityRecord) -> Result<(), ApiError>,
    ) -> Result<ActivityRecord, ApiError> {
        for _ in 0..TRIES_MAX {
            let (record, revision) = self.activity(arn).await?.ok_or_else(|| activity_does_not_exist(arn))?;
            let mut next = record.clone();
            change(&mut next)?;
            let resource = Resource::following(revision, next.encode());
            let key = ResourceKey::activity(arn);
            if next == record || self.store()?.replace_resource(&key, revision, Some(&resource)).await? {
                return Ok(next);
            }
        }
        Err(contended(arn))
    }

    /// Reads an activity and the revision of its record.
    pub(super) async fn activity(&self, arn: &ActivityArn) -> Result<Option<(ActivityRecord, Revision)>, ApiError> {
        let Some(resource) = self.store()?.resource(&ResourceKey::activity(arn)).await? else { return Ok(None) };
        let record = ActivityRecord::decode(&resource.record).map_err(corrupt)?;
        Ok(Some((record, resource.revision)))
    }
}

/// Refuses a state machine that is being deleted.
pub(super) fn refuse_deleting(record: &StateMachineRecord) -> Result<(), ApiError> {
    if record.status == StateMachineStatus::Deleting {
        return Err(ApiError::quoting(ErrorCode::StateMachineDeleting, "State Machine is being deleted", &record.arn));
    }
    Ok(())
}

/// Says that there is no such activity.
pub(super) fn activity_does_not_exist(arn: &ActivityArn) -> ApiError {
    ApiError::quoting(ErrorCode::ActivityDoesNotExist, "Activity Does Not Exist", arn)
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn corrupt(error: RecordError) -> ApiError {
    store::Error::Corrupt(error.chain()).into()
}

/// Says that others change a resource all the time.
pub(super) fn contended(arn: impl std::fmt::Display) -> ApiError {
    ApiError::new(ErrorCode::ConflictException, format!("{arn} is being changed by others. Try again later."))
}

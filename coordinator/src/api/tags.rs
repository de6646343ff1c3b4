//! TagResource, UntagResource, ListTagsForResource, and the tags of what is created.

use model::{ActivityArn, StateMachineArn};
use serde_json::{Value, json};

use super::Api;
use super::answer::Answer;
use super::checks::Checks;
use super::error::{ApiError, ErrorCode};
use super::members::Members;

/// Are tags in order.
pub(super) type Tags = Vec<(String, String)>;

/// Is a resource that has tags.
enum Tagged {
    StateMachine(StateMachineArn),
    Activity(ActivityArn),
}

impl Api {
    /// Answers TagResource.
    pub(super) async fn tag_resource(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("resourceArn")?;
        checks.required("resourceArn", arn.as_ref());
        checks.length("resourceArn", arn.as_deref(), 1, 256);
        let added = read(&mut members, &mut checks)?;
        checks.required("tags", added.as_ref());
        checks.finish()?;
        let added = added.unwrap_or_default();
        self.change_tags(&arn.unwrap_or_default(), |tags| add(tags, &added, self.settings().tags_max)).await?;
        Answer::render(&json!({}))
    }

    /// Answers UntagResource.
    pub(super) async fn untag_resource(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("resourceArn")?;
        let keys = members.texts("tagKeys")?;
        checks.required("resourceArn", arn.as_ref());
        checks.length("resourceArn", arn.as_deref(), 1, 256);
        checks.required("tagKeys", keys.as_ref());
        let keys = keys.unwrap_or_default();
        for (index, key) in keys.iter().enumerate() {
            checks.length(&format!("tagKeys.{}.member", index + 1), Some(key), 1, 128);
        }
        checks.finish()?;
        self.change_tags(&arn.unwrap_or_default(), |tags| {
            tags.retain(|(key, _)| !keys.contains(key));
            Ok(())
        })
        .await?;
        Answer::render(&json!({}))
    }

    /// Answers ListTagsForResource.
    pub(super) async fn list_tags_for_resource(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("resourceArn")?;
        checks.required("resourceArn", arn.as_ref());
        checks.length("resourceArn", arn.as_deref(), 1, 256);
        checks.finish()?;
        let tags = self.change_tags(&arn.unwrap_or_default(), |_| Ok(())).await?;
        let tags: Vec<Value> = tags.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        Answer::render(&json!({ "tags": tags }))
    }

    /// Changes the tags of a resource; gives them as they are then.
    async fn change_tags(
        &self,
        arn: &str,
        mut change: impl FnMut(&mut Tags) -> Result<(), ApiError>,
    ) -> Result<Tags, ApiError> {
        let changed = match tagged(arn)? {
            Tagged::StateMachine(arn) => {
                self.change_state_machine(&arn, |record| change(&mut record.tags)).await.map(|record| record.tags)
            }
            Tagged::Activity(arn) => {
                self.change_activity(&arn, |record| change(&mut record.tags)).await.map(|record| record.tags)
            }
        };
        let is_gone = |code| matches!(code, ErrorCode::StateMachineDoesNotExist | ErrorCode::ActivityDoesNotExist);
        changed.map_err(|error| if is_gone(error.code) { not_found(arn) } else { error })
    }
}

/// Tells what an ARN names; only state machines and activities have tags.
fn tagged(text: &str) -> Result<Tagged, ApiError> {
    if let Ok(arn) = ActivityArn::parse(text) {
        return Ok(Tagged::Activity(arn));
    }
    match StateMachineArn::parse(text) {
        Ok(arn) => Ok(Tagged::StateMachine(arn)),
        // A version or an alias is well-formed, and has no tags.
        Err(model::ArnError::Format(_)) if text.split(':').nth(5) == Some("stateMachine") => Err(not_found(text)),
        Err(error) => Err(error.into()),
    }
}

/// Says that there is no such resource.
pub(super) fn not_found(arn: impl std::fmt::Display) -> ApiError {
    ApiError::quoting(ErrorCode::ResourceNotFound, "Resource not found", arn)
}

/// Reads the member `tags`.
pub(super) fn read(members: &mut Members, checks: &mut Checks) -> Result<Option<Tags>, ApiError> {
    let Some(given) = members.structures("tags")? else { return Ok(None) };
    let mut tags = Tags::new();
    for (index, mut tag) in given.into_iter().enumerate() {
        let (key, value) = (tag.text("key")?, tag.text("value")?);
        let field = |name: &str| format!("tags.{}.member.{name}", index + 1);
        checks.length(&field("key"), key.as_deref(), 1, 128);
        checks.tag_key(&field("key"), key.as_deref());
        checks.length(&field("value"), value.as_deref(), 0, 256);
        checks.tag(&field("value"), value.as_deref());
        tags.push((key.unwrap_or_default(), value.unwrap_or_default()));
    }
    Ok(Some(tags))
}

/// Adds tags; one whose key is there already takes its place. More than a resource may have are refused.
pub(super) fn add(tags: &mut Tags, added: &[(String, String)], max: usize) -> Result<(), ApiError> {
    for (key, value) in added {
        match tags.iter_mut().find(|(known, _)| known == key) {
            Some((_, known)) => known.clone_from(value),
            None => tags.push((key.clone(), value.clone())),
        }
        if tags.len() > max {
            return Err(ApiError::new(ErrorCode::TooManyTags, format!("More than {max} tags")));
        }
    }
    Ok(())
}

//! PublishStateMachineVersion, ListStateMachineVersions, DeleteStateMachineVersion.

use model::{QualifiedArn, Qualifier, StateMachineArn};
use serde_json::json;
use wire::record::{PublishedRecord, StateMachineRecord, VersionRecord};

use super::Api;
use super::answer::Answer;
use super::arn::{qualified_arn, state_machine_arn};
use super::checks::Checks;
use super::error::{ApiError, ErrorCode};
use super::lists::list;
use super::members::Members;
use super::page;
use super::published::listed;
use super::resource::refuse_deleting;

/// What callers name the revision of a state machine by that was never updated.
pub(super) const INITIAL: &str = "INITIAL";

/// Names the revision of a state machine as callers do.
pub(super) fn revision_of(machine: &StateMachineRecord) -> &str {
    machine.revision_id.as_deref().unwrap_or(INITIAL)
}

impl Api {
    /// Answers PublishStateMachineVersion. A revision that was published is not published again.
    pub(super) async fn publish_state_machine_version(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("stateMachineArn")?;
        let revision = members.text("revisionId")?;
        let description = members.text("description")?;
        checks.required("stateMachineArn", arn.as_ref());
        checks.length("stateMachineArn", arn.as_deref(), 1, 256);
        checks.secret_length("description", description.as_deref(), 0, 256);
        checks.finish()?;
        let arn = state_machine_arn(&arn.unwrap_or_default())?;
        let version = self.publish(&arn, revision.as_deref(), description).await?;
        Answer::render(&listed("stateMachineVersionArn", &version_arn(&arn, version.number), version.created_at))
    }

    /// Publishes a state machine as it is now, if it still has the revision asked for; gives the version.
    pub(super) async fn publish(
        &self,
        arn: &StateMachineArn,
        revision: Option<&str>,
        description: Option<String>,
    ) -> Result<VersionRecord, ApiError> {
        let now = self.runtime().now();
        let published = self.change_published(arn, |machine, published| {
            refuse_deleting(machine)?;
            let current = revision_of(machine);
            if let Some(revision) = revision.filter(|revision| *revision != current) {
                let message = format!(
                    "Failed to publish the State Machine version for revision {revision}. The current State Machine revision is {current}."
                );
                return Err(ApiError::new(ErrorCode::ConflictException, message));
            }
            if let Some(version) = published.version_of(machine.revision_id.as_deref()) {
                return Ok(version.clone());
            }
            self.check_room(published)?;
            published.last_version += 1;
            let version = VersionRecord::of(machine, published.last_version, description.clone(), now);
            published.versions.push(version.clone());
            Ok(version)
        });
        let version = published.await?;
        tracing::info!(state_machine = %arn, version = version.number, "state machine published");
        Ok(version)
    }

    /// Refuses one more version than a state machine may have.
    pub(super) fn check_room(&self, published: &PublishedRecord) -> Result<(), ApiError> {
        let max = self.settings().versions_max;
        if published.versions.len() < max {
            return Ok(());
        }
        let message = format!("A state machine has {max} versions at most. Delete some first.");
        Err(ApiError::new(ErrorCode::ServiceQuotaExceededException, message))
    }

    /// Answers ListStateMachineVersions, the newest first.
    pub(super) async fn list_state_machine_versions(&self, members: Members) -> Result<Answer, ApiError> {
        let asked = Asked::read(members)?;
        let machine = self.state_machine_alone(&state_machine_arn(&asked.arn)?).await?;
        let (of, now) = (format!("versions of {}", machine.arn), self.runtime().now());
        let before = asked.token.map(|token| page::redeem(&token, &of, now)).transpose()?;
        let before: u32 = before.and_then(|number| number.parse().ok()).unwrap_or(u32::MAX);
        let (published, _) = self.published(&machine).await?;
        let versions = published.versions.iter().rev().filter(|version| version.number < before);
        let mut page: Vec<&VersionRecord> = versions.take(asked.size + 1).collect();
        let has_more = page::cut(&mut page, asked.size);
        let last = page.last().filter(|_| has_more);
        let next = last.map(|version| page::issue(&of, &version.number.to_string(), now));
        let view = |version: &&VersionRecord| {
            let arn = version_arn(&machine.arn, version.number);
            listed("stateMachineVersionArn", &arn, version.created_at)
        };
        Answer::render(&list("stateMachineVersions", page.iter().map(view).collect(), next))
    }

    /// Answers DeleteStateMachineVersion; one that is not there is as good as deleted. Executions of it go on.
    pub(super) async fn delete_state_machine_version(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("stateMachineVersionArn")?;
        checks.required("stateMachineVersionArn", arn.as_ref());
        checks.length("stateMachineVersionArn", arn.as_deref(), 1, 2_000);
        checks.finish()?;
        let text = arn.unwrap_or_default();
        let arn = qualified_arn(&text)?;
        let Some(Qualifier::Version(number)) = arn.qualifier else {
            return Err(model::ArnError::Format(text).into());
        };
        let deleted = self.change_published(&arn.machine, |_, published| {
            let refers = |alias: &&wire::record::AliasRecord| alias.routes.iter().any(|route| route.version == number);
            let names: Vec<&str> = published.aliases.iter().filter(refers).map(|alias| alias.name.as_str()).collect();
            if !names.is_empty() {
                let message = format!(
                    "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [{}]",
                    names.join(", ")
                );
                return Err(ApiError::new(ErrorCode::ConflictException, message));
            }
            published.versions.retain(|version| version.number != number);
            Ok(())
        });
        match deleted.await {
            Err(error) if error.code != ErrorCode::StateMachineDoesNotExist => Err(error),
            Ok(()) | Err(_) => Answer::render(&json!({})),
        }
    }
}

/// Is what the lists of versions and of aliases are asked.
pub(super) struct Asked {
    pub(super) arn: String,
    pub(super) token: Option<String>,
    pub(super) size: usize,
}

impl Asked {
    pub(super) fn read(mut members: Members) -> Result<Self, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("stateMachineArn")?;
        let max_results = members.integer("maxResults")?;
        let token = members.text("nextToken")?;
        checks.required("stateMachineArn", arn.as_ref());
        checks.length("stateMachineArn", arn.as_deref(), 1, 256);
        checks.page(max_results, token.as_deref(), 1_024);
        checks.finish()?;
        Ok(Self { arn: arn.unwrap_or_default(), token, size: page::size(max_results) })
    }
}

/// Names a version.
pub(super) fn version_arn(machine: &StateMachineArn, number: u32) -> QualifiedArn {
    QualifiedArn { machine: machine.clone(), qualifier: Some(Qualifier::Version(number)) }
}

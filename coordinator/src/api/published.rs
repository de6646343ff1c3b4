//! What was published of state machines: what an ARN with a version or an alias stands for, and changes of it.

use model::{QualifiedArn, Qualifier, Revision, StateMachineArn, StateMachineStatus};
use store::ResourceKey;
use wire::record::{PublishedRecord, RouteRecord, StateMachineRecord, VersionRecord};

use super::arn::does_not_exist;
use super::error::ApiError;
use super::resource::{TRIES_MAX, contended};
use super::{Api, answer};

/// Is what an ARN names.
pub(super) struct Named {
    /// The state machine as it is now, without the text of its definition; its ARN is the plain one.
    pub(super) machine: StateMachineRecord,
    /// What was published of it, if the ARN names a version or an alias; that is there.
    pub(super) published: Option<PublishedRecord>,
}

/// Is what an ARN stands for.
pub(super) struct Resolved {
    /// The state machine, with the content that is meant; its ARN is the plain one.
    pub(super) machine: StateMachineRecord,
    /// The version, unless it is the state machine as it is now.
    pub(super) version: Option<VersionRecord>,
    /// The alias that chose the version.
    pub(super) alias: Option<String>,
}

impl Api {
    /// Gives what an ARN names, which it must.
    pub(super) async fn named(&self, arn: &QualifiedArn) -> Result<Named, ApiError> {
        let missing = || does_not_exist(arn);
        let (machine, _) = self.store()?.state_machine_alone(&arn.machine).await?.ok_or_else(missing)?;
        self.see_to_deletion(&machine);
        let Some(qualifier) = &arn.qualifier else { return Ok(Named { machine, published: None }) };
        let (published, _) = self.published(&machine).await?;
        let is_there = match qualifier {
            Qualifier::Version(number) => published.version(*number).is_some(),
            Qualifier::Alias(name) => published.alias(name).is_some(),
        };
        if is_there { Ok(Named { machine, published: Some(published) }) } else { Err(missing()) }
    }

    /// Gives what an ARN stands for: a state machine as it is now, or as the version has it that is named or that the alias chooses.
    pub(super) async fn resolve(&self, arn: &QualifiedArn) -> Result<Resolved, ApiError> {
        let missing = || does_not_exist(arn);
        let Some(qualifier) = &arn.qualifier else {
            return Ok(Resolved { machine: self.state_machine(&arn.machine).await?, version: None, alias: None });
        };
        let Named { machine: now, published } = self.named(arn).await?;
        let published = published.ok_or_else(missing)?;
        let (number, alias) = match qualifier {
            Qualifier::Version(number) => (*number, None),
            Qualifier::Alias(name) => {
                let alias = published.alias(name).ok_or_else(missing)?;
                (self.choose(&alias.routes).ok_or_else(missing)?, Some(alias.name.clone()))
            }
        };
        let version = published.version(number).ok_or_else(missing)?;
        // Not there if the version was deleted meanwhile.
        let definition = self.store()?.definition(&version.hash).await?.ok_or_else(missing)?;
        let machine = StateMachineRecord { definition, ..version.machine(&now) };
        Ok(Resolved { machine, version: Some(version.clone()), alias })
    }

    /// Chooses one of an alias' versions by their weights.
    fn choose(&self, routes: &[RouteRecord]) -> Option<u32> {
        let total: u64 = routes.iter().map(|route| u64::from(route.weight)).sum();
        let mut drawn = self.runtime().random() % total.max(1);
        let chosen = routes.iter().find(|route| {
            let weight = u64::from(route.weight);
            let is_hit = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            is_hit
        });
        chosen.map(|route| route.version)
    }

    /// Gives what was published of a state machine, and the revision of the record that is there.
    pub(super) async fn published(
        &self,
        machine: &StateMachineRecord,
    ) -> Result<(PublishedRecord, Option<Revision>), ApiError> {
        let nothing = || PublishedRecord::of(machine);
        Ok(match self.store()?.published(&machine.arn).await? {
            None => (nothing(), None),
            // One that an earlier state machine of this name left behind counts for nothing.
            Some((record, seen)) if record.machine_created_at != machine.created_at => (nothing(), Some(seen)),
            Some((record, seen)) => (record, Some(seen)),
        })
    }

    /// Changes what is published of a state machine; gives what the change gives. A change that leaves it as it was writes nothing.
    pub(super) async fn change_published<T>(
        &self,
        arn: &StateMachineArn,
        mut change: impl FnMut(&StateMachineRecord, &mut PublishedRecord) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        for _ in 0..TRIES_MAX {
            let machine = self.state_machine_alone(arn).await?;
            let (before, seen) = self.published(&machine).await?;
            let mut next = before.clone();
            let given = change(&machine, &mut next)?;
            if next == before {
                return Ok(given);
            }
            let Some(revision) = self.store()?.publish(arn, seen, &next).await? else { continue };
            if seen.is_some() || self.keeps_published(&machine, revision).await? {
                return Ok(given);
            }
        }
        Err(contended(arn))
    }

    /// Tells whether a state machine is still there to bear what was the first to be published of it; removes that otherwise, since whoever
    /// deleted it may have looked before there was anything.
    async fn keeps_published(&self, machine: &StateMachineRecord, written: Revision) -> Result<bool, ApiError> {
        let now = self.store()?.state_machine_alone(&machine.arn).await?;
        let is_kept = now
            .is_some_and(|(now, _)| now.created_at == machine.created_at && now.status == StateMachineStatus::Active);
        if !is_kept {
            self.store()?.replace_resource(&ResourceKey::published(&machine.arn), written, None).await?;
        }
        Ok(is_kept)
    }
}

/// Puts what a list shows of an ARN and an instant.
pub(super) fn listed(member: &str, arn: &QualifiedArn, created_at: model::Timestamp) -> serde_json::Value {
    serde_json::json!({ member: arn.to_string(), "creationDate": answer::seconds(created_at) })
}

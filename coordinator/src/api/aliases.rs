//! CreateStateMachineAlias, UpdateStateMachineAlias, DescribeStateMachineAlias, DeleteStateMachineAlias, ListStateMachineAliases.

use model::{QualifiedArn, Qualifier, StateMachineArn, Timestamp};
use serde_json::{Map, Value, json};
use wire::record::{AliasRecord, PublishedRecord, RouteRecord};

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::{does_not_exist, qualified_arn};
use super::checks::Checks;
use super::error::{ApiError, ErrorCode};
use super::lists::list;
use super::members::Members;
use super::page;
use super::published::{Named, listed};
use super::resource::refuse_deleting;
use super::routing::Routing;
use super::tags::not_found;
use super::versions::{Asked, version_arn};

impl Api {
    /// Answers CreateStateMachineAlias. Repeated with the same content it gives the alias that is there.
    pub(super) async fn create_state_machine_alias(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let description = members.text("description")?;
        let name = members.text("name")?;
        let routing = Routing::read(&mut members, &mut checks)?;
        checks.secret_length("description", description.as_deref(), 0, 256);
        checks.required("name", name.as_ref());
        checks.length("name", name.as_deref(), 1, 80);
        checks.alias_name("name", name.as_deref());
        checks.required("routingConfiguration", routing.as_ref());
        checks.finish()?;
        let (machine, routes) = routing.unwrap_or_default().check()?;
        let name = name.unwrap_or_default();
        let now = self.runtime().now();
        let created = self.change_aliases(&machine, |published| {
            refuse_missing(&machine, published, &routes)?;
            if let Some(existing) = published.alias(&name) {
                return agree(&machine, existing, description.as_ref(), &routes);
            }
            let max = self.settings().aliases_max;
            if published.aliases.len() >= max {
                let message = format!("A state machine has {max} aliases at most. Delete some first.");
                return Err(ApiError::new(ErrorCode::ServiceQuotaExceededException, message));
            }
            let (name, description, routes) = (name.clone(), description.clone(), routes.clone());
            published.aliases.push(AliasRecord { name, description, routes, created_at: now, updated_at: now });
            Ok(now)
        });
        let created_at = created.await.map_err(|error| missing_as(error, &machine))?;
        let arn = alias_arn(&machine, &name);
        tracing::info!(alias = %arn, "alias created");
        Answer::render(&listed("stateMachineAliasArn", &arn, created_at))
    }

    /// Answers UpdateStateMachineAlias. Executions that run keep the version that they started with.
    pub(super) async fn update_state_machine_alias(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = alias_member(&mut members, &mut checks)?;
        let description = members.text("description")?;
        checks.secret_length("description", description.as_deref(), 0, 256);
        let routing = Routing::read(&mut members, &mut checks)?;
        checks.finish()?;
        let alias = AliasName::parse(&arn)?;
        if description.is_none() && routing.is_none() {
            let message = "Either the description or the routingConfiguration must be specified";
            return Err(ApiError::new(ErrorCode::ValidationException, message));
        }
        let routes = routing.map(Routing::check).transpose()?;
        if let Some((machine, _)) = routes.as_ref().filter(|(machine, _)| *machine != alias.machine) {
            let message =
                format!("Routing configuration must contain versions of {}. Received: {machine}", alias.machine);
            return Err(ApiError::new(ErrorCode::ValidationException, message));
        }
        let now = self.runtime().now();
        let updated = self.change_aliases(&alias.machine, |published| {
            if let Some((machine, routes)) = &routes {
                refuse_missing(machine, published, routes)?;
            }
            let found = published.aliases.iter_mut().find(|known| known.name == alias.name);
            let record = found.ok_or_else(|| not_found(&arn))?;
            let before = record.clone();
            if description.is_some() {
                record.description.clone_from(&description);
            }
            if let Some((_, routes)) = &routes {
                record.routes.clone_from(routes);
            }
            if *record != before {
                record.updated_at = now;
            }
            Ok(record.updated_at)
        });
        let updated_at = updated.await.map_err(|error| missing_as(error, &arn))?;
        tracing::info!(alias = arn, "alias updated");
        Answer::render(&json!({ "updateDate": seconds(updated_at) }))
    }

    /// Answers DescribeStateMachineAlias.
    pub(super) async fn describe_state_machine_alias(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = alias_member(&mut members, &mut checks)?;
        checks.finish()?;
        let alias = AliasName::parse(&arn)?;
        let machine = self.state_machine_alone(&alias.machine).await.map_err(|error| missing_as(error, &arn))?;
        let (published, _) = self.published(&machine).await?;
        let record = published.alias(&alias.name).ok_or_else(|| not_found(&arn))?;
        Answer::render(&view(&alias.machine, record))
    }

    /// Answers DeleteStateMachineAlias.
    pub(super) async fn delete_state_machine_alias(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = alias_member(&mut members, &mut checks)?;
        checks.finish()?;
        let alias = AliasName::parse(&arn)?;
        let deleted = self.change_published(&alias.machine, |_, published| {
            let before = published.aliases.len();
            published.aliases.retain(|known| known.name != alias.name);
            if published.aliases.len() == before { Err(not_found(&arn)) } else { Ok(()) }
        });
        deleted.await.map_err(|error| missing_as(error, &arn))?;
        tracing::info!(alias = arn, "alias deleted");
        Answer::render(&json!({}))
    }

    /// Answers ListStateMachineAliases: those of a state machine, or those that stand for a version; the oldest first, as AWS was
    /// recorded to list them.
    pub(super) async fn list_state_machine_aliases(&self, members: Members) -> Result<Answer, ApiError> {
        let asked = Asked::read(members)?;
        let arn = qualified_arn(&asked.arn)?;
        // Of an alias there are none.
        if let Some(Qualifier::Alias(_)) = arn.qualifier {
            return Err(does_not_exist(&arn));
        }
        let Named { machine, published } = self.named(&arn).await?;
        refuse_deleting(&machine)?;
        let (of, now) = (format!("aliases of {arn}"), self.runtime().now());
        let after = asked.token.map(|token| page::redeem(&token, &of, now)).transpose()?;
        let after = after.as_deref().and_then(|place| place.split_once(';'));
        let after = after.and_then(|(at, name)| Some((Timestamp::from_millis(at.parse().ok()?), name)));
        let mut published = match published {
            Some(published) => published,
            None => self.published(&machine).await?.0,
        };
        let is_of_version = |alias: &AliasRecord| match arn.qualifier {
            Some(Qualifier::Version(number)) => alias.routes.iter().any(|route| route.version == number),
            _ => true,
        };
        let place = |alias: &AliasRecord| (alias.created_at, alias.name.clone());
        published.aliases.retain(|alias| {
            is_of_version(alias) && after.is_none_or(|after| (alias.created_at, alias.name.as_str()) > after)
        });
        published.aliases.sort_by_key(place);
        let mut page = published.aliases;
        let has_more = page::cut(&mut page, asked.size);
        let last = page.last().filter(|_| has_more);
        let next = last.map(|alias| page::issue(&of, &format!("{};{}", alias.created_at, alias.name), now));
        let view = |alias: &AliasRecord| {
            listed("stateMachineAliasArn", &alias_arn(&arn.machine, &alias.name), alias.created_at)
        };
        Answer::render(&list("stateMachineAliases", page.iter().map(view).collect(), next))
    }

    /// Changes the aliases of a state machine that is not being deleted.
    async fn change_aliases<T>(
        &self,
        machine: &StateMachineArn,
        mut change: impl FnMut(&mut PublishedRecord) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let changed = self.change_published(machine, |machine, published| {
            refuse_deleting(machine)?;
            change(published)
        });
        changed.await
    }
}

/// Names an alias.
struct AliasName {
    machine: StateMachineArn,
    name: String,
}

impl AliasName {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let QualifiedArn { machine, qualifier } = qualified_arn(text)?;
        match qualifier {
            Some(Qualifier::Alias(name)) => Ok(Self { machine, name: name.to_string() }),
            Some(Qualifier::Version(_)) | None => Err(not_found(text)),
        }
    }
}

/// Says that there is no such resource where there is no state machine that it would be of.
fn missing_as(error: ApiError, arn: impl std::fmt::Display) -> ApiError {
    if error.code == ErrorCode::StateMachineDoesNotExist { not_found(arn) } else { error }
}

fn alias_member(members: &mut Members, checks: &mut Checks) -> Result<String, ApiError> {
    let arn = members.text("stateMachineAliasArn")?;
    checks.required("stateMachineAliasArn", arn.as_ref());
    checks.length("stateMachineAliasArn", arn.as_deref(), 1, 256);
    Ok(arn.unwrap_or_default())
}

/// Refuses versions that were not published.
fn refuse_missing(
    machine: &StateMachineArn,
    published: &PublishedRecord,
    routes: &[RouteRecord],
) -> Result<(), ApiError> {
    let missing = routes.iter().find(|route| published.version(route.version).is_none());
    missing.map_or(Ok(()), |route| Err(not_found(version_arn(machine, route.version))))
}

/// Gives when the alias that exists was created, if it has the content asked for.
fn agree(
    machine: &StateMachineArn,
    existing: &AliasRecord,
    description: Option<&String>,
    routes: &[RouteRecord],
) -> Result<Timestamp, ApiError> {
    if existing.description.as_ref() == description && existing.routes == routes {
        return Ok(existing.created_at);
    }
    let what = "Failed to create alias because an alias with the same name and a different routing configuration already exists";
    Err(ApiError::quoting(ErrorCode::ConflictException, what, alias_arn(machine, &existing.name)))
}

fn alias_arn(machine: &StateMachineArn, name: &str) -> QualifiedArn {
    QualifiedArn { machine: machine.clone(), qualifier: Some(Qualifier::Alias(name.into())) }
}

fn view(machine: &StateMachineArn, alias: &AliasRecord) -> Value {
    let route = |route: &RouteRecord| {
        let arn = version_arn(machine, route.version).to_string();
        json!({ "stateMachineVersionArn": arn, "weight": route.weight })
    };
    let mut view = Map::new();
    let mut set = |name: &str, value: Value| view.insert(name.to_owned(), value);
    set("stateMachineAliasArn", alias_arn(machine, &alias.name).to_string().into());
    set("name", alias.name.as_str().into());
    if let Some(description) = &alias.description {
        set("description", description.as_str().into());
    }
    set("routingConfiguration", alias.routes.iter().map(route).collect());
    set("creationDate", seconds(alias.created_at).into());
    set("updateDate", seconds(alias.updated_at).into());
    Value::Object(view)
}

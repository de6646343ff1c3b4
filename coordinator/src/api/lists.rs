//! ListStateMachines, ListActivities, ListExecutions: merged from the lists of all partitions.

use std::sync::Arc;

use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use model::{ExecutionArn, ExecutionStatus, QualifiedArn, Qualifier, Timestamp};
use serde_json::{Map, Value, json};
use store::{ExecutionHead, ExecutionQuery, Resource, ResourceKey, ResourceKind, ResourceQuery};
use wire::record::{ActivityRecord, StateMachineRecord};

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::qualified_arn;
use super::caller::Caller;
use super::checks::Checks;
use super::describe_execution::qualified_members;
use super::error::{ApiError, ErrorCode};
use super::members::Members;
use super::page;
use super::start_execution::not_of_this_type;

/// How many partitions are asked at once.
pub(super) const ASKED_AT_ONCE: usize = 16;
/// How many executions are read at once; each comes with its input and output.
const READ_AT_ONCE: usize = 16;
/// How many executions a request looks at, of which those of one version or alias may be few; the next page goes on from there.
const LOOKED_AT_MAX: usize = 1_000;
/// How many of those are looked at in one go at least.
const STEP_MIN: usize = 100;
/// The statuses in the order in which AWS tells them.
const STATUSES: [&str; 6] = ["SUCCEEDED", "TIMED_OUT", PENDING_REDRIVE, "ABORTED", "FAILED", "RUNNING"];
/// The status of children of a Map Run alone.
const PENDING_REDRIVE: &str = "PENDING_REDRIVE";
/// That this is refused is documented of AWS; its words are not known.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html>
const OF_A_MAP_RUN: &str = "Must provide a Map Run ARN with the status filter PENDING_REDRIVE";

impl Api {
    /// Answers ListStateMachines.
    pub(super) async fn list_state_machines(&self, members: Members, caller: &Caller) -> Result<Answer, ApiError> {
        let kind = ResourceKind::StateMachine;
        let (found, next) = self.list_resources(members, caller, kind, "state machines").await?;
        let views: Result<Vec<Value>, ApiError> = found.iter().map(|(_, resource)| state_machine(resource)).collect();
        Answer::render(&list("stateMachines", views?, next))
    }

    /// Answers ListActivities.
    pub(super) async fn list_activities(&self, members: Members, caller: &Caller) -> Result<Answer, ApiError> {
        let (found, next) = self.list_resources(members, caller, ResourceKind::Activity, "activities").await?;
        let views: Result<Vec<Value>, ApiError> = found.iter().map(|(_, resource)| activity(resource)).collect();
        Answer::render(&list("activities", views?, next))
    }

    /// Gives a page of a caller's resources in order of their ARNs, and the token of the next.
    async fn list_resources(
        &self,
        mut members: Members,
        caller: &Caller,
        kind: ResourceKind,
        name: &str,
    ) -> Result<(Vec<(ResourceKey, Resource)>, Option<String>), ApiError> {
        let mut checks = Checks::default();
        let max_results = members.integer("maxResults")?;
        let token = members.text("nextToken")?;
        checks.page(max_results, token.as_deref(), 1_024);
        checks.finish()?;
        let (size, now) = (page::size(max_results), self.runtime().now());
        let of = format!("{name} of {}", caller.place());
        let after = token.map(|token| page::redeem(&token, &of, now)).transpose()?;
        let after: Option<Arc<str>> = after.map(Into::into);
        let query = ResourceQuery { kind, place: caller.place().into(), after, limit: size + 1 };
        let store = self.store()?;
        let pages = stream::iter(0..store.partitions()).map(|partition| store.list_resources(partition, &query));
        let mut found: Vec<(ResourceKey, Resource)> =
            pages.buffered(ASKED_AT_ONCE).try_concat().await.map_err(ApiError::from)?;
        found.sort_by(|one, other| one.0.arn.cmp(&other.0.arn));
        let has_more = page::cut(&mut found, size);
        let last = found.last().filter(|_| has_more);
        let next = last.map(|(key, _)| page::issue(&of, &key.arn, now));
        Ok((found, next))
    }

    /// Answers ListExecutions.
    pub(super) async fn list_executions(&self, members: Members) -> Result<Answer, ApiError> {
        let asked = Asked::read(members)?;
        match &asked.of {
            Of::Machine(of) if self.named(of).await?.machine.is_express() => return Err(not_of_this_type()),
            Of::Machine(_) => {}
            Of::MapRun(arn) => drop(self.map_run(arn).await?),
        }
        let (found, next) = if asked.can_match {
            let page = (asked.size, asked.token.clone());
            self.page_of(&asked.listed(), page, &|head| asked.matches(head)).await?
        } else {
            (Vec::new(), None)
        };
        Answer::render(&list("executions", found.iter().map(execution).collect(), next))
    }

    /// Gives a page of the executions of a list, of those that `matches`, and the token of the next.
    pub(super) async fn page_of(
        &self,
        listed: &Listed,
        (size, token): (usize, Option<String>),
        matches: &Matches<'_>,
    ) -> Result<(Vec<ExecutionHead>, Option<String>), ApiError> {
        let now = self.runtime().now();
        let after = token.map(|token| page::redeem(&token, &listed.name, now)).transpose()?;
        let after = after.map(|place| execution_place(&place)).transpose()?;
        let (found, last) = self.matching_after(listed, size, matches, after).await?;
        Ok((found, last.map(|(at, arn)| page::issue(&listed.name, &format!("{at};{arn}"), now))))
    }

    /// Gives a page of the executions that were asked for, and the place from which the next goes on if there may be more.
    async fn matching_after(
        &self,
        listed: &Listed,
        size: usize,
        matches: &Matches<'_>,
        mut after: Option<Place>,
    ) -> Result<(Vec<ExecutionHead>, Option<Place>), ApiError> {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        let mut step = size;
        while looked_at < LOOKED_AT_MAX {
            let (page, has_more) = self.executions_after(listed, after.take(), step).await?;
            looked_at += page.len();
            let store = self.store()?;
            for batch in page.chunks(READ_AT_ONCE) {
                let heads = try_join_all(batch.iter().map(|(_, arn)| store.execution(arn))).await?;
                for (place, head) in batch.iter().zip(heads) {
                    found.extend(head.filter(|head| matches(head)));
                    if found.len() == size {
                        let is_last = !has_more && page.last() == Some(place);
                        return Ok((found, (!is_last).then(|| place.clone())));
                    }
                }
            }
            if !has_more {
                return Ok((found, None));
            }
            after = page.last().cloned();
            step = size.max(STEP_MIN);
        }
        Ok((found, after))
    }

    /// Gives a page of the executions of a list, whatever version they are of; tells whether there are more.
    async fn executions_after(
        &self,
        listed: &Listed,
        after: Option<Place>,
        size: usize,
    ) -> Result<(Vec<Place>, bool), ApiError> {
        let query =
            ExecutionQuery { listed_under: listed.under.clone(), status: listed.status, after, limit: size + 1 };
        let store = self.store()?;
        let pages = stream::iter(0..store.partitions()).map(|partition| store.list_executions(partition, &query));
        let mut found: Vec<Place> = pages.buffered(ASKED_AT_ONCE).try_concat().await.map_err(ApiError::from)?;
        found.sort_by(|one, other| other.cmp(one));
        let has_more = page::cut(&mut found, size);
        Ok((found, has_more))
    }
}

/// Is a list of executions.
pub(super) struct Listed {
    /// Names it with all that it is asked with, so that a token is good for no other.
    pub(super) name: String,
    /// The ARN that its executions are listed under.
    pub(super) under: Arc<str>,
    /// Only those of this status.
    pub(super) status: Option<ExecutionStatus>,
}

/// Tells whether an execution belongs to what was asked for.
pub(super) type Matches<'a> = dyn Fn(&ExecutionHead) -> bool + Sync + 'a;

/// Is where an execution stands in the list: the instant of its start, or of its end if it has ended, and its ARN.
type Place = (Timestamp, ExecutionArn);

/// Is what executions are of.
enum Of {
    /// A state machine, a version or an alias.
    Machine(QualifiedArn),
    MapRun(ExecutionArn),
}

/// Is what ListExecutions is asked.
struct Asked {
    of: Of,
    status: Option<ExecutionStatus>,
    /// Whether any execution can be as asked for; none is redriven.
    can_match: bool,
    redrive: Option<String>,
    size: usize,
    token: Option<String>,
}

impl Asked {
    fn read(mut members: Members) -> Result<Self, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("stateMachineArn")?;
        let status = members.text("statusFilter")?;
        let max_results = members.integer("maxResults")?;
        let token = members.text("nextToken")?;
        let map_run = members.text("mapRunArn")?;
        let redrive = members.text("redriveFilter")?;
        checks.length("stateMachineArn", arn.as_deref(), 1, 256);
        checks.one_of("statusFilter", status.as_deref(), &STATUSES);
        checks.page(max_results, token.as_deref(), 3_096);
        checks.length("mapRunArn", map_run.as_deref(), 1, 2_000);
        checks.one_of("redriveFilter", redrive.as_deref(), &["REDRIVEN", "NOT_REDRIVEN"]);
        checks.finish()?;
        let invalid = |message: &str| Err(ApiError::new(ErrorCode::ValidationException, message));
        let of = match (arn, map_run) {
            (Some(_), None) if status.as_deref() == Some(PENDING_REDRIVE) => return invalid(OF_A_MAP_RUN),
            (Some(arn), None) => Of::Machine(qualified_arn(&arn)?),
            (Some(_), Some(_)) => return invalid("Must provide either a State Machine ARN or a Map Run ARN, not both"),
            (None, None) => return invalid("Must provide a State Machine ARN or Map Run ARN"),
            (None, Some(map_run)) => Of::MapRun(ExecutionArn::parse_map_run(&map_run)?),
        };
        Ok(Self {
            of,
            can_match: redrive.as_deref() != Some("REDRIVEN") && status.as_deref() != Some(PENDING_REDRIVE),
            status: status.as_deref().and_then(ExecutionStatus::from_name),
            redrive,
            size: page::size(max_results),
            token,
        })
    }

    /// Tells whether an execution belongs to the list: one that has ended since that was read does not belong to those that run.
    fn matches(&self, head: &ExecutionHead) -> bool {
        let is_of = match &self.of {
            Of::MapRun(_) | Of::Machine(QualifiedArn { qualifier: None, .. }) => true,
            Of::Machine(QualifiedArn { qualifier: Some(Qualifier::Version(number)), .. }) => {
                head.record.version == Some(*number)
            }
            Of::Machine(QualifiedArn { qualifier: Some(Qualifier::Alias(name)), .. }) => {
                head.record.alias.as_deref() == Some(name)
            }
        };
        // Those of a state machine of the same name that was deleted before may still be there.
        is_of && !head.record.arn.is_express() && self.status.is_none_or(|status| status == status_of(head))
    }

    /// Gives the list that holds what is asked for.
    fn listed(&self) -> Listed {
        let (of, under) = match &self.of {
            Of::Machine(of) => (of.to_string(), of.machine.as_str()),
            Of::MapRun(arn) => (arn.to_string(), arn.as_str()),
        };
        let status = self.status.map_or("", ExecutionStatus::as_str);
        let redrive = self.redrive.as_deref().unwrap_or_default();
        let name = format!("executions {status} {redrive} of {of}");
        Listed { name, under: under.into(), status: self.status }
    }
}

fn execution_place(place: &str) -> Result<Place, ApiError> {
    let read = || {
        let (at, arn) = place.split_once(';')?;
        Some((Timestamp::from_millis(at.parse().ok()?), ExecutionArn::parse_any(arn).ok()?))
    };
    read().ok_or_else(|| ApiError::quoting(ErrorCode::InvalidToken, "Invalid Token", "Invalid token"))
}

pub(super) fn list(name: &str, elements: Vec<Value>, next: Option<String>) -> Value {
    let mut answer = Map::new();
    answer.insert(name.to_owned(), elements.into());
    if let Some(next) = next {
        answer.insert("nextToken".to_owned(), next.into());
    }
    Value::Object(answer)
}

fn state_machine(resource: &Resource) -> Result<Value, ApiError> {
    let record = StateMachineRecord::decode(&resource.record).map_err(super::resource::corrupt)?;
    Ok(json!({
        "stateMachineArn": record.arn.as_str(),
        "name": record.arn.name(),
        "type": record.kind,
        "creationDate": seconds(record.created_at),
    }))
}

fn activity(resource: &Resource) -> Result<Value, ApiError> {
    let record = ActivityRecord::decode(&resource.record).map_err(super::resource::corrupt)?;
    Ok(json!({
        "activityArn": record.arn.as_str(),
        "name": record.arn.name(),
        "creationDate": seconds(record.created_at),
    }))
}

fn status_of(head: &ExecutionHead) -> ExecutionStatus {
    head.end.as_ref().map_or(ExecutionStatus::Running, |(end, _)| end.status)
}

fn execution(head: &ExecutionHead) -> Value {
    let record = &head.record;
    let mut view = json!({
        "executionArn": record.arn.as_str(),
        "stateMachineArn": record.state_machine.as_str(),
        "name": record.arn.name(),
        "status": status_of(head).as_str(),
        "startDate": seconds(record.started_at),
        "redriveCount": 0,
    });
    for (name, arn) in qualified_members(record) {
        view[name] = arn.to_string().into();
    }
    if let Some((_, at)) = &head.end {
        view["stopDate"] = seconds(*at).into();
    }
    if let Some(run) = &record.map_run {
        view["mapRunArn"] = run.arn.as_str().into();
        // There are no batches: each child has an item of its own.
        view["itemCount"] = 1.into();
    }
    view
}

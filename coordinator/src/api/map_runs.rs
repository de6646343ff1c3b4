//! DescribeMapRun and ListMapRuns.

use std::collections::BTreeMap;

use engine::MapRunOrder;
use futures::stream::{self, StreamExt, TryStreamExt};
use model::{BranchPath, ExecutionArn, ExecutionStatus};
use serde_json::{Map, Value, json};
use store::ExecutionHead;
use wire::record::PhaseRecord;

use super::Api;
use super::answer::{Answer, seconds};
use super::arn::execution_arn;
use super::checks::Checks;
use super::error::{ApiError, ErrorCode};
use super::lists::{ASKED_AT_ONCE, Listed, list};
use super::members::Members;
use super::page;

/// All statuses of child executions.
const STATUSES: [ExecutionStatus; 5] = [
    ExecutionStatus::Running,
    ExecutionStatus::Succeeded,
    ExecutionStatus::Failed,
    ExecutionStatus::TimedOut,
    ExecutionStatus::Aborted,
];

/// Tells how many executions there are of a status, by its name.
type Counts = BTreeMap<&'static str, u64>;

impl Api {
    /// Answers DescribeMapRun.
    pub(super) async fn describe_map_run(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("mapRunArn")?;
        checks.required("mapRunArn", arn.as_ref());
        checks.length("mapRunArn", arn.as_deref(), 1, 2_000);
        checks.finish()?;
        let arn = ExecutionArn::parse_map_run(&arn.unwrap_or_default())?;
        let store = self.store()?;
        let loaded = store.load(&arn, &BranchPath::root()).await.map_err(ApiError::from)?;
        let (head, root) = loaded.ok_or_else(|| missing(&arn))?;
        let mut counts = BTreeMap::new();
        for status in STATUSES {
            let of = |partition| store.count_executions(partition, arn.as_str(), status);
            let found = stream::iter(0..store.partitions()).map(of).buffered(ASKED_AT_ONCE);
            let found: Vec<u64> = found.try_collect().await.map_err(ApiError::from)?;
            counts.insert(status.as_str(), found.into_iter().sum());
        }
        // Children that have ended are gone in time; how many were started is told by the Map Run as long as it runs.
        let started = match root.map(|root| root.record.phase) {
            Some(PhaseRecord::Children(children)) => u64::from(children.started),
            Some(
                PhaseRecord::Ready | PhaseRecord::Task(_) | PhaseRecord::Wait { .. } | PhaseRecord::Backoff { .. },
            )
            | None => 0,
        };
        Answer::render(&view(&head, &counts, started))
    }

    /// Answers ListMapRuns.
    pub(super) async fn list_map_runs(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("executionArn")?;
        let max_results = members.integer("maxResults")?;
        let token = members.text("nextToken")?;
        checks.required("executionArn", arn.as_ref());
        checks.length("executionArn", arn.as_deref(), 1, 256);
        checks.page(max_results, token.as_deref(), 1_024);
        checks.finish()?;
        let arn = execution_arn(&arn.unwrap_or_default())?;
        self.execution(&arn).await?;
        let listed = Listed { name: format!("Map Runs of {arn}"), under: arn.as_str().into(), status: None };
        let (found, next) = self.page_of(&listed, (page::size(max_results), token), &|_| true).await?;
        Answer::render(&list("mapRuns", found.iter().map(element).collect(), next))
    }

    /// Finds a Map Run.
    pub(super) async fn map_run(&self, arn: &ExecutionArn) -> Result<ExecutionHead, ApiError> {
        self.store()?.execution(arn).await?.ok_or_else(|| missing(arn))
    }
}

fn missing(arn: &ExecutionArn) -> ApiError {
    ApiError::quoting(ErrorCode::ResourceNotFound, "Resource not found", arn)
}

fn element(head: &ExecutionHead) -> Value {
    let mut element = Map::new();
    let mut set = |name: &str, value: Value| element.insert(name.to_owned(), value);
    set("executionArn", starter(head).into());
    set("mapRunArn", head.record.arn.as_str().into());
    set("stateMachineArn", head.record.state_machine.as_str().into());
    set("startDate", seconds(head.record.started_at).into());
    if let Some((_, at)) = &head.end {
        set("stopDate", seconds(*at).into());
    }
    Value::Object(element)
}

fn view(head: &ExecutionHead, counts: &Counts, started: u64) -> Value {
    let order = MapRunOrder::read(&head.record.input);
    let order = order.as_ref();
    let status = head.end.as_ref().map_or(ExecutionStatus::Running, |(end, _)| end.status);
    let total = order.map_or(0, |order| order.items.len() as u64);
    let counts = shown(counts, (total, started), status);
    let mut view = Map::new();
    let mut set = |name: &str, value: Value| view.insert(name.to_owned(), value);
    set("mapRunArn", head.record.arn.as_str().into());
    set("executionArn", starter(head).into());
    set("status", status.as_str().into());
    set("startDate", seconds(head.record.started_at).into());
    if let Some((_, at)) = &head.end {
        set("stopDate", seconds(*at).into());
    }
    set("maxConcurrency", order.map_or(0, |order| order.max_concurrency).into());
    let percentage = order.and_then(|order| order.tolerated_failure_percentage).unwrap_or_default();
    set("toleratedFailurePercentage", percentage.into());
    set("toleratedFailureCount", order.and_then(|order| order.tolerated_failure_count).unwrap_or_default().into());
    set("itemCounts", counts.clone());
    set("executionCounts", counts);
    Value::Object(view)
}

/// Shows how many children there are of each status, as far as they are kept. Those that were not started are pending as long as they may be,
/// and aborted once they can't be any more.
fn shown(counts: &Counts, (total, started): (u64, u64), status: ExecutionStatus) -> Value {
    let of = |status: ExecutionStatus| counts.get(status.as_str()).copied().unwrap_or_default();
    let listed: u64 = counts.values().sum();
    let is_running = status == ExecutionStatus::Running;
    let is_cut_off = !is_running && status != ExecutionStatus::Succeeded;
    let aborted = of(ExecutionStatus::Aborted) + if is_cut_off { total.saturating_sub(listed) } else { 0 };
    let ended = listed.saturating_sub(of(ExecutionStatus::Running));
    json!({
        "pending": if is_running { total.saturating_sub(started.max(listed)) } else { 0 },
        "running": of(ExecutionStatus::Running),
        "succeeded": of(ExecutionStatus::Succeeded),
        "failed": of(ExecutionStatus::Failed),
        "timedOut": of(ExecutionStatus::TimedOut),
        "aborted": aborted,
        "total": total,
        "resultsWritten": if status == ExecutionStatus::Succeeded { ended } else { 0 },
    })
}

fn starter(head: &ExecutionHead) -> &str {
    head.record.started_by.as_ref().map_or("", |starter| starter.execution.as_str())
}

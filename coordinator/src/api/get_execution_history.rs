//! GetExecutionHistory: shows what happened, a page at a time.

use std::sync::Arc;

use model::{Details, ExecutionArn, HistoryEvent};
use serde::ser::{Serialize, SerializeMap, Serializer};
use store::{HistoryCursor, HistoryQuery};
use wire::record::ExecutionRecord;

use super::Api;
use super::answer::Answer;
use super::arn::execution_arn;
use super::checks::Checks;
use super::error::ApiError;
use super::history::EventView;
use super::members::Members;
use super::token;

/// How many events a page has where the caller does not say.
const PAGE_DEFAULT: usize = 100;
/// How many events are asked of the store at once, and how many bytes of payload a page may have before no more are asked for:
/// together they bound what one request keeps in memory to some 40 MiB. A page may have fewer events than asked for.
const BATCH: usize = 100;
const PAGE_BYTES: usize = 16 * 1024 * 1024;

struct Input {
    arn: ExecutionArn,
    events_max: usize,
    reverse: bool,
    token: Option<String>,
    with_data: bool,
}

impl Input {
    fn read(mut members: Members) -> Result<Self, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("executionArn")?;
        let max_results = members.integer("maxResults")?;
        let reverse = members.boolean("reverseOrder")?.unwrap_or_default();
        let token = members.text("nextToken")?;
        let with_data = members.boolean("includeExecutionData")?.unwrap_or(true);
        checks.required("executionArn", arn.as_ref());
        checks.length("executionArn", arn.as_deref(), 1, 256);
        checks.range("maxResults", max_results, 0, 1000);
        checks.length("nextToken", token.as_deref(), 1, 1024);
        checks.finish()?;
        let asked = max_results.and_then(|max| usize::try_from(max).ok()).filter(|max| *max > 0);
        let arn = execution_arn(&arn.unwrap_or_default())?;
        Ok(Self { arn, events_max: asked.unwrap_or(PAGE_DEFAULT), reverse, token, with_data })
    }
}

struct Page {
    execution: Arc<ExecutionRecord>,
    events: Vec<HistoryEvent>,
    next: Option<String>,
    with_data: bool,
}

impl Serialize for Page {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let view = |event| EventView { execution: &self.execution, event, with_data: self.with_data };
        let views: Vec<EventView<'_>> = self.events.iter().map(view).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("events", &views)?;
        if let Some(next) = &self.next {
            map.serialize_entry("nextToken", next)?;
        }
        map.end()
    }
}

impl Api {
    /// Answers GetExecutionHistory.
    pub(super) async fn get_execution_history(&self, members: Members) -> Result<Answer, ApiError> {
        let input = Input::read(members)?;
        let execution = self.execution(&input.arn).await?.record;
        let now = self.runtime().now();
        let redeem = |text: &String| token::redeem(text, &input.arn, input.reverse, now);
        let cursor = input.token.as_ref().map(redeem).transpose()?;
        let (events, next) = self.page(&input, cursor).await?;
        let next = next.map(|next| token::issue(&input.arn, input.reverse, next, now));
        Answer::render(&Page { execution, events, next, with_data: input.with_data })
    }

    async fn page(
        &self,
        input: &Input,
        mut cursor: Option<HistoryCursor>,
    ) -> Result<(Vec<HistoryEvent>, Option<HistoryCursor>), ApiError> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        loop {
            let limit = (input.events_max - events.len()).min(BATCH);
            let page =
                self.store()?.history(&input.arn, HistoryQuery { cursor, limit, reverse: input.reverse }).await?;
            let is_empty = page.events.is_empty();
            bytes += page.events.iter().map(|event| payload_bytes(&event.details)).sum::<usize>();
            events.extend(page.events);
            cursor = page.next;
            if cursor.is_none() || is_empty || events.len() >= input.events_max || bytes >= PAGE_BYTES {
                return Ok((events, cursor));
            }
        }
    }
}

fn payload_bytes(details: &Details) -> usize {
    match details {
        Details::ExecutionStarted { input, .. }
        | Details::StateEntered { input, .. }
        | Details::Scheduled { input, .. } => input.len(),
        Details::Output { output } | Details::TaskOutput { output, .. } => output.len(),
        Details::StateExited { output, assigned, .. } => {
            output.len() + assigned.iter().map(|(_, value)| value.len()).sum::<usize>()
        }
        Details::TaskScheduled { parameters, .. } => parameters.len(),
        Details::Failure { cause, .. } | Details::TaskFailure { cause, .. } => cause.as_ref().map_or(0, String::len),
        Details::EvaluationFailed { cause, .. } => cause.len(),
        Details::None
        | Details::WorkerStarted { .. }
        | Details::TaskStarted { .. }
        | Details::MapRunStarted { .. }
        | Details::MapStarted { .. }
        | Details::MapIteration { .. } => 0,
    }
}

//! Map Runs and their child executions: executions that the driver starts by itself, each a part of the definition that another pins.
//!
//! ```text
//!  Map state ─ order ─► Map Run ─ input ─► child execution
//!            ◄─ Ended ─         ◄─ Ended ─
//! ```
//! They are started, told of and stopped by the messages that nested executions have. What differs is who knows what they mean: an order
//! and an input are the core's, so the API is not asked.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::{Limits, MapRunOrder, Outcome, START_CHILD, START_MAP_RUN, arn_of_order};
use model::{ExecutionArn, ExecutionStatus, JsonText};
use store::ExecutionQuery;
use wire::record::{ExecutionRecord, LocationRecord, MapRunRecord};

use super::Inner;
use super::backoff::persist;
use super::cache::Known;
use super::error::{Patience, Unable, chain};
use super::nested::name_of;
use super::service::{Call, Reply};
use super::start::{StartError, StartOutcome};

/// How many children of a stopped Map Run are listed at once, to be stopped one by one.
const STOPPED_AT_ONCE: usize = 256;

/// Is what the failure of a Map Run is named that can't be begun.
const BROKEN: &str = "Stepwell.MapRunBroken";

impl Inner {
    /// Starts a Map Run, or a child of one. Asked again it finds its own.
    pub(super) async fn start_part(self: &Arc<Self>, call: &Call) -> Reply {
        let starter = match self.record_of(&call.task.execution).await {
            Ok(Some(record)) => record,
            // The report is refused as stale.
            Ok(None) => return broken("the execution has ended"),
            Err(error) => return Reply::Later(error.to_string()),
        };
        if call.resource.arn() == START_CHILD && self.is_over_high_water.load(Ordering::Relaxed) {
            return Reply::Later("the store is nearly full".to_owned());
        }
        let Some((arn, run)) = part_of(&starter, call) else {
            return broken("the order of the Map Run can't be read");
        };
        match self.start_known_part(&starter, call, arn.clone(), run).await {
            Ok(StartOutcome::Started { .. }) => submitted(arn),
            Ok(StartOutcome::Exists(head)) if head.record.started_by.as_ref() == Some(&call.task) => submitted(arn),
            Ok(StartOutcome::Exists(_)) => broken("its name is taken"),
            Err(StartError::Definition(reason)) => broken(&reason),
            Err(error @ (StartError::Throttled | StartError::Busy(_) | StartError::Unavailable(_))) => {
                Reply::Later(chain(&error))
            }
        }
    }

    /// Stops all children of an execution that was stopped, if it is a Map Run: there may be more of them than its end could list.
    pub(super) async fn stop_children(self: &Arc<Self>, run: &ExecutionArn) -> Result<(), Unable> {
        if !run.is_map_run() {
            return Ok(());
        }
        for partition in 0..self.partitions {
            let mut after = None;
            loop {
                let (listed_under, status) = (run.as_str().into(), Some(ExecutionStatus::Running));
                let query = ExecutionQuery { listed_under, status, after, limit: STOPPED_AT_ONCE };
                let found = persist!(self, Patience::Endless, self.store.list_executions(partition, &query));
                for (_, child) in &found {
                    self.stop_nested(child).await?;
                }
                after = found.last().cloned();
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Gives the record of an execution, from memory where it is there: that of a Map Run holds all its items.
    async fn record_of(&self, arn: &ExecutionArn) -> Result<Option<Arc<ExecutionRecord>>, store::Error> {
        if let Some(known) = self.cache.execution(arn) {
            return Ok(Some(known.record.clone()));
        }
        Ok(self.store.execution(arn).await?.filter(|head| head.end.is_none()).map(|head| head.record))
    }

    async fn start_known_part(
        self: &Arc<Self>,
        starter: &ExecutionRecord,
        call: &Call,
        arn: ExecutionArn,
        run: MapRunRecord,
    ) -> Result<StartOutcome, StartError> {
        let begun = self.runtime.now();
        let context = self.trace_of_start(&arn, call.trace);
        let record = ExecutionRecord {
            state_machine: arn.state_machine(),
            input: call.input.clone(),
            started_at: begun,
            traceparent: context.to_string(),
            started_by: Some(call.task.clone()),
            map_run: Some(run),
            arn,
            ..starter.clone()
        };
        let known = Arc::new(self.known_anew(record, Patience::Until(begun)).await.map_err(StartError::from)?);
        self.create_execution(&known, None, (begun, call.trace)).await
    }

    /// Names the Map Run, or the child of one, that an open attempt waits for.
    pub(super) fn awaited_part(&self, known: &Known, call: &Call) -> Option<ExecutionArn> {
        if call.resource.arn() == START_MAP_RUN {
            return ExecutionArn::parse_map_run(&arn_of_order(&call.input)?).ok();
        }
        part_of(&known.record, call).map(|(arn, _)| arn)
    }

    /// Gives the limits of an execution: the history of a Map Run is nobody's to read, and as long as it gets.
    pub(super) fn limits_of(&self, arn: &ExecutionArn) -> Limits {
        let limits = self.settings.limits_of(arn);
        if arn.is_map_run() { Limits { events_max: None, ..limits } } else { limits }
    }
}

/// Tells what an attempt starts: a Map Run, from its order, or a child of the Map Run that the attempt belongs to.
fn part_of(starter: &ExecutionRecord, call: &Call) -> Option<(ExecutionArn, MapRunRecord)> {
    if call.resource.arn() == START_MAP_RUN {
        let order = MapRunOrder::read(&call.input)?;
        let arn = ExecutionArn::parse_map_run(&order.arn).ok()?;
        // The definition of a child is a part of the one that both pin.
        let outer = starter.map_run.iter().flat_map(|run| run.way.iter().cloned());
        let way = outer.chain(order.way.into_iter().map(|(state, branch)| LocationRecord { state, branch })).collect();
        return Some((arn.clone(), MapRunRecord { arn, way }));
    }
    let run = starter.map_run.clone().filter(|_| starter.arn.is_map_run())?;
    Some((starter.state_machine.execution(&name_of(&call.task)), run))
}

fn submitted(arn: ExecutionArn) -> Reply {
    let outcome = Outcome::Submitted { output: JsonText::trusted("{}") };
    Reply::Done { outcome, started: Some(arn), taken: None }
}

fn broken(reason: &str) -> Reply {
    let outcome = Outcome::Failed { error: Some(BROKEN.to_owned()), cause: Some(reason.to_owned()) };
    Reply::Done { outcome, started: None, taken: None }
}

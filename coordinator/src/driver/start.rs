//! The start of an execution: its first run, and the commit that creates it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::{Limits, Run, RunLimits};
use model::{ExecutionArn, JsonText, Timestamp};
use store::{Commit, CommitOutcome, ExecutionHead, Refusal};
use telemetry::TraceContext;
use wire::record::{ExecutionRecord, StarterRecord, StateMachineRecord};

use super::Inner;
use super::backoff::persist;
use super::build::Plan;
use super::cache::Known;
use super::error::{Patience, Unable, chain};
use super::{log, trace};
use crate::definitions::DefinitionError;

/// Asks for an execution.
#[derive(Clone, Debug)]
pub struct StartRequest {
    /// The state machine, as it is now: the execution pins its definition.
    pub machine: StateMachineRecord,
    /// The number of the version that `machine` is; none for the state machine as it is now.
    pub version: Option<u32>,
    /// The alias that chose the version.
    pub alias: Option<String>,
    /// The execution's name, valid and, but for type EXPRESS, unique within the state machine.
    pub name: String,
    /// What tells executions of one name apart, of a state machine of type EXPRESS; a new one where absent.
    pub run: Option<String>,
    /// The input, valid and within its limit.
    pub input: JsonText,
    /// The caller's place in a trace, which the execution joins.
    pub trace: Option<TraceContext>,
    /// The task that starts it, if one does.
    pub started_by: Option<StarterRecord>,
    /// The X-Ray header that the caller gave, joined where there is no `trace`.
    pub trace_header: Option<String>,
}

impl StartRequest {
    /// Asks for an execution of a state machine as it is now, in a trace of its own.
    pub fn new(machine: StateMachineRecord, name: impl Into<String>, input: JsonText) -> Self {
        let (version, alias, name, run) = (None, None, name.into(), None);
        Self { machine, version, alias, name, run, input, trace: None, started_by: None, trace_header: None }
    }

    /// Gives the ARN of the execution; of type EXPRESS `run` is filled in first.
    pub(super) fn arn(&mut self, new_run: impl FnOnce() -> String) -> ExecutionArn {
        if !self.machine.is_express() {
            return self.machine.arn.execution(&self.name);
        }
        let run = self.run.get_or_insert_with(new_run);
        self.machine.arn.express_execution(&self.name, run)
    }
}

/// Is what became of a wish to start an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartOutcome {
    /// It has started.
    Started {
        /// Its ARN.
        arn: ExecutionArn,
        /// When it started.
        at: Timestamp,
    },
    /// One of this name exists: whether it is the same, the caller judges by its input.
    Exists(Box<ExecutionHead>),
}

/// Says why an execution did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The definition of the state machine can't be parsed.
    #[error("start an execution: {0}")]
    Definition(String),
    /// The store is over its high-water mark.
    #[error("start an execution: the store is nearly full")]
    Throttled,
    /// So many synchronous executions are under way here that it takes no more.
    #[error("start an execution: {0} synchronous ones are under way")]
    Busy(usize),
    /// The store did not answer in time. The execution may have started.
    #[error("reach the store: {0}")]
    Unavailable(String),
}

impl Inner {
    pub(super) async fn start_execution(self: &Arc<Self>, request: StartRequest) -> Result<StartOutcome, StartError> {
        let begun = self.runtime.now();
        if self.is_over_high_water.load(Ordering::Relaxed) {
            self.metrics.executions_throttled.inc();
            return Err(StartError::Throttled);
        }
        let caller = trace::of_caller(request.trace.as_ref(), request.trace_header.as_deref());
        let text = request.machine.definition.clone();
        let known = Arc::new(self.new_execution(request, caller).await?);
        self.create_execution(&known, Some(&text), (begun, caller)).await
    }

    /// Creates an execution with its first run, as a caller in a trace has asked for; `text` is its definition, where that is at hand.
    pub(super) async fn create_execution(
        self: &Arc<Self>,
        known: &Arc<Known>,
        text: Option<&str>,
        (begun, caller): (Timestamp, Option<TraceContext>),
    ) -> Result<StartOutcome, StartError> {
        let record = &known.record;
        tracing::Span::current().record("execution", tracing::field::display(&record.arn));
        log::in_trace(known.trace.trace);
        let patience = self.caller_patience();
        let mut plan = self.first_plan(known, self.settings.limits.run, (begun, caller)).await?;
        let mut outcome = self.create(&plan.commit, known, text, patience).await.map_err(unavailable)?;
        if let CommitOutcome::Refused(Refusal::TooLarge { .. } | Refusal::HistoryFull { .. }) = outcome {
            // It starts all the same: what its next run comes to is seen in its history.
            plan = self.first_plan(known, RunLimits::SHORTEST, (begun, caller)).await?;
            outcome = self.create(&plan.commit, known, text, patience).await.map_err(unavailable)?;
        }
        match outcome {
            CommitOutcome::Committed(committed) => {
                if !record.arn.is_map_run() {
                    self.metrics.executions_started.inc();
                }
                let (arn, at) = (record.arn.clone(), record.started_at);
                if plan.commit.end.is_none() {
                    self.cache.keep_execution(known);
                }
                self.after(plan, &committed);
                Ok(StartOutcome::Started { arn, at })
            }
            CommitOutcome::Refused(refusal) => {
                tracing::debug!(?refusal, "the execution was not created");
                let read = async { Ok::<_, Unable>(persist!(self, patience, self.store.execution(&record.arn))) };
                let head = read.await.map_err(unavailable)?;
                head.map(|head| StartOutcome::Exists(Box::new(head))).ok_or_else(|| {
                    StartError::Unavailable(format!("the execution was refused ({refusal:?}) but is not there"))
                })
            }
        }
    }

    /// Makes the commit that creates an execution. The first one of a definition in its partition has the definition put there first.
    async fn create(
        self: &Arc<Self>,
        commit: &Commit,
        known: &Known,
        text: Option<&str>,
        patience: Patience<'_>,
    ) -> Result<CommitOutcome, Unable> {
        for _ in 0..=self.settings.refusals_max {
            let outcome = self.commit(commit, patience).await?;
            if !matches!(outcome, CommitOutcome::Refused(Refusal::Undefined)) {
                return Ok(outcome);
            }
            let hash = &known.record.definition;
            let stored = match text {
                Some(_) => None,
                None => persist!(self, patience, self.store.definition(hash)),
            };
            let Some(text) = text.or(stored.as_deref()) else {
                return Err(Unable::Broken(format!("the definition {hash} is missing")));
            };
            persist!(self, patience, self.store.put_definition(known.partition, hash, text));
        }
        Err(Unable::Contended)
    }

    async fn first_plan(
        &self,
        known: &Arc<Known>,
        limits: RunLimits,
        asked: (Timestamp, Option<TraceContext>),
    ) -> Result<Plan, StartError> {
        let run = self.first_run(known, limits).await?;
        Ok(self.plan_creation(known, run, asked))
    }

    async fn first_run(&self, known: &Arc<Known>, run: RunLimits) -> Result<Run, StartError> {
        let execution = self.with_missing_activities(known, self.caller_patience()).await.map_err(unavailable)?;
        let (moment, limits) = (self.moment(), Limits { run, ..self.limits_of(known.arn()) });
        if !known.definition.may_be_long && known.record.input.len() <= self.settings.inline_bytes_max {
            return Ok(engine::start(&known.definition, &execution, moment, &limits));
        }
        let known = known.clone();
        let run = move || engine::start(&known.definition, &execution, moment, &limits);
        self.runtime.blocking(run).await.map_err(|stopped| StartError::Unavailable(stopped.to_string()))
    }

    async fn new_execution(
        &self,
        mut request: StartRequest,
        caller: Option<TraceContext>,
    ) -> Result<Known, StartError> {
        let arn = request.arn(|| self.runtime.uuid());
        let StartRequest { machine, version, alias, input, trace_header, started_by, .. } = request;
        let definition = self.definitions.get_or_parse(&machine.hash, &machine.definition).await;
        let definition = definition.map_err(|error| match error {
            DefinitionError::Store(error) => StartError::Unavailable(error.to_string()),
            DefinitionError::Missing(_) | DefinitionError::Invalid { .. } => StartError::Definition(chain(&error)),
        })?;
        let context = self.trace_of_start(&arn, caller);
        let partition = arn.partition(self.partitions);
        let logging = self.service.get().and_then(|service| service.logging_of(&machine));
        let record = ExecutionRecord {
            arn,
            state_machine: machine.arn,
            definition: machine.hash,
            role_arn: machine.role_arn,
            input,
            started_at: self.runtime.now(),
            traceparent: context.to_string(),
            trace_header,
            revision_id: machine.revision_id,
            machine_updated_at: Some(machine.updated_at.unwrap_or(machine.created_at)),
            started_by,
            logging,
            version,
            alias,
            map_run: None,
        };
        let execution = self.execution_of(&record);
        Ok(Known::new(Arc::new(record), execution, definition, partition))
    }
}

impl From<Unable> for StartError {
    fn from(error: Unable) -> Self {
        match error {
            Unable::Broken(reason) => StartError::Definition(reason),
            Unable::Store(_) | Unable::Broker(_) | Unable::Contended => unavailable(error),
        }
    }
}

fn unavailable(error: Unable) -> StartError {
    StartError::Unavailable(chain(&error))
}

//! TestState: one state is entered, gets its result and is left, with a look at its data on the way.
//!
//! It is [`step`](crate::step()) that does it, transition by transition. Only what comes from outside is put in its place: the
//! result of a task or of children, the context object, time that passes at once.

use std::sync::Arc;

use asl::{Definition, State, StateName};
use model::{AttemptId, BranchPath, EventId, EventRef, JsonText, error_name};

use crate::branch::{Branch, Callback, Delivery, Execution, Phase};
use crate::children;
use crate::event::{Event, Moment, Outcome, Rejected, Timer};
use crate::failure::Failure;
use crate::inspection::Inspection;
use crate::limits::Limits;
use crate::step::advance;
use crate::turn::{After, EndFailure, Turn};

/// The longest time that a test takes, in milliseconds: AWS gives it five minutes.
pub const TEST_MILLIS_MAX: u64 = 300_000;

/// Is what a state is tested with.
#[derive(Clone, Debug)]
pub struct StateTest {
    /// The state's raw input.
    pub input: JsonText,
    /// The context object.
    pub context: JsonText,
    /// The variables in sight, in order of their names.
    pub variables: Vec<(String, JsonText)>,
    /// The data that a Map's ItemReader is to read, as they are at their source.
    pub items: Option<Arc<str>>,
    /// What a task came to, or all children together; without it a task's call is handed out.
    pub result: Option<Outcome>,
    /// How often the Retrier that takes the failure has retried before.
    pub retries: u32,
    /// How many iterations of a Map have failed.
    pub failures: Option<u32>,
}

/// Is how far a test came.
#[derive(Clone, Debug, PartialEq)]
pub enum TestStep {
    /// To its end.
    Done(Box<Tested>),
    /// To the call of a task: test again with what it came to.
    Call {
        /// The Resource as the definition names it.
        resource: String,
        /// The effective input.
        payload: JsonText,
        /// How long the task may take, in seconds.
        timeout_seconds: Option<u64>,
        /// The data on the way to the call.
        inspection: Box<Inspection>,
    },
    /// To children, which can't be run alone: test with what they come to.
    Children,
}

/// Is what became of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Tested {
    /// What it comes to.
    pub status: TestStatus,
    /// The output, if it was left.
    pub output: Option<JsonText>,
    /// The state that follows.
    pub next: Option<StateName>,
    /// What failed, even if it was caught or is tried again.
    pub failure: Option<EndFailure>,
    /// The data on the way.
    pub inspection: Inspection,
    /// The variables afterwards.
    pub variables: Vec<(String, JsonText)>,
}

/// Says what a tested state comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestStatus {
    /// It was left as the definition says.
    Succeeded,
    /// It failed, and nothing takes the failure.
    Failed,
    /// It failed and would be tried again.
    Retriable,
    /// It failed, and a Catcher took the failure.
    CaughtError,
}

impl Tested {
    /// Makes what becomes of a test that took too long: nothing in the state takes that failure.
    pub fn timed_out(inspection: Inspection, variables: Vec<(String, JsonText)>) -> Self {
        let failure =
            EndFailure { error: Some(error_name::TIMEOUT.to_owned()), cause: None, terminal: true, heartbeat: false };
        let (status, failure) = (TestStatus::Failed, Some(failure));
        Self { status, output: None, next: None, failure, inspection, variables }
    }
}

impl TestStatus {
    /// Gives AWS's name.
    pub fn as_str(self) -> &'static str {
        match self {
            TestStatus::Succeeded => "SUCCEEDED",
            TestStatus::Failed => "FAILED",
            TestStatus::Retriable => "RETRIABLE",
            TestStatus::CaughtError => "CAUGHT_ERROR",
        }
    }
}

/// Is what a turn knows of the test that it is part of.
#[derive(Debug)]
pub(crate) struct TestTurn {
    pub(crate) context: JsonText,
    pub(crate) items: Option<Arc<str>>,
    pub(crate) inspection: Inspection,
}

/// Tests the state at which a definition starts. Where it leads need not be there.
///
/// # Errors
/// `Rejected` if the definition has no such state.
pub fn test_state(
    definition: &Definition,
    execution: &Execution,
    test: StateTest,
    moment: Moment,
    limits: &Limits,
) -> Result<TestStep, Rejected> {
    let StateTest { input, context, variables, items, mut result, retries, failures } = test;
    let mut turn = Turn::new(definition, execution, limits, moment, EventId(0));
    turn.test = Some(Box::new(TestTurn { context, items, inspection: Inspection::default() }));
    let before = Arc::new(variables);
    let branch = first(definition, input, &before, moment);
    let state = turn.state(&branch)?;
    let mut after = advance(&mut turn, branch, Event::Proceed)?;
    loop {
        let mut branch = match after {
            After::Ended(end) => return Ok(done(turn, before, None, end.result)),
            After::Open(branch) => *branch,
        };
        after = match &branch.phase {
            Phase::Ready => {
                let (next, output, variables) = (branch.state, branch.input, branch.variables);
                return Ok(done(turn, variables, Some(next), Ok(output)));
            }
            Phase::Backoff { .. } => return Ok(retriable(turn, branch)),
            Phase::Wait { until } if until.millis_since(moment.at) > TEST_MILLIS_MAX => {
                let inspection = turn.test.map(|test| test.inspection).unwrap_or_default();
                return Ok(TestStep::Done(Box::new(Tested::timed_out(inspection, before.as_ref().clone()))));
            }
            Phase::Wait { until } => {
                turn.moment.at = *until;
                let timer = Timer::Wait { entry: branch.entry };
                advance(&mut turn, branch, Event::Timer { timer })?
            }
            Phase::Task(phase) => {
                let Some(outcome) = result.take() else {
                    return Ok(TestStep::Call {
                        resource: phase.resource.clone(),
                        payload: phase.payload.clone(),
                        timeout_seconds: phase.deadline.map(|due| due.millis_since(phase.scheduled_at).div_ceil(1_000)),
                        inspection: Box::new(turn.test.map(|test| test.inspection).unwrap_or_default()),
                    });
                };
                let attempt = phase.attempt;
                branch.retries = vec![retries; state.retry().len()];
                if let Outcome::Succeeded { output } = &outcome {
                    turn.note(|inspection| inspection.result = Some(output.clone()));
                }
                let event = end_of_task(&mut branch, state, attempt, outcome);
                advance(&mut turn, branch, event)?
            }
            Phase::Children(_) => {
                let Some(outcome) = result.take() else { return Ok(TestStep::Children) };
                branch.retries = vec![retries; state.retry().len()];
                let result = result_of_children(&turn, state, outcome, failures);
                children::finish(&mut turn, branch, state, result)
            }
        };
    }
}

/// Makes the event of a task's end. What is given for an activity, or for one that waits for its token, comes by the token.
fn end_of_task(branch: &mut Branch, state: &State, attempt: AttemptId, outcome: Outcome) -> Event {
    let by_token = matches!(&state.kind, asl::StateKind::Task(task)
        if task.resource.pattern() == asl::IntegrationPattern::WaitForTaskToken)
        || matches!(&branch.phase, Phase::Task(phase) if phase.delivery == Delivery::Queued);
    if by_token && let Phase::Task(phase) = &mut branch.phase {
        phase.delivery = Delivery::Waiting;
    }
    match (by_token, outcome) {
        (true, Outcome::Succeeded { output }) => Event::Callback { attempt, callback: Callback::Succeeded { output } },
        (true, Outcome::Failed { error, cause }) => {
            Event::Callback { attempt, callback: Callback::Failed { error, cause } }
        }
        (_, outcome) => Event::Report { attempt, started_at: None, worker: None, outcome },
    }
}

/// Makes a branch that is about to enter the state.
fn first(definition: &Definition, input: JsonText, variables: &Arc<Vec<(String, JsonText)>>, moment: Moment) -> Branch {
    Branch {
        path: BranchPath::root(),
        location: Vec::new(),
        state: definition.machine.start_at().clone(),
        entry: 0,
        attempts: 0,
        input,
        entered_at: moment.at,
        entered_event: EventRef::NONE,
        before_entered: EventRef::NONE,
        last_event: EventRef::NONE,
        retries: Vec::new(),
        retry_count: 0,
        item: None,
        variables: Arc::clone(variables),
        phase: Phase::Ready,
    }
}

fn result_of_children(
    turn: &Turn<'_>,
    state: &State,
    outcome: Outcome,
    failures: Option<u32>,
) -> Result<JsonText, Failure> {
    match outcome {
        Outcome::Failed { error, cause } => Err(Failure::new(error, cause)),
        Outcome::Succeeded { output } if is_tolerated(turn, &output, failures.unwrap_or_default()) => Ok(output),
        Outcome::Succeeded { .. } => {
            let cause = "The specified tolerated failure threshold was exceeded".to_owned();
            Err(Failure::new(Some(error_name::EXCEED_TOLERATED_FAILURE_THRESHOLD.to_owned()), Some(cause)))
        }
        Outcome::Started
        | Outcome::Heartbeat
        | Outcome::Holding { .. }
        | Outcome::Unhandled
        | Outcome::Submitted { .. } => {
            let cause = format!("The state '{}' has no result", state.name);
            Err(Failure::new(Some(error_name::RUNTIME.to_owned()), Some(cause)))
        }
    }
}

/// Tells whether a Map tolerates so many failures. One that names no threshold is not judged, as AWS does it.
fn is_tolerated(turn: &Turn<'_>, results: &JsonText, failures: u32) -> bool {
    let Some(test) = &turn.test else { return true };
    let by_count = test.inspection.tolerated_failure_count.is_none_or(|most| u64::from(failures) <= most);
    let total = jsonpath::elements(results.as_str());
    let total = total.map_or(0, |results| results.len()).max(1);
    let percent = f64::from(failures) * 100.0 / total as f64;
    by_count && test.inspection.tolerated_failure_percentage.is_none_or(|most| percent <= most)
}

fn done(
    turn: Turn<'_>,
    variables: Arc<Vec<(String, JsonText)>>,
    next: Option<StateName>,
    result: Result<JsonText, EndFailure>,
) -> TestStep {
    let inspection = turn.test.map(|test| test.inspection).unwrap_or_default();
    let (status, output, failure) = match result {
        Ok(output) if inspection.catch_index.is_some() => {
            (TestStatus::CaughtError, Some(output), inspection.failure.clone())
        }
        Ok(output) => (TestStatus::Succeeded, Some(output), None),
        Err(failure) => (TestStatus::Failed, None, Some(failure)),
    };
    let variables = inspection.variables.clone().unwrap_or(variables).as_ref().clone();
    TestStep::Done(Box::new(Tested { status, output, next, failure, inspection, variables }))
}

fn retriable(turn: Turn<'_>, branch: Branch) -> TestStep {
    let inspection = turn.test.map(|test| test.inspection).unwrap_or_default();
    TestStep::Done(Box::new(Tested {
        status: TestStatus::Retriable,
        output: None,
        next: None,
        failure: inspection.failure.clone(),
        inspection,
        variables: branch.variables.as_ref().clone(),
    }))
}

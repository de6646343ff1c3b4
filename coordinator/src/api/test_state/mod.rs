//! TestState.
//!
//! ```text
//!  request ─► input (what AWS refuses) ─► engine::test_state ─► answer
//!                 └─ mock, context          └─ a task's call without mock: execution of its own, then again with its result
//! ```

mod answer;
mod call;
mod context;
mod input;
mod mock;

use asl::{Definition, StateFault, StateKind};
use engine::{Execution, Limits, Moment, Outcome, StateTest, TestStep, Tested};

use self::context::Context;
use self::input::Input;
use super::Api;
use super::answer::Answer;
use super::caller::Caller;
use super::error::{ApiError, ErrorCode};
use super::members::Members;

impl Api {
    /// Answers TestState.
    pub(super) async fn test_state(&self, members: Members, caller: &Caller) -> Result<Answer, ApiError> {
        let input = Input::read(members, self.settings())?;
        let definition = definition(&input)?;
        let kind = definition.start().map(|state| &state.kind).ok_or_else(not_found)?;
        input.check_against(kind)?;
        let context = Context::new(self.runtime(), caller, &input, kind);
        let moment = Moment { at: self.runtime().now(), seed: self.runtime().nonce() };
        let first = input.mocked()?;
        let mut test = Test { definition, execution: context.execution, text: context.text, input, moment };
        let tested = match self.step(&mut test, first).await? {
            TestStep::Done(tested) => tested,
            TestStep::Children => return Err(unsupported_without_mock()),
            TestStep::Call { resource, payload, timeout_seconds, inspection } => {
                match self.call(caller, &resource, payload, timeout_seconds).await? {
                    Some(outcome) => match self.step(&mut test, Some(outcome)).await? {
                        TestStep::Done(tested) => tested,
                        TestStep::Call { .. } | TestStep::Children => return Err(defect("the test took no result")),
                    },
                    None => Box::new(Tested::timed_out(*inspection, test.input.variables.clone())),
                }
            }
        };
        Answer::render(&answer::render(&test.input, &test.definition, &tested))
    }

    /// Makes the transitions of a test away from the async threads: expressions may take long.
    async fn step(&self, test: &mut Test, result: Option<Outcome>) -> Result<TestStep, ApiError> {
        let limits = Limits { payload_bytes_max: Some(self.settings().payload_bytes_max), ..Limits::default() };
        let (definition, execution, moment) = (test.definition.clone(), test.execution.clone(), test.moment);
        let state = StateTest {
            input: test.input.input.clone(),
            context: test.text.clone(),
            variables: test.input.variables.clone(),
            items: test.input.items.clone(),
            result,
            retries: test.input.retries,
            failures: test.input.failures,
        };
        let step = move || engine::test_state(&definition, &execution, state, moment, &limits);
        match self.runtime().blocking(step).await {
            Ok(Ok(step)) => Ok(step),
            Ok(Err(rejected)) => Err(defect(&rejected.to_string())),
            Err(stopped) => Err(defect(&stopped.to_string())),
        }
    }
}

struct Test {
    definition: Definition,
    execution: Execution,
    text: model::JsonText,
    input: Input,
    moment: Moment,
}

/// Reads the state that is tested.
fn definition(input: &Input) -> Result<Definition, ApiError> {
    Definition::of_state(&input.definition, input.state_name.as_deref()).map_err(|fault| match fault {
        StateFault::Missing => not_found(),
        StateFault::Invalid(findings) => ApiError::new(ErrorCode::InvalidDefinition, findings.to_string()),
    })
}

fn not_found() -> ApiError {
    ApiError::new(ErrorCode::ValidationException, "State not found in definition")
}

fn unsupported_without_mock() -> ApiError {
    let types = "Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]";
    let message = format!("TestState API does not support Map or Parallel states. {types}");
    ApiError::new(ErrorCode::InvalidDefinition, message)
}

fn defect(reason: &str) -> ApiError {
    tracing::error!(reason, "a state could not be tested");
    ApiError::new(ErrorCode::InternalFailure, "The state could not be tested.")
}

/// Names the type of a state.
fn type_name(kind: &StateKind) -> &'static str {
    match kind {
        StateKind::Task(_) => "Task",
        StateKind::Pass(_) => "Pass",
        StateKind::Choice(_) => "Choice",
        StateKind::Wait(_) => "Wait",
        StateKind::Succeed(_) => "Succeed",
        StateKind::Fail(_) => "Fail",
        StateKind::Parallel(_) => "Parallel",
        StateKind::Map(_) => "Map",
    }
}

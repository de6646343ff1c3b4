//! The context object of a test: the caller's, or one of an execution that there never is.

use asl::{IntegrationPattern, StateKind};
use engine::Execution;
use model::{AttemptId, BranchPath, JsonText, TaskToken};
use runtime::Runtime;
use serde_json::{Map, Value, json};

use super::super::caller::Caller;
use super::super::error::ApiError;
use super::input::{Input, refuse};

/// The name of a tested state in the context object, whatever it is in the definition.
const STATE_NAME: &str = "StateName";

/// Is the surroundings of a test.
pub(crate) struct Context {
    pub(crate) text: JsonText,
    pub(crate) execution: Execution,
}

impl Context {
    pub(crate) fn new(runtime: &Runtime, caller: &Caller, input: &Input, kind: &StateKind) -> Self {
        let (machine, name) = (runtime.uuid(), runtime.uuid());
        let now = runtime.now();
        let execution = Execution {
            missing_activities: Vec::new(),
            map_run: None,
            seed: runtime.nonce(),
            arn: format!("arn:aws:states:{}:{}:express:{machine}:{name}", caller.region, caller.account),
            name,
            state_machine_arn: caller.state_machine(&machine).as_str().to_owned(),
            state_machine_name: machine,
            role_arn: input.role_arn.clone().unwrap_or_default(),
            region: caller.region.clone(),
            input: input.input.clone(),
            started_at: now,
            redrive_count: Some(0),
        };
        let text = match &input.context {
            Some(given) => given.clone(),
            None => made_up(runtime, &execution, input, kind),
        };
        Self { text, execution }
    }
}

fn made_up(runtime: &Runtime, execution: &Execution, input: &Input, kind: &StateKind) -> JsonText {
    let time = execution.started_at.iso_8601();
    let mut state = json!({ "Name": STATE_NAME, "EnteredTime": time });
    if matches!(kind, StateKind::Task(_) | StateKind::Map(_) | StateKind::Parallel(_)) {
        state["RetryCount"] = json!(input.retries);
    }
    let mut context = json!({
        "Execution": {
            "Id": execution.arn,
            "Input": execution.input.to_value().unwrap_or_default(),
            "Name": execution.name,
            "RoleArn": input.role_arn,
            "StartTime": time,
        },
        "StateMachine": { "Id": execution.state_machine_arn, "Name": execution.state_machine_name },
        "State": state,
    });
    if let StateKind::Task(task) = kind
        && task.resource.pattern() == IntegrationPattern::WaitForTaskToken
    {
        let attempt = AttemptId { number: 1, nonce: runtime.nonce() };
        let token = TaskToken::render(&execution.arn, &BranchPath::root(), attempt);
        context["Task"] = json!({ "Token": token });
    }
    JsonText::from_value(&context)
}

/// Is the name of a field, what its value must be, and that in words.
type Field = (&'static str, fn(&Value) -> bool, &'static str);

/// Refuses a context object that no execution has.
pub(crate) fn check(context: &JsonText) -> Result<(), ApiError> {
    let value = context.to_value().unwrap_or_default();
    let Some(members) = value.as_object() else {
        return invalid("it must be a JSON object");
    };
    for (name, value) in members {
        let fields: &[Field] = match name.as_str() {
            "Execution" => &[
                ("Id", Value::is_string, "a string"),
                ("Input", |_| true, ""),
                ("Name", Value::is_string, "a string"),
                ("RoleArn", Value::is_string, "a string"),
                ("StartTime", Value::is_string, "a string"),
                ("RedriveCount", Value::is_number, "a number"),
                ("RedriveTime", Value::is_string, "a string"),
            ],
            "State" => &[
                ("EnteredTime", Value::is_string, "a string"),
                ("Name", Value::is_string, "a string"),
                ("RetryCount", Value::is_number, "a number"),
            ],
            "StateMachine" => &[("Id", Value::is_string, "a string"), ("Name", Value::is_string, "a string")],
            "Task" => &[("Token", Value::is_string, "a string")],
            "Map" => return invalid("'Map' field is not supported when mocking a Context object"),
            other => return invalid(format!("Field '{other}' is not allowed")),
        };
        let Some(object) = value.as_object() else {
            return invalid(format!("{name} must be an object"));
        };
        check_fields(name, object, fields)?;
    }
    Ok(())
}

fn check_fields(section: &str, object: &Map<String, Value>, fields: &[Field]) -> Result<(), ApiError> {
    for (name, value) in object {
        let Some((_, fits, kind)) = fields.iter().find(|(field, ..)| field == name) else {
            return invalid(format!("Field '{name}' is not allowed"));
        };
        if !fits(value) {
            return invalid(format!("{section}.{name} must be {kind}"));
        }
    }
    Ok(())
}

fn invalid<T>(reason: impl std::fmt::Display) -> Result<T, ApiError> {
    refuse(format!("Invalid Context object provided: {reason}"))
}

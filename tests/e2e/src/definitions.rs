//! Definitions that several tests run.

use serde_json::{Value, json};

/// Gives the ARN of a function that a handler stands for.
pub fn lambda(function: &str) -> String {
    format!("arn:aws:lambda:us-east-1:123456789012:function:{function}")
}

/// Gives a definition of one Task state, `Work`, that runs the function, with further fields of the state.
pub fn task_of(function: &str, fields: &Value) -> Value {
    json!({ "StartAt": "Work", "States": { "Work": task(function, fields) } })
}

/// Gives the order of the example with a retry after one second instead of two, every function by one quick process.
pub fn order() -> Value {
    let retry = json!([{ "ErrorEquals": ["Lambda.ServiceException"], "IntervalSeconds": 1, "MaxAttempts": 3 }]);
    let payment = json!({
        "Parameters": { "orderId.$": "$.orderId", "retryCount.$": "$$.State.RetryCount" },
        "ResultPath": "$.payment", "Retry": retry, "End": null, "Next": "NotifyAndBill",
    });
    let branch = |function: &str| json!({ "StartAt": function, "States": { function: task(function, &json!({})) } });
    let both = json!({
        "Type": "Parallel", "Branches": [branch("Notify"), branch("Bill")], "ResultPath": "$.customer", "Next": "Ship",
    });
    json!({
        "StartAt": "Validate",
        "States": {
            "Validate": task("Validate", &json!({ "End": null, "Next": "Pay" })),
            "Pay": task("Pay", &payment),
            "NotifyAndBill": both,
            "Ship": task("Ship", &json!({ "ResultPath": "$.shipment" })),
        },
    })
}

/// Makes a Task state that ends its branch; a null field takes one away.
fn task(function: &str, fields: &Value) -> Value {
    let mut state = json!({ "Type": "Task", "Resource": lambda(function), "End": true });
    for (name, value) in fields.as_object().into_iter().flatten() {
        state[name] = value.clone();
    }
    if let Some(members) = state.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    state
}

//! Work items, reports and cancels to send.

use model::{AttemptId, BranchPath, ExecutionArn, ExecutionStatus, JsonText, Nonce, Timestamp};
use wire::message::{Cancel, Cancelled, Outcome, Report, StatusChange, WorkItem};

pub(crate) fn item(name: &str) -> WorkItem {
    WorkItem {
        execution: execution(),
        branch: BranchPath::root(),
        attempt: AttemptId::first(Nonce(7)),
        state: name.to_owned(),
        resource: "arn:aws:lambda:us-east-1:123456789012:function:Echo".to_owned(),
        input: JsonText::trusted("{\"a\" : 1.0}"),
        role_arn: None,
        deadline: None,
        heartbeat_seconds: None,
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        deliveries: 0,
        dispatched_at: Timestamp::from_millis(1_700_000_000_000),
    }
}

pub(crate) fn report(worker: &str) -> Report {
    Report {
        execution: execution(),
        branch: BranchPath::root(),
        attempt: AttemptId::first(Nonce(7)),
        traceparent: None,
        deliveries: 0,
        worker: Some(worker.to_owned()),
        started_at: None,
        at: Timestamp::from_millis(1_700_000_000_001),
        outcome: Outcome::Succeeded { output: JsonText::trusted("[ ]") },
    }
}

pub(crate) fn cancel() -> Cancel {
    Cancel { execution: execution(), of: Cancelled::Execution }
}

pub(crate) fn status_change(status: ExecutionStatus, machine: &str) -> StatusChange {
    let arn = format!("arn:aws:states:us-east-1:123456789012:execution:{machine}:o-1");
    let execution = ExecutionArn::parse(&arn).expect("is an ARN");
    StatusChange {
        id: format!("{machine}-{}", status.as_str()),
        state_machine: execution.state_machine(),
        version: None,
        alias: None,
        execution,
        status,
        started_at: Timestamp::from_millis(1_700_000_000_000),
        stopped_at: None,
        input: JsonText::trusted("{\"a\" : 1.0}"),
        output: None,
        error: None,
        cause: None,
    }
}

fn execution() -> ExecutionArn {
    ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1").expect("is an ARN")
}

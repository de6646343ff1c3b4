//! Work items for tests.

use model::{AttemptId, ExecutionArn, JsonText, Nonce, Timestamp};
use wire::message::WorkItem;

/// When all tests begin.
pub(crate) const EPOCH: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Makes the item of a branch, for the function `Echo`.
pub(crate) fn item(branch: &str) -> WorkItem {
    WorkItem {
        execution: ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1")
            .expect("is an ARN"),
        branch: branch.parse().expect("is a path"),
        attempt: AttemptId::first(Nonce(7)),
        state: "Work".to_owned(),
        resource: "arn:aws:lambda:us-east-1:123456789012:function:Echo".to_owned(),
        input: JsonText::trusted(r#"{"a":  1.0}"#),
        role_arn: None,
        deadline: None,
        heartbeat_seconds: None,
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        deliveries: 0,
        dispatched_at: EPOCH,
    }
}

//! How the end of a nested execution is told to the task that waits for it.

use engine::Callback;
use model::{ExecutionEnd, ExecutionStatus, JsonText, error_name};
use serde_json::Value;
use store::ExecutionHead;
use wire::record::Waits;

use super::shapes;
use crate::api::describe_execution::view;

/// Gives what `.sync` answers: the execution as DescribeExecution shows it, its members capitalised and in order of their names. A
/// task whose execution did not succeed fails with all of that as its cause.
pub(super) fn end_of(head: &ExecutionHead) -> Option<Callback> {
    let waits = head.record.started_by.as_ref()?.waits;
    let (end, _) = head.end.as_ref()?;
    if head.record.map_run.is_some() {
        return Some(end_of_part(head, end));
    }
    let shown = shapes::with_millis(&view(head, true));
    match (waits, end.status == ExecutionStatus::Succeeded) {
        (Waits::No, _) => None,
        (Waits::Text | Waits::Parsed, false) => {
            Some(Callback::Failed { error: Some(error_name::TASK_FAILED.to_owned()), cause: Some(shown.to_string()) })
        }
        (Waits::Text, true) => Some(Callback::Succeeded { output: JsonText::from_value(&shown) }),
        (Waits::Parsed, true) => Some(Callback::Succeeded { output: parsed(shown) }),
    }
}

/// Gives what a Map Run tells its Map state, its results or its failure, and a child execution its Map Run: its output, or else the
/// status it ended with, and all that is told of it, as AWS has it among the results of a Map state.
fn end_of_part(head: &ExecutionHead, end: &ExecutionEnd) -> Callback {
    match &end.output {
        Some(output) if end.status == ExecutionStatus::Succeeded => Callback::Succeeded { output: output.clone() },
        Some(_) | None if head.record.arn.is_map_run() => {
            Callback::Failed { error: end.error.clone(), cause: end.cause.clone() }
        }
        Some(_) | None => {
            let mut shown = shapes::sdk(&view(head, true));
            if let Value::Object(members) = &mut shown {
                members.sort_keys();
            }
            Callback::Failed { error: Some(end.status.as_str().to_owned()), cause: Some(shown.to_string()) }
        }
    }
}

/// Puts input and output in place of their texts.
fn parsed(mut shown: Value) -> JsonText {
    for name in ["Input", "Output"] {
        if let Some(value) = shown[name].as_str().and_then(|text| serde_json::from_str(text).ok()) {
            shown[name] = value;
        }
    }
    JsonText::from_value(&shown)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{EventId, ExecutionEnd, Timestamp};
    use wire::record::{ExecutionRecord, StarterRecord};

    use super::*;
    use crate::api::tests::fixture::execution_record;

    fn head(waits: Waits, status: ExecutionStatus) -> ExecutionHead {
        let record = execution_record("arn:aws:states:r:1:execution:M:e");
        let task = StarterRecord {
            execution: record.arn.clone(),
            branch: model::BranchPath::root(),
            attempt: model::AttemptId::first(model::Nonce(1)),
            waits,
        };
        let record = ExecutionRecord { started_by: Some(task), ..record };
        let is_success = status == ExecutionStatus::Succeeded;
        let end = ExecutionEnd {
            status,
            output: is_success.then(|| JsonText::trusted("[ 1 ]")),
            error: (!is_success).then(|| "E".to_owned()),
            cause: None,
        };
        let end = Some((end, Timestamp::from_millis(1_700_000_000_500)));
        ExecutionHead { record: Arc::new(record), last_event: EventId(3), end }
    }

    #[test]
    fn a_success_is_told_as_text_or_parsed() {
        let tell = |waits| match end_of(&head(waits, ExecutionStatus::Succeeded)) {
            Some(Callback::Succeeded { output }) => output.to_string(),
            other => panic!("{other:?}"),
        };
        let expect = |input: &str, output: &str| {
            format!(
                "{{\"ExecutionArn\":\"arn:aws:states:r:1:execution:M:e\",\"Input\":{input},\"InputDetails\":{{\"Included\":true}},\
                 \"Name\":\"e\",\"Output\":{output},\"OutputDetails\":{{\"Included\":true}},\"RedriveCount\":0,\
                 \"RedriveStatus\":\"NOT_REDRIVABLE\",\"RedriveStatusReason\":\"Execution is SUCCEEDED and cannot be redriven\",\
                 \"StartDate\":1700000000120,\"StateMachineArn\":\"arn:aws:states:r:1:stateMachine:M\",\"Status\":\"SUCCEEDED\",\
                 \"StopDate\":1700000000500}}"
            )
        };
        assert_eq!(tell(Waits::Text), expect("\"{\\\"a\\\": 1.0}\"", "\"[ 1 ]\""));
        assert_eq!(tell(Waits::Parsed), expect("{\"a\":1.0}", "[1]"));
    }

    #[test]
    fn another_end_is_a_failure_with_all_of_it_as_the_cause() {
        for (waits, status) in [(Waits::Text, ExecutionStatus::Failed), (Waits::Parsed, ExecutionStatus::Aborted)] {
            let Some(Callback::Failed { error, cause: Some(cause) }) = end_of(&head(waits, status)) else {
                panic!("{waits:?} is told")
            };
            assert_eq!(error.as_deref(), Some("States.TaskFailed"));
            let start = "{\"Error\":\"E\",\"ExecutionArn\":\"arn:aws:states:r:1:execution:M:e\",\"Input\":\"{\\\"a\\\": 1.0}\",";
            assert!(cause.starts_with(start), "{cause}");
            assert!(cause.contains(&format!("\"Status\":\"{}\"", status.as_str())), "{cause}");
        }
    }

    #[test]
    fn nobody_is_told_who_does_not_wait() {
        assert_eq!(end_of(&head(Waits::No, ExecutionStatus::Succeeded)), None);
        let running = ExecutionHead { end: None, ..head(Waits::Text, ExecutionStatus::Succeeded) };
        assert_eq!(end_of(&running), None);
    }
}

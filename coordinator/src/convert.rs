//! Between the core's types and the stored records: field by field, so that either side may change alone.

use std::sync::Arc;

use asl::StateName;
use engine::{
    Branch, Callback, ChildResult, ChildrenPhase, Completion, Delivery, EndFailure, Execution, JoinEntry, Location,
    MapItem, MapRunOrder, NewEvent, Phase, TaskPhase,
};
use store::Joined;
use wire::record::{
    BranchRecord, CallbackRecord, ChildrenRecord, CompletionRecord, CompletionResult, DeliveryRecord, EventRecord,
    ExecutionRecord, LocationRecord, MapItemRecord, PhaseRecord, TaskRecord,
};

/// Gives the record of a branch.
pub fn branch_to_record(branch: &Branch, traceparent: Option<String>) -> BranchRecord {
    BranchRecord {
        path: branch.path.clone(),
        location: branch.location.iter().map(location_to_record).collect(),
        state: branch.state.as_str().to_owned(),
        entry: branch.entry,
        attempts: branch.attempts,
        input: branch.input.clone(),
        entered_at: branch.entered_at,
        entered_event: branch.entered_event,
        before_entered: branch.before_entered,
        last_event: branch.last_event,
        retries: branch.retries.clone(),
        retry_count: branch.retry_count,
        item: branch.item.as_ref().map(|item| MapItemRecord { index: item.index, value: item.value.clone() }),
        variables: branch.variables.as_ref().clone(),
        phase: phase_to_record(&branch.phase),
        traceparent,
    }
}

/// Gives the branch of a record.
pub fn branch_from_record(record: BranchRecord) -> Branch {
    Branch {
        path: record.path,
        location: record.location.into_iter().map(location_from_record).collect(),
        state: StateName::from(record.state.as_str()),
        entry: record.entry,
        attempts: record.attempts,
        input: record.input,
        entered_at: record.entered_at,
        entered_event: record.entered_event,
        before_entered: record.before_entered,
        last_event: record.last_event,
        retries: record.retries,
        retry_count: record.retry_count,
        item: record.item.map(|item| MapItem { index: item.index, value: item.value }),
        variables: Arc::new(record.variables),
        phase: phase_from_record(record.phase),
    }
}

/// Gives what the core knows of an execution.
pub fn execution_from_record(record: &ExecutionRecord) -> Execution {
    Execution {
        arn: record.arn.as_str().to_owned(),
        name: record.arn.name().to_owned(),
        state_machine_arn: record.state_machine.as_str().to_owned(),
        state_machine_name: record.state_machine.name().to_owned(),
        role_arn: record.role_arn.clone(),
        region: record.arn.region().to_owned(),
        input: record.input.clone(),
        started_at: record.started_at,
        redrive_count: Some(0),
        seed: engine::seed([record.arn.as_str(), &record.started_at.as_millis().to_string(), &record.traceparent]),
        missing_activities: Vec::new(),
        map_run: record.arn.is_map_run().then(|| MapRunOrder::read(&record.input)).flatten().map(Arc::new),
    }
}

/// Gives the record of an event.
pub fn event_to_record(event: NewEvent) -> EventRecord {
    EventRecord { previous: event.previous, at: event.at, kind: event.kind, details: event.details }
}

/// Gives a join record's entry.
pub fn joined_to_record(entry: JoinEntry) -> Joined {
    let result = match entry.completion.result {
        ChildResult::Succeeded { bytes, failed } => CompletionResult::Succeeded { bytes, failed },
        ChildResult::Failed(EndFailure { error, cause, terminal, heartbeat }) => {
            CompletionResult::Failed { error, cause, terminal, heartbeat }
        }
    };
    let completion =
        CompletionRecord { index: entry.completion.index, last_event: entry.completion.last_event, result };
    Joined { scope: entry.scope, completion, output: entry.output }
}

/// Gives a completion of a join record.
pub fn completion_from_record(record: CompletionRecord) -> Completion {
    let result = match record.result {
        CompletionResult::Succeeded { bytes, failed } => ChildResult::Succeeded { bytes, failed },
        CompletionResult::Failed { error, cause, terminal, heartbeat } => {
            ChildResult::Failed(EndFailure { error, cause, terminal, heartbeat })
        }
    };
    Completion { index: record.index, last_event: record.last_event, result }
}

fn location_to_record(location: &Location) -> LocationRecord {
    LocationRecord { state: location.state.as_str().to_owned(), branch: location.branch }
}

fn location_from_record(record: LocationRecord) -> Location {
    Location { state: StateName::from(record.state.as_str()), branch: record.branch }
}

fn phase_to_record(phase: &Phase) -> PhaseRecord {
    match phase {
        Phase::Ready => PhaseRecord::Ready,
        Phase::Task(task) => PhaseRecord::Task(task_to_record(task)),
        Phase::Wait { until } => PhaseRecord::Wait { until: *until },
        Phase::Backoff { until } => PhaseRecord::Backoff { until: *until },
        Phase::Children(children) => PhaseRecord::Children(children_to_record(children)),
    }
}

fn phase_from_record(record: PhaseRecord) -> Phase {
    match record {
        PhaseRecord::Ready => Phase::Ready,
        PhaseRecord::Task(task) => Phase::Task(task_from_record(task)),
        PhaseRecord::Wait { until } => Phase::Wait { until },
        PhaseRecord::Backoff { until } => Phase::Backoff { until },
        PhaseRecord::Children(children) => Phase::Children(children_from_record(children)),
    }
}

fn task_to_record(task: &TaskPhase) -> TaskRecord {
    TaskRecord {
        attempt: task.attempt,
        resource: task.resource.clone(),
        payload: task.payload.clone(),
        role_arn: task.role_arn.clone(),
        scheduled_at: task.scheduled_at,
        deadline: task.deadline,
        timeout_seconds: task.timeout_seconds,
        heartbeat_seconds: task.heartbeat_seconds,
        heard_at: task.heard_at,
        started: task.started,
        delivery: match task.delivery {
            Delivery::Dispatched => DeliveryRecord::Dispatched,
            Delivery::Held { until } => DeliveryRecord::Held { until },
            Delivery::Unhandled { times, until } => DeliveryRecord::Unhandled { times, until },
            Delivery::Queued => DeliveryRecord::Queued,
            Delivery::Waiting => DeliveryRecord::Waiting,
        },
        deliveries: task.deliveries,
        early: task.early.clone().map(callback_to_record),
    }
}

fn task_from_record(record: TaskRecord) -> TaskPhase {
    TaskPhase {
        attempt: record.attempt,
        resource: record.resource,
        payload: record.payload,
        role_arn: record.role_arn,
        scheduled_at: record.scheduled_at,
        deadline: record.deadline,
        timeout_seconds: record.timeout_seconds,
        heartbeat_seconds: record.heartbeat_seconds,
        heard_at: record.heard_at,
        started: record.started,
        delivery: match record.delivery {
            DeliveryRecord::Dispatched => Delivery::Dispatched,
            DeliveryRecord::Held { until } => Delivery::Held { until },
            DeliveryRecord::Unhandled { times, until } => Delivery::Unhandled { times, until },
            DeliveryRecord::Queued => Delivery::Queued,
            DeliveryRecord::Waiting => Delivery::Waiting,
        },
        deliveries: record.deliveries,
        early: record.early.map(callback_from_record),
    }
}

fn callback_to_record(callback: Callback) -> CallbackRecord {
    match callback {
        Callback::Succeeded { output } => CallbackRecord::Succeeded { output },
        Callback::Failed { error, cause } => CallbackRecord::Failed { error, cause },
    }
}

fn callback_from_record(record: CallbackRecord) -> Callback {
    match record {
        CallbackRecord::Succeeded { output } => Callback::Succeeded { output },
        CallbackRecord::Failed { error, cause } => Callback::Failed { error, cause },
    }
}

fn children_to_record(children: &ChildrenPhase) -> ChildrenRecord {
    ChildrenRecord {
        scope: children.scope.clone(),
        total: children.total,
        started: children.started,
        taken: children.taken,
        succeeded: children.succeeded,
        concurrency: children.concurrency,
        started_event: children.started_event,
        input: children.input.clone(),
        last_child_event: children.last_child_event,
        results_bytes: children.results_bytes,
        cutting_off: children.cutting_off,
        failed: children.failed,
        tolerated: children.tolerated,
    }
}

fn children_from_record(record: ChildrenRecord) -> ChildrenPhase {
    ChildrenPhase {
        scope: record.scope,
        total: record.total,
        started: record.started,
        taken: record.taken,
        succeeded: record.succeeded,
        concurrency: record.concurrency,
        started_event: record.started_event,
        input: record.input,
        last_child_event: record.last_child_event,
        results_bytes: record.results_bytes,
        cutting_off: record.cutting_off,
        failed: record.failed,
        tolerated: record.tolerated,
    }
}

#[cfg(test)]
mod tests {
    use model::{AttemptId, EventId, EventRef, JsonText, Nonce, ScopeKey, Timestamp};

    use super::*;

    fn branch(phase: Phase) -> Branch {
        let text = |text: &str| JsonText::parse(text).expect("is JSON");
        Branch {
            path: "r/4.2".parse().expect("is a path"),
            location: vec![Location { state: "Both".into(), branch: 2 }],
            state: "Pay".into(),
            entry: 3,
            attempts: 2,
            input: text("{\"a\": 1.0}"),
            entered_at: Timestamp::from_millis(5),
            entered_event: EventRef::New(1),
            before_entered: EventRef::Id(EventId(7)),
            last_event: EventRef::New(4),
            retries: vec![0, 2],
            retry_count: 2,
            item: Some(MapItem { index: 2, value: text("[ 1 ]") }),
            variables: Arc::new(vec![("x".to_owned(), text("2"))]),
            phase,
        }
    }

    #[test]
    fn a_branch_comes_back_from_its_record() {
        let attempt = AttemptId { number: 2, nonce: Nonce(9) };
        let task = |delivery| {
            Phase::Task(TaskPhase {
                attempt,
                resource: "arn:aws:lambda:r:1:function:f".to_owned(),
                payload: JsonText::trusted("{}"),
                role_arn: Some("arn:aws:iam::2:role/R".to_owned()),
                scheduled_at: Timestamp::from_millis(6),
                deadline: Some(Timestamp::from_millis(60_006)),
                timeout_seconds: Some(60),
                heartbeat_seconds: Some(10),
                heard_at: Timestamp::from_millis(7),
                started: true,
                delivery,
                deliveries: 3,
                early: Some(Callback::Succeeded { output: JsonText::trusted("1") }),
            })
        };
        let until = Timestamp::from_millis(70);
        let scope: ScopeKey = "r/4.2@3".parse().expect("is a scope");
        let children = ChildrenPhase {
            scope,
            total: 100,
            started: 40,
            taken: 12,
            succeeded: 13,
            concurrency: 40,
            started_event: EventRef::New(2),
            input: JsonText::trusted("[]"),
            last_child_event: EventRef::Id(EventId(8)),
            results_bytes: 99,
            cutting_off: true,
            failed: 2,
            tolerated: 3,
        };
        let phases = [
            Phase::Ready,
            Phase::Wait { until },
            Phase::Backoff { until },
            Phase::Children(children),
            task(Delivery::Dispatched),
            task(Delivery::Held { until }),
            task(Delivery::Unhandled { times: 3, until }),
            task(Delivery::Queued),
            task(Delivery::Waiting),
        ];
        for phase in phases {
            let branch = branch(phase);
            assert_eq!(branch_from_record(branch_to_record(&branch, Some("00-1-2-01".to_owned()))), branch);
        }
    }
}

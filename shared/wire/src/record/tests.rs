//! Golden files, and records that are wrong.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use model::{
    ActivityArn, AttemptId, Details, EventId, EventKind, EventRef, ExecutionArn, ExecutionEnd, ExecutionStatus,
    JsonText, Nonce, StateMachineArn, StateMachineStatus, Timestamp,
};

use super::*;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn text(text: &str) -> JsonText {
    JsonText::parse(text).expect("is JSON")
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn id(number: u64) -> EventRef {
    EventRef::Id(EventId(number))
}

fn execution() -> ExecutionArn {
    ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-\"1\"").expect("is an ARN")
}

fn branch(phase: PhaseRecord) -> BranchRecord {
    BranchRecord {
        path: "r/4.2".parse().expect("is a path"),
        location: vec![LocationRecord { state: "Each \"one\"".to_owned(), branch: 0 }],
        state: "Pay".to_owned(),
        entry: 3,
        attempts: 2,
        input: text(r#"{"a" :  1.0, "\u00e9":[ ]}"#),
        entered_at: at(5),
        entered_event: EventRef::New(1),
        before_entered: EventRef::New(0),
        last_event: id(17),
        retries: vec![1, 0],
        retry_count: 1,
        item: Some(MapItemRecord { index: 2, value: text("[1,  2]") }),
        variables: vec![("total".to_owned(), text("1.50"))],
        phase,
        traceparent: Some(TRACE.to_owned()),
    }
}

fn task(delivery: DeliveryRecord) -> TaskRecord {
    TaskRecord {
        attempt: AttemptId { number: 2, nonce: Nonce(255) },
        resource: "arn:aws:lambda:us-east-1:123456789012:function:Pay".to_owned(),
        payload: text(r#"{"a" :  1.0, "\u00e9":[ ]}"#),
        role_arn: None,
        scheduled_at: at(6),
        deadline: Some(at(60_000)),
        timeout_seconds: None,
        heartbeat_seconds: Some(30),
        heard_at: at(7),
        started: true,
        delivery,
        deliveries: 0,
        early: None,
    }
}

fn bare_task() -> TaskRecord {
    TaskRecord {
        deadline: None,
        heartbeat_seconds: None,
        started: false,
        payload: text("null"),
        ..task(DeliveryRecord::Dispatched)
    }
}

fn bare_branch() -> BranchRecord {
    BranchRecord {
        path: "r".parse().expect("is a path"),
        location: Vec::new(),
        attempts: 0,
        retries: Vec::new(),
        retry_count: 0,
        item: None,
        variables: Vec::new(),
        traceparent: None,
        entered_event: EventRef::NONE,
        ..branch(PhaseRecord::Ready)
    }
}

fn children() -> ChildrenRecord {
    ChildrenRecord {
        scope: "r/4.2@3".parse().expect("is a scope"),
        total: 5,
        started: 2,
        taken: 1,
        succeeded: 1,
        concurrency: 40,
        started_event: EventRef::New(2),
        input: text("[1,  2]"),
        last_child_event: id(16),
        results_bytes: 70,
        cutting_off: false,
        failed: 0,
        tolerated: 0,
    }
}

fn branches() -> Vec<(&'static str, BranchRecord)> {
    let held = DeliveryRecord::Held { until: at(30_000) };
    let held_again = TaskRecord { deliveries: 4, ..task(held.clone()) };
    let unhandled = DeliveryRecord::Unhandled { times: 3, until: at(9_000) };
    let cutting_off = ChildrenRecord { cutting_off: true, ..children() };
    let of_map_run = ChildrenRecord { failed: 2, tolerated: 5, ..children() };
    let queued = TaskRecord { deadline: None, timeout_seconds: Some(60), ..task(DeliveryRecord::Queued) };
    let early = |early| TaskRecord { early: Some(early), ..task(DeliveryRecord::Dispatched) };
    let with_role = TaskRecord {
        role_arn: Some("arn:aws:iam::210987654321:role/Pay".to_owned()),
        ..task(DeliveryRecord::Dispatched)
    };
    let failed = CallbackRecord::Failed { error: Some("Late".to_owned()), cause: None };
    vec![
        ("branch.v1.task.json", branch(PhaseRecord::Task(task(DeliveryRecord::Dispatched)))),
        ("branch.v1.with-role.json", branch(PhaseRecord::Task(with_role))),
        ("branch.v1.held.json", branch(PhaseRecord::Task(task(held)))),
        ("branch.v1.held-again.json", branch(PhaseRecord::Task(held_again))),
        ("branch.v1.unhandled.json", branch(PhaseRecord::Task(task(unhandled)))),
        ("branch.v1.queued.json", branch(PhaseRecord::Task(queued))),
        ("branch.v1.waiting.json", branch(PhaseRecord::Task(task(DeliveryRecord::Waiting)))),
        ("branch.v1.early.json", branch(PhaseRecord::Task(early(CallbackRecord::Succeeded { output: text("[ 1]") })))),
        ("branch.v1.early-failure.json", branch(PhaseRecord::Task(early(failed)))),
        ("branch.v1.bare-task.json", branch(PhaseRecord::Task(bare_task()))),
        ("branch.v1.ready.json", bare_branch()),
        ("branch.v1.wait.json", branch(PhaseRecord::Wait { until: at(9_000) })),
        ("branch.v1.backoff.json", branch(PhaseRecord::Backoff { until: at(2_000) })),
        ("branch.v1.children.json", branch(PhaseRecord::Children(children()))),
        ("branch.v1.cutting-off.json", branch(PhaseRecord::Children(cutting_off))),
        ("branch.v1.map-run.json", branch(PhaseRecord::Children(of_map_run))),
    ]
}

fn execution_record() -> ExecutionRecord {
    let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:Orders";
    ExecutionRecord {
        arn: execution(),
        state_machine: StateMachineArn::parse(machine).expect("is an ARN"),
        definition: DefinitionHash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into()),
        role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
        input: text("{\"orderId\":  \"12345\"}"),
        started_at: at(0),
        traceparent: TRACE.to_owned(),
        trace_header: Some("Root=1-5759e988-bd862e3fe1be46a994272793".to_owned()),
        revision_id: Some("rev-1".to_owned()),
        machine_updated_at: Some(at(-9)),
        started_by: None,
        logging: None,
        version: None,
        alias: None,
        map_run: None,
    }
}

fn published() -> PublishedRecord {
    let machine = state_machine();
    let first = VersionRecord::of(
        &StateMachineRecord { revision_id: None, updated_at: None, ..machine.clone() },
        1,
        None,
        at(3),
    );
    let second = VersionRecord::of(&machine, 7, Some("as it \"was\"".to_owned()), at(5));
    let routes = vec![RouteRecord { version: 1, weight: 30 }, RouteRecord { version: 7, weight: 70 }];
    let alias = AliasRecord {
        name: "PROD".to_owned(),
        description: Some(String::new()),
        routes,
        created_at: at(6),
        updated_at: at(8),
    };
    let bare = AliasRecord {
        name: "TEST".to_owned(),
        description: None,
        routes: vec![RouteRecord { version: 7, weight: 100 }],
        ..alias.clone()
    };
    let aliases = vec![alias, bare];
    PublishedRecord { last_version: 8, versions: vec![first, second], aliases, ..PublishedRecord::of(&machine) }
}

fn logged(level: LogLevel, with_data: bool) -> ExecutionRecord {
    ExecutionRecord { logging: Some(LoggingRecord { level, with_data }), ..execution_record() }
}

fn nested(waits: Waits) -> ExecutionRecord {
    let starter = StarterRecord {
        execution: execution(),
        branch: "r/4.2".parse().expect("is a path"),
        attempt: AttemptId { number: 2, nonce: Nonce(255) },
        waits,
    };
    ExecutionRecord { started_by: Some(starter), ..execution_record() }
}

fn state_machine() -> StateMachineRecord {
    let of = execution_record();
    StateMachineRecord {
        arn: of.state_machine,
        definition: "".into(),
        hash: of.definition,
        role_arn: of.role_arn,
        kind: "STANDARD".to_owned(),
        status: StateMachineStatus::Active,
        created_at: at(0),
        revision_id: Some("rev-1".to_owned()),
        updated_at: Some(at(9)),
        tags: vec![("team".to_owned(), "a \"b\"".to_owned())],
        logging: Some(text("{\"level\" : \"ALL\"}")),
        tracing: Some(text("{\"enabled\":false}")),
        encryption: None,
        publication: None,
    }
}

fn activity() -> ActivityRecord {
    ActivityRecord {
        arn: ActivityArn::new("us-east-1", "123456789012", "dig"),
        created_at: at(0),
        tags: vec![("team".to_owned(), "a".to_owned())],
        encryption: Some(text("{\"type\":\"AWS_OWNED_KEY\"}")),
    }
}

fn ends() -> Vec<(&'static str, EndRecord)> {
    let end = |status, output: Option<&str>, error: Option<&str>| {
        let (error, cause) = (error.map(str::to_owned), error.map(|_| "line\n\"two\"".to_owned()));
        EndRecord { end: ExecutionEnd { status, output: output.map(text), error, cause }, at: at(99) }
    };
    vec![
        ("end.v1.succeeded.json", end(ExecutionStatus::Succeeded, Some("[1,  2]"), None)),
        ("end.v1.failed.json", end(ExecutionStatus::Failed, None, Some("Order.Broken"))),
        ("end.v1.aborted.json", end(ExecutionStatus::Aborted, None, None)),
    ]
}

/// A Map Run, or a child of it.
fn map_run(resource: &str) -> ExecutionRecord {
    let arn = |resource: &str| format!("arn:aws:states:us-east-1:123456789012:{resource}");
    let arn_of = |resource: &str| ExecutionArn::parse_any(&arn(resource)).expect("is an ARN");
    let step = |state: &str, branch| LocationRecord { state: state.to_owned(), branch };
    let run = MapRunRecord { arn: arn_of("mapRun:Orders/Each:0ab"), way: vec![step("Both", 1), step("Each", 0)] };
    let state_machine = StateMachineArn::parse(&arn("stateMachine:Orders/Each")).expect("is an ARN");
    ExecutionRecord { arn: arn_of(resource), state_machine, map_run: Some(run), ..nested(Waits::Parsed) }
}

#[test]
fn executions_are_listed_under_what_they_belong_to() {
    let run = "arn:aws:states:us-east-1:123456789012:mapRun:Orders/Each:0ab";
    assert_eq!(map_run("execution:Orders/Each:c-1").listed_under(), run);
    let starter = nested(Waits::Parsed).started_by.expect("has one").execution;
    assert_eq!(map_run("mapRun:Orders/Each:0ab").listed_under(), starter.as_str());
    assert_eq!(nested(Waits::No).listed_under(), execution_record().state_machine.as_str());
}

fn completions() -> Vec<(&'static str, CompletionRecord)> {
    let failed = |terminal| CompletionResult::Failed {
        error: Some("E".to_owned()),
        cause: Some("\"c\"".to_owned()),
        terminal,
        heartbeat: false,
    };
    let missed = CompletionResult::Failed {
        error: Some("States.Timeout".to_owned()),
        cause: None,
        terminal: false,
        heartbeat: true,
    };
    vec![
        (
            "completion.v1.succeeded.json",
            CompletionRecord {
                index: 3,
                last_event: EventRef::New(4),
                result: CompletionResult::Succeeded { bytes: 12, failed: false },
            },
        ),
        (
            "completion.v1.failed-item.json",
            CompletionRecord {
                index: 3,
                last_event: EventRef::New(4),
                result: CompletionResult::Succeeded { bytes: 12, failed: true },
            },
        ),
        ("completion.v1.failed.json", CompletionRecord { index: 0, last_event: id(12), result: failed(false) }),
        ("completion.v1.failed-heartbeat.json", CompletionRecord { index: 0, last_event: id(12), result: missed }),
        ("completion.v1.failed-terminal.json", CompletionRecord { index: 0, last_event: id(12), result: failed(true) }),
        (
            "completion.v1.failed-bare.json",
            CompletionRecord {
                index: 0,
                last_event: id(12),
                result: CompletionResult::Failed { error: None, cause: None, terminal: false, heartbeat: false },
            },
        ),
    ]
}

/// One event of each shape.
fn events() -> Vec<EventRecord> {
    let name = || "Pay \"now\"".to_owned();
    let (some, payload) = (|text: &str| Some(text.to_owned()), text("{ \"x\":1e0 }"));
    let (resource_type, resource) = ("lambda".to_owned(), "invoke".to_owned());
    let details = vec![
        (EventKind::LambdaFunctionStarted, Details::None),
        (
            EventKind::ExecutionStarted,
            Details::ExecutionStarted { input: payload.clone(), role_arn: "arn:aws:iam::1:role/R".to_owned() },
        ),
        (EventKind::ExecutionSucceeded, Details::Output { output: text("null") }),
        (EventKind::ExecutionFailed, Details::Failure { error: some("E"), cause: some("a\nb") }),
        (EventKind::LambdaFunctionFailed, Details::Failure { error: None, cause: None }),
        (EventKind::PassStateEntered, Details::StateEntered { name: name(), input: payload.clone() }),
        (
            EventKind::PassStateExited,
            Details::StateExited {
                name: name(),
                output: payload.clone(),
                assigned: vec![("a".to_owned(), text("2.0")), ("b".to_owned(), payload.clone())],
            },
        ),
        (
            EventKind::TaskStateExited,
            Details::StateExited { name: name(), output: text("\"\\u00e9\""), assigned: Vec::new() },
        ),
        (
            EventKind::LambdaFunctionScheduled,
            Details::Scheduled {
                resource: "arn:aws:lambda:us-east-1:123456789012:function:Pay".to_owned(),
                input: payload.clone(),
                timeout_seconds: Some(60),
                heartbeat_seconds: None,
                credentials: None,
            },
        ),
        (EventKind::ActivityStarted, Details::WorkerStarted { worker: some("w-1") }),
        (EventKind::ActivityStarted, Details::WorkerStarted { worker: None }),
        (
            EventKind::TaskScheduled,
            Details::TaskScheduled {
                resource_type: resource_type.clone(),
                resource: resource.clone(),
                region: "us-east-1".to_owned(),
                parameters: payload.clone(),
                timeout_seconds: None,
                heartbeat_seconds: Some(5),
                credentials: None,
            },
        ),
        (
            EventKind::TaskScheduled,
            Details::TaskScheduled {
                resource_type: resource_type.clone(),
                resource: resource.clone(),
                region: "us-east-1".to_owned(),
                parameters: payload.clone(),
                timeout_seconds: None,
                heartbeat_seconds: None,
                credentials: some("arn:aws:iam::123456789012:role/task"),
            },
        ),
        (
            EventKind::TaskStarted,
            Details::TaskStarted { resource_type: resource_type.clone(), resource: resource.clone() },
        ),
        (
            EventKind::TaskSucceeded,
            Details::TaskOutput { resource_type: resource_type.clone(), resource: resource.clone(), output: payload },
        ),
        (
            EventKind::TaskFailed,
            Details::TaskFailure { resource_type, resource, error: some("States.TaskFailed"), cause: None },
        ),
        (EventKind::MapRunStarted, Details::MapRunStarted { arn: "arn:aws:states:r:1:mapRun:S/L:0ab".to_owned() }),
        (EventKind::MapStateStarted, Details::MapStarted { length: 3 }),
        (EventKind::MapIterationStarted, Details::MapIteration { name: name(), index: 2 }),
        (
            EventKind::EvaluationFailed,
            Details::EvaluationFailed {
                state: name(),
                location: some("Output/a"),
                error: "States.QueryEvaluationError".to_owned(),
                cause: "why".to_owned(),
            },
        ),
    ];
    let event = |(index, (kind, details)): (u32, (EventKind, Details))| {
        let previous = if index == 0 { id(4) } else { EventRef::New(index - 1) };
        EventRecord { previous, at: at(i64::from(index)), kind, details }
    };
    (0..).zip(details).map(event).collect()
}

fn large_chunk() -> HistoryChunk {
    let payload = |index: usize| text(&format!("{{\"index\": {index}, \"fill\": \"{}\"}}", "order ".repeat(200)));
    let entered = |index| Details::StateEntered { name: format!("Step {index}"), input: payload(index) };
    let event =
        |index| EventRecord { previous: id(0), at: at(0), kind: EventKind::PassStateEntered, details: entered(index) };
    HistoryChunk { events: (0..8).map(event).collect() }
}

/// Golden files end in a line feed where they are text, which a writer does not write.
fn golden(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/records").join(name);
    let mut bytes = fs::read(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    if bytes.last() == Some(&b'\n') && name.ends_with(".json") {
        bytes.pop();
    }
    bytes
}

fn check<T: PartialEq + Debug>(
    records: Vec<(&str, T)>,
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> Result<T, RecordError>,
) {
    for (name, record) in records {
        let golden = golden(name);
        let written = encode(&record);
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&golden), "{name}");
        assert_eq!(written, golden, "{name}");
        assert_eq!(decode(&golden).expect("reads"), record, "{name}");
    }
}

#[test]
fn records_are_as_the_golden_files_have_them() {
    check(branches(), BranchRecord::encode, BranchRecord::decode);
    let executions = vec![
        ("execution.v1.json", execution_record()),
        ("execution.v1.nested.json", nested(Waits::No)),
        ("execution.v1.nested-text.json", nested(Waits::Text)),
        ("execution.v1.nested-parsed.json", nested(Waits::Parsed)),
        ("execution.v1.logged.json", logged(LogLevel::Error, false)),
        ("execution.v1.logged-all.json", logged(LogLevel::All, true)),
        (
            "execution.v1.of-alias.json",
            ExecutionRecord { version: Some(7), alias: Some("PROD".to_owned()), ..execution_record() },
        ),
        ("execution.v1.map-run.json", map_run("mapRun:Orders/Each:0ab")),
        ("execution.v1.child.json", map_run("execution:Orders/Each:c-1")),
    ];
    check(executions, ExecutionRecord::encode, ExecutionRecord::decode);
    let publishing = |description: Option<&str>| {
        let publication = Some(PublicationRecord { description: description.map(str::to_owned) });
        StateMachineRecord { publication, ..state_machine() }
    };
    check(
        vec![
            ("state-machine.v1.json", state_machine()),
            ("state-machine.v1.publishing.json", publishing(Some("the \"first\""))),
            ("state-machine.v1.publishing-bare.json", publishing(None)),
        ],
        StateMachineRecord::encode,
        StateMachineRecord::decode,
    );
    let of_none = PublishedRecord::of(&state_machine());
    let published = vec![("published.v1.json", published()), ("published.v1.nothing.json", of_none)];
    check(published, PublishedRecord::encode, PublishedRecord::decode);
    check(vec![("activity.v1.json", activity())], ActivityRecord::encode, ActivityRecord::decode);
    check(ends(), EndRecord::encode, EndRecord::decode);
    check(completions(), CompletionRecord::encode, CompletionRecord::decode);
    let chunk = HistoryChunk { events: events() };
    check(vec![("chunk.v1.json", chunk)], HistoryChunk::encode, HistoryChunk::decode);
    let items = ItemsRecord { items: vec![text("{\"n\":  1}"), text("1.0"), text("null")] };
    check(vec![("items.v1.json", items)], ItemsRecord::encode, ItemsRecord::decode);
}

#[test]
fn every_phase_and_shape_has_a_golden_file() {
    let shapes: std::collections::BTreeSet<_> =
        events().iter().map(|event| format!("{:?}", std::mem::discriminant(&event.details))).collect();
    assert_eq!(shapes.len(), 16);
}

#[test]
fn a_text_that_repeats_is_kept_once_and_shared() {
    let record = branch(PhaseRecord::Task(task(DeliveryRecord::Dispatched)));
    let read = BranchRecord::decode(&record.encode()).expect("reads");
    let PhaseRecord::Task(task) = &read.phase else { panic!("is a task") };
    assert!(task.payload.is_same(&read.input));
    let written = String::from_utf8(record.encode()).expect("is UTF-8");
    assert_eq!(written.matches(record.input.as_str()).count(), 1);
}

#[test]
fn a_large_chunk_is_compressed_and_a_random_one_is_not() {
    let chunk = large_chunk();
    let written = chunk.encode();
    assert!(written.len() < 2_000, "{}", written.len());
    // Another release of the compressor may write other bytes; what is read from old ones stays.
    assert_eq!(HistoryChunk::decode(&golden("chunk.v1.large.lz4")).expect("reads"), chunk);
    assert_eq!(HistoryChunk::decode(&written).expect("reads"), chunk);
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + u8::try_from((state >> 33) % 90).expect("is small")).to_string().replace(['"', '\\'], "_")
    };
    let input = text(&format!("\"{}\"", (0..8_000).map(|_| noise()).collect::<String>()));
    let details = Details::StateEntered { name: "X".to_owned(), input };
    let event = EventRecord { previous: id(0), at: at(0), kind: EventKind::PassStateEntered, details };
    let chunk = HistoryChunk { events: vec![event] };
    assert_eq!(HistoryChunk::decode(&chunk.encode()).expect("reads"), chunk);
}

#[test]
fn fields_that_a_later_writer_adds_are_passed_over() {
    let read = BranchRecord::decode(&golden("branch.v1.later-writer.json")).expect("reads");
    assert_eq!(read, bare_branch());
    let read = HistoryChunk::decode(&golden("chunk.v1.later-writer.json")).expect("reads");
    assert_eq!(read.events.len(), 1);
}

#[test]
fn what_is_wrong_is_named() {
    let check = |text: &str, expect: &str| {
        let error = BranchRecord::decode(text.as_bytes()).expect_err("is refused").chain();
        assert!(error.contains(expect), "{text}: {error}");
    };
    check("{\"v\":2,\"any\":[]}", "read a branch record of version 2: this release reads versions up to 1");
    check("{\"v\":12}", "read a branch record of version 12");
    check("{ \"any\":1, \"v\":7}", "read a branch record of version 7");
    check("{\"path\":\"r\"}", "read a branch record: missing field `v`");
    check("", "read a branch record: EOF");
    check("{\"v\":1}", "missing field `path`");
    let bare = String::from_utf8(bare_branch().encode()).expect("is UTF-8");
    check(&bare.replace("\"r\"", "\"x\""), "read an id of a record: read \"x\" as a branch path");
    check(&bare.replace("\"input\":0", "\"input\":7"), "find text 7 of a record, which has fewer");
    check(&bare.replace("\"last\":17", "\"last\":-9999999999"), "the index of an event is out of bounds");
    let error = HistoryChunk::decode(&[1, 255, 255, 255, 255, 0]).expect_err("is refused").chain();
    assert!(error.contains("expand a compressed record: it says that it expands to 4294967295 bytes"), "{error}");
    assert!(HistoryChunk::decode(&[1, 9, 0, 0, 0, 0xff]).is_err());
    let error = HistoryChunk::decode(br#"{"v":1,"events":[{"k":"X","p":0,"t":0}]}"#).expect_err("is refused");
    assert_eq!(error.to_string(), "know the event type \"X\" of a record");
}

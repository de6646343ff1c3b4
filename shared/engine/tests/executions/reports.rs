//! Reports and timers one by one: what is applied, what is stale, what changes nothing.

use engine::{Delivery, Effect, Event, Limits, Outcome, Outstanding, Phase, Rejected, RunLimits, TaskPhase, Timer};
use model::{AttemptId, BranchPath, Details, EventKind, JsonText, Nonce};

use world::{Answer, START, World};

const TASK: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task","End":true,"TimeoutSeconds":60,"HeartbeatSeconds":10,
    "Resource":"arn:aws:lambda:us-east-1:123456789012:function:F"}}}"#;

fn world(definition: &str) -> World {
    World::start(definition, "{}", Limits::default(), 1)
}

fn task(world: &World) -> TaskPhase {
    let Phase::Task(task) = &world.branches[&BranchPath::root()].phase else { panic!("the root waits for its task") };
    task.clone()
}

fn report(world: &mut World, outcome: Outcome) -> Result<(), Rejected> {
    let attempt = task(world).attempt;
    world.report(&BranchPath::root(), attempt, None, outcome)
}

fn ok() -> Outcome {
    Outcome::Succeeded { output: JsonText::trusted("1") }
}

#[test]
fn a_report_of_another_attempt_is_stale() {
    let mut world = world(TASK);
    let open = task(&world).attempt;
    let others = [
        AttemptId { number: open.number, nonce: Nonce(open.nonce.0 ^ 1) },
        AttemptId { number: open.number + 1, ..open },
    ];
    for other in others {
        let rejected = world.report(&BranchPath::root(), other, None, ok());
        assert_eq!(rejected, Err(Rejected::Stale));
    }
    assert_eq!(world.history.len(), 3);
}

#[test]
fn every_attempt_keeps_the_role_of_its_credentials() {
    let definition = r#"{"StartAt":"T","States":{"T":{"Type":"Task","End":true,
        "Credentials":{"RoleArn.$":"States.Format('arn:aws:iam::{}:role/R', $.account)"},
        "Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":1}],
        "Resource":"arn:aws:lambda:us-east-1:123456789012:function:F"}}}"#;
    let mut world = World::start(definition, r#"{"account":"210987654321"}"#, Limits::default(), 1);
    let role = Some("arn:aws:iam::210987654321:role/R");
    assert_eq!(task(&world).role_arn.as_deref(), role);
    let failed = Outcome::Failed { error: Some("E".to_owned()), cause: None };
    report(&mut world, failed).expect("counts");
    world.happen(world.next_timer().expect("it is tried again"), &mut |_, _| Answer::Silence);
    assert_eq!((task(&world).attempt.number, task(&world).role_arn.as_deref()), (2, role));
}

#[test]
fn timers_of_what_is_over_are_stale() {
    let mut world = world(TASK);
    let path = BranchPath::root();
    let stale = [
        Timer::Wait { entry: 1 },
        Timer::Backoff { entry: 1, retry: 0 },
        Timer::Timeout { attempt: 2 },
        Timer::Heartbeat { attempt: 0 },
        Timer::Redispatch { attempt: 1 },
        Timer::Execution,
    ];
    for timer in stale {
        assert_eq!(world.apply(&path, Event::Timer { timer }), Err(Rejected::Stale), "{timer:?}");
    }
    assert_eq!(world.apply(&path, Event::Proceed), Err(Rejected::Stale));
}

#[test]
fn a_timer_that_fires_early_is_set_anew() {
    let mut world = world(TASK);
    let timer = Timer::Timeout { attempt: 1 };
    world.timers.remove(&(BranchPath::root(), timer));
    world.apply(&BranchPath::root(), Event::Timer { timer }).expect("is not stale");
    assert_eq!(world.timers.get(&(BranchPath::root(), timer)), Some(&START.plus_millis(60_000)));
    assert_eq!(world.history.len(), 3);
}

#[test]
fn a_timer_a_moment_early_happens_when_due() {
    let mut world = world(r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":5,"End":true}}}"#);
    world.now = START.plus_millis(4_990);
    world.apply(&BranchPath::root(), Event::Timer { timer: Timer::Wait { entry: 1 } }).expect("is due");
    assert_eq!(world.history[2].at, START.plus_millis(5_000));
}

#[test]
fn a_started_notice_is_recorded_once_and_is_a_sign_of_life() {
    let mut world = world(TASK);
    world.now = START.plus_millis(3_000);
    let attempt = task(&world).attempt;
    let early = Some(START.plus_millis(-500));
    world.report(&BranchPath::root(), attempt, early, Outcome::Started).expect("is new");
    assert_eq!(world.history[3].at, START, "not before the attempt was scheduled");
    assert_eq!(world.timers[&(BranchPath::root(), Timer::Heartbeat { attempt: 1 })], START.plus_millis(13_000));
    report(&mut world, Outcome::Started).expect("counts as a heartbeat");
    report(&mut world, ok()).expect("is open");
    let started = world.history.iter().filter(|event| event.kind == EventKind::LambdaFunctionStarted).count();
    assert_eq!(started, 1);
}

#[test]
fn a_heartbeat_that_nobody_waits_for_changes_nothing() {
    let mut world = world(&TASK.replace(r#","HeartbeatSeconds":10"#, ""));
    assert_eq!(report(&mut world, Outcome::Heartbeat), Err(Rejected::Unchanged));
}

#[test]
fn a_held_item_is_dispatched_again_unless_the_hold_is_renewed() {
    let mut world = world(TASK);
    world.items.clear();
    report(&mut world, Outcome::Holding { deliveries: 0 }).expect("is open");
    let due = (BranchPath::root(), Timer::Redispatch { attempt: 1 });
    assert_eq!(world.timers[&due], START.plus_millis(30_000));
    world.now = START.plus_millis(10_000);
    report(&mut world, Outcome::Holding { deliveries: 0 }).expect("is open");
    assert_eq!(world.timers[&due], START.plus_millis(40_000));
    world.now = START.plus_millis(40_000);
    let attempt = task(&world).attempt;
    world.timers.remove(&due);
    world.apply(&BranchPath::root(), Event::Timer { timer: due.1 }).expect("is due");
    assert_eq!(world.items, [(BranchPath::root(), attempt)]);
    assert_eq!(task(&world).delivery, Delivery::Dispatched);
}

#[test]
fn an_unhandled_item_waits_longer_each_time() {
    let mut world = world(&TASK.replace(r#","TimeoutSeconds":60,"HeartbeatSeconds":10"#, ""));
    let due = (BranchPath::root(), Timer::Redispatch { attempt: 1 });
    let mut waits = Vec::new();
    for _ in 0..8 {
        world.items.clear();
        report(&mut world, Outcome::Unhandled).expect("is open");
        let attempt = task(&world).attempt;
        let outstanding = engine::outstanding(&world.branches[&BranchPath::root()]);
        assert_eq!(outstanding, Outstanding::Redispatch(attempt));
        waits.push(world.timers[&due].millis_since(world.now) / 1_000);
        world.now = world.timers.remove(&due).expect("is set");
        world.apply(&BranchPath::root(), Event::Timer { timer: due.1 }).expect("is due");
        assert_eq!(world.items, [(BranchPath::root(), attempt)]);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    report(&mut world, Outcome::Started).expect("is new");
    assert_eq!(task(&world).delivery, Delivery::Dispatched);
}

#[test]
fn a_timed_out_attempt_is_cancelled() {
    let mut world = world(TASK);
    let attempt = task(&world).attempt;
    world.now = START.plus_millis(60_000);
    world.apply(&BranchPath::root(), Event::Timer { timer: Timer::Timeout { attempt: 1 } }).expect("is due");
    assert_eq!(world.cancelled, [(BranchPath::root(), attempt)]);
    assert!(world.end.is_some());
    assert!(world.timers.is_empty());
}

#[test]
fn a_run_yields_at_each_bound() {
    let lap = r#"{"StartAt":"A","States":{"Z":{"Type":"Succeed"},"A":{"Type":"Choice","Default":"A",
        "Choices":[{"Variable":"$$.State.Name","StringEquals":"Z","Next":"Z"}]}}}"#;
    let check = |run: RunLimits, transitions: usize| {
        let mut limits = Limits { run, ..Limits::default() };
        limits.payload_bytes_max = None;
        let world = World::start(lap, &format!("\"{}\"", "x".repeat(1_000)), limits, 1);
        assert_eq!(world.history.len(), 1 + 2 * transitions);
        assert_eq!(world.runnable, [BranchPath::root()]);
    };
    let most = RunLimits { transitions: 1_000, bytes: u64::MAX, millis: u64::MAX, records: 200 };
    check(most, 1_000);
    check(RunLimits { transitions: 7, ..most }, 7);
    check(RunLimits { bytes: 10_000, ..most }, 5);
    check(RunLimits { transitions: 0, ..most }, 1);
}

#[test]
fn a_wide_parallel_starts_in_several_runs() {
    let branch = r#"{"StartAt":"NAME","States":{"NAME":{"Type":"Task","End":true,
        "Resource":"arn:aws:lambda:us-east-1:123456789012:function:F"}}}"#;
    let branches: Vec<String> = (0..25).map(|index| branch.replace("NAME", &format!("B{index}"))).collect();
    let definition = format!(
        r#"{{"StartAt":"P","States":{{"P":{{"Type":"Parallel","End":true,"Branches":[{}]}}}}}}"#,
        branches.join(",")
    );
    let mut limits = Limits::default();
    limits.run.records = 10;
    let mut world = World::start(&definition, "{}", limits, 1);
    assert!(world.branches.len() <= 10);
    world.finish(|_, _| Answer::Reports(vec![(1, ok())]));
    let end = world.end.expect("it ends");
    assert_eq!(end.output.map(|output| output.len()), Some(51));
}

#[test]
fn a_long_map_of_passes_runs_within_its_bounds() {
    let definition = r#"{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"I","States":{
        "I":{"Type":"Pass","End":true}}}}}}"#;
    let input: Vec<String> = (0..3_000).map(|index| index.to_string()).collect();
    let input = format!("[{}]", input.join(","));
    let mut world = World::start(definition, &input, Limits::default(), 1);
    world.finish(|_, _| Answer::Silence);
    assert_eq!(world.end.and_then(|end| end.output), Some(JsonText::trusted(input)));
    assert!((15..60).contains(&world.commits), "{} commits", world.commits);
    assert_eq!(world.history.len(), 3 + 3_000 * 4 + 3);
}

#[test]
fn stopping_records_one_event() {
    let end = engine::aborted(Some("E".into()), None);
    let moment = engine::Moment { at: START, seed: Nonce(0) };
    let closing = engine::close_execution(end, moment);
    assert_eq!(closing.history.len(), 1);
    assert_eq!(closing.history[0].kind, EventKind::ExecutionAborted);
    assert_eq!(closing.history[0].previous, model::EventRef::NONE);
}

#[test]
fn a_full_history_ends_with_its_last_event() {
    let world = world(TASK);
    let root = &world.branches[&BranchPath::root()];
    let moment = engine::Moment { at: START, seed: Nonce(0) };
    let closing = engine::close_full_history(root, moment, &Limits::default());
    assert_eq!(closing.history[0].previous, root.last_event);
    let cause = "The execution reached the maximum number of history events (25000).";
    assert_eq!(closing.end.cause.as_deref(), Some(cause));
}

#[test]
fn only_a_run_that_prints_an_id_of_its_own_assumes_the_base() {
    let two = |second: &str| {
        format!(
            r#"{{"StartAt":"W","States":{{"W":{{"Type":"Wait","Seconds":1,"Next":"A"}},
                "A":{{"Type":"Pass","Next":"B"}},"B":{second}}}}}"#
        )
    };
    let check = |definition: &str, assumed: bool| {
        let world = world(definition);
        let branch = world.branches[&BranchPath::root()].clone();
        let moment = engine::Moment { at: START.plus_millis(1_000), seed: Nonce(0) };
        let event = Event::Timer { timer: Timer::Wait { entry: 1 } };
        let (definition, limits, base) = (&world.definition, Limits::default(), world.base());
        let run = engine::run(definition, &world.execution, branch, event, moment, &limits, base).expect("is due");
        assert_eq!(run.assumed_base, assumed.then_some(base));
    };
    check(&two(r#"{"Type":"Pass","End":true}"#), false);
    check(&two(r#"{"Type":"Pass","InputPath":"$.no","End":true}"#), true);
    let failing_wait = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"OutputPath":"$.no","End":true}}}"#;
    check(failing_wait, false);
}

#[test]
fn steps_add_up_to_a_run() {
    let definition = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"Next":"A"},"A":{"Type":"Pass","Next":"C"},
        "C":{"Type":"Choice","Default":"T","Choices":[{"Variable":"$.x","IsPresent":true,"Next":"A"}]},
        "T":{"Type":"Task","End":true,"TimeoutSeconds":9,"Resource":"arn:aws:lambda:us-east-1:123456789012:function:F"}}}"#;
    let world = world(definition);
    let start = world.branches[&BranchPath::root()].clone();
    let moment = engine::Moment { at: START.plus_millis(1_000), seed: Nonce(3) };
    let (limits, base) = (Limits::default(), world.base());
    let mut event = Event::Timer { timer: Timer::Wait { entry: 1 } };
    let (definition, execution) = (&world.definition, &world.execution);
    let run = engine::run(definition, execution, start.clone(), event.clone(), moment, &limits, base).expect("is due");

    let (mut branch, mut history, mut effects) = (start, Vec::new(), Vec::new());
    loop {
        let events = u32::try_from(history.len()).expect("is short");
        let context = engine::Context { moment, base, events, limits: &limits };
        let step = engine::step(definition, execution, &branch, event, context).expect("goes on");
        history.extend(step.history);
        effects.extend(step.effects.into_iter().filter(|effect| !matches!(effect, Effect::ContinueRun { .. })));
        branch = step.branch.expect("stays open");
        event = Event::Proceed;
        if branch.phase != Phase::Ready {
            break;
        }
    }
    assert_eq!(run.branch, Some(branch));
    assert_eq!((run.history, run.effects), (history, effects));
}

#[test]
fn causes_that_tell_the_input_do_not_grow_for_ever() {
    let definition = r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:F",
        "ResultPath":"$.n.x","Next":"Z","Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":"$.e","Next":"T"}]},
        "Z":{"Type":"Succeed"}}}"#;
    let mut world = World::start(definition, r#"{"n":1}"#, Limits::default(), 1);
    let mut tries = 0;
    world.finish(|_, _| {
        tries += 1;
        if tries < 100 { Answer::Reports(vec![(1, ok())]) } else { Answer::Silence }
    });
    assert!(world.end.is_none());
    let longest = world.history.iter().map(|event| event.details.payload_bytes()).max();
    assert!(longest.is_some_and(|bytes| (30_000..100_000).contains(&bytes)), "{longest:?}");
}

/// A Parallel or Map that would take every failure of what is within it.
fn catching(state: &str) -> String {
    let catch = r#""Catch":[{"ErrorEquals":["States.ALL"],"Next":"Z"}],"Next":"Z""#;
    format!(r#"{{"StartAt":"S","States":{{"S":{{{state},{catch}}},"Z":{{"Type":"Succeed"}}}}}}"#)
}

/// An input whose text is more than half of what a payload may be.
fn half() -> String {
    format!(r#"{{"text":"{}","list":[1,2]}}"#, "x".repeat(150 * 1024))
}

#[test]
fn nothing_takes_what_is_too_large_within_it() {
    let double = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","ResultPath":"$.again","End":true}}}"#;
    let late = r#"{"StartAt":"V","States":{"V":{"Type":"Wait","Seconds":1,"Next":"P"},"P":{"Type":"Pass","ResultPath":"$.again","End":true}}}"#;
    let wait = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":9,"End":true}}}"#;
    let retry = r#""Retry":[{"ErrorEquals":["States.ALL"]}]"#;
    for state in [
        format!(r#""Type":"Parallel","Branches":[{double}]"#),
        format!(r#""Type":"Parallel","Branches":[{wait},{late}]"#),
        format!(
            r#""Type":"Map","ItemsPath":"$.list","ItemSelector":{{"text.$":"$.text"}},"ItemProcessor":{double},{retry}"#
        ),
    ] {
        let mut world = World::start(&catching(&state), &half(), Limits::default(), 1);
        world.finish(|_, _| Answer::Silence);
        let end = world.end.as_ref().and_then(|end| end.error.as_deref());
        assert_eq!(end, Some("States.DataLimitExceeded"), "{state}");
        let is_word = |kind: &EventKind| matches!(kind, EventKind::ParallelStateFailed | EventKind::MapStateFailed);
        assert!(!world.history.iter().any(|event| is_word(&event.kind)), "{state}");
    }
}

#[test]
fn results_that_are_too_large_together_fail_after_the_last_of_them() {
    let pass = |name: &str| format!(r#"{{"StartAt":"{name}","States":{{"{name}":{{"Type":"Pass","End":true}}}}}}"#);
    for state in [
        format!(r#""Type":"Parallel","Branches":[{},{}]"#, pass("P"), pass("Q")),
        format!(
            r#""Type":"Map","ItemsPath":"$.list","ItemSelector":{{"text.$":"$.text"}},"ItemProcessor":{}"#,
            pass("P")
        ),
    ] {
        let world = World::start(&catching(&state), &half(), Limits::default(), 1);
        let [.., before, last] = world.history.as_slice() else { panic!("has events") };
        assert_eq!((last.kind, last.previous), (EventKind::ExecutionFailed, before.id), "{state}");
    }
}

#[test]
fn what_is_too_large_together_deep_within_is_replayed() {
    let pass = |name: &str| format!(r#"{{"StartAt":"{name}","States":{{"{name}":{{"Type":"Pass","End":true}}}}}}"#);
    let inner = format!(r#"{{"Type":"Parallel","Branches":[{},{}],"End":true}}"#, pass("P"), pass("Q"));
    let state = format!(r#""Type":"Parallel","Branches":[{{"StartAt":"I","States":{{"I":{inner}}}}},{}]"#, pass("R"));
    let mut world = World::start(&catching(&state), &half(), Limits::default(), 1);
    world.finish(|_, _| Answer::Silence);
    let end = world.end.as_ref().and_then(|end| end.error.as_deref());
    assert_eq!(end, Some("States.DataLimitExceeded"));
    let replayed = engine::replay(&world.definition, &world.execution, &Limits::default(), &world.history);
    assert!(replayed.is_ok(), "{replayed:?}");
}

#[test]
fn a_payload_nested_too_deep_to_be_looked_into_is_refused() {
    let path = format!("$.{}", vec!["a"; 200].join("."));
    let pass = |result_path: &str| {
        format!(
            r#"{{"StartAt":"P","States":{{"P":{{"Type":"Pass","Result":1,"ResultPath":"{result_path}","End":true}}}}}}"#
        )
    };
    assert!(world(&pass("$.a.a")).end.is_some_and(|end| end.error.is_none()));
    let end = world(&pass(&path)).end.expect("it ends");
    assert_eq!(end.error.as_deref(), Some("States.DataLimitExceeded"));
    let mut world = world(TASK);
    let deep = Outcome::Succeeded { output: JsonText::trusted("[".repeat(200) + &"]".repeat(200)) };
    report(&mut world, deep).expect("the attempt is open");
    assert_eq!(world.end.and_then(|end| end.error).as_deref(), Some("States.DataLimitExceeded"));
}

#[test]
fn every_iteration_that_has_ended_when_one_has_failed_is_told() {
    let task = r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:F","End":true}}}"#;
    let map = format!(r#"{{"StartAt":"M","States":{{"M":{{"Type":"Map","ItemProcessor":{task},"End":true}}}}}}"#);
    let mut world = World::start(&map, "[1,2,3,4]", Limits::default(), 1);
    let failed = || Outcome::Failed { error: Some("E".to_owned()), cause: None };
    let tasks: Vec<(BranchPath, AttemptId)> = world
        .branches
        .iter()
        .filter_map(|(path, branch)| {
            let Phase::Task(task) = &branch.phase else { return None };
            Some((path.clone(), task.attempt))
        })
        .collect();
    for ((path, attempt), outcome) in tasks.iter().zip([failed(), ok(), failed()]) {
        world.report(path, *attempt, None, outcome).expect("the attempt is open");
    }
    world.finish(|_, _| Answer::Silence);
    let told: Vec<EventKind> = world
        .history
        .iter()
        .skip_while(|event| event.kind != EventKind::MapIterationFailed)
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        told,
        [
            EventKind::MapIterationFailed,
            EventKind::TaskStateAborted,
            EventKind::MapIterationAborted,
            EventKind::MapIterationSucceeded,
            EventKind::MapIterationFailed,
            EventKind::MapStateFailed,
            EventKind::ExecutionFailed,
        ]
    );
    let replayed = engine::replay(&world.definition, &world.execution, &Limits::default(), &world.history);
    assert!(replayed.is_ok(), "{replayed:?}");
}

#[test]
fn texts_of_failures_are_cut_to_what_aws_allows() {
    let check = |definition: &str, input: &str, (error, cause): (&str, &str)| {
        let mut world = World::start(definition, input, Limits::default(), 1);
        let failed = Outcome::Failed { error: Some("e".repeat(300)), cause: Some("é".repeat(40_000)) };
        world.finish(|_, _| Answer::Reports(vec![(1, failed.clone())]));
        let end = world.end.expect("it ends");
        assert_eq!(end.error.as_deref(), Some(error));
        let told = end.cause.expect("it has a cause");
        assert_eq!((told.chars().count(), told.starts_with(cause)), (32_768, true));
        for event in &world.history {
            if let Details::Failure { error, cause } = &event.details {
                assert_eq!((error.as_ref(), cause.as_ref()), (end.error.as_ref(), Some(&told)));
            }
        }
    };
    check(TASK, "{}", (&"e".repeat(256), "éé"));
    let fail = r#"{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E","CausePath":"$.why"}}}"#;
    check(fail, &format!(r#"{{"why":"{}"}}"#, "y".repeat(40_000)), ("E", "yy"));
    let misplaced = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","Result":1,"ResultPath":"$.n.x","End":true}}}"#;
    let quoted = r#"Unable to apply step "x" to input {"n":"xx"#;
    let input = format!(r#"{{"n":"{}"}}"#, "x".repeat(200_000));
    check(misplaced, &input, ("States.ReferencePathConflict", quoted));
}

//! What holds of every execution, tried on random definitions with events in random order, some of them twice.
//!
//! The harness checks after each commit: ids without a gap, previous events older, effects just those that the branches
//! imply, paths and scopes used once, nothing written after the end.

use engine::{Branch, Event, Limits, Outcome, RunLimits};
use model::{EventKind, ExecutionStatus, JsonText};
use proptest::prelude::*;
use serde_json::{Value, json};

use world::{Answer, Happening, World, listing};

const LAMBDA: &str = "arn:aws:lambda:us-east-1:123456789012:function:";

/// Is a state before it has a name and a successor.
#[derive(Clone, Debug)]
enum Sketch {
    Pass,
    Assign,
    Query { fails: bool },
    Wait(u64),
    Task { catch: bool, retry: bool, timeout: bool },
    Parallel { branches: Vec<Vec<Sketch>>, catch: bool, retry: bool },
    Map { items: u32, at_once: u32, body: Vec<Sketch>, catch: bool, retry: bool },
    Fail,
}

fn sketches() -> impl Strategy<Value = Vec<Sketch>> {
    let leaf = prop_oneof![
        4 => Just(Sketch::Pass),
        2 => Just(Sketch::Assign),
        2 => prop::bool::weighted(0.2).prop_map(|fails| Sketch::Query { fails }),
        1 => (0_u64..3).prop_map(Sketch::Wait),
        4 => any::<(bool, bool, bool)>().prop_map(|(catch, retry, timeout)| Sketch::Task { catch, retry, timeout }),
        1 => Just(Sketch::Fail),
    ];
    let state = leaf.prop_recursive(3, 24, 4, |inner| {
        let body = prop::collection::vec(inner, 1..3);
        let branches = prop::collection::vec(body.clone(), 1..4);
        prop_oneof![
            (branches, any::<(bool, bool)>()).prop_map(|(branches, (catch, retry))| Sketch::Parallel {
                branches,
                catch,
                retry
            }),
            (0_u32..6, 0_u32..4, body, any::<(bool, bool)>()).prop_map(|(items, at_once, body, (catch, retry))| {
                Sketch::Map { items, at_once, body, catch, retry }
            }),
        ]
    });
    prop::collection::vec(state, 1..4)
}

/// Renders a machine; names count on over the whole definition.
fn machine(sketches: &[Sketch], count: &mut u32) -> Value {
    let names: Vec<String> = sketches
        .iter()
        .map(|_| {
            *count += 1;
            format!("S{count}")
        })
        .collect();
    let last = format!("E{count}");
    let mut states = json!({ (last.clone()): { "Type": "Succeed" } });
    for (index, sketch) in sketches.iter().enumerate() {
        let next = names.get(index + 1).unwrap_or(&last);
        states[&names[index]] = state(sketch, next, &last, count);
        if let Sketch::Fail = sketch {
            states[format!("F{}", names[index])] = json!({ "Type": "Fail", "Error": "Failed" });
            let rule = json!({ "Variable": "$$.State.Name", "StringEquals": "none", "Next": next });
            let fail = format!("F{}", names[index]);
            states[&names[index]] = json!({ "Type": "Choice", "Choices": [rule], "Default": fail });
        }
    }
    json!({ "StartAt": names[0], "States": states })
}

fn state(sketch: &Sketch, next: &str, last: &str, count: &mut u32) -> Value {
    let guarded = |mut state: Value, catch: bool, retry: bool| {
        if catch {
            state["Catch"] = json!([{ "ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": last }]);
        }
        if retry {
            state["Retry"] = json!([{ "ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1 }]);
        }
        state
    };
    match sketch {
        Sketch::Pass => json!({ "Type": "Pass", "Next": next }),
        Sketch::Assign => {
            let values = json!({ (format!("a{next}.$")): "States.Array($$.State.Name, States.UUID())" });
            json!({ "Type": "Pass", "Assign": values, "Next": next })
        }
        Sketch::Query { fails } => {
            let missing = if *fails { "$states.input.no" } else { "1" };
            let output = format!(
                "{{% $merge([$states.input, {{'uuid': $length($uuid()), 'random': $random() < 1, 'x': {missing}}}]) %}}"
            );
            let count = format!("{{% ($exists($q{next}) ? $q{next} : 0) + {missing} %}}");
            let values = json!({ (format!("q{next}")): count, (format!("u{next}")): "{% $uuid() %}" });
            json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Output": output, "Assign": values, "Next": next })
        }
        Sketch::Wait(seconds) => json!({ "Type": "Wait", "Seconds": seconds, "Next": next }),
        Sketch::Fail => Value::Null,
        Sketch::Task { catch, retry, timeout } => {
            let mut task =
                json!({ "Type": "Task", "Resource": format!("{LAMBDA}F"), "ResultPath": "$.result", "Next": next });
            if *timeout {
                task["TimeoutSeconds"] = json!(2);
            }
            guarded(task, *catch, *retry)
        }
        Sketch::Parallel { branches, catch, retry } => {
            let branches: Vec<Value> = branches.iter().map(|branch| machine(branch, count)).collect();
            let parallel = json!({ "Type": "Parallel", "Branches": branches, "ResultPath": "$.result", "Next": next });
            guarded(parallel, *catch, *retry)
        }
        Sketch::Map { items, at_once, body, catch, retry } => {
            let list: Vec<Value> = (0..*items).map(|index| json!({ "n": index })).collect();
            let map = json!({
                "Type": "Map", "ItemsPath": format!("$$.Execution.Input.lists[{}]", list.len()),
                "MaxConcurrency": at_once, "ItemProcessor": machine(body, count), "ResultPath": "$.result", "Next": next,
            });
            guarded(map, *catch, *retry)
        }
    }
}

fn input() -> String {
    let list = |len: u32| (0..len).map(|index| json!({ "n": index })).collect::<Vec<_>>();
    json!({ "lists": (0..6).map(list).collect::<Vec<_>>() }).to_string()
}

/// Runs with choices drawn from `choices`: which event comes next, what handlers answer.
fn execute(definition: &str, limits: Limits, seed: u64, (closed_at_once, choices): (usize, &[u8])) -> World {
    let mut world = World::start(definition, &input(), limits, seed);
    world.closed_at_once = closed_at_once;
    let mut drawn = 0;
    let mut draw = || {
        drawn += 1;
        usize::from(choices[drawn % choices.len()]) + drawn / choices.len() * 13
    };
    for _ in 0..20_000 {
        if world.end.is_some() {
            return world;
        }
        let mut happenings = world.happenings();
        // A clock that runs on while work lies about lets time-outs and back-offs meet reports.
        if happenings.is_empty() || draw() % 7 == 0 {
            happenings.extend(world.next_timer());
        }
        if happenings.is_empty() {
            return world;
        }
        let happening = happenings.swap_remove(draw() % happenings.len());
        let answer = answer(draw());
        world.happen(happening.clone(), &mut |_: &str, _: &Branch| answer.clone());
        repeat(&mut world, happening);
    }
    panic!("the execution does not end:\n{}", listing(&world.history));
}

/// Lets an event happen a second time, which must not change the history.
fn repeat(world: &mut World, happening: Happening) {
    let length = world.history.len();
    match happening {
        Happening::Timer(path, timer, _) if !world.timers.contains_key(&(path.clone(), timer)) => {
            assert!(world.apply(&path, Event::Timer { timer }).is_err());
        }
        Happening::Item(path, attempt) => {
            let open = world.branches.get(&path).map(|branch| &branch.phase);
            let is_open = matches!(open, Some(engine::Phase::Task(task)) if task.attempt == attempt);
            if !is_open {
                assert!(world.report(&path, attempt, None, Outcome::Heartbeat).is_err());
            }
        }
        Happening::Wake(scope) => {
            let outstanding = world.branches.get(&scope.branch).map(engine::outstanding);
            if outstanding == Some(engine::Outstanding::Children) && !world.wakes.contains(&scope) {
                world.wake(&scope);
            }
        }
        Happening::Timer(..) | Happening::Proceed(_) => {}
    }
    assert_eq!(world.history.len(), length, "a repeated event adds nothing");
}

fn answer(choice: usize) -> Answer {
    let failed = Outcome::Failed { error: Some("Boom".into()), cause: None };
    match choice % 8 {
        0..=3 => Answer::Reports(vec![(5, Outcome::Succeeded { output: JsonText::trusted("{}") })]),
        4 => Answer::Reports(vec![(5, Outcome::Started), (5, failed)]),
        5 => Answer::Reports(vec![(5, failed)]),
        6 => Answer::Reports(vec![(5, Outcome::Started), (5, Outcome::Succeeded { output: JsonText::trusted("1") })]),
        _ => Answer::Reports(vec![(5, Outcome::Unhandled)]),
    }
}

fn run_limits() -> impl Strategy<Value = RunLimits> {
    (1_u32..40, 100_u64..20_000, 1_u32..30).prop_map(|(transitions, bytes, records)| RunLimits {
        transitions,
        bytes,
        records,
        // What a busy machine does must not tell.
        millis: u64::MAX,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn executions_end_once_and_keep_all_invariants(
        sketches in sketches(),
        run in run_limits(),
        seed in any::<u64>(),
        closed_at_once in 1_usize..5,
        choices in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let definition = machine(&sketches, &mut 0).to_string();
        let limits = Limits { run, map_concurrency_max: 3, ..Limits::default() };
        let world = execute(&definition, limits, seed, (closed_at_once, &choices));
        prop_assert!(world.end.is_some(), "{}", listing(&world.history));
        let terminal = world.history.iter().filter(|event| event.kind.is_terminal()).count();
        prop_assert_eq!(terminal, 1);
        let again = execute(&definition, limits, seed, (closed_at_once, &choices));
        prop_assert_eq!(listing(&world.history), listing(&again.history));
    }

    #[test]
    fn a_replay_reproduces_the_history_byte_for_byte(
        sketches in sketches(),
        run in run_limits(),
        seed in any::<u64>(),
        choices in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let definition = machine(&sketches, &mut 0).to_string();
        let limits = Limits { run, map_concurrency_max: 3, ..Limits::default() };
        let world = execute(&definition, limits, seed, (usize::MAX, &choices));
        // The bounds of runs are the coordinator's business: a replay knows nothing of them.
        let limits = Limits { map_concurrency_max: 3, ..Limits::default() };
        let replayed = engine::replay(&world.definition, &world.execution, &limits, &world.history);
        prop_assert!(replayed.is_ok(), "{replayed:?}\n{definition}\n{}", listing(&world.history));
    }

    #[test]
    fn bounds_of_runs_do_not_show_in_the_output(sketches in sketches(), run in run_limits(), seed in any::<u64>()) {
        let definition = machine(&sketches, &mut 0).to_string();
        let finish = |run: RunLimits| {
            let mut world = World::start(&definition, &input(), Limits { run, ..Limits::default() }, seed);
            world.finish(|_, _| Answer::Reports(vec![(1, Outcome::Succeeded { output: JsonText::trusted("{}") })]));
            world
        };
        let (one, other) = (finish(run), finish(RunLimits::default()));
        let status = |world: &World| world.end.as_ref().map(|end| end.status);
        prop_assert_eq!(status(&one), status(&other));
        // Which of several failures is the first, and what event it names, depends on the order.
        if !has_fail(&sketches) {
            prop_assert_eq!(&one.end, &other.end);
        }
        let succeeded = one.end.as_ref().is_some_and(|end| end.status == ExecutionStatus::Succeeded);
        let kinds = |world: &World| {
            let mut kinds: Vec<EventKind> = world.history.iter().map(|event| event.kind).collect();
            kinds.sort();
            kinds
        };
        if succeeded && !has_fail(&sketches) {
            prop_assert_eq!(kinds(&one), kinds(&other));
        }
    }
}

/// Tells whether a branch may fail; what else had happened by then depends on the order.
fn has_fail(sketches: &[Sketch]) -> bool {
    sketches.iter().any(|sketch| match sketch {
        Sketch::Fail | Sketch::Query { fails: true } => true,
        Sketch::Parallel { branches, .. } => branches.iter().any(|branch| has_fail(branch)),
        Sketch::Map { body, .. } => has_fail(body),
        Sketch::Pass | Sketch::Assign | Sketch::Query { .. } | Sketch::Wait(_) | Sketch::Task { .. } => false,
    })
}

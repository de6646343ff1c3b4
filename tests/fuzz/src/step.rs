//! The engine: a definition, an input and what happens, all drawn from bytes. The world checks the invariants of each commit.

use asl::Definition;
use engine::{Callback, Event, Limits, Outcome, Phase, Rejected, RunLimits};
use model::{AttemptId, BranchPath, JsonText, Nonce};
use world::{Answer, Happening, World};

use crate::draw::Draw;
use crate::sketch;

/// How many things happen at most: executions may loop for ever.
const HAPPENINGS_MAX: usize = 300;

const OUTPUTS: &[&str] = &["{}", "1", "\"a\"", r#"{"n":1.50, "list":[{"n":3}]}"#, "[1,[2]]", "null"];
const ERRORS: &[Option<&str>] = &[Some("Boom"), None, Some("States.Timeout"), Some("States.TaskFailed"), Some("")];

pub(crate) fn run(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let limits = limits(&mut draw);
    let closed_at_once = draw.pick(&[usize::MAX, usize::MAX, 1, 2]);
    let definition = sketch::definition(&mut draw).to_string();
    let input = JsonText::from_value(&sketch::input(&mut draw));
    // As what is stored is: it may have been taken by an earlier version.
    let Ok(definition) = Definition::load(&definition) else { return };
    let mut world = World::start_parsed(Vec::new(), definition, input, limits, 7);
    world.closed_at_once = closed_at_once;
    for _ in 0..HAPPENINGS_MAX {
        if world.end.is_some() || !happen(&mut world, &mut draw) {
            break;
        }
    }
    // What was cut off in several commits can't be replayed.
    if world.closed_at_once == usize::MAX {
        let replayed = engine::replay(&world.definition, &world.execution, &world.limits, &world.history);
        assert!(replayed.is_ok(), "{replayed:?} of\n{}", world::listing(&world.history));
    }
}

fn limits(draw: &mut Draw<'_>) -> Limits {
    let run = RunLimits {
        transitions: u32::try_from(draw.below(40)).unwrap_or(0) + 1,
        bytes: 200 << draw.below(8),
        records: u32::try_from(draw.below(20)).unwrap_or(0) + 1,
        // What a busy machine does must not tell.
        millis: u64::MAX,
    };
    Limits { run, map_concurrency_max: 3, payload_bytes_max: Some(256 << draw.below(6)), ..Limits::default() }
}

/// Lets one thing happen; tells whether anything could.
fn happen(world: &mut World, draw: &mut Draw<'_>) -> bool {
    let mut happenings = world.happenings();
    if happenings.is_empty() || draw.once_in(7) {
        happenings.extend(world.next_timer());
    }
    if draw.once_in(100) {
        world.close(engine::aborted(None, None));
        return true;
    }
    if draw.once_in(6) && report(world, draw) {
        return true;
    }
    if happenings.is_empty() {
        return report(world, draw) && !draw.is_empty();
    }
    match happenings.swap_remove(draw.below(happenings.len())) {
        Happening::Item(path, attempt) => {
            if !draw.once_in(4) {
                world.items.retain(|item| *item != (path.clone(), attempt));
            }
            tell(world, draw, &path, attempt);
        }
        other @ (Happening::Proceed(_) | Happening::Wake(_) | Happening::Timer(..)) => {
            world.happen(other, &mut |_, _| Answer::Silence);
        }
    }
    true
}

/// Lets a worker, or who has a task token, speak of any open attempt.
fn report(world: &mut World, draw: &mut Draw<'_>) -> bool {
    let open: Vec<(BranchPath, AttemptId)> = world
        .branches
        .values()
        .filter_map(|branch| match &branch.phase {
            Phase::Task(task) => Some((branch.path.clone(), task.attempt)),
            Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_) => None,
        })
        .collect();
    if open.is_empty() {
        return false;
    }
    let (path, mut attempt) = open[draw.below(open.len())].clone();
    if draw.once_in(8) {
        attempt.nonce = Nonce(attempt.nonce.0 ^ 1);
    }
    tell(world, draw, &path, attempt);
    true
}

fn tell(world: &mut World, draw: &mut Draw<'_>, path: &BranchPath, attempt: AttemptId) {
    world.now = world.now.plus_millis(i64::try_from(draw.below(200)).unwrap_or(0) * 10);
    let length = world.history.len();
    let output = JsonText::trusted(draw.pick(OUTPUTS));
    let error = draw.pick(ERRORS).map(str::to_owned);
    let cause = error.clone();
    let callback = |callback| Event::Callback { attempt, callback };
    let started_at = Some(world.now);
    let report = |outcome| Event::Report { attempt, started_at, worker: None, outcome };
    let event = match draw.below(10) {
        0 | 1 => report(Outcome::Succeeded { output }),
        2 => report(Outcome::Failed { error, cause }),
        3 => report(Outcome::Started),
        4 => report(Outcome::Heartbeat),
        5 => report(Outcome::Holding { deliveries: 1 }),
        6 => report(Outcome::Unhandled),
        7 => report(Outcome::Submitted { output }),
        8 => callback(Callback::Succeeded { output }),
        _ => callback(Callback::Failed { error, cause }),
    };
    match world.apply(path, event) {
        Ok(()) => {}
        Err(Rejected::Stale | Rejected::Unchanged) => {
            assert_eq!(world.history.len(), length, "what is refused changes nothing");
        }
        Err(rejected @ Rejected::UnknownState) => panic!("{rejected}"),
    }
}

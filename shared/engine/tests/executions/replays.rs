//! Replays of what bounds and golden histories don't show.

use engine::{Limits, Outcome, Phase, RunLimits};
use model::BranchPath;

use world::{Answer, Happening, World};

/// Two Parallel states within another one that fail without a word, beside a task.
const SILENT: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
    {"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:F","End":true}}},
    {"StartAt":"O","States":{"O":{"Type":"Parallel","End":true,"Branches":[
        {"StartAt":"I","States":{"I":{"Type":"Parallel","End":true,"Branches":[
            {"StartAt":"F","States":{"F":{"Type":"Fail","CausePath":"$.none"}}}]}}},
        {"StartAt":"J","States":{"J":{"Type":"Parallel","End":true,"Branches":[
            {"StartAt":"G","States":{"G":{"Type":"Fail","CausePath":"$.none"}}}]}}}]}}}]}}}"#;

/// Lets happen what is wanted, until nothing of it is left.
fn happen_all(world: &mut World, wanted: impl Fn(&Happening) -> bool) {
    while let Some(next) = world.happenings().into_iter().find(&wanted) {
        world.happen(next, &mut |_, _| Answer::Silence);
    }
}

#[test]
fn what_lies_deepest_fails_first_where_nothing_was_recorded() {
    let run = RunLimits { transitions: 1, ..RunLimits::default() };
    let mut world = World::start(SILENT, "{}", Limits { run, ..Limits::default() }, 1);
    happen_all(&mut world, |next| matches!(next, Happening::Proceed(_)));
    // I and J hear of their children; O has not heard of them when the task fails.
    let outer: BranchPath = "r/1.1".parse().expect("is a path");
    happen_all(&mut world, |next| matches!(next, Happening::Wake(scope) if scope.branch != outer));
    let task = world.branches.values().find_map(|branch| match &branch.phase {
        Phase::Task(task) => Some((branch.path.clone(), task.attempt)),
        Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_) => None,
    });
    let (path, attempt) = task.expect("the task is open");
    let failed = Outcome::Failed { error: Some("E".to_owned()), cause: None };
    world.report(&path, attempt, Some(world.now), failed).expect("is open");
    happen_all(&mut world, |next| matches!(next, Happening::Wake(scope) if scope.branch == BranchPath::root()));
    assert!(world.end.is_some());
    let replayed = engine::replay(&world.definition, &world.execution, &world.limits, &world.history);
    assert!(replayed.is_ok(), "{replayed:?} of\n{}", world::listing(&world.history));
}

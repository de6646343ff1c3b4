//! Two hundred seeds, each a small cluster in a storm. `STEPWELL_SIM_SEED=N` replays one and, if it fails,
//! shows all its effects; `STEPWELL_SIM_SEEDS=A..B` runs a range.

use std::ops::Range;

use sim::world::{Plan, simulate};

#[test]
fn every_seed_keeps_the_invariants() {
    let seeds = seeds();
    let is_replay = seeds.end - seeds.start == 1;
    let failures: Vec<String> = seeds.filter_map(|seed| failure(seed, is_replay)).collect();
    assert!(failures.is_empty(), "{} seeds failed, the first so: {}", failures.len(), failures[0]);
}

#[test]
fn a_seed_replays() {
    for seed in 0..10 {
        let [first, second] = [(), ()].map(|()| simulate(seed, Plan::default()).trace);
        let fork = first.lines().zip(second.lines()).find(|(first, second)| first != second);
        assert!(first == second, "seed {seed} goes two ways: {fork:?}");
    }
}

fn failure(seed: u64, with_trace: bool) -> Option<String> {
    let outcome = simulate(seed, Plan::default());
    let error = outcome.result.err()?;
    let trace = if with_trace { outcome.trace.as_str() } else { "" };
    Some(format!("seed {seed}: {error:#}\n{trace}"))
}

fn seeds() -> Range<u64> {
    if let Some(seed) = variable("STEPWELL_SIM_SEED").and_then(|seed| seed.parse().ok()) {
        return seed..seed + 1;
    }
    let range = variable("STEPWELL_SIM_SEEDS").unwrap_or_default();
    let bounds = range.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    bounds.unwrap_or(0..200)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

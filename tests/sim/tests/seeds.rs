//! Two hundred seeds, each a small cluster in a storm. `STEPWELL_SIM_SEED=N` replays one, `STEPWELL_SIM_SEEDS=A..B` a range.

use std::ops::Range;

use sim::world::{Plan, simulate};

#[test]
fn every_seed_keeps_the_invariants() {
    let seeds = seeds();
    let failures: Vec<String> = seeds
        .filter_map(|seed| simulate(seed, Plan::default()).err().map(|error| format!("seed {seed}: {error:#}")))
        .collect();
    assert!(failures.is_empty(), "{} seeds failed, the first so: {}", failures.len(), failures[0]);
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

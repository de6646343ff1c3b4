//! Tests of the driver on the memory twins: paused clock, seeded chance, workers that do as the test says.

mod batches;
mod contention;
mod crashes;
mod express;
mod large;
mod loss;
mod map_runs;
mod nested;
mod notify;
mod orders;
mod outages;
mod refused;
mod reports;
mod retention;
mod stops;
mod synchronous;
mod tokens;
mod traces;
mod world;

//! Seeded simulator: the real coordinator and worker loops on the memory twins.
//!
//! A seed decides everything: the definitions, what goes wrong, who dies when, and in which order all of it happens. After
//! every commit all invariants are checked against the store; in the end every execution must have come to what the reference
//! model says. A failing seed replays to the last effect, and shows them all:
//!
//! ```sh
//! STEPWELL_SIM_SEED=17 cargo test -p sim --test seeds
//! ```

pub mod chaos;
pub mod checker;
pub mod faulty_queue;
pub mod faulty_store;
pub mod scenario;
pub mod world;

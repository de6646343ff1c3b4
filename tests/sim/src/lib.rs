//! Seeded simulator: the real coordinator and worker loops on the memory twins.
//!
//! A seed decides the definitions, what goes wrong and who dies when. After every commit all invariants are checked
//! against the store; in the end every execution must have come to what the reference model says. A failing seed replays:
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

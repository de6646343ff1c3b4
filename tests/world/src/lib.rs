//! A plain model of store, broker, clock and workers, in which tests run the engine one event at a time.
//!
//! [`World`] checks after each commit what holds of every execution, and panics where it does not: ids without a gap, previous
//! events older, effects just those that the branches imply, paths and scopes used once, nothing written after the end.

mod listing;
mod size;
mod world;

pub use listing::listing;
pub use world::{Answer, Happening, Join, START, World};

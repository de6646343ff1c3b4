//! Timers: their names in the store, and the wheel that fires those of this coordinator on time.

mod name;
mod wheel;

pub(crate) use name::{timer_from_name, timer_name};
pub(crate) use wheel::{Due, Wheel};

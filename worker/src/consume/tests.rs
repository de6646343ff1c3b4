//! The worker's loop on the memory broker, with a paused clock.

mod bench;
mod ends;
mod faults;
mod flow;

//! The pure core of Stepwell: what an execution does next.
//!
//! [`step`] makes one transition of one branch. [`run`] calls it until the branch, and every child that it created on the
//! way, blocks or ends: that is the content of one commit. Neither knows a clock, I/O or chance; time and a seed come in
//! with the event.

mod branch;
mod event;

pub use branch::{Branch, ChildrenPhase, Delivery, Execution, Location, MapItem, Phase, TaskPhase};
pub use event::{
    ChildResult, ChildStart, Completion, Effect, Event, InlineResult, JoinEntry, Moment, NewEvent, OpenedScope,
    Outcome, Rejected, Run, Timer,
};

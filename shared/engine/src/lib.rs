//! The pure core of Stepwell: what an execution does next.
//!
//! [`step()`] makes one transition of one branch. [`run()`] calls it until the branch, and every child that it created on the
//! way, blocks or ends: that is the content of one commit. [`start`] makes the first one, [`close_execution`] one that comes
//! from outside. None knows a clock, I/O or chance; time and a seed come in with the event.
//!
//! From a committed branch alone one can tell what must exist for it: [`outstanding()`] and [`timers_of`].

mod branch;
mod catch;
mod chance;
mod children;
mod choice;
mod close;
mod context_object;
mod dataflow;
mod event;
mod exit;
mod fail;
mod failure;
mod inspection;
pub mod invariants;
mod item_reader;
mod kinds;
mod limits;
mod map;
mod map_run;
mod outstanding;
mod parallel;
mod pass;
mod queries;
mod replay;
mod resource_events;
mod retry;
mod run;
mod step;
mod succeed;
mod task;
mod test_state;
mod turn;
mod wait;

pub use branch::{Branch, Callback, ChildrenPhase, Delivery, Execution, Location, MapItem, Phase, TaskPhase};
pub use chance::seed;
pub use close::{Closing, aborted, close_execution, close_full_history, close_too_large, timed_out};
pub use event::{
    ChildResult, Completion, Effect, Event, InlineResult, JoinEntry, Leaving, Left, Moment, NewEvent, OpenedScope,
    Outcome, Rejected, Run, Timer,
};
pub use inspection::Inspection;
pub use limits::{Limits, RunLimits};
pub use map_run::{MapRunOrder, START_CHILD, START_MAP_RUN, arn_of_order, is_of_map_run};
pub use outstanding::{Outstanding, outstanding, timers_of};
pub use replay::{Difference, replay};
pub use run::{run, start};
pub use step::{Context, Step, step};
pub use test_state::{StateTest, TEST_MILLIS_MAX, TestStatus, TestStep, Tested, test_state};
pub use turn::{BranchEnd, EndFailure};

//! Takes a state for the type that a branch's phase calls for.

use asl::{Map, State, StateKind, Task, Wait};
use model::StateType;

use crate::event::Rejected;

/// Gives the type of a state.
pub(crate) fn state_type(kind: &StateKind) -> StateType {
    match kind {
        StateKind::Task(_) => StateType::Task,
        StateKind::Pass(_) => StateType::Pass,
        StateKind::Choice(_) => StateType::Choice,
        StateKind::Wait(_) => StateType::Wait,
        StateKind::Succeed(_) => StateType::Succeed,
        StateKind::Fail(_) => StateType::Fail,
        StateKind::Parallel(_) => StateType::Parallel,
        StateKind::Map(_) => StateType::Map,
    }
}

pub(crate) fn task(state: &State) -> Result<&Task, Rejected> {
    if let StateKind::Task(task) = &state.kind { Ok(task) } else { Err(Rejected::UnknownState) }
}

pub(crate) fn wait(state: &State) -> Result<&Wait, Rejected> {
    if let StateKind::Wait(wait) = &state.kind { Ok(wait) } else { Err(Rejected::UnknownState) }
}

pub(crate) fn map(state: &State) -> Option<&Map> {
    if let StateKind::Map(map) = &state.kind { Some(map) } else { None }
}

//! A whole definition and the machines nested in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::name::StateName;
use crate::state::{State, StateKind};

/// Is a valid definition, with everything in it compiled.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The outermost states.
    pub machine: Arc<Machine>,
    /// What the author says about it.
    pub comment: Option<String>,
    /// The `Version` field; the only one there is, is `1.0`.
    pub version: Option<String>,
    /// The longest an execution may take, in seconds. Without it AWS's one year holds.
    pub timeout_seconds: Option<u64>,
    /// The language of the states that don't name one.
    pub query_language: QueryLanguage,
    /// Whether an expression of it may take long, whatever the size of the payloads.
    pub may_be_long: bool,
}

/// Is the language in which a state selects and transforms its data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueryLanguage {
    /// Paths, payload templates and intrinsic functions.
    #[default]
    JsonPath,
    /// Expressions between `{%` and `%}`.
    Jsonata,
}

/// Is a set of states with a start: a definition's own, a branch's or an item processor's.
#[derive(Clone, Debug)]
pub struct Machine {
    start_at: StateName,
    states: Vec<Arc<State>>,
    positions: BTreeMap<StateName, usize>,
}

impl Definition {
    /// Lists the variables that each state refers to, of all machines, states without any left out: `variableReferences` of
    /// the API.
    pub fn variable_references(&self) -> BTreeMap<StateName, Vec<String>> {
        let mut references = BTreeMap::new();
        let mut machines = vec![&*self.machine];
        while let Some(machine) = machines.pop() {
            for state in machine.states() {
                let names: Vec<String> =
                    state.uses.variables.iter().filter(|name| *name != "states").cloned().collect();
                if !names.is_empty() {
                    references.insert(state.name.clone(), names);
                }
                match &state.kind {
                    StateKind::Parallel(parallel) => machines.extend(parallel.branches.iter().map(|branch| &**branch)),
                    StateKind::Map(map) => machines.push(&map.item_processor),
                    StateKind::Task(_)
                    | StateKind::Pass(_)
                    | StateKind::Choice(_)
                    | StateKind::Wait(_)
                    | StateKind::Succeed(_)
                    | StateKind::Fail(_) => {}
                }
            }
        }
        references
    }
}

impl Machine {
    /// Makes a machine. Of states with the same name the last one counts.
    pub fn new(start_at: StateName, states: Vec<State>) -> Self {
        let states: Vec<Arc<State>> = states.into_iter().map(Arc::new).collect();
        let positions = states.iter().enumerate().map(|(position, state)| (state.name.clone(), position)).collect();
        Self { start_at, states, positions }
    }

    /// Gives the name of the state that is entered first.
    pub fn start_at(&self) -> &StateName {
        &self.start_at
    }

    /// Finds a state of this machine, not of those nested in it.
    pub fn state(&self, name: &str) -> Option<&Arc<State>> {
        self.states.get(*self.positions.get(name)?)
    }

    /// Lists the states in the order of the text.
    pub fn states(&self) -> impl ExactSizeIterator<Item = &Arc<State>> {
        self.states.iter()
    }
}

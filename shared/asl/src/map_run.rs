//! The parts of a definition that run apart from it: the Map Run of a Map state in distributed mode, and its child executions.
//!
//! ```text
//!  execution: … Map state ──► Map Run: the Map state alone, each of its iterations one task ──► child: the item processor
//! ```

use std::sync::Arc;

use crate::assign::Assignment;
use crate::definition::{Definition, Machine, QueryLanguage};
use crate::flow::DataFlow;
use crate::name::StateName;
use crate::resource::Resource;
use crate::state::{ChildType, Map, ProcessorMode, State, StateKind, Task, Transition};

/// Is the way from the outermost states to a nested machine: the Parallel and Map states around it, the outermost first, each with
/// the number of its branch, which is 0 for a Map.
pub type Way = [(StateName, u32)];

/// What the one state of a Map Run's iterations is called; nobody sees it.
const CHILD: &str = "Child";

impl Definition {
    /// Gives the definition of the Map Runs of a Map state in distributed mode, which `way` ends with: the state alone, with an iteration
    /// for each item that calls `resource`, and with nothing of what it does to its data but ItemSelector. `None` where there is no such.
    pub fn of_map_run(&self, way: &Way, resource: &Resource) -> Option<Self> {
        let (state, map) = self.distributed(way)?;
        let task = Task {
            resource: resource.clone(),
            credentials: None,
            timeout: None,
            heartbeat: None,
            retry: Vec::new(),
            catch: Vec::new(),
            next: Transition::End,
        };
        let child = plain(&StateName::from(CHILD), StateKind::Task(Box::new(task)));
        let map = Map {
            item_processor: Arc::new(Machine::new(child.name.clone(), vec![child])),
            mode: ProcessorMode::Inline,
            retry: Vec::new(),
            catch: Vec::new(),
            next: Transition::End,
            ..map.clone()
        };
        let run = State {
            query_language: state.query_language,
            uses: state.uses.clone(),
            ..plain(&state.name, StateKind::Map(Box::new(map)))
        };
        Some(self.part(Machine::new(state.name.clone(), vec![run]).into()))
    }

    /// Gives the definition of the child executions of a Map state in distributed mode, which `way` ends with: its item processor.
    pub fn of_map_child(&self, way: &Way) -> Option<Self> {
        let (_, map) = self.distributed(way)?;
        Some(self.part(map.item_processor.clone()))
    }

    /// Tells of which type the child executions of a Map state in distributed mode are, which `way` ends with.
    pub fn map_child_type(&self, way: &Way) -> Option<ChildType> {
        match self.distributed(way)?.1.mode {
            ProcessorMode::Distributed(kind) => Some(kind),
            ProcessorMode::Inline => None,
        }
    }

    fn distributed(&self, way: &Way) -> Option<(&State, &Map)> {
        let ((last, _), around) = way.split_last()?;
        let mut machine = &*self.machine;
        for (name, branch) in around {
            machine = match &machine.state(name.as_str())?.kind {
                StateKind::Parallel(parallel) => parallel.branches.get(usize::try_from(*branch).ok()?)?,
                StateKind::Map(map) => &map.item_processor,
                StateKind::Task(_)
                | StateKind::Pass(_)
                | StateKind::Choice(_)
                | StateKind::Wait(_)
                | StateKind::Succeed(_)
                | StateKind::Fail(_) => return None,
            };
        }
        let state = machine.state(last.as_str())?;
        match &state.kind {
            StateKind::Map(map) if matches!(map.mode, ProcessorMode::Distributed(_)) => Some((state, map)),
            StateKind::Map(_)
            | StateKind::Parallel(_)
            | StateKind::Task(_)
            | StateKind::Pass(_)
            | StateKind::Choice(_)
            | StateKind::Wait(_)
            | StateKind::Succeed(_)
            | StateKind::Fail(_) => None,
        }
    }

    /// Makes a definition of a machine of this one. The time-out is that of the whole.
    fn part(&self, machine: Arc<Machine>) -> Self {
        Self { machine, comment: None, timeout_seconds: None, ..self.clone() }
    }
}

/// Makes a state that does nothing to its data.
fn plain(name: &StateName, kind: StateKind) -> State {
    State {
        name: name.clone(),
        comment: None,
        query_language: QueryLanguage::JsonPath,
        flow: DataFlow::default(),
        arguments: None,
        output: None,
        assign: Assignment::default(),
        uses: Arc::default(),
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &str = r#"{"StartAt":"P","TimeoutSeconds":5,"States":{"P":{"Type":"Parallel","End":true,"Branches":[
        {"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}},
        {"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.all","ItemSelector":{"x.$":"$$.Map.Item.Value"},"ResultPath":"$.out",
          "End":true,"Retry":[{"ErrorEquals":["States.ALL"]}],
          "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},
            "StartAt":"W","States":{"W":{"Type":"Pass","End":true}}}}}}]}}}"#;

    fn way(steps: &[(&str, u32)]) -> Vec<(StateName, u32)> {
        steps.iter().map(|(name, branch)| (StateName::from(*name), *branch)).collect()
    }

    #[test]
    fn a_map_run_is_its_state_alone() {
        let definition = Definition::parse(NESTED).expect("is valid");
        let resource = Resource::parse("arn:aws:states:::states:child").expect("is an ARN");
        let way = way(&[("P", 1), ("M", 0)]);
        let run = definition.of_map_run(&way, &resource).expect("is there");
        let state = run.machine.state("M").expect("is there");
        let StateKind::Map(map) = &state.kind else { panic!("{state:?}") };
        assert!(map.retry.is_empty() && map.item_selector.is_some());
        assert!(state.flow.result_path.as_ref().is_some_and(jsonpath::ReferencePath::is_root));
        assert_eq!((run.machine.states().len(), run.timeout_seconds), (1, None));
        let child = map.item_processor.state(CHILD).expect("is there");
        assert!(matches!(&child.kind, StateKind::Task(task) if task.resource == resource));
    }

    #[test]
    fn a_child_is_the_item_processor() {
        let definition = Definition::parse(NESTED).expect("is valid");
        let way = way(&[("P", 1), ("M", 0)]);
        assert_eq!(definition.of_map_child(&way).expect("is there").machine.start_at().as_str(), "W");
        assert_eq!(definition.map_child_type(&way), Some(ChildType::Express));
    }

    #[test]
    fn elsewhere_is_none() {
        let definition = Definition::parse(NESTED).expect("is valid");
        for steps in [&[][..], &[("P", 1)], &[("P", 0), ("A", 0)], &[("P", 2), ("M", 0)], &[("M", 0)]] {
            assert!(definition.of_map_child(&way(steps)).is_none(), "{steps:?}");
        }
    }
}

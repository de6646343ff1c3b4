//! One state of a definition, taken out to be tested.

use crate::definition::Definition;
use crate::diagnostics::Diagnostics;
use crate::parse::document;
use crate::parse::findings::Findings;
use crate::state::State;
use crate::validate::{Options, validate, validate_state};

/// The name that a state has while it is tested, whatever it is in the definition.
const NAME: &str = "StateName";

/// Says why no state can be taken out of a definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateFault {
    /// There is no such state.
    #[error("find the state in the definition")]
    Missing,
    /// The definition is refused.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}

impl Definition {
    /// Makes a definition of one state: of the text, if it is that of a state, or of the state of a name anywhere in it. Where
    /// the state leads need not be there. What only executions of this version do not support is let pass.
    ///
    /// # Errors
    /// `StateFault` if there is no such state, or anything is wrong.
    pub fn of_state(text: &str, name: Option<&str>) -> Result<Self, StateFault> {
        let findings = match name {
            Some(_) => validate(text, Options::default()),
            None => validate_state(text, Options::default()),
        };
        if findings.has_errors() {
            return Err(StateFault::Invalid(findings));
        }
        let state = match name {
            Some(name) => find(text, name).ok_or(StateFault::Missing)?,
            None => text,
        };
        let language = name.and_then(|_| member(text, "QueryLanguage")).unwrap_or("\"JSONPath\"");
        let alone = format!(
            r#"{{"QueryLanguage":{language},"StartAt":"{NAME}","States":{{"{NAME}":{}}}}}"#,
            state.trim_matches([' ', '\t', '\n', '\r'])
        );
        let mut findings = Findings::lenient();
        let definition =
            document::check(&alone, &mut findings).and_then(|root| super::parse_definition(&root, &mut findings));
        definition.ok_or_else(|| StateFault::Invalid(findings.into_diagnostics()))
    }

    /// Gives the state at which the definition starts, if it is there.
    pub fn start(&self) -> Option<&State> {
        self.machine.state(self.machine.start_at().as_str()).map(|state| &**state)
    }
}

/// Finds the text of a state, in the machine itself before those nested in it.
fn find<'a>(machine: &'a str, name: &str) -> Option<&'a str> {
    let states = jsonpath::members(member(machine, "States")?)?;
    let is_wanted = |key: &str| serde_json::from_str::<String>(key).is_ok_and(|key| key == name);
    if let Some((_, state)) = states.iter().rev().find(|(key, _)| is_wanted(key)) {
        return Some(state);
    }
    states.into_iter().find_map(|(_, state)| {
        let branches = member(state, "Branches").and_then(jsonpath::elements).unwrap_or_default();
        let processors = ["ItemProcessor", "Iterator"].into_iter().filter_map(|field| member(state, field));
        branches.into_iter().chain(processors).find_map(|machine| find(machine, name))
    })
}

fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let members = jsonpath::members(object)?;
    let is_wanted = |key: &str| serde_json::from_str::<String>(key).is_ok_and(|key| key == name);
    members.into_iter().rev().find(|(key, _)| is_wanted(key)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: &str = r#"{"StartAt": "A", "States": {
        "A": {"Type": "Parallel", "Next": "B", "Branches": [{"StartAt": "C", "States": {"C": {"Type": "Succeed", "Comment": "in"}}}]},
        "B": {"Type": "Map", "End": true, "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "D", "States": {"D": {"Type": "Pass", "End": true}}}}}}"#;

    #[test]
    fn a_state_is_found_anywhere() {
        let comment = |name: &str| Definition::of_state(MACHINE, Some(name)).map(|found| found.start().cloned());
        let found = comment("C").expect("is there").expect("starts there");
        assert_eq!((found.name.as_str(), found.comment.as_deref()), (NAME, Some("in")));
        assert!(comment("D").is_ok() && comment("B").is_ok());
        assert_eq!(comment("E").map(|_| ()), Err(StateFault::Missing));
    }

    #[test]
    fn a_state_alone_leads_anywhere() {
        let found = Definition::of_state(r#" {"Type": "Pass", "Next": "X"} "#, None).expect("is a state");
        assert!(found.start().and_then(State::transition).is_some());
        assert!(matches!(Definition::of_state(r#"{"Type": "Nope"}"#, None), Err(StateFault::Invalid(_))));
    }
}

//! The ARNs of state machines, executions and activities.

use std::fmt;
use std::sync::Arc;

/// Says why a text is not an ARN of the wanted kind, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// It does not begin with `arn:`.
    #[error("Invalid ARN prefix: {0}")]
    Prefix(String),
    /// It has too few parts, or an empty or over-long one.
    #[error("Invalid ARN format: {0}")]
    Format(String),
    /// It is an ARN of another kind of resource.
    #[error("Resource type not valid in this context: {0}")]
    ResourceType(String),
}

/// Bounds an ARN, in bytes: two names of 80 letters, of four bytes at most, fit.
const BYTES_MAX: usize = 1_024;

/// The kind of resource that executions of type EXPRESS are.
const EXPRESS: &str = "express";

fn kind_of(text: &str) -> &str {
    text.split(':').nth(5).unwrap_or_default()
}

fn parts<'a>(text: &'a str, wanted: &str, count: usize) -> Result<Vec<&'a str>, ArnError> {
    if !text.starts_with("arn:") {
        return Err(ArnError::Prefix(text.to_owned()));
    }
    let parts: Vec<&str> = text.split(':').collect();
    let kind = parts.get(5).copied().unwrap_or_default();
    if parts.len() < 6 || parts.get(2) != Some(&"states") {
        return Err(ArnError::Format(text.to_owned()));
    }
    if kind != wanted {
        return Err(ArnError::ResourceType(kind.to_owned()));
    }
    let named = parts.iter().skip(3).all(|part| !part.is_empty() && !part.chars().any(char::is_control));
    if parts.len() != count || !named || text.len() > BYTES_MAX {
        return Err(ArnError::Format(text.to_owned()));
    }
    Ok(parts)
}

/// Gives the partition of what an ARN names, of `count` partitions: the same on every machine and in every release.
pub fn partition(arn: &str, count: u32) -> u32 {
    let hash = arn
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    u32::try_from((hash ^ (hash >> 32)) % u64::from(count.max(1))).expect("a remainder of a u32 fits a u32")
}

/// Is the ARN of a state machine: `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateMachineArn(Arc<str>);

impl StateMachineArn {
    /// Puts an ARN together.
    pub fn new(region: &str, account: &str, name: &str) -> Self {
        Self(format!("arn:aws:states:{region}:{account}:stateMachine:{name}").into())
    }

    /// Reads an ARN.
    ///
    /// # Errors
    /// `ArnError` in AWS's words.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        parts(text, "stateMachine", 7)?;
        Ok(Self(text.into()))
    }

    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Gives the name of the state machine.
    pub fn name(&self) -> &str {
        self.part(6)
    }

    /// Gives the account.
    pub fn account(&self) -> &str {
        self.part(4)
    }

    /// Gives the region.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// Puts together the ARN of an execution of this state machine.
    pub fn execution(&self, name: &str) -> ExecutionArn {
        let (region, account, machine) = (self.region(), self.account(), self.name());
        ExecutionArn(format!("arn:aws:states:{region}:{account}:execution:{machine}:{name}").into())
    }

    /// Names the state machine as the executions of a Map state in distributed mode do, with the state's label:
    /// `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME/LABEL`.
    #[must_use]
    pub fn labelled(&self, label: &str) -> Self {
        Self(format!("{}/{label}", self.0).into())
    }

    /// Gives the state machine without the label, and the label if there is one.
    pub fn without_label(&self) -> (Self, Option<&str>) {
        match self.0.rsplit_once('/') {
            Some((machine, label)) => (Self(machine.into()), Some(label)),
            None => (self.clone(), None),
        }
    }

    /// Puts together the ARN of a Map Run of this state machine, whose name ends with the label of the Map state:
    /// `arn:aws:states:REGION:ACCOUNT:mapRun:NAME/LABEL:ID`.
    pub fn map_run(&self, id: &str) -> ExecutionArn {
        let (region, account, machine) = (self.region(), self.account(), self.name());
        ExecutionArn(format!("arn:aws:states:{region}:{account}:mapRun:{machine}:{id}").into())
    }

    /// Puts together the ARN of an execution of this state machine of type EXPRESS. Names may repeat there: `run` tells them apart.
    pub fn express_execution(&self, name: &str, run: &str) -> ExecutionArn {
        let (region, account, machine) = (self.region(), self.account(), self.name());
        ExecutionArn(format!("arn:aws:states:{region}:{account}:express:{machine}:{name}:{run}").into())
    }

    fn part(&self, index: usize) -> &str {
        self.0.split(':').nth(index).unwrap_or_default()
    }
}

impl fmt::Display for StateMachineArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Is the ARN of an activity: `arn:aws:states:REGION:ACCOUNT:activity:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActivityArn(Arc<str>);

impl ActivityArn {
    /// Puts an ARN together.
    pub fn new(region: &str, account: &str, name: &str) -> Self {
        Self(format!("arn:aws:states:{region}:{account}:activity:{name}").into())
    }

    /// Reads an ARN.
    ///
    /// # Errors
    /// `ArnError` in AWS's words.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        parts(text, "activity", 7)?;
        Ok(Self(text.into()))
    }

    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Gives the name of the activity.
    pub fn name(&self) -> &str {
        self.0.split(':').nth(6).unwrap_or_default()
    }
}

impl fmt::Display for ActivityArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Is the ARN of an execution, `arn:aws:states:REGION:ACCOUNT:execution:STATEMACHINE:NAME`; or of one of type EXPRESS,
/// `arn:aws:states:REGION:ACCOUNT:express:STATEMACHINE:NAME:UUID`; or of a Map Run, which is an execution too:
/// `arn:aws:states:REGION:ACCOUNT:mapRun:STATEMACHINE/LABEL:ID`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionArn(Arc<str>);

impl ExecutionArn {
    /// Reads the ARN of an execution that is no Map Run.
    ///
    /// # Errors
    /// `ArnError` in AWS's words.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        if kind_of(text) == EXPRESS {
            parts(text, EXPRESS, 9)?;
            return Ok(Self(text.into()));
        }
        Self::parse_standard(text)
    }

    /// Reads the ARN of an execution that is described and listed: not of one of type EXPRESS.
    ///
    /// # Errors
    /// `ArnError` in AWS's words.
    pub fn parse_standard(text: &str) -> Result<Self, ArnError> {
        parts(text, "execution", 8)?;
        Ok(Self(text.into()))
    }

    /// Reads the ARN of a Map Run.
    ///
    /// # Errors
    /// `ArnError` in AWS's words.
    pub fn parse_map_run(text: &str) -> Result<Self, ArnError> {
        parts(text, "mapRun", 8)?;
        Ok(Self(text.into()))
    }

    /// Reads the ARN of an execution or of a Map Run.
    ///
    /// # Errors
    /// `ArnError` in AWS's words.
    pub fn parse_any(text: &str) -> Result<Self, ArnError> {
        Self::parse_map_run(text).or_else(|_| Self::parse(text))
    }

    /// Tells whether the history is kept: nobody can ask for that of an execution of type EXPRESS, or of a Map Run.
    pub fn has_history(&self) -> bool {
        !self.is_express() && !self.is_map_run()
    }

    /// Tells whether it is that of a Map Run.
    pub fn is_map_run(&self) -> bool {
        self.part(5) == "mapRun"
    }

    /// Tells whether it is of a state machine of type EXPRESS.
    pub fn is_express(&self) -> bool {
        kind_of(&self.0) == EXPRESS
    }

    /// Gives the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Gives the name of the execution.
    pub fn name(&self) -> &str {
        self.part(7)
    }

    /// Gives the region.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// Puts together the ARN of the state machine that it is an execution of.
    pub fn state_machine(&self) -> StateMachineArn {
        StateMachineArn::new(self.region(), self.part(4), self.part(6))
    }

    /// Gives the partition of the execution, of `count` partitions: the same on every machine and in every release.
    pub fn partition(&self, count: u32) -> u32 {
        partition(&self.0, count)
    }

    fn part(&self, index: usize) -> &str {
        self.0.split(':').nth(index).unwrap_or_default()
    }
}

impl fmt::Display for ExecutionArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_knows_its_state_machine() {
        let text = "arn:aws:states:us-east-1:123456789012:execution:Orders:o-1";
        let arn = ExecutionArn::parse(text).expect("is an ARN");
        assert_eq!((arn.name(), arn.state_machine().name()), ("o-1", "Orders"));
        assert_eq!(arn.state_machine().execution("o-1"), arn);
    }

    #[test]
    fn executions_of_both_types_are_told_apart() {
        let text = "arn:aws:states:us-east-1:123456789012:express:Orders:o-1:0a1b";
        let arn = ExecutionArn::parse(text).expect("is an ARN");
        assert_eq!((arn.name(), arn.state_machine().name(), arn.region()), ("o-1", "Orders", "us-east-1"));
        assert_eq!(arn.state_machine().express_execution("o-1", "0a1b"), arn);
        assert!(arn.is_express());
        let odd = StateMachineArn::new("r", "1", "express").execution("express");
        assert!(!odd.is_express() && ExecutionArn::parse_standard(odd.as_str()).is_ok());
        let refused = |text: &str| ExecutionArn::parse_standard(text).expect_err("is refused").to_string();
        assert_eq!(refused(text), "Resource type not valid in this context: express");
        let short = "arn:aws:states:r:1:express:S:e";
        assert_eq!(refused(short), "Resource type not valid in this context: express");
        assert_eq!(ExecutionArn::parse(short), Err(ArnError::Format(short.to_owned())));
    }

    #[test]
    fn the_longest_names_fit() {
        let name = "\u{1f600}".repeat(80);
        let arn = StateMachineArn::new("ap-southeast-1", "123456789012", &name).execution(&name);
        assert_eq!(ExecutionArn::parse(arn.as_str()), Ok(arn.clone()));
        let express = arn.state_machine().express_execution(&name, "4f2b0e6c-9c43-4b60-8a7e-b8a6b2a0a001");
        assert_eq!(ExecutionArn::parse(express.as_str()), Ok(express));
    }

    #[test]
    fn partitions_never_change() {
        let arn = ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:Orders:o-1").expect("is an ARN");
        assert_eq!(arn.partition(64), arn.partition(64));
        let used: std::collections::BTreeSet<u32> =
            (0..2000).map(|index| arn.state_machine().execution(&format!("o-{index}")).partition(64)).collect();
        assert_eq!(used.len(), 64);
    }

    #[test]
    fn other_texts_are_refused_in_the_words_of_aws() {
        let check = |text: &str, expect: &str| {
            assert_eq!(StateMachineArn::parse(text).expect_err("is refused").to_string(), expect);
        };
        check("xyz", "Invalid ARN prefix: xyz");
        check("arn:aws:states:r:1:activity:x", "Resource type not valid in this context: activity");
        check("arn:aws:states:r:1:stateMachine:", "Invalid ARN format: arn:aws:states:r:1:stateMachine:");
        check("arn:aws:states", "Invalid ARN format: arn:aws:states");
        assert_eq!(ExecutionArn::parse_map_run("x"), Err(ArnError::Prefix("x".to_owned())));
    }

    #[test]
    fn a_map_run_is_an_execution_too() {
        let machine = StateMachineArn::new("r", "1", "S").labelled("Map");
        let run = machine.map_run("0ab");
        assert_eq!(run.as_str(), "arn:aws:states:r:1:mapRun:S/Map:0ab");
        assert_eq!((ExecutionArn::parse_any(run.as_str()), run.state_machine()), (Ok(run.clone()), machine.clone()));
        assert!(run.is_map_run() && ExecutionArn::parse(run.as_str()).is_err());
        let child = machine.execution("c");
        assert_eq!(child.as_str(), "arn:aws:states:r:1:execution:S/Map:c");
        assert_eq!(ExecutionArn::parse_any(child.as_str()), Ok(child.clone()));
        assert!(!child.is_map_run());
        assert_eq!(machine.without_label(), (StateMachineArn::new("r", "1", "S"), Some("Map")));
        assert_eq!(machine.without_label().0.without_label().1, None);
    }
}

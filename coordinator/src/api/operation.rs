//! The operations of the service, by name.

/// Is an operation that this coordinator answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Makes a state machine.
    CreateStateMachine,
    /// Tells about an execution.
    DescribeExecution,
    /// Tells about a state machine.
    DescribeStateMachine,
    /// Tells what happened in an execution.
    GetExecutionHistory,
    /// Begins an execution.
    StartExecution,
    /// Ends an execution.
    StopExecution,
    /// Runs one state alone.
    TestState,
    /// Says what is wrong with a definition.
    ValidateStateMachineDefinition,
}

/// Is what a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// An operation that is answered.
    Answered(&'static str, Operation),
    /// An operation of AWS's that is not there yet.
    NotYet(&'static str),
    /// Nothing.
    Unknown,
}

/// All operations of the service model of 2016-11-23.
const TABLE: [(&str, Option<Operation>); 37] = [
    ("CreateActivity", None),
    ("CreateStateMachine", Some(Operation::CreateStateMachine)),
    ("CreateStateMachineAlias", None),
    ("DeleteActivity", None),
    ("DeleteStateMachine", None),
    ("DeleteStateMachineAlias", None),
    ("DeleteStateMachineVersion", None),
    ("DescribeActivity", None),
    ("DescribeExecution", Some(Operation::DescribeExecution)),
    ("DescribeMapRun", None),
    ("DescribeStateMachine", Some(Operation::DescribeStateMachine)),
    ("DescribeStateMachineAlias", None),
    ("DescribeStateMachineForExecution", None),
    ("GetActivityTask", None),
    ("GetExecutionHistory", Some(Operation::GetExecutionHistory)),
    ("ListActivities", None),
    ("ListExecutions", None),
    ("ListMapRuns", None),
    ("ListStateMachineAliases", None),
    ("ListStateMachineVersions", None),
    ("ListStateMachines", None),
    ("ListTagsForResource", None),
    ("PublishStateMachineVersion", None),
    ("RedriveExecution", None),
    ("SendTaskFailure", None),
    ("SendTaskHeartbeat", None),
    ("SendTaskSuccess", None),
    ("StartExecution", Some(Operation::StartExecution)),
    ("StartSyncExecution", None),
    ("StopExecution", Some(Operation::StopExecution)),
    ("TagResource", None),
    ("TestState", Some(Operation::TestState)),
    ("UntagResource", None),
    ("UpdateMapRun", None),
    ("UpdateStateMachine", None),
    ("UpdateStateMachineAlias", None),
    ("ValidateStateMachineDefinition", Some(Operation::ValidateStateMachineDefinition)),
];

/// Finds the operation that the header `X-Amz-Target` names.
pub(crate) fn find(target: &str) -> Found {
    let Some(name) = target.strip_prefix("AWSStepFunctions.") else { return Found::Unknown };
    match TABLE.iter().find(|(known, _)| *known == name) {
        Some((name, Some(operation))) => Found::Answered(name, *operation),
        Some((name, None)) => Found::NotYet(name),
        None => Found::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_by_their_target() {
        let started = Found::Answered("StartExecution", Operation::StartExecution);
        assert_eq!(find("AWSStepFunctions.StartExecution"), started);
        assert_eq!(find("AWSStepFunctions.ListExecutions"), Found::NotYet("ListExecutions"));
        for target in ["", "StartExecution", "AWSStepFunctions.", "AWSStepFunctions.startexecution", "DynamoDB.GetItem"]
        {
            assert_eq!(find(target), Found::Unknown, "{target}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_names_each_once() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}

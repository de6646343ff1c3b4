//! The operations of the service, by name.

/// Is an operation that this coordinator answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Makes an activity.
    CreateActivity,
    /// Removes an activity.
    DeleteActivity,
    /// Removes a state machine, and stops its executions.
    DeleteStateMachine,
    /// Tells about an activity.
    DescribeActivity,
    /// Tells about the state machine as an execution has it.
    DescribeStateMachineForExecution,
    /// Hands a task to a worker.
    GetActivityTask,
    /// Lists activities.
    ListActivities,
    /// Lists executions.
    ListExecutions,
    /// Lists the Map Runs of an execution.
    ListMapRuns,
    /// Tells about a Map Run.
    DescribeMapRun,
    /// Lists state machines.
    ListStateMachines,
    /// Lists tags.
    ListTagsForResource,
    /// Fails a task.
    SendTaskFailure,
    /// Says that a task is being worked on.
    SendTaskHeartbeat,
    /// Ends a task with its result.
    SendTaskSuccess,
    /// Adds tags.
    TagResource,
    /// Removes tags.
    UntagResource,
    /// Changes a state machine.
    UpdateStateMachine,
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
    /// Runs an execution of a state machine of type EXPRESS to its end.
    StartSyncExecution,
    /// Makes an alias.
    CreateStateMachineAlias,
    /// Removes an alias.
    DeleteStateMachineAlias,
    /// Removes a version.
    DeleteStateMachineVersion,
    /// Tells about an alias.
    DescribeStateMachineAlias,
    /// Lists aliases.
    ListStateMachineAliases,
    /// Lists versions.
    ListStateMachineVersions,
    /// Makes a version of a state machine as it is now.
    PublishStateMachineVersion,
    /// Changes an alias.
    UpdateStateMachineAlias,
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
pub(super) const TABLE: [(&str, Option<Operation>); 37] = [
    ("CreateActivity", Some(Operation::CreateActivity)),
    ("CreateStateMachine", Some(Operation::CreateStateMachine)),
    ("CreateStateMachineAlias", Some(Operation::CreateStateMachineAlias)),
    ("DeleteActivity", Some(Operation::DeleteActivity)),
    ("DeleteStateMachine", Some(Operation::DeleteStateMachine)),
    ("DeleteStateMachineAlias", Some(Operation::DeleteStateMachineAlias)),
    ("DeleteStateMachineVersion", Some(Operation::DeleteStateMachineVersion)),
    ("DescribeActivity", Some(Operation::DescribeActivity)),
    ("DescribeExecution", Some(Operation::DescribeExecution)),
    ("DescribeMapRun", Some(Operation::DescribeMapRun)),
    ("DescribeStateMachine", Some(Operation::DescribeStateMachine)),
    ("DescribeStateMachineAlias", Some(Operation::DescribeStateMachineAlias)),
    ("DescribeStateMachineForExecution", Some(Operation::DescribeStateMachineForExecution)),
    ("GetActivityTask", Some(Operation::GetActivityTask)),
    ("GetExecutionHistory", Some(Operation::GetExecutionHistory)),
    ("ListActivities", Some(Operation::ListActivities)),
    ("ListExecutions", Some(Operation::ListExecutions)),
    ("ListMapRuns", Some(Operation::ListMapRuns)),
    ("ListStateMachineAliases", Some(Operation::ListStateMachineAliases)),
    ("ListStateMachineVersions", Some(Operation::ListStateMachineVersions)),
    ("ListStateMachines", Some(Operation::ListStateMachines)),
    ("ListTagsForResource", Some(Operation::ListTagsForResource)),
    ("PublishStateMachineVersion", Some(Operation::PublishStateMachineVersion)),
    ("RedriveExecution", None),
    ("SendTaskFailure", Some(Operation::SendTaskFailure)),
    ("SendTaskHeartbeat", Some(Operation::SendTaskHeartbeat)),
    ("SendTaskSuccess", Some(Operation::SendTaskSuccess)),
    ("StartExecution", Some(Operation::StartExecution)),
    ("StartSyncExecution", Some(Operation::StartSyncExecution)),
    ("StopExecution", Some(Operation::StopExecution)),
    ("TagResource", Some(Operation::TagResource)),
    ("TestState", Some(Operation::TestState)),
    ("UntagResource", Some(Operation::UntagResource)),
    ("UpdateMapRun", None),
    ("UpdateStateMachine", Some(Operation::UpdateStateMachine)),
    ("UpdateStateMachineAlias", Some(Operation::UpdateStateMachineAlias)),
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
        assert_eq!(find("AWSStepFunctions.UpdateMapRun"), Found::NotYet("UpdateMapRun"));
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

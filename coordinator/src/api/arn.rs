//! ARNs in requests.

use model::{ActivityArn, ExecutionArn, QualifiedArn, StateMachineArn};

use super::error::{ApiError, ErrorCode};

/// That `….:stateMachine:NAME/LABEL` is refused so is documented of AWS; its words are not known.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>
const OF_A_MAP: &str = "State machine ARN must not refer to a Distributed Map state";

/// Reads the ARN of a state machine for an operation that takes no version and no alias: one that names such is well-formed, and there is no
/// state machine of it.
pub(super) fn state_machine_arn(text: &str) -> Result<StateMachineArn, ApiError> {
    let QualifiedArn { machine, qualifier } = qualified_arn(text)?;
    if qualifier.is_some() { Err(does_not_exist(text)) } else { Ok(machine) }
}

/// Reads the ARN of a state machine, of a version or of an alias.
pub(super) fn qualified_arn(text: &str) -> Result<QualifiedArn, ApiError> {
    let arn = QualifiedArn::parse(text)?;
    if arn.machine.name().contains('/') {
        return Err(ApiError::new(ErrorCode::ValidationException, format!("{OF_A_MAP}. Received: {text}")));
    }
    Ok(arn)
}

/// Reads the ARN of an execution: those of type EXPRESS are not described, stopped or the like.
pub(super) fn execution_arn(text: &str) -> Result<ExecutionArn, ApiError> {
    Ok(ExecutionArn::parse_standard(text)?)
}

/// Reads the ARN of an activity.
pub(super) fn activity_arn(text: &str) -> Result<ActivityArn, ApiError> {
    Ok(ActivityArn::parse(text)?)
}

/// Says that there is no such state machine.
pub(super) fn does_not_exist(arn: impl std::fmt::Display) -> ApiError {
    ApiError::quoting(ErrorCode::StateMachineDoesNotExist, "State Machine Does Not Exist", arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_refused_in_the_words_of_aws() {
        let check = |text: &str, code: ErrorCode, message: &str| {
            assert_eq!(state_machine_arn(text).expect_err("is refused"), ApiError::new(code, message), "{text}");
        };
        let invalid = ErrorCode::InvalidArn;
        check("xyz", invalid, "Invalid Arn: 'Invalid ARN prefix: xyz'");
        check(
            "arn:aws:states:r:1:execution:S:e",
            invalid,
            "Invalid Arn: 'Resource type not valid in this context: execution'",
        );
        check(
            "arn:aws:states:r:1:express:S:e",
            invalid,
            "Invalid Arn: 'Resource type not valid in this context: express'",
        );
        let version = "arn:aws:states:r:1:stateMachine:S:7";
        check(version, ErrorCode::StateMachineDoesNotExist, &format!("State Machine Does Not Exist: '{version}'"));
        let label = "arn:aws:states:r:1:stateMachine:S/Label";
        let of_a_map = format!("State machine ARN must not refer to a Distributed Map state. Received: {label}");
        check(label, ErrorCode::ValidationException, &of_a_map);
        let error = execution_arn("arn:aws:states:r:1:stateMachine:S").expect_err("is refused");
        assert_eq!(error.message, "Invalid Arn: 'Resource type not valid in this context: stateMachine'");
        for express in ["arn:aws:states:r:1:express:S:e", "arn:aws:states:r:1:express:S:e:0a1b"] {
            let error = execution_arn(express).expect_err("is refused");
            assert_eq!(error.message, "Invalid Arn: 'Resource type not valid in this context: express'");
        }
    }
}

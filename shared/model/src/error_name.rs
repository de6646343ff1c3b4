//! The error names that the States Language reserves. Source: <https://states-language.net/#appendix-a>

/// Matches any error name in a Retrier or Catcher, but what AWS calls not catchable.
pub const ALL: &str = "States.ALL";
/// A Task state ran longer than its time-out or waited longer than its heartbeat for a sign of life.
pub const TIMEOUT: &str = "States.Timeout";
/// A Task state sent no heartbeat in time.
pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
/// Matches any failure of a Task state but a time-out.
pub const TASK_FAILED: &str = "States.TaskFailed";
/// A Task state may not do what it asks for.
pub const PERMISSIONS: &str = "States.Permissions";
/// ResultPath can't be applied to the state's input.
pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
/// A reference path leads nowhere: ResultPath in the state's input, or ItemsPath. AWS has it where the States Language has
/// `States.ResultPathMatchFailure`.
pub const REFERENCE_PATH_CONFLICT: &str = "States.ReferencePathConflict";
/// A `.$` field of a payload template names what the input does not hold.
pub const PARAMETER_PATH_FAILURE: &str = "States.ParameterPathFailure";
/// A branch of a Parallel state failed.
pub const BRANCH_FAILED: &str = "States.BranchFailed";
/// No rule of a Choice state matched and there is no default.
pub const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
/// An intrinsic function failed.
pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";
/// More items of a Map state failed than it tolerates.
pub const EXCEED_TOLERATED_FAILURE_THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";
/// The items of a Map state could not be read.
pub const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";
/// The results of a Map state could not be written.
pub const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";
/// A JSONata expression failed.
pub const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";
/// A state could not be run as its definition says; States.ALL does not match it.
pub const RUNTIME: &str = "States.Runtime";
/// A payload is larger than the service allows; States.ALL does not match it.
pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
/// The task's process ended without telling why.
pub const RUNTIME_EXIT_ERROR: &str = "Runtime.ExitError";

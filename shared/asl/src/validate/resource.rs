//! What a Task state calls.

use crate::diagnostics::Code;
use crate::resource::{IntegrationPattern, Resource, ResourceKind};
use crate::validate::place::Place;
use crate::validate::report::Report;
use crate::validate::state::State;

/// The services that AWS integrates under `arn:aws:states:::SERVICE:ACTION`.
const SERVICES: &[&str] = &[
    "apigateway",
    "athena",
    "batch",
    "bedrock",
    "codebuild",
    "databrew",
    "dynamodb",
    "ecs",
    "eks",
    "elasticmapreduce",
    "emr-containers",
    "emr-serverless",
    "events",
    "glue",
    "http",
    "lambda",
    "mediaconvert",
    "s3",
    "sagemaker",
    "sns",
    "sqs",
    "states",
];

/// The actions of Step Functions that a task may call by `aws-sdk:sfn`: all of the service model of 2016-11-23.
const SFN_ACTIONS: &[&str] = &[
    "createActivity",
    "createStateMachine",
    "createStateMachineAlias",
    "deleteActivity",
    "deleteStateMachine",
    "deleteStateMachineAlias",
    "deleteStateMachineVersion",
    "describeActivity",
    "describeExecution",
    "describeMapRun",
    "describeStateMachine",
    "describeStateMachineAlias",
    "describeStateMachineForExecution",
    "getActivityTask",
    "getExecutionHistory",
    "listActivities",
    "listExecutions",
    "listMapRuns",
    "listStateMachineAliases",
    "listStateMachineVersions",
    "listStateMachines",
    "listTagsForResource",
    "publishStateMachineVersion",
    "redriveExecution",
    "sendTaskFailure",
    "sendTaskHeartbeat",
    "sendTaskSuccess",
    "startExecution",
    "startSyncExecution",
    "stopExecution",
    "tagResource",
    "testState",
    "untagResource",
    "updateMapRun",
    "updateStateMachine",
    "updateStateMachineAlias",
    "validateStateMachineDefinition",
];

/// Checks the resource of a Task and gives it if it is one.
pub(crate) fn check(state: State<'_>, report: &mut Report) -> Option<Resource> {
    let value = state.get("Resource")?;
    let place = state.place.field("Resource");
    let text = report.string(value, place)?;
    if report.is_open(value) {
        return None;
    }
    let Some(resource) = Resource::parse(text) else {
        report.schema("Value is not a valid resource ARN", place);
        return None;
    };
    if report.options().express {
        refuse_in_express(&resource, place, report);
    }
    refuse_unknown_of_own(&resource, place, report);
    warn_unknown(&resource, place, report);
    Some(resource)
}

/// Checks the resource that a Map reads from or writes to.
pub(crate) fn of_map(object: &crate::validate::tree::Object, place: Place<'_>, report: &mut Report) {
    let Some(value) = object.get("Resource") else { return };
    let place = place.field("Resource");
    let Some(text) = report.string(value, place) else { return };
    if Resource::parse(text).is_none() && !report.is_open(value) {
        report.schema("Value is not a valid resource ARN", place);
    }
}

fn refuse_in_express(resource: &Resource, place: Place<'_>, report: &mut Report) {
    if matches!(resource.kind(), ResourceKind::Activity { .. }) {
        return report.schema("Express state machine does not support Activity ARN", place);
    }
    match resource.pattern() {
        IntegrationPattern::RequestResponse => {}
        IntegrationPattern::Sync | IntegrationPattern::Sync2 => {
            report.schema("Express state machine does not support '.sync' service integration", place);
        }
        // AWS's text ends with a blank.
        IntegrationPattern::WaitForTaskToken => {
            report.schema("Express state machine does not support '.waitForTaskToken' service integration ", place);
        }
    }
}

/// Refuses calls of Step Functions itself that there are none of: nobody else could answer them.
fn refuse_unknown_of_own(resource: &Resource, place: Place<'_>, report: &mut Report) {
    let is_known = match resource.kind() {
        ResourceKind::Service { service, action, .. } if &**service == "states" => &**action == "startExecution",
        ResourceKind::SdkService { service, action, pattern } if &**service == "sfn" => {
            let waits_for_job = matches!(pattern, IntegrationPattern::Sync | IntegrationPattern::Sync2);
            SFN_ACTIONS.contains(&&**action) && !waits_for_job
        }
        ResourceKind::Service { .. }
        | ResourceKind::SdkService { .. }
        | ResourceKind::LambdaFunction { .. }
        | ResourceKind::LambdaInvoke { .. }
        | ResourceKind::Activity { .. }
        | ResourceKind::Other => true,
    };
    if !is_known {
        let reason = "The value is not a valid resource ARN, or the resource is not available in this region.";
        report.schema(format!("The resource provided {resource} is not recognized. {reason}"), place);
    }
}

/// Warns of an integration that AWS does not have. It may be one of the user's own, so it is not refused.
fn warn_unknown(resource: &Resource, place: Place<'_>, report: &mut Report) {
    if let ResourceKind::Service { service, .. } = resource.kind()
        && !SERVICES.contains(&&**service)
    {
        report.warning(Code::InvalidResource, format!("AWS has no service integration for '{service}'"), place);
    }
}

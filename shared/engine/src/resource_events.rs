//! The chain of events that AWS records for each kind of Resource.

use asl::{Resource, ResourceKind, Task};
use model::{Details, EventKind, JsonText};

use crate::failure::Failure;

/// Is the kind of Resource, as far as its events are concerned.
pub(crate) enum Chain<'a> {
    /// A Lambda function named by its ARN.
    Lambda { arn: &'a str },
    /// An activity.
    Activity { arn: &'a str },
    /// A service integration, such as `lambda` and `invoke`.
    Service { resource_type: String, resource: String },
}

impl<'a> Chain<'a> {
    pub(crate) fn of(task: &'a Task) -> Self {
        let resource = &task.resource;
        match resource.kind() {
            ResourceKind::LambdaFunction { .. } => Chain::Lambda { arn: resource.arn() },
            ResourceKind::Activity { .. } => Chain::Activity { arn: resource.arn() },
            ResourceKind::LambdaInvoke { .. } => service(resource, "lambda".to_owned()),
            ResourceKind::Service { service: name, .. } => service(resource, name.to_string()),
            ResourceKind::SdkService { service: name, .. } => service(resource, format!("aws-sdk:{name}")),
            ResourceKind::Other => {
                let name = resource.arn().split(':').nth(2).unwrap_or_default();
                service(resource, name.to_owned())
            }
        }
    }

    /// Gives the name by which AWS calls the task in texts.
    pub(crate) fn name(&self) -> &str {
        match self {
            Chain::Lambda { arn } | Chain::Activity { arn } => arn,
            Chain::Service { resource_type, .. } => resource_type,
        }
    }

    pub(crate) fn scheduled(
        &self,
        region: &str,
        payload: JsonText,
        (timeout_seconds, heartbeat_seconds): (Option<u64>, Option<u64>),
        credentials: Option<String>,
    ) -> (EventKind, Details) {
        let direct = |arn: &str, input: JsonText, credentials: Option<String>| {
            let resource = arn.to_owned();
            Details::Scheduled { resource, input, timeout_seconds, heartbeat_seconds, credentials }
        };
        match self {
            Chain::Lambda { arn } => (EventKind::LambdaFunctionScheduled, direct(arn, payload, credentials)),
            Chain::Activity { arn } => (EventKind::ActivityScheduled, direct(arn, payload, None)),
            Chain::Service { resource_type, resource } => {
                let details = Details::TaskScheduled {
                    resource_type: resource_type.clone(),
                    resource: resource.clone(),
                    region: region.to_owned(),
                    parameters: payload,
                    timeout_seconds,
                    heartbeat_seconds,
                    credentials,
                };
                (EventKind::TaskScheduled, details)
            }
        }
    }

    pub(crate) fn started(&self, worker: Option<String>) -> (EventKind, Details) {
        match self {
            Chain::Lambda { .. } => (EventKind::LambdaFunctionStarted, Details::None),
            Chain::Activity { .. } => (EventKind::ActivityStarted, Details::WorkerStarted { worker }),
            Chain::Service { resource_type, resource } => {
                let (resource_type, resource) = (resource_type.clone(), resource.clone());
                (EventKind::TaskStarted, Details::TaskStarted { resource_type, resource })
            }
        }
    }

    /// Gives the event of a call that was made and whose result comes later; only service integrations have one.
    pub(crate) fn submitted(&self, output: JsonText) -> Option<(EventKind, Details)> {
        match self {
            Chain::Lambda { .. } | Chain::Activity { .. } => None,
            Chain::Service { resource_type, resource } => {
                let (resource_type, resource) = (resource_type.clone(), resource.clone());
                Some((EventKind::TaskSubmitted, Details::TaskOutput { resource_type, resource, output }))
            }
        }
    }

    pub(crate) fn succeeded(&self, output: JsonText) -> (EventKind, Details) {
        match self {
            Chain::Lambda { .. } => (EventKind::LambdaFunctionSucceeded, Details::Output { output }),
            Chain::Activity { .. } => (EventKind::ActivitySucceeded, Details::Output { output }),
            Chain::Service { resource_type, resource } => {
                let (resource_type, resource) = (resource_type.clone(), resource.clone());
                (EventKind::TaskSucceeded, Details::TaskOutput { resource_type, resource, output })
            }
        }
    }

    pub(crate) fn failed(&self, failure: &Failure) -> (EventKind, Details) {
        let kind = match self {
            Chain::Lambda { .. } => EventKind::LambdaFunctionFailed,
            Chain::Activity { .. } => EventKind::ActivityFailed,
            Chain::Service { .. } => EventKind::TaskFailed,
        };
        (kind, self.failure(failure))
    }

    pub(crate) fn timed_out(&self, failure: &Failure) -> (EventKind, Details) {
        let kind = match self {
            Chain::Lambda { .. } => EventKind::LambdaFunctionTimedOut,
            Chain::Activity { .. } => EventKind::ActivityTimedOut,
            Chain::Service { .. } => EventKind::TaskTimedOut,
        };
        (kind, self.failure(failure))
    }

    fn failure(&self, failure: &Failure) -> Details {
        let (error, cause) = (failure.error.clone(), failure.cause.clone());
        match self {
            Chain::Lambda { .. } | Chain::Activity { .. } => Details::Failure { error, cause },
            Chain::Service { resource_type, resource } => {
                let (resource_type, resource) = (resource_type.clone(), resource.clone());
                Details::TaskFailure { resource_type, resource, error, cause }
            }
        }
    }
}

/// Takes the action, with its integration pattern, from the end of the ARN.
fn service<'a>(resource: &Resource, resource_type: String) -> Chain<'a> {
    let mut rest = resource.arn().splitn(6, ':').nth(5).unwrap_or_default();
    let service = format!("{resource_type}:");
    rest = rest.strip_prefix(&service).unwrap_or(rest);
    Chain::Service { resource_type, resource: rest.to_owned() }
}

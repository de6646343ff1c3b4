//! What a Task state calls.

use std::fmt;
use std::sync::Arc;

/// Is the `Resource` of a Task state, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    arn: Arc<str>,
    kind: ResourceKind,
}

/// Is the kind of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`, called directly.
    LambdaFunction {
        /// The function's name, without its qualifier.
        function: Arc<str>,
    },
    /// `arn:aws:states:::lambda:invoke`, which takes `FunctionName` and `Payload`.
    LambdaInvoke {
        /// How the task ends.
        pattern: IntegrationPattern,
    },
    /// `arn:aws:states:REGION:ACCOUNT:activity:NAME`.
    Activity {
        /// The activity's name.
        name: Arc<str>,
    },
    /// `arn:aws:states:::SERVICE:ACTION`.
    Service {
        /// Such as `sqs`.
        service: Arc<str>,
        /// Such as `sendMessage`.
        action: Arc<str>,
        /// How the task ends.
        pattern: IntegrationPattern,
    },
    /// `arn:aws:states:::aws-sdk:SERVICE:ACTION`.
    SdkService {
        /// Such as `dynamodb`.
        service: Arc<str>,
        /// Such as `getItem`.
        action: Arc<str>,
        /// How the task ends.
        pattern: IntegrationPattern,
    },
    /// Any other ARN.
    Other,
}

/// Says when a task of an integration is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntegrationPattern {
    /// When the call answered.
    #[default]
    RequestResponse,
    /// `.sync`: when the job that the call began is over.
    Sync,
    /// `.sync:2`: the same, with parsed output.
    Sync2,
    /// `.waitForTaskToken`: when somebody hands the task token back.
    WaitForTaskToken,
}

impl Resource {
    /// Takes an ARN apart; what is no ARN gives `None`.
    pub fn parse(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, region, _, rest] = parts[..] else {
            return None;
        };
        if partition.is_empty() || service.is_empty() || rest.is_empty() {
            return None;
        }
        Some(Self { arn: arn.into(), kind: kind(service, region, rest) })
    }

    /// Gives the ARN as the definition writes it.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Gives the ARN, shared.
    pub fn shared_arn(&self) -> Arc<str> {
        Arc::clone(&self.arn)
    }

    /// Says what the ARN names.
    pub fn kind(&self) -> &ResourceKind {
        &self.kind
    }

    /// Says when the task is over.
    pub fn pattern(&self) -> IntegrationPattern {
        match &self.kind {
            ResourceKind::LambdaInvoke { pattern }
            | ResourceKind::Service { pattern, .. }
            | ResourceKind::SdkService { pattern, .. } => *pattern,
            ResourceKind::LambdaFunction { .. } | ResourceKind::Activity { .. } | ResourceKind::Other => {
                IntegrationPattern::RequestResponse
            }
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.arn)
    }
}

fn kind(service: &str, region: &str, rest: &str) -> ResourceKind {
    match (service, rest.split_once(':')) {
        ("lambda", Some(("function", function))) => {
            let function = function.split(':').next().unwrap_or(function);
            ResourceKind::LambdaFunction { function: function.into() }
        }
        ("states", Some(("activity", name))) => ResourceKind::Activity { name: name.into() },
        ("states", Some(("aws-sdk", call))) if region.is_empty() => sdk(call),
        ("states", Some((service, action))) if region.is_empty() => integration(service, action),
        _ => ResourceKind::Other,
    }
}

fn integration(service: &str, action: &str) -> ResourceKind {
    let (action, pattern) = split_pattern(action);
    if service == "lambda" && action == "invoke" {
        return ResourceKind::LambdaInvoke { pattern };
    }
    ResourceKind::Service { service: service.into(), action: action.into(), pattern }
}

fn sdk(call: &str) -> ResourceKind {
    let Some((service, action)) = call.split_once(':') else {
        return ResourceKind::Other;
    };
    let (action, pattern) = split_pattern(action);
    ResourceKind::SdkService { service: service.into(), action: action.into(), pattern }
}

fn split_pattern(action: &str) -> (&str, IntegrationPattern) {
    let patterns = [
        (".sync:2", IntegrationPattern::Sync2),
        (".sync", IntegrationPattern::Sync),
        (".waitForTaskToken", IntegrationPattern::WaitForTaskToken),
    ];
    let found = patterns.into_iter().find_map(|(suffix, pattern)| Some((action.strip_suffix(suffix)?, pattern)));
    found.unwrap_or((action, IntegrationPattern::RequestResponse))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arn: &str, expect: ResourceKind) {
        assert_eq!(Resource::parse(arn).expect(arn).kind(), &expect, "{arn}");
    }

    #[test]
    fn arns_are_taken_apart() {
        let function = || ResourceKind::LambdaFunction { function: "Pay".into() };
        check("arn:aws:lambda:us-east-1:123456789012:function:Pay", function());
        check("arn:aws-cn:lambda:cn-north-1:123456789012:function:Pay:$LATEST", function());
        check("arn:aws:states:us-east-1:123456789012:activity:dig", ResourceKind::Activity { name: "dig".into() });
        let invoke = |pattern| ResourceKind::LambdaInvoke { pattern };
        check("arn:aws:states:::lambda:invoke", invoke(IntegrationPattern::RequestResponse));
        check("arn:aws:states:::lambda:invoke.waitForTaskToken", invoke(IntegrationPattern::WaitForTaskToken));
        let execution =
            |pattern| ResourceKind::Service { service: "states".into(), action: "startExecution".into(), pattern };
        check("arn:aws:states:::states:startExecution.sync", execution(IntegrationPattern::Sync));
        check("arn:aws:states:::states:startExecution.sync:2", execution(IntegrationPattern::Sync2));
        check(
            "arn:aws:states:::aws-sdk:dynamodb:getItem",
            ResourceKind::SdkService {
                service: "dynamodb".into(),
                action: "getItem".into(),
                pattern: IntegrationPattern::RequestResponse,
            },
        );
        check("arn:aws:sqs:us-east-1:123456789012:queue", ResourceKind::Other);
        check("arn:aws:states:us-east-1:123456789012:stateMachine:x", ResourceKind::Other);
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for text in [
            "",
            "Pay",
            "arn",
            "arn:aws",
            "arn:aws:lambda:us-east-1:1",
            "arn::lambda:::x",
            "arn:aws::::x",
            "arn:aws:x:::",
        ] {
            assert_eq!(Resource::parse(text), None, "{text}");
        }
    }
}

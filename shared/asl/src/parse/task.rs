//! Task states.

use crate::assign::Payload;
use crate::definition::QueryLanguage;
use crate::parse::fields::SECONDS_MAX;
use crate::parse::findings::Findings;
use crate::parse::source::Object;
use crate::parse::state::transition;
use crate::parse::{path, query, retry};
use crate::resource::{Resource, ResourceKind};
use crate::state::{StateKind, Task};

/// Reads what is a Task's own.
pub(crate) fn parse(state: &Object<'_>, findings: &mut Findings) -> Option<StateKind> {
    state.require(&["Resource"], findings);
    let next = transition(state, findings);
    let resource = resource(state, findings);
    let credentials = credentials(state, resource.as_ref(), findings);
    let timeout = path::limit(state, "TimeoutSeconds", (1, SECONDS_MAX), findings);
    let heartbeat = path::limit(state, "HeartbeatSeconds", (1, SECONDS_MAX), findings);
    let retry = retry::retriers(state, findings);
    let catch = retry::catchers(state, findings);
    let task = Task { resource: resource?, credentials, timeout, heartbeat, retry, catch, next: next? };
    Some(StateKind::Task(Box::new(task)))
}

fn resource(state: &Object<'_>, findings: &mut Findings) -> Option<Resource> {
    let node = state.get("Resource")?;
    let resource = Resource::parse(&node.string(findings)?);
    if resource.is_none() {
        findings.schema("Value is not a valid resource ARN", node.pointer());
    }
    resource
}

fn credentials(state: &Object<'_>, resource: Option<&Resource>, findings: &mut Findings) -> Option<Payload> {
    let node = state.get("Credentials")?;
    let is_jsonata = findings.language == QueryLanguage::Jsonata;
    let object = if is_jsonata && query::is_expression(node, findings) { None } else { Some(node.object(findings)?) };
    if resource.is_some_and(|resource| matches!(resource.kind(), ResourceKind::Activity { .. })) {
        findings.schema("The field 'Credentials' is not supported for activities", node.pointer());
    }
    if object.is_some_and(|object| !object.has("RoleArn") && !object.has("RoleArn.$")) {
        findings.schema("The field 'RoleArn' is required but was missing", node.pointer());
    }
    query::payload(state, "Credentials", findings)
}

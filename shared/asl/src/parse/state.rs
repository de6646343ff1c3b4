//! One state.

use std::sync::Arc;

use crate::definition::{Machine, QueryLanguage};
use crate::flow::DataFlow;
use crate::name::StateName;
use crate::parse::findings::Findings;
use crate::parse::literal::literal;
use crate::parse::source::{Node, Object};
use crate::parse::{choice, fields, map, parse_machine, parse_query_language, path, query, retry, task, template};
use crate::state::{Fail, Parallel, Pass, State, StateKind, Succeed, Transition, Wait, WaitUntil};
use crate::timestamp;

const TYPES: &str = "Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map";

/// Reads a state.
pub(crate) fn parse(name: StateName, node: &Node<'_>, findings: &mut Findings) -> Option<State> {
    let object = node.object(findings)?;
    object.require(&["Type"], findings);
    let type_node = object.get("Type")?;
    let kind = type_node.string(findings)?;
    let Some(allowed) = fields::of(&kind) else {
        let message = format!("The field 'Type' should have one of these values: [{TYPES}]");
        findings.schema(message, type_node.pointer());
        return None;
    };
    let query_language = parse_query_language(&object, findings)?;
    let outer = (findings.language, std::mem::take(&mut findings.uses));
    findings.language = query_language;
    fields::check(&object, allowed, findings);
    let comment = object.get("Comment").and_then(|comment| comment.string(findings));
    let flow = data_flow(&kind, &object, findings);
    let is_jsonata = query_language == QueryLanguage::Jsonata;
    let mut computed = |name| if is_jsonata { query::field(&object, name, "", findings) } else { None };
    let (arguments, output) = (computed("Arguments"), computed("Output"));
    let assign = query::assignment(&object, "", findings).unwrap_or_default();
    let kind = parse_kind(&kind, &object, findings);
    let uses = Arc::new(std::mem::replace(&mut findings.uses, outer.1));
    findings.language = outer.0;
    Some(State { name, comment, query_language, flow, arguments, output, assign, uses, kind: kind? })
}

fn parse_kind(kind: &str, object: &Object<'_>, findings: &mut Findings) -> Option<StateKind> {
    match kind {
        "Task" => task::parse(object, findings),
        "Pass" => pass(object, findings),
        "Wait" => wait(object, findings),
        "Choice" => choice::parse(object, findings),
        "Parallel" => parallel(object, findings),
        "Map" => map::parse(object, findings),
        "Fail" => Some(StateKind::Fail(fail(object, findings))),
        _ => Some(StateKind::Succeed(Succeed {})),
    }
}

/// Reads the data flow fields; those that a type does not have are absent, and thus their defaults.
fn data_flow(kind: &str, object: &Object<'_>, findings: &mut Findings) -> DataFlow {
    DataFlow {
        input_path: path::selection(object, "InputPath", findings),
        parameters: if kind == "Map" { None } else { template::field(object, "Parameters", findings) },
        result_selector: template::field(object, "ResultSelector", findings),
        result_path: path::result_path(object, findings),
        output_path: path::selection(object, "OutputPath", findings),
    }
}

/// Reads `Next` or `End`.
pub(crate) fn transition(object: &Object<'_>, findings: &mut Findings) -> Option<Transition> {
    let ends = object.get("End").map(|end| end.boolean(findings));
    let next = object.get("Next").map(|next| next.string(findings));
    match (next, ends) {
        (Some(next), None | Some(Some(false))) => Some(Transition::Next(StateName::from(next?.as_str()))),
        (None, Some(Some(true))) => Some(Transition::End),
        (_, Some(None)) => None,
        (Some(_), Some(Some(true))) => {
            findings.schema("There should only be one of the following fields: [Next, End]", object.pointer());
            None
        }
        (None, None | Some(Some(false))) => {
            let message = "This object should have only one of the following fields: [Next, End]";
            findings.schema(message, object.pointer());
            None
        }
    }
}

fn pass(object: &Object<'_>, findings: &mut Findings) -> Option<StateKind> {
    let result = object.get("Result").map(|result| literal(result.text()));
    Some(StateKind::Pass(Pass { result, next: transition(object, findings)? }))
}

fn wait(object: &Object<'_>, findings: &mut Findings) -> Option<StateKind> {
    let next = transition(object, findings);
    let one = object.exactly_one_of(&["SecondsPath", "Seconds", "TimestampPath", "Timestamp"], findings);
    let until = if one { wait_until(object, findings) } else { None };
    Some(StateKind::Wait(Wait { until: until?, next: next? }))
}

fn wait_until(object: &Object<'_>, findings: &mut Findings) -> Option<WaitUntil> {
    let is_jsonata = findings.language == QueryLanguage::Jsonata;
    if let Some(node) = object.get("Seconds").filter(|_| is_jsonata)
        && query::is_expression(node, findings)
    {
        return query::expression(node, "Seconds", findings).map(WaitUntil::SecondsQuery);
    }
    if let Some(node) = object.get("Timestamp").filter(|_| is_jsonata)
        && query::is_expression(node, findings)
    {
        return query::expression(node, "Timestamp", findings).map(WaitUntil::TimestampQuery);
    }
    if let Some(node) = object.get("Seconds") {
        return node.integer(0, fields::SECONDS_MAX, findings).map(WaitUntil::Seconds);
    }
    if let Some(node) = object.get("SecondsPath") {
        return path::reference(node, findings).map(WaitUntil::SecondsPath);
    }
    if let Some(node) = object.get("TimestampPath") {
        return path::reference(node, findings).map(WaitUntil::TimestampPath);
    }
    instant(object.get("Timestamp")?, findings).map(|(instant, _)| WaitUntil::Timestamp(instant))
}

/// Reads a timestamp with its sub-millisecond part.
pub(crate) fn instant(node: &Node<'_>, findings: &mut Findings) -> Option<(model::Timestamp, u32)> {
    let instant = timestamp::parse(&node.string(findings)?);
    if instant.is_none() {
        findings.schema("String does not match RFC3339 timestamp", node.pointer());
    }
    instant
}

fn fail(object: &Object<'_>, findings: &mut Findings) -> Fail {
    Fail { error: path::text(object, "Error", findings), cause: path::text(object, "Cause", findings) }
}

fn parallel(object: &Object<'_>, findings: &mut Findings) -> Option<StateKind> {
    object.require(&["Branches"], findings);
    let next = transition(object, findings);
    let retry = retry::retriers(object, findings);
    let catch = retry::catchers(object, findings);
    let nodes = object.get("Branches")?.filled_array(findings)?;
    let branches: Vec<Arc<Machine>> = nodes.iter().filter_map(|node| branch(node, findings)).collect();
    let complete = branches.len() == nodes.len();
    let parallel = Parallel { branches, retry, catch, next: next? };
    complete.then_some(StateKind::Parallel(parallel))
}

fn branch(node: &Node<'_>, findings: &mut Findings) -> Option<Arc<Machine>> {
    let object = node.object(findings)?;
    object.allow_only(fields::BRANCH, findings);
    parse_machine(&object, findings)
}

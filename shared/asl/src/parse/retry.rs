//! `Retry` and `Catch`.

use std::sync::Arc;

use model::error_name;

use crate::definition::QueryLanguage;
use crate::name::StateName;
use crate::parse::fields::{self, ATTEMPTS_MAX, DELAY_SECONDS_MAX, SECONDS_MAX};
use crate::parse::findings::Findings;
use crate::parse::source::{Node, Object};
use crate::parse::{path, query};
use crate::retry::{Catcher, JitterStrategy, Retrier};

/// Reads `Retry`.
pub(crate) fn retriers(state: &Object<'_>, findings: &mut Findings) -> Vec<Retrier> {
    entries(state, "Retry", retrier, findings)
}

/// Reads `Catch`.
pub(crate) fn catchers(state: &Object<'_>, findings: &mut Findings) -> Vec<Catcher> {
    entries(state, "Catch", catcher, findings)
}

type ParseEntry<T> = fn(&Object<'_>, (usize, bool), &mut Findings) -> Option<T>;

fn entries<T>(state: &Object<'_>, name: &str, parse: ParseEntry<T>, findings: &mut Findings) -> Vec<T> {
    let nodes = state.get(name).and_then(|node| node.array(findings)).unwrap_or_default();
    let mut entries = Vec::with_capacity(nodes.len());
    for (position, node) in nodes.iter().enumerate() {
        let is_last = position + 1 == nodes.len();
        entries.extend(node.object(findings).and_then(|entry| parse(&entry, (position, is_last), findings)));
    }
    entries
}

fn retrier(entry: &Object<'_>, (_, is_last): (usize, bool), findings: &mut Findings) -> Option<Retrier> {
    let fields = [
        "BackoffRate",
        "Comment",
        "ErrorEquals",
        "IntervalSeconds",
        "JitterStrategy",
        "MaxAttempts",
        "MaxDelaySeconds",
    ];
    entry.allow_only(&fields, findings);
    entry.require(&["ErrorEquals"], findings);
    let mut integer = |name: &str, least, most| entry.get(name).and_then(|node| node.integer(least, most, findings));
    let interval = integer("IntervalSeconds", 0, SECONDS_MAX);
    let attempts = integer("MaxAttempts", 0, ATTEMPTS_MAX);
    let max_delay = integer("MaxDelaySeconds", 1, DELAY_SECONDS_MAX);
    let backoff = entry.get("BackoffRate").and_then(|node| backoff_rate(node, findings));
    let jitter = entry.get("JitterStrategy").and_then(|node| node.one_of(&["FULL", "NONE"], findings));
    let error_equals = error_equals(entry, is_last, findings)?;
    Some(Retrier {
        error_equals,
        interval_seconds: interval.unwrap_or(1),
        max_attempts: attempts.unwrap_or(3),
        backoff_rate: backoff.unwrap_or(2.0),
        max_delay_seconds: max_delay,
        jitter_strategy: if jitter.as_deref() == Some("FULL") { JitterStrategy::Full } else { JitterStrategy::None },
    })
}

fn backoff_rate(node: &Node<'_>, findings: &mut Findings) -> Option<f64> {
    let rate = node.number(findings)?;
    if rate < 1.0 {
        findings.schema("Minimum value is 1.0", node.pointer());
        return None;
    }
    Some(rate)
}

fn catcher(entry: &Object<'_>, (position, is_last): (usize, bool), findings: &mut Findings) -> Option<Catcher> {
    let fields = ["Assign", "Comment", "ErrorEquals", "Next", "Output", "ResultPath"];
    fields::check(entry, &fields, findings);
    entry.require(&["ErrorEquals", "Next"], findings);
    let error_equals = error_equals(entry, is_last, findings);
    let next = entry.get("Next").and_then(|next| next.string(findings));
    let result_path = path::result_path(entry, findings);
    let place = format!("Catch[{position}]/");
    let output = match findings.language {
        QueryLanguage::JsonPath => None,
        QueryLanguage::Jsonata => query::field(entry, "Output", &place, findings),
    };
    let assign = query::assignment(entry, &place, findings).unwrap_or_default();
    let next = StateName::from(next?.as_str());
    Some(Catcher { error_equals: error_equals?, next, result_path, output, assign })
}

fn error_equals(entry: &Object<'_>, is_last: bool, findings: &mut Findings) -> Option<Vec<Arc<str>>> {
    let nodes = entry.get("ErrorEquals")?.filled_array(findings)?;
    let mut names: Vec<Arc<str>> = Vec::with_capacity(nodes.len());
    for node in &nodes {
        let name = node.string(findings)?;
        if name == error_name::ALL && !(is_last && nodes.len() == 1) {
            findings.schema("States.ALL must appear alone and at end of list", node.pointer());
        }
        names.push(name.into());
    }
    Some(names)
}

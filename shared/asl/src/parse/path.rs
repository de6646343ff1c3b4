//! Fields that hold paths.

use std::sync::Arc;

use jsonpath::ReferencePath;

use crate::definition::QueryLanguage;
use crate::intrinsic::Intrinsic;
use crate::parse::findings::Findings;
use crate::parse::query;
use crate::parse::source::{Node, Object};
use crate::path::{DataPath, Root};
use crate::state::{Limit, TextSource};

/// Reads a path; `null` gives `None`, no field the default.
pub(crate) fn selection(object: &Object<'_>, name: &str, findings: &mut Findings) -> Option<DataPath> {
    match object.get(name) {
        None => Some(DataPath::input()),
        Some(node) if node.is_null() => None,
        Some(node) => any(node, findings),
    }
}

/// Reads any path.
pub(crate) fn any(node: &Node<'_>, findings: &mut Findings) -> Option<DataPath> {
    let path = DataPath::parse(&node.string(findings)?);
    match &path {
        Ok(path) => findings.note_path(path),
        Err(_) => findings.schema("Value must be a valid JSONPath.", node.pointer()),
    }
    path.ok()
}

/// Reads a path that names one value.
pub(crate) fn reference(node: &Node<'_>, findings: &mut Findings) -> Option<DataPath> {
    let text = node.string(findings)?;
    if !text.starts_with('$') {
        findings.schema("Value is not a Reference Path: Reference path didn't start with '$'", node.pointer());
        return None;
    }
    let path = DataPath::parse(&text).ok().filter(|path| path.path().is_definite());
    match &path {
        Some(path) => findings.note_path(path),
        None => findings.schema("Value is not a Reference Path", node.pointer()),
    }
    path
}

/// Reads a place in the input that a result goes to; `null` gives `None`, no field the default.
pub(crate) fn result_path(object: &Object<'_>, findings: &mut Findings) -> Option<ReferencePath> {
    let Some(node) = object.get("ResultPath") else {
        return Some(ReferencePath::root());
    };
    if node.is_null() {
        return None;
    }
    let path = reference(node, findings)?;
    let place = (path.root() == &Root::Input).then(|| ReferencePath::try_from(path.path().clone()).ok()).flatten();
    if place.is_none() {
        findings.schema("Value is not a Reference Path", node.pointer());
    }
    place
}

/// Reads a whole number that is stated or computed in field `name` or looked up by `namePath`.
pub(crate) fn limit(object: &Object<'_>, name: &str, bounds: (u64, u64), findings: &mut Findings) -> Option<Limit> {
    limit_of(object, name, findings, |node, findings| node.integer(bounds.0, bounds.1, findings))
}

/// Reads a percentage that is stated or computed in field `name` or looked up by `namePath`.
pub(crate) fn percentage(object: &Object<'_>, name: &str, findings: &mut Findings) -> Option<Limit<f64>> {
    limit_of(object, name, findings, |node, findings| node.number_within(0.0, 100.0, findings))
}

fn limit_of<N>(
    object: &Object<'_>,
    name: &str,
    findings: &mut Findings,
    stated: impl FnOnce(&Node<'_>, &mut Findings) -> Option<N>,
) -> Option<Limit<N>> {
    let path_name = format!("{name}Path");
    if !object.at_most_one_of(&[name, &path_name], findings) {
        return None;
    }
    if let Some(node) = object.get(&path_name) {
        return reference(node, findings).map(Limit::Path);
    }
    let node = object.get(name)?;
    if findings.language == QueryLanguage::Jsonata && query::is_expression(node, findings) {
        return query::expression(node, name, findings).map(Limit::Query);
    }
    stated(node, findings).map(Limit::Fixed)
}

/// Reads a text that is stated in field `name`, or looked up or computed by `namePath`.
pub(crate) fn text(object: &Object<'_>, name: &str, findings: &mut Findings) -> Option<TextSource> {
    let path_name = format!("{name}Path");
    if !object.at_most_one_of(&[name, &path_name], findings) {
        return None;
    }
    let Some(node) = object.get(&path_name) else {
        let node = object.get(name)?;
        if findings.language == QueryLanguage::Jsonata && query::is_expression(node, findings) {
            return query::expression(node, name, findings).map(TextSource::Query);
        }
        return node.string(findings).map(|text| TextSource::Fixed(text.into()));
    };
    let written = node.string(findings)?;
    if written.starts_with('$') {
        return reference(node, findings).map(TextSource::Path);
    }
    let intrinsic = Intrinsic::parse(&written);
    match &intrinsic {
        Ok(call) => findings.note_call(call),
        Err(_) => {
            findings.schema("Value must be a valid JSONPath or a valid intrinsic function call", node.pointer());
        }
    }
    intrinsic.ok().map(|intrinsic| TextSource::Intrinsic(Arc::new(intrinsic)))
}

//! Map states.

use std::sync::Arc;

use crate::assign::Payload;
use crate::definition::{Machine, QueryLanguage};
use crate::item_reader::{ItemFormat, ItemReader};
use crate::parse::findings::Findings;
use crate::parse::source::Object;
use crate::parse::state::transition;
use crate::parse::{fields, parse_machine, path, query, retry};
use crate::path::DataPath;
use crate::state::{ChildType, Limit, Map, ProcessorMode, StateKind};

/// Reads what is a Map's own.
pub(crate) fn parse(state: &Object<'_>, findings: &mut Findings) -> Option<StateKind> {
    let next = transition(state, findings);
    let one_processor = state.exactly_one_of(&["ItemProcessor", "Iterator"], findings);
    let processor = state.get("ItemProcessor").or(state.get("Iterator"));
    let processor = processor.filter(|_| one_processor).and_then(|node| node.object(findings));
    let mode = processor.as_ref().and_then(|processor| mode(processor, findings));
    let machine = processor.as_ref().and_then(|processor| parse_processor(processor, findings));
    check_distributed_fields(state, findings);
    let map = Map {
        items_path: items_path(state, findings),
        items: match findings.language {
            QueryLanguage::JsonPath => None,
            QueryLanguage::Jsonata => query::field(state, "Items", "", findings),
        },
        item_selector: item_selector(state, findings),
        max_concurrency: max_concurrency(state, findings),
        tolerated_failure_count: path::limit(state, "ToleratedFailureCount", (0, u64::MAX), findings),
        tolerated_failure_percentage: path::percentage(state, "ToleratedFailurePercentage", findings),
        reader: reader(state, findings),
        writes_results: state.has("ResultWriter"),
        label: state.get("Label").and_then(|label| label.string(findings)),
        retry: retry::retriers(state, findings),
        catch: retry::catchers(state, findings),
        item_processor: machine?,
        mode: mode?,
        next: next?,
    };
    Some(StateKind::Map(Box::new(map)))
}

fn parse_processor(processor: &Object<'_>, findings: &mut Findings) -> Option<Arc<Machine>> {
    processor.allow_only(fields::PROCESSOR, findings);
    parse_machine(processor, findings)
}

fn mode(processor: &Object<'_>, findings: &mut Findings) -> Option<ProcessorMode> {
    let Some(node) = processor.get("ProcessorConfig") else {
        return Some(ProcessorMode::Inline);
    };
    let config = node.object(findings)?;
    config.allow_only(&["ExecutionType", "Mode"], findings);
    let mode = config.get("Mode").map(|mode| mode.one_of(&["INLINE", "DISTRIBUTED"], findings));
    let Some("DISTRIBUTED") = mode.map(Option::unwrap_or_default).as_deref() else {
        if config.has("ExecutionType") {
            findings.schema("Field 'ExecutionType' is not supported", config.pointer());
        }
        return Some(ProcessorMode::Inline);
    };
    config.require(&["ExecutionType"], findings);
    let kind = config.get("ExecutionType").and_then(|kind| kind.one_of(&["STANDARD", "EXPRESS"], findings));
    let kind = if kind.as_deref() == Some("EXPRESS") { ChildType::Express } else { ChildType::Standard };
    Some(ProcessorMode::Distributed(kind))
}

fn check_distributed_fields(state: &Object<'_>, findings: &mut Findings) {
    for name in ["ItemBatcher", "ItemReader", "ResultWriter"] {
        if let Some(node) = state.get(name) {
            let message = format!("The field '{name}' of the mode 'DISTRIBUTED' is not supported yet");
            findings.unsupported(message, node.pointer());
        }
    }
}

/// Reads `ItemReader`. Only TestState needs it: what validation lets pass keeps no definition from being loaded.
fn reader(state: &Object<'_>, findings: &mut Findings) -> Option<ItemReader> {
    let mut apart = findings.apart();
    let reader = reader_of(state, &mut apart);
    findings.note_uses_of(&apart);
    reader
}

fn reader_of(state: &Object<'_>, findings: &mut Findings) -> Option<ItemReader> {
    let reader = state.get("ItemReader")?.object(findings)?;
    let Some(config) = reader.get("ReaderConfig").and_then(|config| config.object(findings)) else {
        return Some(ItemReader { format: ItemFormat::Json, items_pointer: None, max_items: None });
    };
    Some(ItemReader {
        format: format(&config, findings),
        items_pointer: word(&config, "ItemsPointer", findings),
        max_items: path::limit(&config, "MaxItems", (0, u64::MAX), findings),
    })
}

/// Reads what the data look like. A manifest and Parquet are taken for JSON: they can only be given as the items that they come to.
fn format(config: &Object<'_>, findings: &mut Findings) -> ItemFormat {
    match word(config, "InputType", findings).as_deref() {
        Some("CSV") => {
            let delimiter = match word(config, "CSVDelimiter", findings).as_deref() {
                Some("PIPE") => '|',
                Some("SEMICOLON") => ';',
                Some("SPACE") => ' ',
                Some("TAB") => '\t',
                Some(_) | None => ',',
            };
            let are_given = word(config, "CSVHeaderLocation", findings).as_deref() == Some("GIVEN");
            let headers = config.get("CSVHeaders").filter(|_| are_given).and_then(|headers| headers.array(findings));
            let headers = headers.map(|headers| headers.iter().filter_map(|name| name.string(findings)).collect());
            ItemFormat::Csv { delimiter, headers }
        }
        Some("JSONL") => ItemFormat::JsonLines,
        Some(_) | None => ItemFormat::Json,
    }
}

fn word(config: &Object<'_>, name: &str, findings: &mut Findings) -> Option<String> {
    config.get(name)?.string(findings)
}

fn items_path(state: &Object<'_>, findings: &mut Findings) -> Option<DataPath> {
    match state.get("ItemsPath") {
        None => Some(DataPath::input()),
        Some(node) if node.is_null() => None,
        Some(node) => path::reference(node, findings),
    }
}

/// Reads `ItemSelector`, or `Parameters`, its old name.
fn item_selector(state: &Object<'_>, findings: &mut Findings) -> Option<Payload> {
    if !state.at_most_one_of(&["ItemSelector", "Parameters"], findings) {
        return None;
    }
    let name = if state.has("ItemSelector") { "ItemSelector" } else { "Parameters" };
    query::payload(state, name, findings)
}

fn max_concurrency(state: &Object<'_>, findings: &mut Findings) -> Limit {
    path::limit(state, "MaxConcurrency", (0, u64::MAX), findings).unwrap_or(Limit::Fixed(0))
}

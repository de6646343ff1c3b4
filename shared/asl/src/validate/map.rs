//! Map states.

use crate::definition::QueryLanguage;
use crate::diagnostics::Code;
use crate::validate::machine::{Outer, comment, machine};
use crate::validate::path::{self, Required};
use crate::validate::place::Place;
use crate::validate::report::Report;
use crate::validate::state::{State, transition};
use crate::validate::task::number;
use crate::validate::tree::{Object, Tree};
use crate::validate::{expression, fields, resource, retry, template};

/// The longest label in characters, as AWS has it.
const LABEL_LENGTH_MAX: usize = 40;
/// The letters that no label has, as AWS has it.
const LABEL_LETTERS_REFUSED: &str = "<>{}[]?*\"#%\\^|~`$&,;:/";
/// The most bytes of a batch, as AWS has it.
const BATCH_BYTES_MAX: u64 = 262_144;
/// The most items that a reader reads, as AWS has it.
const READER_ITEMS_MAX: u64 = 100_000_000;

const READER: &[&str] = &["Arguments", "Parameters", "ReaderConfig", "Resource"];
const WRITER: &[&str] = &["Arguments", "Parameters", "Resource", "WriterConfig"];
const READER_CONFIG: &[&str] = &[
    "CSVDelimiter",
    "CSVHeaderLocation",
    "CSVHeaders",
    "InputType",
    "ItemsPointer",
    "ManifestType",
    "MaxItems",
    "MaxItemsPath",
    "Transformation",
];
const BATCHER: &[&str] =
    &["BatchInput", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath", "MaxItemsPerBatch", "MaxItemsPerBatchPath"];

/// Checks what is a Map's own.
pub(crate) fn check(state: State<'_>, report: &mut Report) {
    transition(state, report);
    report.exactly_one_of(state.object, &["ItemProcessor", "Iterator"], state.place);
    for name in ["ItemProcessor", "Iterator"] {
        if let Some(value) = state.get(name) {
            processor(value, state, state.place.field(name), report);
        }
    }
    items(state, report);
    number(state, "MaxConcurrency", (0, u64::MAX), report);
    number(state, "ToleratedFailureCount", (0, u64::MAX), report);
    percentage(state, report);
    label(state, report);
    reader(state, report);
    batcher(state, report);
    writer(state, report);
    retry::retriers(state, report);
    retry::catchers(state, report);
}

fn processor(value: &Tree, state: State<'_>, place: Place<'_>, report: &mut Report) {
    let Some(processor) = report.object(value, place) else { return };
    report.allow_only(processor, fields::PROCESSOR, place);
    comment(processor, place, report);
    let config = processor.get("ProcessorConfig");
    let is_distributed = config.is_some_and(|config| is_distributed(config, place.field("ProcessorConfig"), report));
    let outer = Outer { may_go_back: state.outer.may_go_back || is_distributed, ..state.outer };
    machine(processor, outer, place, report);
}

fn is_distributed(value: &Tree, place: Place<'_>, report: &mut Report) -> bool {
    let Some(config) = report.object(value, place) else { return false };
    report.allow_only(config, &["ExecutionType", "Mode"], place);
    let mode = config.get("Mode").and_then(|mode| report.one_of(mode, &["INLINE", "DISTRIBUTED"], place.field("Mode")));
    if mode == Some("DISTRIBUTED") {
        report.require(config, &["ExecutionType"], place);
        if let Some(kind) = config.get("ExecutionType") {
            report.one_of(kind, &["STANDARD", "EXPRESS"], place.field("ExecutionType"));
        }
        if report.options().express {
            report.schema("Express state machine does not support Distributed Map", place);
        }
    } else if config.has("ExecutionType") {
        report.schema("Field 'ExecutionType' is not supported", place);
    }
    mode == Some("DISTRIBUTED")
}

fn items(state: State<'_>, report: &mut Report) {
    match state.language {
        QueryLanguage::JsonPath => {
            report.at_most_one_of(state.object, &["ItemSelector", "Parameters"], state.place);
            path::optional(state.object, "ItemsPath", Required::Reference, state.place, report);
            template::field(state.object, "ItemSelector", state.place, report);
        }
        QueryLanguage::Jsonata => {
            expression::field(state.object, "ItemSelector", state.place, report);
            let here = state.place.field("Items");
            let Some(items) = state.get("Items") else { return };
            expression::check(items, here, report);
            if let Tree::Number(_) | Tree::Boolean(_) | Tree::Null = items {
                report.schema("Expected value of type Array", here);
            }
        }
    }
}

fn percentage(state: State<'_>, report: &mut Report) {
    const NAME: &str = "ToleratedFailurePercentage";
    const PATH_NAME: &str = "ToleratedFailurePercentagePath";
    let place = state.place.field(NAME);
    if state.language == QueryLanguage::JsonPath {
        report.at_most_one_of(state.object, &[NAME, PATH_NAME], state.place);
        if let Some(path) = state.get(PATH_NAME) {
            path::check(path, Required::Value, state.place.field(PATH_NAME), report);
        }
    }
    let Some(value) = state.get(NAME) else { return };
    if expression::is_checked_expression(value, state.language, place, report) {
        return;
    }
    match report.number(value, place) {
        Some(percent) if percent < 0.0 => report.schema("Minimum value is 0.0", place),
        Some(percent) if percent > 100.0 => report.schema("Maximum value is 100.0", place),
        Some(_) | None => {}
    }
}

fn label(state: State<'_>, report: &mut Report) {
    let place = state.place.field("Label");
    let Some(value) = state.get("Label") else { return };
    let Some(label) = report.string(value, place) else { return };
    let is_refused =
        |letter: char| letter.is_whitespace() || letter.is_control() || LABEL_LETTERS_REFUSED.contains(letter);
    let fits = (1..=LABEL_LENGTH_MAX).contains(&label.chars().count()) && !label.contains(is_refused);
    if !fits && !report.is_open(value) {
        let message =
            format!("A label must have 1 to {LABEL_LENGTH_MAX} letters, without blanks and special characters");
        report.error(Code::InvalidLabelName, message, place);
    }
}

fn reader(state: State<'_>, report: &mut Report) {
    let place = state.place.field("ItemReader");
    let Some(reader) = state.get("ItemReader").and_then(|reader| report.object(reader, place)) else { return };
    report.allow_only(reader, READER, place);
    report.require(reader, &["Resource"], place);
    resource::of_map(reader, place, report);
    arguments(reader, state.language, place, report);
    let place = place.field("ReaderConfig");
    let Some(config) = reader.get("ReaderConfig").and_then(|config| report.object(config, place)) else { return };
    report.allow_only(config, READER_CONFIG, place);
    report.at_most_one_of(config, &["MaxItems", "MaxItemsPath"], place);
    if let Some(most) = config.get("MaxItems") {
        expression::integer(most, (0, READER_ITEMS_MAX), state.language, place.field("MaxItems"), report);
    }
    path::optional(config, "MaxItemsPath", Required::Value, place, report);
    for name in ["InputType", "CSVHeaderLocation", "CSVDelimiter", "ManifestType", "Transformation"] {
        if let Some(word) = config.get(name) {
            report.string(word, place.field(name));
        }
    }
    if let Some(headers) = config.get("CSVHeaders") {
        report.array(headers, place.field("CSVHeaders"));
    }
}

fn batcher(state: State<'_>, report: &mut Report) {
    let place = state.place.field("ItemBatcher");
    let Some(batcher) = state.get("ItemBatcher").and_then(|batcher| report.object(batcher, place)) else { return };
    report.allow_only(batcher, BATCHER, place);
    for (name, path_name, most) in [
        ("MaxItemsPerBatch", "MaxItemsPerBatchPath", u64::MAX),
        ("MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath", BATCH_BYTES_MAX),
    ] {
        report.at_most_one_of(batcher, &[name, path_name], place);
        if let Some(value) = batcher.get(name) {
            expression::integer(value, (0, most), state.language, place.field(name), report);
        }
        path::optional(batcher, path_name, Required::Value, place, report);
    }
    match state.language {
        QueryLanguage::JsonPath => template::field(batcher, "BatchInput", place, report),
        QueryLanguage::Jsonata => expression::field(batcher, "BatchInput", place, report),
    }
}

fn writer(state: State<'_>, report: &mut Report) {
    let place = state.place.field("ResultWriter");
    let Some(writer) = state.get("ResultWriter").and_then(|writer| report.object(writer, place)) else { return };
    report.allow_only(writer, WRITER, place);
    resource::of_map(writer, place, report);
    arguments(writer, state.language, place, report);
    if let Some(config) = writer.get("WriterConfig") {
        let place = place.field("WriterConfig");
        if let Some(config) = report.object(config, place) {
            report.allow_only(config, &["OutputType", "Transformation"], place);
        }
    }
}

/// Checks what a reader or writer is given, whose name hangs on the language.
fn arguments(object: &Object, language: QueryLanguage, place: Place<'_>, report: &mut Report) {
    let (mine, other) = match language {
        QueryLanguage::JsonPath => ("Parameters", "Arguments"),
        QueryLanguage::Jsonata => ("Arguments", "Parameters"),
    };
    if object.has(other) {
        fields::wrong_language(other, language, place, report);
    }
    match language {
        QueryLanguage::JsonPath => template::field(object, mine, place, report),
        QueryLanguage::Jsonata => expression::field(object, mine, place, report),
    }
}

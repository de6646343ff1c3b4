//! Which fields each type of state has, and the bounds of their values.

use crate::definition::QueryLanguage;
use crate::parse::findings::Findings;
use crate::parse::source::Object;

/// The most seconds that any field takes, as AWS has it.
pub(crate) const SECONDS_MAX: u64 = 99_999_999;
/// The most retries, as AWS has it.
pub(crate) const ATTEMPTS_MAX: u64 = 99_999_999;
/// The longest delay of a retry in seconds, 366 days, as AWS has it.
pub(crate) const DELAY_SECONDS_MAX: u64 = 31_622_400;

/// The fields of a definition.
pub(crate) const DEFINITION: &[&str] = &["Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"];
/// The fields of one of a Parallel's branches.
pub(crate) const BRANCH: &[&str] = &["Comment", "StartAt", "States"];
/// The fields of a Map's item processor.
pub(crate) const PROCESSOR: &[&str] = &["Comment", "ProcessorConfig", "StartAt", "States"];

const COMMON: &[&str] = &["Type", "Comment", "QueryLanguage"];
/// What a state may have only if its language is JSONata.
const JSONATA: &[&str] = &["Arguments", "Condition", "Items", "Output"];
/// What a state may have only if its language is JSONPath.
const JSONPATH: &[&str] = &[
    "CausePath",
    "ErrorPath",
    "HeartbeatSecondsPath",
    "InputPath",
    "ItemsPath",
    "MaxConcurrencyPath",
    "OutputPath",
    "Parameters",
    "Result",
    "ResultPath",
    "ResultSelector",
    "SecondsPath",
    "TimeoutSecondsPath",
    "TimestampPath",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentagePath",
    "Variable",
];

/// Lists the fields of a type beyond those that all have; `None` for what is no type.
pub(crate) fn of(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Task" => &[
            "Arguments",
            "Assign",
            "Catch",
            "Credentials",
            "End",
            "HeartbeatSeconds",
            "HeartbeatSecondsPath",
            "InputPath",
            "Next",
            "Output",
            "OutputPath",
            "Parameters",
            "Resource",
            "ResultPath",
            "ResultSelector",
            "Retry",
            "TimeoutSeconds",
            "TimeoutSecondsPath",
        ],
        "Pass" => &["Assign", "End", "InputPath", "Next", "Output", "OutputPath", "Parameters", "Result", "ResultPath"],
        "Wait" => &[
            "Assign",
            "End",
            "InputPath",
            "Next",
            "Output",
            "OutputPath",
            "Seconds",
            "SecondsPath",
            "Timestamp",
            "TimestampPath",
        ],
        "Choice" => &["Assign", "Choices", "Default", "InputPath", "Output", "OutputPath"],
        "Succeed" => &["InputPath", "Output", "OutputPath"],
        "Fail" => &["Cause", "CausePath", "Error", "ErrorPath"],
        "Parallel" => &[
            "Arguments",
            "Assign",
            "Branches",
            "Catch",
            "End",
            "InputPath",
            "Next",
            "Output",
            "OutputPath",
            "Parameters",
            "ResultPath",
            "ResultSelector",
            "Retry",
        ],
        "Map" => &[
            "Assign",
            "Catch",
            "End",
            "InputPath",
            "ItemBatcher",
            "ItemProcessor",
            "ItemReader",
            "ItemSelector",
            "Items",
            "ItemsPath",
            "Iterator",
            "Label",
            "MaxConcurrency",
            "MaxConcurrencyPath",
            "Next",
            "Output",
            "OutputPath",
            "Parameters",
            "ResultPath",
            "ResultSelector",
            "ResultWriter",
            "Retry",
            "ToleratedFailureCount",
            "ToleratedFailureCountPath",
            "ToleratedFailurePercentage",
            "ToleratedFailurePercentagePath",
        ],
        _ => return None,
    })
}

/// Finds fault with the fields that an object in a state may not have, by the language at hand.
pub(crate) fn check(state: &Object<'_>, allowed: &[&str], findings: &mut Findings) {
    let (language, other, others) = match findings.language {
        QueryLanguage::JsonPath => ("JSONPath", "JSONata", JSONATA),
        QueryLanguage::Jsonata => ("JSONata", "JSONPath", JSONPATH),
    };
    for (name, _) in state.fields() {
        if COMMON.contains(&name.as_str()) {
            continue;
        }
        if !allowed.contains(&name.as_str()) {
            findings.schema(format!("Field '{name}' is not supported"), state.pointer());
        } else if others.contains(&name.as_str()) {
            let only = format!("field '{name}' is only supported for the '{other}' QueryLanguage");
            findings.schema(format!("The QueryLanguage is set to '{language}', but {only}"), state.pointer());
        }
    }
}

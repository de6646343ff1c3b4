//! Which fields there are, where, and in which query language.

use crate::definition::QueryLanguage;
use crate::validate::place::Place;
use crate::validate::report::Report;
use crate::validate::tree::Object;

/// The most seconds that any field takes, as AWS has it.
pub(crate) const SECONDS_MAX: u64 = 99_999_999;

/// The names of the types of states, as AWS lists them.
pub(crate) const TYPES: &str = "Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map";

/// Lists the fields of an object: in either language, in JSONPath only, in JSONata only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    pub(crate) both: &'static [&'static str],
    pub(crate) jsonpath: &'static [&'static str],
    pub(crate) jsonata: &'static [&'static str],
}

/// The fields of a definition.
pub(crate) const DEFINITION: &[&str] = &["Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"];
/// The fields of one of a Parallel's branches.
pub(crate) const BRANCH: &[&str] = &["Comment", "StartAt", "States"];
/// The fields of a Map's item processor.
pub(crate) const PROCESSOR: &[&str] = &["Comment", "ProcessorConfig", "StartAt", "States"];

const COMMON: &[&str] = &["Type", "Comment", "QueryLanguage"];

/// Lists the fields of a type beyond those that all have; `None` for what is no type.
pub(crate) fn of(kind: &str) -> Option<Fields> {
    let fields = match kind {
        "Task" => TASK,
        "Pass" => PASS,
        "Wait" => WAIT,
        "Choice" => CHOICE,
        "Succeed" => SUCCEED,
        "Fail" => FAIL,
        "Parallel" => PARALLEL,
        "Map" => MAP,
        _ => return None,
    };
    Some(fields)
}

const TASK: Fields = Fields {
    both: &["Assign", "Catch", "Credentials", "End", "HeartbeatSeconds", "Next", "Resource", "Retry", "TimeoutSeconds"],
    jsonpath: &[
        "HeartbeatSecondsPath",
        "InputPath",
        "OutputPath",
        "Parameters",
        "ResultPath",
        "ResultSelector",
        "TimeoutSecondsPath",
    ],
    jsonata: &["Arguments", "Output"],
};

const PASS: Fields = Fields {
    both: &["Assign", "End", "Next"],
    jsonpath: &["InputPath", "OutputPath", "Parameters", "Result", "ResultPath"],
    jsonata: &["Output"],
};

const WAIT: Fields = Fields {
    both: &["Assign", "End", "Next", "Seconds", "Timestamp"],
    jsonpath: &["InputPath", "OutputPath", "SecondsPath", "TimestampPath"],
    jsonata: &["Output"],
};

const CHOICE: Fields =
    Fields { both: &["Assign", "Choices", "Default"], jsonpath: &["InputPath", "OutputPath"], jsonata: &["Output"] };

const SUCCEED: Fields = Fields { both: &[], jsonpath: &["InputPath", "OutputPath"], jsonata: &["Output"] };

const FAIL: Fields = Fields { both: &["Cause", "Error"], jsonpath: &["CausePath", "ErrorPath"], jsonata: &[] };

const PARALLEL: Fields = Fields {
    both: &["Assign", "Branches", "Catch", "End", "Next", "Retry"],
    jsonpath: &["InputPath", "OutputPath", "Parameters", "ResultPath", "ResultSelector"],
    jsonata: &["Arguments", "Output"],
};

const MAP: Fields = Fields {
    both: &[
        "Assign",
        "Catch",
        "End",
        "ItemBatcher",
        "ItemProcessor",
        "ItemReader",
        "ItemSelector",
        "Iterator",
        "Label",
        "MaxConcurrency",
        "Next",
        "ResultWriter",
        "Retry",
        "ToleratedFailureCount",
        "ToleratedFailurePercentage",
    ],
    jsonpath: &[
        "InputPath",
        "ItemsPath",
        "MaxConcurrencyPath",
        "OutputPath",
        "Parameters",
        "ResultPath",
        "ResultSelector",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentagePath",
    ],
    jsonata: &["Items", "Output"],
};

/// The fields of a Retrier.
pub(crate) const RETRIER: &[&str] =
    &["BackoffRate", "Comment", "ErrorEquals", "IntervalSeconds", "JitterStrategy", "MaxAttempts", "MaxDelaySeconds"];

/// The fields of a Catcher.
pub(crate) const CATCHER: Fields =
    Fields { both: &["Assign", "Comment", "ErrorEquals", "Next"], jsonpath: &["ResultPath"], jsonata: &["Output"] };

/// Finds fault with the fields that a state of a type and language may not have.
pub(crate) fn check_state(
    state: &Object,
    fields: Fields,
    language: QueryLanguage,
    place: Place<'_>,
    report: &mut Report,
) {
    check(state, fields, COMMON, language, place, report);
}

/// Finds fault with the fields that an object in a state of a language may not have; `more` are allowed in either.
pub(crate) fn check(
    object: &Object,
    fields: Fields,
    more: &[&str],
    language: QueryLanguage,
    place: Place<'_>,
    report: &mut Report,
) {
    let (mine, other) = match language {
        QueryLanguage::JsonPath => (fields.jsonpath, fields.jsonata),
        QueryLanguage::Jsonata => (fields.jsonata, fields.jsonpath),
    };
    for (name, _) in object.members() {
        if more.contains(&name) || fields.both.contains(&name) || mine.contains(&name) {
            continue;
        }
        if other.contains(&name) {
            wrong_language(name, language, place, report);
        } else {
            report.schema(format!("Field '{name}' is not supported"), place);
        }
    }
}

/// Finds fault with a field that only the other language has.
pub(crate) fn wrong_language(name: &str, language: QueryLanguage, place: Place<'_>, report: &mut Report) {
    let (language, other) = match language {
        QueryLanguage::JsonPath => ("JSONPath", "JSONata"),
        QueryLanguage::Jsonata => ("JSONata", "JSONPath"),
    };
    let only = format!("field '{name}' is only supported for the '{other}' QueryLanguage");
    report.schema(format!("The QueryLanguage is set to '{language}', but {only}"), place);
}

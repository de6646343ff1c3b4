//! `Retry` and `Catch`.

use model::error_name;

use crate::definition::QueryLanguage;
use crate::validate::fields::{self, SECONDS_MAX};
use crate::validate::machine::comment;
use crate::validate::path::{self, Required};
use crate::validate::place::Place;
use crate::validate::report::{Report, Visible};
use crate::validate::state::State;
use crate::validate::tree::Object;
use crate::validate::{expression, variables};

/// The most retries, as AWS has it.
const ATTEMPTS_MAX: u64 = 99_999_999;
/// The longest delay of a retry in seconds, 366 days, as AWS has it.
const DELAY_SECONDS_MAX: u64 = 31_622_400;

/// Checks `Retry`.
pub(crate) fn retriers(state: State<'_>, report: &mut Report) {
    entries(state, "Retry", report, |entry, place, report| {
        report.allow_only(entry, fields::RETRIER, place);
        comment(entry, place, report);
        report.require(entry, &["ErrorEquals"], place);
        for (name, least, most) in [
            ("IntervalSeconds", 0, SECONDS_MAX),
            ("MaxAttempts", 0, ATTEMPTS_MAX),
            ("MaxDelaySeconds", 1, DELAY_SECONDS_MAX),
        ] {
            if let Some(value) = entry.get(name) {
                report.integer(value, least, most, place.field(name));
            }
        }
        backoff_rate(entry, place, report);
        if let Some(jitter) = entry.get("JitterStrategy") {
            report.one_of(jitter, &["FULL", "NONE"], place.field("JitterStrategy"));
        }
    });
}

/// Checks `Catch`.
pub(crate) fn catchers(state: State<'_>, report: &mut Report) {
    entries(state, "Catch", report, |entry, place, report| {
        fields::check(entry, fields::CATCHER, &[], state.language, place, report);
        comment(entry, place, report);
        report.require(entry, &["ErrorEquals", "Next"], place);
        if let Some(next) = entry.get("Next") {
            report.string(next, place.field("Next"));
        }
        report.seeing(Visible::ErrorOutput, |report| {
            match state.language {
                QueryLanguage::JsonPath => path::optional(entry, "ResultPath", Required::Place, place, report),
                QueryLanguage::Jsonata => expression::field(entry, "Output", place, report),
            }
            variables::check(entry, state.language, place, report);
        });
    });
}

fn entries(state: State<'_>, name: &str, report: &mut Report, check: impl Fn(&Object, Place<'_>, &mut Report)) {
    let place = state.place.field(name);
    let entries = state.get(name).and_then(|entries| report.array(entries, place)).unwrap_or_default();
    for (position, entry) in entries.iter().enumerate() {
        let place = place.index(position);
        if let Some(entry) = report.object(entry, place) {
            check(entry, place, report);
            error_equals(entry, position + 1 == entries.len(), place, report);
        }
    }
}

fn backoff_rate(entry: &Object, place: Place<'_>, report: &mut Report) {
    let place = place.field("BackoffRate");
    let rate = entry.get("BackoffRate").and_then(|rate| report.number(rate, place));
    if rate.is_some_and(|rate| rate < 1.0) {
        report.schema("Minimum value is 1.0", place);
    }
}

fn error_equals(entry: &Object, is_last: bool, place: Place<'_>, report: &mut Report) {
    let place = place.field("ErrorEquals");
    let names = entry.get("ErrorEquals").and_then(|names| report.filled_array(names, place)).unwrap_or_default();
    for (position, name) in names.iter().enumerate() {
        let place = place.index(position);
        let is_all = report.string(name, place) == Some(error_name::ALL);
        if is_all && !(is_last && names.len() == 1) {
            report.schema("States.ALL must appear alone and at end of list", place);
        }
    }
}

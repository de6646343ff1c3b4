//! Bodies as they are read. Fields that this version does not know are passed over.

use std::borrow::Cow;

use model::{AttemptId, BranchPath, ExecutionArn, IdError, JsonText, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Cancel, Cancelled, ElementError, FormatError, Outcome, Report, WorkItem};

/// Reads the body of a message of type [`WORK_TYPE`](super::WORK_TYPE).
///
/// # Errors
/// `FormatError::Body` if it is no JSON list, `FormatError::Element` naming the first element that can't be read.
pub fn decode_items(body: &[u8]) -> Result<Vec<WorkItem>, FormatError> {
    whole::<ItemFields<'_>>(body)
}

/// Reads the body of a message of type [`REPORT_TYPE`](super::REPORT_TYPE).
///
/// # Errors
/// As for [`decode_items`].
pub fn decode_reports(body: &[u8]) -> Result<Vec<Report>, FormatError> {
    whole::<ReportFields<'_>>(body)
}

/// Reads the body of a message of type [`CONTROL_TYPE`](super::CONTROL_TYPE).
///
/// # Errors
/// As for [`decode_items`].
pub fn decode_cancels(body: &[u8]) -> Result<Vec<Cancel>, FormatError> {
    whole::<CancelFields<'_>>(body)
}

/// Is a body of which some elements can't be read.
#[derive(Debug)]
pub struct Sorted<T> {
    /// What can be read, in the body's order.
    pub readable: Vec<T>,
    /// Why each of the others can't.
    pub faults: Vec<FormatError>,
    /// A body of the others, as they came.
    pub rest: Vec<u8>,
}

/// Reads what can be read of a body that [`decode_items`] refused, so that one bad element costs no other.
///
/// # Errors
/// `FormatError::Body` if it is no JSON list.
pub fn sort_items(body: &[u8]) -> Result<Sorted<WorkItem>, FormatError> {
    sort::<ItemFields<'_>>(body)
}

/// Does for reports what [`sort_items`] does for work items.
///
/// # Errors
/// As for [`sort_items`].
pub fn sort_reports(body: &[u8]) -> Result<Sorted<Report>, FormatError> {
    sort::<ReportFields<'_>>(body)
}

/// Does for cancels what [`sort_items`] does for work items.
///
/// # Errors
/// As for [`sort_items`].
pub fn sort_cancels(body: &[u8]) -> Result<Sorted<Cancel>, FormatError> {
    sort::<CancelFields<'_>>(body)
}

trait Fields<'a>: Deserialize<'a> {
    type Element;

    fn read(self) -> Result<Self::Element, ElementError>;
}

/// Reads all in one pass; only a body with a fault is gone through again, to find the place.
fn whole<'a, F: Fields<'a>>(body: &'a [u8]) -> Result<Vec<F::Element>, FormatError> {
    if let Ok(list) = serde_json::from_slice::<Vec<F>>(body) {
        let read = |(index, fields): (usize, F)| fields.read().map_err(|source| FormatError::Element { index, source });
        return list.into_iter().enumerate().map(read).collect();
    }
    let raw = raw_elements(body)?;
    raw.into_iter().enumerate().map(|(index, raw)| one::<F>(index, raw)).collect()
}

fn sort<'a, F: Fields<'a>>(body: &'a [u8]) -> Result<Sorted<F::Element>, FormatError> {
    let mut sorted = Sorted { readable: Vec::new(), faults: Vec::new(), rest: Vec::new() };
    for (index, raw) in raw_elements(body)?.into_iter().enumerate() {
        match one::<F>(index, raw) {
            Ok(element) => sorted.readable.push(element),
            Err(fault) => {
                sorted.rest.push(if sorted.faults.is_empty() { b'[' } else { b',' });
                sorted.rest.extend_from_slice(raw.get().as_bytes());
                sorted.faults.push(fault);
            }
        }
    }
    if !sorted.faults.is_empty() {
        sorted.rest.push(b']');
    }
    Ok(sorted)
}

fn raw_elements(body: &[u8]) -> Result<Vec<&RawValue>, FormatError> {
    serde_json::from_slice(body).map_err(FormatError::Body)
}

fn one<'a, F: Fields<'a>>(index: usize, raw: &'a RawValue) -> Result<F::Element, FormatError> {
    let fields = serde_json::from_str::<F>(raw.get()).map_err(ElementError::Fields);
    fields.and_then(F::read).map_err(|source| FormatError::Element { index, source })
}

#[derive(Deserialize)]
#[serde(expecting = "an object with the fields of a work item")]
struct ItemFields<'a> {
    #[serde(borrow)]
    execution: Cow<'a, str>,
    #[serde(borrow)]
    branch: Cow<'a, str>,
    #[serde(borrow)]
    attempt: Cow<'a, str>,
    state: String,
    resource: String,
    #[serde(borrow)]
    input: &'a RawValue,
    role_arn: Option<String>,
    deadline: Option<i64>,
    heartbeat_seconds: Option<u64>,
    traceparent: Option<String>,
    #[serde(default)]
    deliveries: u32,
    dispatched_at: i64,
}

impl<'a> Fields<'a> for ItemFields<'a> {
    type Element = WorkItem;

    fn read(self) -> Result<WorkItem, ElementError> {
        Ok(WorkItem {
            execution: execution(&self.execution)?,
            branch: id(&self.branch)?,
            attempt: id(&self.attempt)?,
            state: self.state,
            resource: self.resource,
            input: JsonText::from_raw(self.input),
            role_arn: self.role_arn,
            deadline: self.deadline.map(Timestamp::from_millis),
            heartbeat_seconds: self.heartbeat_seconds,
            traceparent: self.traceparent,
            deliveries: self.deliveries,
            dispatched_at: Timestamp::from_millis(self.dispatched_at),
        })
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object with the fields of a report")]
struct ReportFields<'a> {
    #[serde(borrow)]
    execution: Cow<'a, str>,
    #[serde(borrow)]
    branch: Cow<'a, str>,
    #[serde(borrow)]
    attempt: Cow<'a, str>,
    traceparent: Option<String>,
    #[serde(default)]
    deliveries: u32,
    worker: Option<String>,
    started_at: Option<i64>,
    at: i64,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "present")]
    output: Option<&'a RawValue>,
    error: Option<String>,
    cause: Option<String>,
}

/// Tells `null`, which is a value like others, from a missing field.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Fields<'a> for ReportFields<'a> {
    type Element = Report;

    fn read(self) -> Result<Report, ElementError> {
        Ok(Report {
            execution: execution(&self.execution)?,
            branch: id(&self.branch)?,
            attempt: id(&self.attempt)?,
            outcome: outcome(&self.outcome, self.output, self.error, self.cause)?,
            traceparent: self.traceparent,
            deliveries: self.deliveries,
            worker: self.worker,
            started_at: self.started_at.map(Timestamp::from_millis),
            at: Timestamp::from_millis(self.at),
        })
    }
}

fn outcome(
    kind: &str,
    output: Option<&RawValue>,
    error: Option<String>,
    cause: Option<String>,
) -> Result<Outcome, ElementError> {
    Ok(match kind {
        "started" => Outcome::Started,
        "heartbeat" => Outcome::Heartbeat,
        "holding" => Outcome::Holding,
        "unhandled" => Outcome::Unhandled,
        "poisoned" => Outcome::Poisoned,
        "submitted" => {
            let output = output.ok_or(ElementError::Missing { field: "output", kind: "submitted" })?;
            Outcome::Submitted { output: JsonText::from_raw(output) }
        }
        "succeeded" => {
            let output = output.ok_or(ElementError::Missing { field: "output", kind: "succeeded" })?;
            Outcome::Succeeded { output: JsonText::from_raw(output) }
        }
        "failed" => Outcome::Failed { error, cause },
        _ => return Err(ElementError::UnknownKind { field: "outcome", kind: kind.to_owned() }),
    })
}

#[derive(Deserialize)]
#[serde(expecting = "an object with the fields of a cancel")]
struct CancelFields<'a> {
    #[serde(borrow)]
    cancel: Cow<'a, str>,
    #[serde(borrow)]
    execution: Cow<'a, str>,
    scope: Option<String>,
    branch: Option<String>,
    attempt: Option<String>,
}

impl<'a> Fields<'a> for CancelFields<'a> {
    type Element = Cancel;

    fn read(self) -> Result<Cancel, ElementError> {
        let of = match &*self.cancel {
            "execution" => Cancelled::Execution,
            "scope" => {
                let scope = self.scope.ok_or(ElementError::Missing { field: "scope", kind: "scope" })?;
                Cancelled::Scope(id(&scope)?)
            }
            "attempt" => {
                let branch = self.branch.ok_or(ElementError::Missing { field: "branch", kind: "attempt" })?;
                let attempt = self.attempt.ok_or(ElementError::Missing { field: "attempt", kind: "attempt" })?;
                Cancelled::Attempt(id::<BranchPath>(&branch)?, id::<AttemptId>(&attempt)?)
            }
            other => return Err(ElementError::UnknownKind { field: "cancel", kind: other.to_owned() }),
        };
        Ok(Cancel { execution: execution(&self.execution)?, of })
    }
}

fn execution(text: &str) -> Result<ExecutionArn, ElementError> {
    ExecutionArn::parse_any(text).map_err(ElementError::Execution)
}

fn id<T: std::str::FromStr<Err = IdError>>(text: &str) -> Result<T, ElementError> {
    text.parse().map_err(ElementError::Id)
}

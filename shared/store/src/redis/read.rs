//! What comes back from Redis, read.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{BranchPath, EventId, Timestamp};
use wire::record::{BranchRecord, CompletionRecord, EndRecord, ExecutionRecord, RecordError};

use crate::chunks::StoredChunk;
use crate::store::{Error, ExecutionHead, OwnerId, StoredBranch};
use crate::text;

pub(super) type Bytes = Option<Vec<u8>>;

/// Are the fields of an execution's hash that its head is made of, in the order of [`head`]'s argument.
pub(super) const HEAD: [&str; 5] = ["head", "status", "ev", "at", "end"];

/// Reads the head of an execution; nothing if there is none.
pub(super) fn head(fields: &[Bytes]) -> Result<Option<ExecutionHead>, Error> {
    let [Some(record), _, last_event, at, end, ..] = fields else { return Ok(None) };
    let record = Arc::new(ExecutionRecord::decode(record).map_err(|error| corrupt(&error))?);
    let at = Timestamp::from_millis(number(at)?);
    let end = end.as_deref().map(EndRecord::decode).transpose().map_err(|error| corrupt(&error))?;
    Ok(Some(ExecutionHead {
        record,
        last_event: EventId(number(last_event)?),
        end: end.map(|end| (end.end, end.at.max(at))),
    }))
}

/// Tells whether the execution whose head this is has not ended.
pub(super) fn is_running(fields: &[Bytes]) -> bool {
    matches!(fields, [_, Some(status), ..] if status == b"RUNNING")
}

/// Reads an open branch from its header and its record; nothing if it is not open.
pub(super) fn branch(header: &Bytes, record: &Bytes) -> Result<Option<StoredBranch>, Error> {
    let (Some(header), Some(record)) = (header, record) else { return Ok(None) };
    let header = utf8(header)?;
    let wrong = || Error::Corrupt(format!("header {header:?} of a branch"));
    // commit;revision;token;base;clamp;woke;more;leased until;attempt;entry;owner;timers
    let (front, _timers) = header.rsplit_once(';').ok_or_else(wrong)?;
    let parts: Vec<&str> = front.splitn(11, ';').collect();
    let [_, revision, token, base, _, _, _, until, _, _, owner] = parts.as_slice() else { return Err(wrong()) };
    let mut record = BranchRecord::decode(record).map_err(|error| corrupt(&error))?;
    record.settle(EventId(base.parse().map_err(|_| wrong())?));
    Ok(Some(StoredBranch {
        record,
        revision: text::id(revision)?,
        token: text::id(token)?,
        owner: OwnerId((*owner).into()),
        leased_until: Timestamp::from_millis(until.parse().map_err(|_| wrong())?),
    }))
}

/// Reads a completion from `base|record`.
pub(super) fn completion(element: &[u8]) -> Result<CompletionRecord, Error> {
    let (base, record) = split(element)?;
    let mut completion = CompletionRecord::decode(record).map_err(|error| corrupt(&error))?;
    completion.settle(EventId(parse(base)?));
    Ok(completion)
}

/// Reads a chunk of the history from its header, `base;clamp`, and its bytes.
pub(super) fn chunk<'a>(header: &[u8], bytes: &'a [u8]) -> Result<StoredChunk<'a>, Error> {
    let header = utf8(header)?;
    let (base, clamp) =
        header.split_once(';').ok_or_else(|| Error::Corrupt(format!("header {header:?} of a chunk")))?;
    Ok(StoredChunk { base: EventId(parse(base)?), clamp: Timestamp::from_millis(parse(clamp)?), bytes })
}

/// Gives the output of a child from `commit…|output`, if it has one.
pub(super) fn output(element: &[u8]) -> Result<Option<&str>, Error> {
    let (_, output) = split(element)?;
    Ok(Some(utf8(output)?).filter(|output| !output.is_empty()))
}

/// Gives the paths of open branches among the fields of an execution, in order.
pub(super) fn paths(fields: &BTreeMap<String, Vec<u8>>) -> Result<Vec<BranchPath>, Error> {
    let mut paths: Vec<BranchPath> =
        fields.keys().filter_map(|field| field.strip_prefix("b:")).map(text::id).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|error| Error::Corrupt(error.to_string()))
}

pub(super) fn corrupt(error: &RecordError) -> Error {
    Error::Corrupt(error.chain())
}

fn split(element: &[u8]) -> Result<(&str, &[u8]), Error> {
    let missing = || Error::Corrupt("an element without a header".to_owned());
    let at = element.iter().position(|byte| *byte == b'|').ok_or_else(missing)?;
    Ok((utf8(&element[..at])?, &element[at + 1..]))
}

fn number<T: std::str::FromStr>(field: &Bytes) -> Result<T, Error> {
    parse(utf8(field.as_deref().unwrap_or_default())?)
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Corrupt(format!("{text:?} where a number should be")))
}

//! What lies beside executions: timers, the outbox, the lists of executions.

use std::ops::ControlFlow;

use model::{ExecutionArn, ExecutionStatus, Timestamp};
use wire::record::ExecutionRecord;

use super::map::{Map, Order, View, after_prefix};
use super::{keys, values};
use crate::commit::{OutboxEntry, OutboxKey, TimerKey};
use crate::{Error, ExecutionQuery, text};

/// How many entries one reading of the outbox or of the open executions gives.
const SCAN: usize = 100;

/// Lists open executions, about a hundred at a time.
pub(crate) fn open_executions(view: &dyn View, partition: u32, cursor: u64) -> Result<(Vec<ExecutionArn>, u64), Error> {
    let prefix = keys::all_open(partition);
    let (mut found, mut next) = (Vec::new(), 0);
    view.scan(&keys::open(partition, cursor), &after_prefix(&prefix), Order::Ascending, &mut |key, value| {
        if found.len() == SCAN {
            next = keys::sequence_of(suffix(key, &prefix))?;
            return Ok(ControlFlow::Break(()));
        }
        found.push(text::execution(utf8(value)?)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((found, next))
}

/// Lists executions of a state machine, the newest first.
pub(crate) fn executions(
    view: &dyn View,
    partition: u32,
    query: &ExecutionQuery,
) -> Result<Vec<(Timestamp, ExecutionArn)>, Error> {
    let prefix = keys::all_listed(partition, &query.listed_under, query.status);
    let after = query.after.as_ref();
    let end = after.map(|(at, arn)| keys::listed(partition, &query.listed_under, query.status, (*at, arn)));
    let mut found = Vec::new();
    view.scan(&prefix, &end.unwrap_or_else(|| after_prefix(&prefix)), Order::Descending, &mut |key, _| {
        if found.len() >= query.limit {
            return Ok(ControlFlow::Break(()));
        }
        let (at, arn) = keys::split_instant(suffix(key, &prefix))?;
        found.push((at, text::execution(utf8(arn)?)?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Counts the executions of a status that are listed under an ARN.
pub(crate) fn count_executions(
    view: &dyn View,
    partition: u32,
    listed_under: &str,
    status: ExecutionStatus,
) -> Result<u64, Error> {
    let prefix = keys::all_listed(partition, listed_under, Some(status));
    let mut count = 0;
    view.scan(&prefix, &after_prefix(&prefix), Order::Ascending, &mut |_, _| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}

/// Lists an execution that begins, by its start.
pub(super) fn list_begun(map: &mut dyn Map, partition: u32, record: &ExecutionRecord) -> Result<(), Error> {
    for status in [None, Some(ExecutionStatus::Running)] {
        map.put(&keys::listed(partition, record.listed_under(), status, (record.started_at, &record.arn)), &[])?;
    }
    Ok(())
}

/// Lists an execution that has ended by its end, and no more by its start; one of type EXPRESS not at all, since only those that run
/// are of interest, to a deletion of their state machine.
pub(super) fn list_ended(
    map: &mut dyn Map,
    partition: u32,
    record: &ExecutionRecord,
    (status, at): (ExecutionStatus, Timestamp),
) -> Result<(), Error> {
    let key = |status, at| keys::listed(partition, record.listed_under(), status, (at, &record.arn));
    map.remove(&key(None, record.started_at))?;
    map.remove(&key(Some(ExecutionStatus::Running), record.started_at))?;
    if record.arn.is_express() {
        return Ok(());
    }
    map.put(&key(None, at), &[])?;
    map.put(&key(Some(status), at), &[])
}

/// Lists an execution no more. One that ended before ends were what counts is listed by its start.
pub(super) fn list_no_more(
    map: &mut dyn Map,
    partition: u32,
    record: &ExecutionRecord,
    (status, at): (ExecutionStatus, Timestamp),
) -> Result<(), Error> {
    for status in [None, Some(status)] {
        for at in [record.started_at, at] {
            map.remove(&keys::listed(partition, record.listed_under(), status, (at, &record.arn)))?;
        }
    }
    Ok(())
}

/// Lists due timers, the oldest first.
pub(crate) fn due_timers(
    view: &dyn View,
    partition: u32,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(TimerKey, Timestamp)>, Error> {
    let prefix = keys::timers(partition);
    let mut due = Vec::new();
    view.scan(&prefix, &keys::timers_after(partition, now), Order::Ascending, &mut |key, _| {
        if due.len() >= limit {
            return Ok(ControlFlow::Break(()));
        }
        let (at, name) = keys::split_instant(suffix(key, &prefix))?;
        due.push((text::parse_timer(utf8(name)?)?, at));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(due)
}

/// Drops timers unless they were set to another instant meanwhile.
pub(crate) fn drop_timers(map: &mut dyn Map, partition: u32, timers: &[(TimerKey, Timestamp)]) -> Result<(), Error> {
    for (key, at) in timers {
        let name = text::timer(key);
        if timer_at(map, partition, &name)? == Some(*at) {
            remove_timer(map, partition, &name)?;
        }
    }
    Ok(())
}

/// Sets a timer, or sets it anew: each has one instant.
pub(super) fn set_timer(map: &mut dyn Map, partition: u32, name: &str, at: Timestamp) -> Result<(), Error> {
    remove_timer(map, partition, name)?;
    map.put(&keys::timer_name(partition, name), at.to_string().as_bytes())?;
    map.put(&keys::timer(partition, at, name), &[])
}

/// Removes a timer, if it is set.
pub(super) fn remove_timer(map: &mut dyn Map, partition: u32, name: &str) -> Result<(), Error> {
    if let Some(at) = timer_at(map, partition, name)? {
        map.remove(&keys::timer(partition, at, name))?;
        map.remove(&keys::timer_name(partition, name))?;
    }
    Ok(())
}

fn timer_at(view: &dyn View, partition: u32, name: &str) -> Result<Option<Timestamp>, Error> {
    view.get(&keys::timer_name(partition, name))?.as_deref().map(values::instant).transpose()
}

/// Lists a part of the outbox; the cursor counts what was given before.
pub(crate) fn outbox(view: &dyn View, partition: u32, cursor: u64) -> Result<(Vec<OutboxEntry>, u64), Error> {
    let prefix = keys::effects(partition);
    let (mut found, mut seen, mut next) = (Vec::new(), 0, 0);
    view.scan_prefix(&prefix, &mut |key, value| {
        seen += 1;
        if seen <= cursor {
            return Ok(ControlFlow::Continue(()));
        }
        if found.len() == SCAN {
            next = seen - 1;
            return Ok(ControlFlow::Break(()));
        }
        found.push(text::parse_entry(utf8(suffix(key, &prefix))?, utf8(value)?)?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((found, next))
}

/// Clears entries of the outbox.
pub(crate) fn clear_outbox(map: &mut dyn Map, partition: u32, gone: &[OutboxKey]) -> Result<(), Error> {
    for key in gone {
        map.remove(&keys::effect(partition, &text::effect(&key.execution, &key.effect)))?;
    }
    Ok(())
}

fn suffix<'a>(key: &'a [u8], prefix: &[u8]) -> &'a [u8] {
    key.get(prefix.len()..).unwrap_or_default()
}

pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::Corrupt("a text that is not UTF-8".to_owned()))
}

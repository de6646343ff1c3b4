//! What closed scopes and ended executions left over, and its removal in bounded batches.

use model::{BranchPath, ExecutionArn, ExecutionStatus, ScopeKey, Timestamp};

use super::lists::utf8;
use super::map::{Map, View};
use super::values::{self, Branch, Head};
use super::{definitions, keys, lists, read, write};
use crate::commit::PendingEffect;
use crate::{Error, Retention, text};

/// How many entries of what is left over one call removes, more or less.
const ENTRIES: usize = 512;
/// How many ended executions one call removes.
const EXECUTIONS: usize = 16;

/// Removes a batch; tells whether there is more.
pub(crate) fn clean_up(
    map: &mut dyn Map,
    partition: u32,
    retention: &Retention,
    now: Timestamp,
) -> Result<bool, Error> {
    let view: &dyn View = map;
    let Some(name) = view.suffixes(&keys::leftovers(partition), 1)?.pop() else {
        let has_more = drop_old(map, partition, retention, now)? || drop_old_express(map, partition, retention, now)?;
        return Ok(has_more || definitions::remove_unused(map, before(now, retention.unused_millis))?);
    };
    let (arn, scope) = parse(&name)?;
    let is_done = match &scope {
        Some(scope) => remove_batch(map, &keys::contents(&arn, scope))?,
        None => clean_execution(map, partition, &arn)?,
    };
    if is_done {
        map.remove(&keys::leftover(partition, &arn, scope.as_ref()))?;
    }
    Ok(true)
}

fn before(now: Timestamp, millis: u64) -> Timestamp {
    now.plus_millis(0_i64.saturating_sub_unsigned(millis))
}

fn parse(name: &[u8]) -> Result<(ExecutionArn, Option<ScopeKey>), Error> {
    let name = utf8(name)?;
    let (arn, scope) = name.split_once('\0').ok_or_else(|| Error::Corrupt(format!("leftover {name:?}")))?;
    let scope = Some(scope).filter(|scope| !scope.is_empty());
    Ok((text::execution(arn)?, scope.map(text::id).transpose()?))
}

/// Removes a part of the branches and scopes of an execution that has ended; tells whether it was the last.
fn clean_execution(map: &mut dyn Map, partition: u32, arn: &ExecutionArn) -> Result<bool, Error> {
    let view: &dyn View = map;
    let prefix = keys::branches(arn, None);
    // A branch has some entries elsewhere: timers, effects.
    let paths = view.suffixes(&prefix, ENTRIES / 8)?;
    for path in &paths {
        let key = [&prefix, &path[..]].concat();
        let path: BranchPath = text::id(utf8(path)?)?;
        if let Some(branch) = map.get(&key)? {
            write::forget(map, partition, arn, &path, &Branch::decode(&branch)?)?;
        }
        map.remove(&key)?;
    }
    if !paths.is_empty() {
        return Ok(false);
    }
    let view: &dyn View = map;
    let scopes = view.suffixes(&keys::scopes(arn), ENTRIES)?;
    for scope in &scopes {
        let scope: ScopeKey = text::id(utf8(scope)?)?;
        map.remove(&keys::scope(arn, &scope))?;
        map.remove(&keys::effect(partition, &text::effect(arn, &PendingEffect::Wake(scope))))?;
    }
    if !scopes.is_empty() {
        return Ok(false);
    }
    remove_batch(map, &keys::all_contents(arn))
}

/// Removes a batch of the keys that begin so; tells whether none is left.
fn remove_batch(map: &mut dyn Map, prefixes: &[Vec<u8>]) -> Result<bool, Error> {
    let mut room = ENTRIES;
    for prefix in prefixes {
        let view: &dyn View = map;
        let suffixes = view.suffixes(prefix, room)?;
        for suffix in &suffixes {
            map.remove(&[&prefix[..], suffix].concat())?;
        }
        room -= suffixes.len();
        if room == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes executions that ended before an instant, or are over the bytes kept, those that ended first, each as a whole; tells whether
/// there are more. One of which something is still to be told stays, and with it those that ended later: what is told is read from it.
fn drop_old(map: &mut dyn Map, partition: u32, retention: &Retention, now: Timestamp) -> Result<bool, Error> {
    let kept_from = before(now, retention.millis);
    let prefix = keys::all_closed(partition);
    let view: &dyn View = map;
    let first = view.suffixes(&prefix, EXECUTIONS + 1)?;
    let (mut removed, mut bytes) = (0, read::ended_bytes(map, partition)?);
    for (index, suffix) in first.iter().enumerate() {
        let (ended, arn) = keys::split_instant(suffix)?;
        if ended >= kept_from && retention.bytes.is_none_or(|most| bytes <= most) {
            return Ok(false);
        }
        if index == EXECUTIONS || removed >= ENTRIES {
            return Ok(true);
        }
        let arn = text::execution(utf8(arn)?)?;
        if is_untold(map, partition, &arn)? {
            return Ok(false);
        }
        let (entries, size) = drop_execution(map, partition, &arn, now)?;
        map.remove(&[&prefix[..], suffix].concat())?;
        removed += entries;
        bytes = bytes.saturating_sub(size);
        map.put(&keys::ended_bytes(partition), &values::of_number(bytes))?;
    }
    Ok(false)
}

/// Removes executions of type EXPRESS that ended before an instant, as above. No bytes of theirs are counted: they go soon anyway.
fn drop_old_express(map: &mut dyn Map, partition: u32, retention: &Retention, now: Timestamp) -> Result<bool, Error> {
    let kept_from = before(now, retention.express_millis);
    let prefix = keys::all_closed_express(partition);
    let view: &dyn View = map;
    let first = view.suffixes(&prefix, EXECUTIONS)?;
    let mut removed = 0;
    for suffix in &first {
        let (ended, arn) = keys::split_instant(suffix)?;
        if ended >= kept_from {
            return Ok(false);
        }
        if removed >= ENTRIES {
            return Ok(true);
        }
        let arn = text::execution(utf8(arn)?)?;
        if is_untold(map, partition, &arn)? {
            return Ok(false);
        }
        removed += drop_execution(map, partition, &arn, now)?.0;
        map.remove(&[&prefix[..], suffix].concat())?;
    }
    Ok(first.len() == EXECUTIONS)
}

/// Tells whether whoever listens is still to be told of a status of an execution, or who started it of its end.
fn is_untold(view: &dyn View, partition: u32, arn: &ExecutionArn) -> Result<bool, Error> {
    use ExecutionStatus::{Aborted, Failed, Running, Succeeded, TimedOut};
    let statuses = [Running, Succeeded, Failed, TimedOut, Aborted].map(PendingEffect::Notify);
    for effect in statuses.iter().chain([&PendingEffect::Ended]) {
        let effect = text::effect(arn, effect);
        if view.get(&keys::effect(partition, &effect))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes an execution that has ended; tells how many entries it had, and how many bytes were kept of it.
fn drop_execution(
    map: &mut dyn Map,
    partition: u32,
    arn: &ExecutionArn,
    now: Timestamp,
) -> Result<(usize, u64), Error> {
    let Some(head) = map.get(&keys::head(arn))? else { return Ok((0, 0)) };
    let Head { chunks, bytes, at, .. } = Head::decode(&head)?;
    for index in 0..chunks {
        map.remove(&keys::chunk(arn, index))?;
    }
    if let (Some(record), Some(end)) = (read::record(map, arn)?, read::end(map, arn)?) {
        lists::list_no_more(map, partition, &record, (end.end.status, end.at.max(at)))?;
        definitions::release(map, &record.definition, now)?;
    }
    for key in [keys::head(arn), keys::record(arn), keys::end(arn)] {
        map.remove(&key)?;
    }
    Ok((usize::try_from(chunks).unwrap_or(usize::MAX).saturating_add(3), bytes))
}

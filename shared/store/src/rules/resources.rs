//! State machines, activities and their tasks.

use std::ops::ControlFlow;

use model::{ActivityArn, Revision, Timestamp};
use wire::record::DefinitionHash;

use super::lists::utf8;
use super::map::{Map, Order, View, after_prefix};
use super::{definitions, keys, values};
use crate::resource::removed_meanwhile;
use crate::{ActivityTask, Error, Resource, ResourceKey, ResourceQuery, text};

/// Reads a resource.
pub(crate) fn resource(view: &dyn View, partition: u32, key: &ResourceKey) -> Result<Option<Resource>, Error> {
    view.get(&keys::resource(partition, key))?.as_deref().map(values::resource).transpose()
}

/// Creates a resource, or gives the one of this name.
pub(crate) fn create_resource(
    map: &mut dyn Map,
    partition: u32,
    key: &ResourceKey,
    new: &Resource,
    now: Timestamp,
) -> Result<Option<Resource>, Error> {
    let existing = resource(map, partition, key)?;
    if existing.is_none() {
        refer(map, key, &[], &new.definitions, now)?;
        map.put(&keys::resource(partition, key), &values::of_resource(new))?;
    }
    Ok(existing)
}

/// Replaces or removes a resource that is at the revision seen; tells whether it was.
pub(crate) fn replace_resource(
    map: &mut dyn Map,
    (partition, now): (u32, Timestamp),
    key: &ResourceKey,
    seen: Revision,
    next: Option<&Resource>,
) -> Result<bool, Error> {
    let Some(before) = resource(map, partition, key)?.filter(|resource| resource.revision == seen) else {
        return Ok(false);
    };
    refer(map, key, &before.definitions, next.map_or(&[], |next| &next.definitions), now)?;
    let stored = keys::resource(partition, key);
    match next {
        Some(next) => map.put(&stored, &values::of_resource(next))?,
        None => map.remove(&stored)?,
    }
    Ok(true)
}

/// Counts that a resource refers to other definitions than before, or nothing at all where one of them is not there. Both lists are
/// in order.
fn refer(
    map: &mut dyn Map,
    key: &ResourceKey,
    before: &[DefinitionHash],
    next: &[DefinitionHash],
    now: Timestamp,
) -> Result<(), Error> {
    let added = || next.iter().filter(|hash| before.binary_search(hash).is_err());
    for hash in added() {
        if !definitions::is_there(map, hash)? {
            return Err(removed_meanwhile(key));
        }
    }
    for hash in added() {
        definitions::refer(map, hash)?;
    }
    let mut removed = before.iter().filter(|hash| next.binary_search(hash).is_err());
    removed.try_for_each(|hash| definitions::release(map, hash, now))
}

/// Lists resources in order of their ARNs.
pub(crate) fn resources(
    view: &dyn View,
    partition: u32,
    query: &ResourceQuery,
) -> Result<Vec<(ResourceKey, Resource)>, Error> {
    let prefix = keys::resources(partition, query.kind, &query.place);
    // What comes after a key is what begins with it and a zero byte, or anything greater.
    let after = query.after.as_ref().map(|after| [after.as_bytes(), &[0]].concat()).unwrap_or_default();
    let mut found = Vec::new();
    view.scan(&[&prefix[..], &after].concat(), &after_prefix(&prefix), Order::Ascending, &mut |key, value| {
        if found.len() >= query.limit {
            return Ok(ControlFlow::Break(()));
        }
        let arn = utf8(key.get(prefix.len()..).unwrap_or_default())?;
        found.push((ResourceKey { kind: query.kind, arn: arn.into() }, values::resource(value)?));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// Puts a task into the queue of its activity, unless it is there.
pub(crate) fn offer_task(map: &mut dyn Map, task: &ActivityTask, now: Timestamp) -> Result<(), Error> {
    let name = text::activity_task(task);
    match seen_at(map, task, &name)? {
        Some(_) => Ok(()),
        None => show_task(map, task, &name, now),
    }
}

/// Gives the task that has been seen for longest, and hides it until an instant.
pub(crate) fn claim_task(
    map: &mut dyn Map,
    activity: &ActivityArn,
    now: Timestamp,
    hidden_until: Timestamp,
) -> Result<Option<ActivityTask>, Error> {
    let (prefix, mut first) = (keys::tasks(activity), None);
    let view: &dyn View = map;
    view.scan(&prefix, &keys::tasks_after(activity, now), Order::Ascending, &mut |key, _| {
        first = Some(key.get(prefix.len()..).unwrap_or_default().to_vec());
        Ok(ControlFlow::Break(()))
    })?;
    let Some(first) = first else { return Ok(None) };
    let (seen, name) = keys::split_instant(&first)?;
    let name = utf8(name)?;
    let task = text::parse_activity_task(activity, name)?;
    map.remove(&keys::task(activity, seen, name))?;
    show_task(map, &task, name, hidden_until)?;
    Ok(Some(task))
}

/// Shows a task that is hidden again.
pub(crate) fn return_task(map: &mut dyn Map, task: &ActivityTask, now: Timestamp) -> Result<(), Error> {
    let name = text::activity_task(task);
    let Some(seen) = seen_at(map, task, &name)? else { return Ok(()) };
    map.remove(&keys::task(&task.activity, seen, &name))?;
    show_task(map, task, &name, now)
}

/// Takes a task out of its queue.
pub(crate) fn drop_task(map: &mut dyn Map, task: &ActivityTask) -> Result<(), Error> {
    let name = text::activity_task(task);
    if let Some(seen) = seen_at(map, task, &name)? {
        map.remove(&keys::task(&task.activity, seen, &name))?;
        map.remove(&keys::task_name(&task.activity, &name))?;
    }
    Ok(())
}

fn show_task(map: &mut dyn Map, task: &ActivityTask, name: &str, from: Timestamp) -> Result<(), Error> {
    map.put(&keys::task_name(&task.activity, name), from.to_string().as_bytes())?;
    map.put(&keys::task(&task.activity, from, name), &[])
}

fn seen_at(view: &dyn View, task: &ActivityTask, name: &str) -> Result<Option<Timestamp>, Error> {
    view.get(&keys::task_name(&task.activity, name))?.as_deref().map(values::instant).transpose()
}

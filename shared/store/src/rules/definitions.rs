//! Definitions, each with the count of what refers to it, and their removal when nothing does.

use std::sync::Arc;

use model::Timestamp;
use wire::record::DefinitionHash;

use super::lists::utf8;
use super::map::{Map, View};
use super::{keys, values};
use crate::Error;
use crate::bounds::DEFINITIONS_REMOVED;

/// Keeps a definition's text under its hash. It is not in use before something refers to it.
pub(crate) fn put_definition(
    map: &mut dyn Map,
    hash: &DefinitionHash,
    text: &str,
    now: Timestamp,
) -> Result<(), Error> {
    if map.get(&keys::uses(hash))?.is_none() {
        map.put(&keys::definition(hash), text.as_bytes())?;
        set(map, hash, Uses { count: 0, unused_since: Some(now) })?;
    }
    Ok(())
}

/// Reads a definition's text.
pub(crate) fn definition(view: &dyn View, hash: &DefinitionHash) -> Result<Option<Arc<str>>, Error> {
    let Some(stored) = view.get(&keys::definition(hash))? else { return Ok(None) };
    Ok(Some(utf8(&stored)?.into()))
}

/// Tells whether a definition was put and not removed since.
pub(super) fn is_there(view: &dyn View, hash: &DefinitionHash) -> Result<bool, Error> {
    Ok(view.get(&keys::uses(hash))?.is_some())
}

/// Counts one more that refers to a definition; tells whether it was there to refer to.
pub(super) fn refer(map: &mut dyn Map, hash: &DefinitionHash) -> Result<bool, Error> {
    let Some(Uses { count, .. }) = uses(map, hash)? else { return Ok(false) };
    set(map, hash, Uses { count: count + 1, unused_since: None })?;
    Ok(true)
}

/// Counts one less that refers to a definition.
pub(super) fn release(map: &mut dyn Map, hash: &DefinitionHash, now: Timestamp) -> Result<(), Error> {
    let Some(Uses { count, .. }) = uses(map, hash)? else { return Ok(()) };
    let count = count.saturating_sub(1);
    set(map, hash, Uses { count, unused_since: (count == 0).then_some(now) })
}

/// Removes a batch of the definitions that nothing has referred to since before an instant; tells whether there may be more.
pub(super) fn remove_unused(map: &mut dyn Map, before: Timestamp) -> Result<bool, Error> {
    let view: &dyn View = map;
    let unused = view.suffixes(&keys::all_unused(), DEFINITIONS_REMOVED)?;
    for entry in &unused {
        let (since, hash) = keys::split_instant(entry)?;
        if since > before {
            return Ok(false);
        }
        let hash = DefinitionHash(utf8(hash)?.into());
        for key in [keys::unused(since, &hash), keys::uses(&hash), keys::definition(&hash)] {
            map.remove(&key)?;
        }
    }
    Ok(unused.len() == DEFINITIONS_REMOVED)
}

/// Is how many refer to a definition; where none does, since when.
struct Uses {
    count: u64,
    unused_since: Option<Timestamp>,
}

fn uses(view: &dyn View, hash: &DefinitionHash) -> Result<Option<Uses>, Error> {
    let Some(stored) = view.get(&keys::uses(hash))? else { return Ok(None) };
    let (count, unused_since) = values::uses(&stored)?;
    Ok(Some(Uses { count, unused_since }))
}

fn set(map: &mut dyn Map, hash: &DefinitionHash, next: Uses) -> Result<(), Error> {
    if let Some(Uses { unused_since: Some(since), .. }) = uses(map, hash)? {
        map.remove(&keys::unused(since, hash))?;
    }
    if let Some(since) = next.unused_since {
        map.put(&keys::unused(since, hash), &[])?;
    }
    map.put(&keys::uses(hash), &values::of_uses(next.count, next.unused_since))
}

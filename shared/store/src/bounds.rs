//! How large a commit may be.

use model::JsonText;

use crate::{Commit, Refusal};

/// The records that one commit may write, and those that it may close: a script must not hold up all other commits of its server.
pub(crate) const RECORDS_MAX: usize = 256;
/// The timers and effects that one commit may drop: those of the branches that it may close, each with a time-out and a heartbeat.
pub(crate) const DROPPED_MAX: usize = 3 * RECORDS_MAX;
/// The bytes of one commit: what the largest step writes by AWS's limits, with payloads of 1 MiB. That is a branch that starts a child,
/// both records with 10 MiB of variables, and a run's events (ADR 17).
pub(crate) const COMMIT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The items of a Map that lie together in one element.
pub(crate) const ITEMS_PER_GROUP: usize = 100;
/// The definitions that one call removes: each is asked for in every partition.
pub(crate) const DEFINITIONS_REMOVED: usize = 4;
/// The completions that one read of a join record gives.
pub(crate) const COMPLETIONS_MAX: usize = 1_000;

/// Refuses a commit of too many records.
pub(crate) fn check_records(commit: &Commit) -> Result<(), Refusal> {
    let listed = commit.closed.iter().map(|scope| scope.branches.len()).sum::<usize>();
    // Effects and timers are far smaller than records: four of them count as one.
    let small = commit.timers_set.len() + commit.outbox_added.len();
    // The items of a Map are bounded by their bytes.
    let scopes = commit.opened.len() + commit.closed.len();
    let records = 2 + commit.children.len() + scopes + commit.inline_results.len() + small.div_ceil(4);
    let too_many =
        |count, what, max| Err(Refusal::TooLarge { what: format!("{count} {what}, of which the most is {max}") });
    if listed > RECORDS_MAX {
        return too_many(listed, "listed branches", RECORDS_MAX);
    }
    let dropped = commit.timers_dropped.len() + commit.outbox_dropped.len();
    if dropped > DROPPED_MAX {
        return too_many(dropped, "dropped timers and effects", DROPPED_MAX);
    }
    if records > RECORDS_MAX {
        return too_many(records, "records", RECORDS_MAX);
    }
    Ok(())
}

/// Refuses a commit of too many bytes.
pub(crate) fn check_bytes(bytes: usize) -> Result<(), Refusal> {
    if bytes > COMMIT_BYTES_MAX {
        return Err(Refusal::TooLarge { what: format!("{bytes} bytes, of which the most is {COMMIT_BYTES_MAX}") });
    }
    Ok(())
}

/// Splits the items of a Map into the groups that they are kept in.
pub(crate) fn item_groups(items: &[JsonText]) -> impl Iterator<Item = &[JsonText]> {
    items.chunks(ITEMS_PER_GROUP)
}

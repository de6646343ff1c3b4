//! The keys: a letter for the kind, then a partition or an ARN, then what tells apart within. Numbers are big-endian, so that keys
//! sort as they do; an ARN that is not the end of a key is closed by a zero byte, which none holds.

use model::{ActivityArn, BranchPath, ExecutionArn, ExecutionStatus, ScopeKey, Timestamp};
use wire::record::DefinitionHash;

use crate::{Error, ResourceKey, ResourceKind};

const HEAD: u8 = b'h';
const BRANCH: u8 = b'b';
const SCOPE: u8 = b's';
const COMPLETION: u8 = b'c';
const RESULT: u8 = b'r';
const ITEMS: u8 = b'i';
const RECORD: u8 = b'x';
const END: u8 = b'z';
const CHUNK: u8 = b'k';
const OPEN: u8 = b'O';
const SEQUENCE: u8 = b'Q';
const TIMER: u8 = b'T';
const TIMER_NAME: u8 = b'N';
const EFFECT: u8 = b'E';
const LEFTOVER: u8 = b'L';
const CLOSED: u8 = b'C';
const CLOSED_EXPRESS: u8 = b'X';
const ENDED: u8 = b'F';
const DEFINITION: u8 = b'D';
const USES: u8 = b'U';
const UNUSED: u8 = b'V';
const RESOURCE: u8 = b'M';
const LISTED: u8 = b'J';
const TASK: u8 = b'A';
const TASK_NAME: u8 = b'B';

/// Refuses an ARN that can't be part of a key.
pub(super) fn check(arn: &ExecutionArn) -> Result<(), Error> {
    if arn.as_str().as_bytes().contains(&0) {
        return Err(Error::Unfit(format!("the ARN {:?} holds a zero byte", arn.as_str())));
    }
    Ok(())
}

fn of(kind: u8, arn: &ExecutionArn, rest: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(arn.as_str().len() + 2 + rest.iter().map(|part| part.len()).sum::<usize>());
    key.push(kind);
    key.extend_from_slice(arn.as_str().as_bytes());
    key.push(0);
    rest.iter().for_each(|part| key.extend_from_slice(part));
    key
}

fn at(kind: u8, partition: u32, rest: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(&partition.to_be_bytes());
    rest.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// Renders an instant so that earlier ones sort first.
fn instant(at: Timestamp) -> [u8; 8] {
    (at.as_millis().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// Reads an instant at the beginning of a text, and gives the rest.
pub(super) fn split_instant(text: &[u8]) -> Result<(Timestamp, &[u8]), Error> {
    let short = || Error::Corrupt("a key without its instant".to_owned());
    let (number, rest) = text.split_first_chunk::<8>().ok_or_else(short)?;
    Ok((Timestamp::from_millis((u64::from_be_bytes(*number) ^ (1 << 63)).cast_signed()), rest))
}

pub(super) fn head(arn: &ExecutionArn) -> Vec<u8> {
    of(HEAD, arn, &[])
}

pub(super) fn record(arn: &ExecutionArn) -> Vec<u8> {
    of(RECORD, arn, &[])
}

pub(super) fn end(arn: &ExecutionArn) -> Vec<u8> {
    of(END, arn, &[])
}

pub(super) fn branch(arn: &ExecutionArn, path: &BranchPath) -> Vec<u8> {
    of(BRANCH, arn, &[path.as_str().as_bytes()])
}

/// Begins the keys of all branches, or of those within a scope at any depth.
pub(super) fn branches(arn: &ExecutionArn, within: Option<&ScopeKey>) -> Vec<u8> {
    let within = within.map(|scope| format!("{}/{}.", scope.branch, scope.entry)).unwrap_or_default();
    of(BRANCH, arn, &[within.as_bytes()])
}

pub(super) fn scope(arn: &ExecutionArn, scope: &ScopeKey) -> Vec<u8> {
    of(SCOPE, arn, &[scope.to_string().as_bytes()])
}

pub(super) fn scopes(arn: &ExecutionArn) -> Vec<u8> {
    of(SCOPE, arn, &[])
}

fn within_scope(kind: u8, arn: &ExecutionArn, scope: &ScopeKey, rest: &[u8]) -> Vec<u8> {
    of(kind, arn, &[scope.to_string().as_bytes(), &[0], rest])
}

pub(super) fn completion(arn: &ExecutionArn, scope: &ScopeKey, index: u32) -> Vec<u8> {
    within_scope(COMPLETION, arn, scope, &index.to_be_bytes())
}

pub(super) fn result(arn: &ExecutionArn, scope: &ScopeKey, index: u32) -> Vec<u8> {
    within_scope(RESULT, arn, scope, &index.to_be_bytes())
}

pub(super) fn items(arn: &ExecutionArn, scope: &ScopeKey, group: u32) -> Vec<u8> {
    within_scope(ITEMS, arn, scope, &group.to_be_bytes())
}

/// Begins the keys of what a scope holds.
pub(super) fn contents(arn: &ExecutionArn, scope: &ScopeKey) -> [Vec<u8>; 3] {
    [COMPLETION, RESULT, ITEMS].map(|kind| within_scope(kind, arn, scope, &[]))
}

/// Begins the keys of what all scopes hold.
pub(super) fn all_contents(arn: &ExecutionArn) -> [Vec<u8>; 3] {
    [COMPLETION, RESULT, ITEMS].map(|kind| of(kind, arn, &[]))
}

pub(super) fn chunk(arn: &ExecutionArn, index: u64) -> Vec<u8> {
    of(CHUNK, arn, &[&index.to_be_bytes()])
}

pub(super) fn open(partition: u32, sequence: u64) -> Vec<u8> {
    at(OPEN, partition, &[&sequence.to_be_bytes()])
}

pub(super) fn all_open(partition: u32) -> Vec<u8> {
    at(OPEN, partition, &[])
}

/// Reads the number that an entry of the open executions has.
pub(super) fn sequence_of(suffix: &[u8]) -> Result<u64, Error> {
    let number = suffix.try_into().map_err(|_| Error::Corrupt("a number of another length".to_owned()))?;
    Ok(u64::from_be_bytes(number))
}

pub(super) fn sequence(partition: u32) -> Vec<u8> {
    at(SEQUENCE, partition, &[])
}

pub(super) fn timer(partition: u32, due: Timestamp, name: &str) -> Vec<u8> {
    at(TIMER, partition, &[&instant(due), name.as_bytes()])
}

pub(super) fn timers(partition: u32) -> Vec<u8> {
    at(TIMER, partition, &[])
}

/// Gives the least key of a timer that is due after an instant.
pub(super) fn timers_after(partition: u32, now: Timestamp) -> Vec<u8> {
    at(TIMER, partition, &[&instant(now.plus_millis(1))])
}

pub(super) fn timer_name(partition: u32, name: &str) -> Vec<u8> {
    at(TIMER_NAME, partition, &[name.as_bytes()])
}

pub(super) fn effect(partition: u32, effect: &str) -> Vec<u8> {
    at(EFFECT, partition, &[effect.as_bytes()])
}

pub(super) fn effects(partition: u32) -> Vec<u8> {
    at(EFFECT, partition, &[])
}

/// Names what a closed scope left over, or an ended execution.
pub(super) fn leftover(partition: u32, arn: &ExecutionArn, scope: Option<&ScopeKey>) -> Vec<u8> {
    let scope = scope.map(ToString::to_string).unwrap_or_default();
    at(LEFTOVER, partition, &[arn.as_str().as_bytes(), &[0], scope.as_bytes()])
}

pub(super) fn leftovers(partition: u32) -> Vec<u8> {
    at(LEFTOVER, partition, &[])
}

/// Names an execution that has ended: those of type EXPRESS, which are kept for a shorter time, apart from the others.
pub(super) fn closed(partition: u32, ended: Timestamp, arn: &ExecutionArn) -> Vec<u8> {
    let kind = if arn.is_express() { CLOSED_EXPRESS } else { CLOSED };
    at(kind, partition, &[&instant(ended), arn.as_str().as_bytes()])
}

pub(super) fn all_closed(partition: u32) -> Vec<u8> {
    at(CLOSED, partition, &[])
}

pub(super) fn all_closed_express(partition: u32) -> Vec<u8> {
    at(CLOSED_EXPRESS, partition, &[])
}

/// Names the sum of the bytes of the executions that have ended.
pub(super) fn ended_bytes(partition: u32) -> Vec<u8> {
    at(ENDED, partition, &[])
}

pub(super) fn definition(hash: &DefinitionHash) -> Vec<u8> {
    [&[DEFINITION], hash.0.as_bytes()].concat()
}

/// Names the count of what refers to a definition.
pub(super) fn uses(hash: &DefinitionHash) -> Vec<u8> {
    [&[USES], hash.0.as_bytes()].concat()
}

/// Names a definition that nothing refers to.
pub(super) fn unused(since: Timestamp, hash: &DefinitionHash) -> Vec<u8> {
    [&[UNUSED], &instant(since)[..], hash.0.as_bytes()].concat()
}

pub(super) fn all_unused() -> Vec<u8> {
    vec![UNUSED]
}

/// Begins the keys of the resources of a kind that are listed in a place.
pub(super) fn resources(partition: u32, kind: ResourceKind, place: &str) -> Vec<u8> {
    let kind = match kind {
        ResourceKind::StateMachine => b's',
        ResourceKind::Activity => b'a',
        ResourceKind::Published => b'p',
        ResourceKind::Deletion => b'x',
    };
    at(RESOURCE, partition, &[&[kind], place.as_bytes(), &[0]])
}

pub(super) fn resource(partition: u32, key: &ResourceKey) -> Vec<u8> {
    [&resources(partition, key.kind, key.place())[..], key.arn.as_bytes()].concat()
}

/// Begins the keys of the executions of a state machine, all of them or those of a status.
pub(super) fn all_listed(partition: u32, under: &str, status: Option<ExecutionStatus>) -> Vec<u8> {
    let status = status.map_or("", ExecutionStatus::as_str);
    at(LISTED, partition, &[under.as_bytes(), &[0], status.as_bytes(), &[0]])
}

pub(super) fn listed(
    partition: u32,
    under: &str,
    status: Option<ExecutionStatus>,
    (at, arn): (Timestamp, &ExecutionArn),
) -> Vec<u8> {
    [&all_listed(partition, under, status)[..], &instant(at), arn.as_str().as_bytes()].concat()
}

/// Begins the keys of the tasks of an activity.
pub(super) fn tasks(activity: &ActivityArn) -> Vec<u8> {
    [&[TASK], activity.as_str().as_bytes(), &[0]].concat()
}

/// Gives the least key of a task that is seen after an instant.
pub(super) fn tasks_after(activity: &ActivityArn, now: Timestamp) -> Vec<u8> {
    [&tasks(activity)[..], &instant(now.plus_millis(1))].concat()
}

pub(super) fn task(activity: &ActivityArn, seen: Timestamp, name: &str) -> Vec<u8> {
    [&tasks(activity)[..], &instant(seen), name.as_bytes()].concat()
}

pub(super) fn task_name(activity: &ActivityArn, name: &str) -> Vec<u8> {
    [&[TASK_NAME], activity.as_str().as_bytes(), &[0], name.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_sort_as_they_pass() {
        let [before, at, after] = [-5, 0, 1_700_000_000_000].map(Timestamp::from_millis);
        assert!(instant(before) < instant(at) && instant(at) < instant(after));
        for due in [before, at, after] {
            let key = timer(7, due, "r;t.1;arn");
            let suffix = key.strip_prefix(&timers(7)[..]).expect("begins so");
            assert_eq!(split_instant(suffix).expect("reads"), (due, &b"r;t.1;arn"[..]));
        }
        assert!(timer(7, at, "\u{10ffff}") < timers_after(7, at));
    }
}

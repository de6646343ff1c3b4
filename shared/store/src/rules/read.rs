//! What is read of one execution.

use std::ops::ControlFlow;
use std::sync::Arc;

use model::{BranchPath, ExecutionArn, JsonText, ScopeKey};
use wire::record::{CompletionRecord, EndRecord, ExecutionRecord, ItemsRecord, RecordError};

use super::keys;
use super::map::{Order, View, after_prefix};
use super::values::{self, Branch, ChildResult, Head};
use crate::bounds::{COMPLETIONS_MAX, ITEMS_PER_GROUP};
use crate::chunks::Pager;
use crate::{Error, ExecutionHead, HistoryPage, HistoryQuery, Join, StoredBranch};

/// Renders all entries.
pub(crate) fn dump(view: &dyn View) -> Result<String, Error> {
    let mut text = String::new();
    view.scan(&[], &[u8::MAX], Order::Ascending, &mut |key, value| {
        text.push_str(&format!("{} = {}\n", key.escape_ascii(), value.escape_ascii()));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(text)
}

/// Reads what is publicly known of an execution.
pub(crate) fn execution(view: &dyn View, arn: &ExecutionArn) -> Result<Option<ExecutionHead>, Error> {
    let Some(head) = head(view, arn)? else { return Ok(None) };
    public(view, arn, &head).map(Some)
}

/// Reads an execution and one of its open branches.
pub(crate) fn load(
    view: &dyn View,
    arn: &ExecutionArn,
    branch: &BranchPath,
) -> Result<Option<(ExecutionHead, Option<StoredBranch>)>, Error> {
    let Some(head) = head(view, arn)? else { return Ok(None) };
    let stored = if head.has_ended { None } else { view.get(&keys::branch(arn, branch))? };
    let branch = stored.map(|bytes| Branch::decode(&bytes)?.stored()).transpose()?;
    Ok(Some((public(view, arn, &head)?, branch)))
}

/// Tells how many bytes the ended executions of a partition take.
pub(crate) fn ended_bytes(view: &dyn View, partition: u32) -> Result<u64, Error> {
    view.get(&keys::ended_bytes(partition))?.map_or(Ok(0), |bytes| values::number_of(&bytes))
}

/// Reads open branches in order of their paths, all of them or those within a scope at any depth; of more than `most` the last ones.
pub(crate) fn open_branches(
    view: &dyn View,
    arn: &ExecutionArn,
    within: Option<&ScopeKey>,
    most: usize,
) -> Result<Vec<StoredBranch>, Error> {
    let mut branches = Vec::new();
    if head(view, arn)?.is_none_or(|head| head.has_ended) {
        return Ok(branches);
    }
    let prefix = keys::branches(arn, within);
    view.scan(&prefix, &after_prefix(&prefix), Order::Descending, &mut |_, value| {
        if branches.len() == most {
            return Ok(ControlFlow::Break(()));
        }
        branches.push(Branch::decode(value)?.stored()?);
        Ok(ControlFlow::Continue(()))
    })?;
    branches.reverse();
    Ok(branches)
}

/// Reads the join record of a scope.
pub(crate) fn join(
    view: &dyn View,
    arn: &ExecutionArn,
    scope: &ScopeKey,
    taken: u32,
    items_from: u32,
    items_max: u32,
) -> Result<Join, Error> {
    let mut join = Join::default();
    if view.get(&keys::scope(arn, scope))?.is_none() {
        return Ok(join);
    }
    let [completions, _, groups] = keys::contents(arn, scope);
    let from = keys::completion(arn, scope, taken);
    view.scan(&from, &after_prefix(&completions), Order::Ascending, &mut |_, value| {
        let (base, record) = values::split_completion(value)?;
        let mut completion = CompletionRecord::decode(record).map_err(corrupt)?;
        completion.settle(base);
        join.completions.push(completion);
        Ok(if join.completions.len() < COMPLETIONS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    let (skipped, most) = (items_from as usize % ITEMS_PER_GROUP, items_max as usize);
    let group = u32::try_from(items_from as usize / ITEMS_PER_GROUP).unwrap_or(u32::MAX);
    let from = keys::items(arn, scope, group);
    view.scan(&from, &after_prefix(&groups), Order::Ascending, &mut |_, value| {
        if join.items.len() >= skipped + most {
            return Ok(ControlFlow::Break(()));
        }
        join.items.extend(ItemsRecord::decode(value).map_err(corrupt)?.items);
        Ok(ControlFlow::Continue(()))
    })?;
    join.items.drain(..skipped.min(join.items.len()));
    join.items.truncate(most);
    Ok(join)
}

/// Reads the outputs of the children 0 to `total - 1` of a scope.
pub(crate) fn results(
    view: &dyn View,
    arn: &ExecutionArn,
    scope: &ScopeKey,
    total: u32,
) -> Result<Vec<JsonText>, Error> {
    let is_open = view.get(&keys::scope(arn, scope))?.is_some();
    let missing = |index| Error::Corrupt(format!("result {index} of scope {scope} of {arn} is missing"));
    let output = |index| {
        let stored = if is_open { view.get(&keys::result(arn, scope, index))? } else { None };
        let result = stored.as_deref().map(ChildResult::decode).transpose()?;
        result.and_then(|result| result.output).ok_or_else(|| missing(index))
    };
    (0..total).map(output).collect()
}

/// Reads a page of a history.
pub(crate) fn history(view: &dyn View, arn: &ExecutionArn, query: &HistoryQuery) -> Result<HistoryPage, Error> {
    let count = head(view, arn)?.map_or(0, |head| head.chunks);
    let mut pager = Pager::new(query, count);
    let mut next = Pager::first(query, count);
    while let Some(index) = next {
        let missing = || Error::Corrupt(format!("chunk {index} of the history of {arn} is missing"));
        let chunk = view.get(&keys::chunk(arn, index))?.ok_or_else(missing)?;
        let wants_more = pager.take(index, &values::stored_chunk(&chunk)?)?;
        next = pager.following(index).filter(|_| wants_more);
    }
    Ok(pager.finish())
}

fn head(view: &dyn View, arn: &ExecutionArn) -> Result<Option<Head>, Error> {
    view.get(&keys::head(arn))?.as_deref().map(Head::decode).transpose()
}

/// Reads what never changes of an execution.
pub(super) fn record(view: &dyn View, arn: &ExecutionArn) -> Result<Option<ExecutionRecord>, Error> {
    view.get(&keys::record(arn))?.map(|record| ExecutionRecord::decode(&record).map_err(corrupt)).transpose()
}

/// Reads how an execution ended.
pub(super) fn end(view: &dyn View, arn: &ExecutionArn) -> Result<Option<EndRecord>, Error> {
    view.get(&keys::end(arn))?.map(|end| EndRecord::decode(&end).map_err(corrupt)).transpose()
}

fn public(view: &dyn View, arn: &ExecutionArn, head: &Head) -> Result<ExecutionHead, Error> {
    let missing = |what: &str| Error::Corrupt(format!("the {what} of {arn} is missing"));
    let record = Arc::new(record(view, arn)?.ok_or_else(|| missing("record"))?);
    if !head.has_ended {
        return Ok(ExecutionHead { record, last_event: head.last_event, end: None });
    }
    let end = end(view, arn)?.ok_or_else(|| missing("end"))?;
    Ok(ExecutionHead { record, last_event: head.last_event, end: Some((end.end, end.at.max(head.at))) })
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn corrupt(error: RecordError) -> Error {
    Error::Corrupt(error.chain())
}

//! Messages between an execution and the task of another one that started it and waits for its end (`.sync`).
//!
//! ```text
//!  task ── call ──► nested execution is created ── Started ──► its task is over already? then it is stopped
//!  task ◄─ Ended ── it ends
//!  task is over otherwise ── Stop ──► it is stopped
//! ```
//! Each message is an entry of the outbox, added by the commit that it tells of, and cleared once it was applied. All of them may
//! be applied more than once, and in any order. So nobody waits for a nested execution that runs for a month but a record.

use std::sync::Arc;

use engine::{Phase, aborted, close_execution, is_of_map_run};
use model::{AttemptId, ExecutionArn, JsonText};
use sha2::{Digest, Sha256};
use store::{OutboxKey, PendingEffect, StoredBranch};
use tracing::Instrument as _;
use wire::message::Cancelled;
use wire::record::{PhaseRecord, StarterRecord, Waits};

use super::Inner;
use super::advance::Trigger;
use super::backoff::persist;
use super::build::Plan;
use super::cache::{Held, Known};
use super::calls::waits;
use super::error::{Patience, Unable};
use super::local::Item;
use super::log;
use super::service::Call;

/// How many executions one commit says are to be stopped: far more than an execution waits for at a time, and still fewer small
/// records than a commit may have. What is over is stopped without an entry in the outbox.
const STOPS_MAX: usize = 800;

impl Inner {
    /// Adds to the commit that creates or ends an execution what the task which waits for it has to learn.
    pub(super) fn tell_starter(&self, plan: &mut Plan) {
        let known = &plan.known;
        if known.record.started_by.as_ref().is_none_or(|starter| starter.waits == Waits::No) {
            return;
        }
        let effect = match (&plan.commit.subject, &plan.commit.end) {
            (_, Some(_)) => PendingEffect::Ended,
            (store::Subject::Creation { .. }, None) => PendingEffect::Started,
            (store::Subject::Branch { .. } | store::Subject::Execution, None) => return,
        };
        plan.commit.outbox_added.push(OutboxKey { execution: known.arn().clone(), effect });
    }

    /// Adds to a commit that cuts off the open attempt of a branch, by a time-out, that what it waits for is to be stopped.
    pub(super) fn stop_awaited(&self, plan: &mut Plan, held: &Held) {
        let Phase::Task(task) = &held.branch.phase else { return };
        let is_cut_off = |of: &Cancelled| matches!(of, Cancelled::Attempt(_, attempt) if *attempt == task.attempt);
        if plan.cancels.iter().any(is_cut_off) {
            let place = (&held.branch.path, task.attempt);
            let stop = self.awaited(&plan.known, place, &task.resource, &task.payload);
            plan.commit.outbox_added.extend(stop);
        }
    }

    /// Lists the entries which say that what the open attempts of branches wait for is to be stopped.
    pub(super) fn all_awaited<'a>(
        &self,
        known: &Known,
        branches: impl Iterator<Item = &'a StoredBranch>,
    ) -> Vec<OutboxKey> {
        let stop = |stored: &StoredBranch| match &stored.record.phase {
            PhaseRecord::Task(task) => {
                self.awaited(known, (&stored.record.path, task.attempt), &task.resource, &task.payload)
            }
            PhaseRecord::Ready | PhaseRecord::Wait { .. } | PhaseRecord::Backoff { .. } | PhaseRecord::Children(_) => {
                None
            }
        };
        branches.filter_map(stop).collect()
    }

    /// Adds to the commit that ends an execution from outside what is to be stopped with it; gives what finds no room.
    pub(super) fn stop_all_awaited(&self, plan: &mut Plan, open: &[StoredBranch]) -> Vec<OutboxKey> {
        let mut stops = self.all_awaited(&plan.known, open.iter());
        let over = stops.split_off(stops.len().min(STOPS_MAX));
        plan.commit.outbox_added.extend(stops);
        over
    }

    fn awaited(
        &self,
        known: &Known,
        (branch, attempt): (&model::BranchPath, AttemptId),
        resource: &str,
        payload: &JsonText,
    ) -> Option<OutboxKey> {
        let resource = self.own_call(resource)?;
        let waits = waits(&resource);
        if waits == Waits::No {
            return None;
        }
        let execution = known.arn().clone();
        let task = StarterRecord { execution: execution.clone(), branch: branch.clone(), attempt, waits };
        let call = Call { resource, input: payload.clone(), task, trace: None };
        let nested = if is_of_map_run(call.resource.arn()) {
            self.awaited_part(known, &call)?
        } else {
            self.service.get()?.awaited(&call)?
        };
        Some(OutboxKey { execution, effect: PendingEffect::Stop(nested, attempt) })
    }

    /// Takes up the messages that a commit added.
    pub(super) fn send(self: &Arc<Self>, key: &OutboxKey) {
        let execution = key.execution.clone();
        match &key.effect {
            PendingEffect::Ended => self.proceed(Item::Ended(execution)),
            PendingEffect::Stop(nested, attempt) => {
                self.proceed(Item::Stop { by: execution, nested: nested.clone(), attempt: *attempt });
            }
            // Who made the call sees to it, once the call is reported.
            PendingEffect::Started => {}
            PendingEffect::Dispatch(..)
            | PendingEffect::Continue(_)
            | PendingEffect::Wake(_)
            | PendingEffect::Export(_)
            | PendingEffect::Notify(_) => {}
        }
    }

    /// Stops an execution if the task that waits for it is over. One whose call was not reported yet is looked at again.
    pub(super) async fn settle_started(self: &Arc<Self>, nested: &ExecutionArn) -> Result<(), Unable> {
        let patience = Patience::Endless;
        let head = persist!(self, patience, self.store.execution(nested)).filter(|head| head.end.is_none());
        if let Some(starter) = head.and_then(|head| head.record.started_by.clone()) {
            let found = self.find(&starter.execution, &starter.branch, true, patience).await?;
            let open = found.as_ref().and_then(|found| match &found.held.branch.phase {
                Phase::Task(task) if task.attempt == starter.attempt => Some(task),
                Phase::Task(_) | Phase::Ready | Phase::Wait { .. } | Phase::Backoff { .. } | Phase::Children(_) => None,
            });
            match open {
                Some(task) if task.delivery.is_with_broker() => return Ok(()),
                Some(_) => {}
                None => {
                    self.stop_nested(nested).await?;
                    self.stop_children(nested).await?;
                }
            }
        }
        self.is_told(nested, PendingEffect::Started);
        Ok(())
    }

    /// Tells the task that waits for the end of an execution how it ended.
    pub(super) async fn answer_starter(self: &Arc<Self>, nested: &ExecutionArn) -> Result<(), Unable> {
        let patience = Patience::Endless;
        let head = persist!(self, patience, self.store.execution(nested));
        if let Some(head) = head
            && let Some(starter) = &head.record.started_by
        {
            let Some(service) = self.service.get() else { return Ok(()) };
            if let Some(callback) = service.end_of(&head) {
                let trigger = Trigger::Returned { attempt: starter.attempt, callback: &callback };
                let span = log::about(&starter.execution, Some(&starter.branch), Some(starter.attempt));
                let told = self.advance(&starter.execution, &starter.branch, trigger, false, patience);
                told.instrument(span).await?;
            }
        }
        self.is_told(nested, PendingEffect::Ended);
        Ok(())
    }

    /// Stops an execution whose task is over, if that attempt started it.
    pub(super) async fn stop_of_starter(
        self: &Arc<Self>,
        by: &ExecutionArn,
        nested: &ExecutionArn,
        attempt: AttemptId,
    ) -> Result<(), Unable> {
        let head = persist!(self, Patience::Endless, self.store.execution(nested));
        let is_its = |starter: &StarterRecord| starter.execution == *by && starter.attempt == attempt;
        if head.is_some_and(|head| head.end.is_none() && head.record.started_by.as_ref().is_some_and(is_its)) {
            self.stop_nested(nested).await?;
        }
        // Also if it was stopped before: who did so may have died over its children.
        self.stop_children(nested).await?;
        self.is_told(by, PendingEffect::Stop(nested.clone(), attempt));
        Ok(())
    }

    pub(super) async fn stop_nested(self: &Arc<Self>, nested: &ExecutionArn) -> Result<(), Unable> {
        let closing = |moment| close_execution(aborted(None, None), moment);
        self.close(nested, closing, Patience::Endless).await?;
        self.metrics.nested_stopped.inc();
        Ok(())
    }

    /// Takes note that a message was applied: its entry is cleared soon.
    pub(super) fn is_told(&self, execution: &ExecutionArn, effect: PendingEffect) {
        let partition = execution.partition(self.partitions);
        self.told.done(partition, [OutboxKey { execution: execution.clone(), effect }]);
    }
}

/// Names the execution that a task starts without giving it a name: by the attempt, so that it is the same if the call is repeated.
pub fn name_of(task: &StarterRecord) -> String {
    uuid_of(task, "")
}

/// Tells what an execution of type EXPRESS that a task starts has beside its name, which others may have, too.
pub fn run_of(task: &StarterRecord) -> String {
    uuid_of(task, "\nrun")
}

fn uuid_of(task: &StarterRecord, what: &str) -> String {
    let StarterRecord { execution, branch, attempt, waits: _ } = task;
    let digest = Sha256::digest(format!("{execution}\n{branch}\n{attempt}{what}"));
    let mut bytes: [u8; 16] = std::array::from_fn(|index| digest[index]);
    // A UUID of version 4, as AWS names them.
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: u32) -> StarterRecord {
        StarterRecord {
            execution: ExecutionArn::parse("arn:aws:states:r:1:execution:M:e").expect("is an ARN"),
            branch: model::BranchPath::root(),
            attempt: model::AttemptId { number, nonce: model::Nonce(7) },
            waits: Waits::No,
        }
    }

    #[test]
    fn a_name_follows_from_the_attempt() {
        let name = name_of(&task(1));
        assert_eq!(name, name_of(&StarterRecord { waits: Waits::Text, ..task(1) }));
        assert_ne!(name, name_of(&task(2)));
        assert_eq!(run_of(&task(1)), run_of(&StarterRecord { waits: Waits::Text, ..task(1) }));
        assert_ne!(run_of(&task(1)), name);
        assert_eq!((name.len(), name.matches('-').count(), name.as_bytes()[14]), (36, 4, b'4'));
    }
}

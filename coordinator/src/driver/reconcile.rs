//! The reconciler: RabbitMQ can't be asked whether it holds a message, so loss shows indirectly. It repairs, counts and logs.
//!
//! - The marker queue of this incarnation is gone: the broker lost its data. Every outstanding item is published again.
//! - An item is old, no worker has said that it began, and its queue was seen empty well after its dispatch: it counts as lost. It may
//!   be in the hands of a busy worker, which then takes the second message for the first (ADR 8).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use broker::Connection;
use engine::{Branch, TaskPhase};
use futures::future::join_all;
use model::{ActivityArn, ExecutionArn, Timestamp};

use super::Inner;
use super::backoff::{Backoff, persist};
use super::cache::Known;
use super::error::{Patience, Unable, chain};
use super::relay::{Dispatch, outstanding};
use crate::convert;

/// The partition whose sweep lease also names who repairs a loss of the broker's data: one coordinator is enough.
const REPAIRING_PARTITION: u32 = 0;
/// How many times the wait before an item counts as lost again doubles: half a minute becomes half an hour.
const DOUBLINGS_MAX: u32 = 6;

/// Is how far the walk over open executions has come.
#[derive(Debug, Default)]
struct Walk {
    partitions: VecDeque<u32>,
    cursor: u64,
    executions: VecDeque<ExecutionArn>,
    /// When each pool's queue was last seen empty.
    empty_at: BTreeMap<Arc<str>, Timestamp>,
}

impl Inner {
    /// Checks on each new connection whether the broker still has its data, and repairs the loss if not.
    pub(super) async fn kept_data_loop(self: Arc<Self>) {
        let mut connection = self.queue.connection();
        let mut checked = None;
        let mut backoff = Backoff::new(&self.settings);
        loop {
            let is_news = |connection: &Connection| generation(*connection).is_some_and(|up| Some(up) != checked);
            let Ok(state) = connection.wait_for(is_news).await.map(|state| *state) else { return };
            match self.check_kept_data().await {
                Ok(true) => {
                    checked = generation(state);
                    backoff = Backoff::new(&self.settings);
                }
                Ok(false) => self.back_off(&mut backoff).await,
                Err(error) => {
                    tracing::warn!(error = chain(&error), "can't make sure that the broker has its data");
                    self.back_off(&mut backoff).await;
                }
            }
        }
    }

    /// Tells whether the broker has all that it should have now; not so while another coordinator sees to it.
    async fn check_kept_data(self: &Arc<Self>) -> Result<bool, Unable> {
        if self.queue.has_kept_data().await.map_err(Unable::Broker)? {
            return Ok(true);
        }
        if !self.holds_sweep(REPAIRING_PARTITION).await {
            return Ok(false);
        }
        tracing::info!("the broker does not know this cluster, or lost its data: publishing every outstanding item");
        let count = self.redispatch_all().await?;
        self.queue.mark_data().await.map_err(Unable::Broker)?;
        if count > 0 {
            tracing::warn!(count, "the broker had lost work items; they were published again");
        }
        Ok(true)
    }

    /// Publishes the items of all open attempts that were made before the broker came up.
    async fn redispatch_all(self: &Arc<Self>) -> Result<u64, Unable> {
        let up_at = self.broker_up_at();
        let mut count = 0;
        for partition in 0..self.partitions {
            let mut cursor = 0;
            loop {
                let page = persist!(self, Patience::Endless, self.store.open_executions(partition, cursor));
                for execution in &page.0 {
                    // The lease of who repairs must outlast the repair.
                    count += self.redispatch_execution(execution, up_at).await?;
                }
                cursor = page.1;
                if cursor == 0 {
                    break;
                }
            }
            self.holds_sweep(REPAIRING_PARTITION).await;
        }
        Ok(count)
    }

    async fn redispatch_execution(self: &Arc<Self>, execution: &ExecutionArn, up_at: Timestamp) -> Result<u64, Unable> {
        let mut dispatches = Vec::new();
        for (known, branch) in self.outstanding_of(execution).await? {
            if let Some(task) = outstanding(&branch).filter(|task| task.scheduled_at < up_at)
                && self.own_call(&task.resource).is_none()
                && self.outgoing.begin(task.attempt)
            {
                dispatches.push(self.dispatch(&known, &branch, task));
            }
        }
        let count = dispatches.len() as u64;
        self.metrics.repairs.add(count);
        let published = join_all(dispatches.into_iter().map(|dispatch| self.publish(vec![dispatch]))).await;
        if published.into_iter().all(|done| done) {
            return Ok(count);
        }
        Err(Unable::Broker(broker::Error::Unavailable("an item could not be published".to_owned())))
    }

    /// Reads the branches of an execution that wait for a work item.
    async fn outstanding_of(&self, execution: &ExecutionArn) -> Result<Vec<(Arc<Known>, Branch)>, Unable> {
        let open = persist!(self, Patience::Endless, self.store.open_branches(execution, None, usize::MAX));
        let branches: Vec<Branch> = open
            .into_iter()
            .map(|stored| convert::branch_from_record(stored.record))
            .filter(|branch| outstanding(branch).is_some())
            .collect();
        if branches.is_empty() {
            return Ok(Vec::new());
        }
        let Some(head) = persist!(self, Patience::Endless, self.store.execution(execution)) else {
            return Ok(Vec::new());
        };
        if head.end.is_some() {
            return Ok(Vec::new());
        }
        let known = self.known(&head, Patience::Endless).await?;
        Ok(branches.into_iter().map(|branch| (known.clone(), branch)).collect())
    }

    /// Walks over open executions, a few at a time, and looks for items that were lost.
    pub(super) async fn lost_items_loop(self: Arc<Self>) {
        let mut walk = Walk::default();
        loop {
            self.runtime.sleep(self.runtime.jittered(self.settings.reconcile_every)).await;
            self.look_at_queues(&mut walk).await;
            if walk.empty_at.is_empty() || !self.is_broker_up() {
                continue;
            }
            if let Err(error) = self.walk_on(&mut walk).await {
                tracing::warn!(error = chain(&error), "can't look for lost work items");
            }
        }
    }

    async fn look_at_queues(&self, walk: &mut Walk) {
        for pool in self.settings.routing.pools() {
            if let Ok(0) = self.queue.depth(&pool.name).await {
                walk.empty_at.insert(pool.name, self.runtime.now());
            }
        }
    }

    async fn walk_on(self: &Arc<Self>, walk: &mut Walk) -> Result<(), Unable> {
        if walk.executions.is_empty() && walk.cursor == 0 && walk.partitions.is_empty() {
            walk.partitions = self.held_partitions.list().into();
        }
        for _ in 0..self.settings.reconcile_batch {
            while walk.executions.is_empty() {
                let Some(partition) = walk.partitions.front().copied() else { return Ok(()) };
                let page = persist!(self, Patience::Endless, self.store.open_executions(partition, walk.cursor));
                walk.executions.extend(page.0);
                walk.cursor = page.1;
                if walk.cursor == 0 {
                    walk.partitions.pop_front();
                }
            }
            let Some(execution) = walk.executions.pop_front() else { return Ok(()) };
            for (known, branch) in self.outstanding_of(&execution).await? {
                if let Some(task) = outstanding(&branch) {
                    self.repair_if_lost(&known, &branch, task, walk);
                }
            }
        }
        Ok(())
    }

    fn repair_if_lost(self: &Arc<Self>, known: &Known, branch: &Branch, task: &TaskPhase, walk: &Walk) {
        let now = self.runtime.now();
        if self.own_call(&task.resource).is_some() {
            // Its entry of the outbox stays until it is reported.
            return;
        }
        if ActivityArn::parse(&task.resource).is_ok() {
            // Its queue takes it once however often it is offered.
            if u128::from(now.millis_since(task.scheduled_at)) >= self.settings.lost_after.as_millis() {
                self.offer(self.dispatch(known, branch, task));
            }
            return;
        }
        let repeated = self.outgoing.repeated(task.attempt);
        let dispatched = task.scheduled_at.max(self.broker_up_at()).max(repeated.at.unwrap_or_default());
        let wait = self.settings.lost_after.saturating_mul(1 << repeated.repairs.min(DOUBLINGS_MAX));
        let pool = &self.settings.routing.pool(&task.resource).name;
        let Some(empty_at) = walk.empty_at.get(pool) else { return };
        let is_lost = !task.started
            && u128::from(now.millis_since(dispatched)) >= wait.as_millis()
            && u128::from(empty_at.millis_since(dispatched)) >= self.settings.lost_empty_after.as_millis();
        if !is_lost {
            return;
        }
        tracing::warn!(
            execution = %known.arn(), trace_id = %known.trace.trace, branch = %branch.path, attempt = %task.attempt, resource = task.resource, %pool,
            "a work item is lost: its queue is empty and no worker began with it; publishing it again"
        );
        self.metrics.repairs.inc();
        self.outgoing.repeat(task.attempt, |repeated| {
            // No worker is known to have had it, so this is no delivery that could count towards poison: an item that a busy
            // worker has fetched and not begun looks the same.
            repeated.repairs += 1;
            repeated.at = Some(now);
        });
        let dispatch: Dispatch = self.dispatch(known, branch, task);
        self.offer(dispatch);
    }
}

fn generation(connection: Connection) -> Option<u64> {
    match connection {
        Connection::Up { generation } => Some(generation),
        Connection::Down | Connection::Blocked => None,
    }
}

//! Work that comes from no delivery: wakes and continuations after a commit, timers, cancels. A bounded number goes on at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::Timer;
use model::{AttemptId, BranchPath, ExecutionArn};
use telemetry::TraceId;
use tracing::{Instrument as _, Span};
use wire::message::Cancel;

use super::Inner;
use super::activity::activity_task;
use super::advance::{Ending, Trigger};
use super::backoff::Backoff;
use super::close::Ended;
use super::error::{Patience, Unable, chain};
use super::log;
use super::refused::Refused;
use super::relay::Dispatch;
use crate::timers::{Due, timer_from_name};

/// How many times work that is contended is taken up before it is left to a sweep.
const TRIES_MAX: u32 = 5;

/// Is a piece of local work.
#[derive(Debug)]
pub(crate) enum Item {
    /// A branch goes on: it has completions to take, or its run was cut short.
    Resume {
        /// The execution.
        execution: ExecutionArn,
        /// The branch.
        branch: BranchPath,
        /// Whether it is a sweep's doing, which respects a live lease.
        background: bool,
    },
    /// A timer's time has come.
    Timer(Due),
    /// A task goes into the queue of its activity.
    Queue(Box<Dispatch>),
    /// A task calls this service itself.
    Call(Box<Dispatch>),
    /// A task fails whose work item the broker never takes.
    Fail(Box<Refused>),
    /// An execution was started by a task that may be over.
    Started(ExecutionArn),
    /// An execution has ended, and the task that waits for it has to learn how.
    Ended(ExecutionArn),
    /// A task that waited for an execution is over.
    Stop {
        /// The execution of the task.
        by: ExecutionArn,
        /// What the task started.
        nested: ExecutionArn,
        /// By this attempt.
        attempt: AttemptId,
    },
    /// Workers are to stop what is of this trace. Best effort.
    Cancel(Cancel, TraceId),
}

impl Item {
    fn name(&self) -> &'static str {
        match self {
            Item::Resume { .. } => "resume",
            Item::Timer(_) => "timer",
            Item::Queue(_) => "queue",
            Item::Call(_) => "call",
            Item::Fail(_) => "fail",
            Item::Started(_) => "started",
            Item::Ended(_) => "ended",
            Item::Stop { .. } => "stop",
            Item::Cancel(..) => "cancel",
        }
    }

    /// Makes the span of the work, with the trace where that is known before.
    fn span(&self) -> Span {
        match self {
            Item::Resume { execution, branch, .. } => log::about(execution, Some(branch), None),
            Item::Timer(due) => log::about(&due.key.execution, Some(&due.key.branch), None),
            Item::Started(nested) | Item::Ended(nested) | Item::Stop { nested, .. } => log::about(nested, None, None),
            Item::Queue(dispatch) | Item::Call(dispatch) => log::about_item(&dispatch.item),
            Item::Fail(refused) => log::about_item(&refused.dispatch.item),
            Item::Cancel(cancel, trace) => {
                let span = log::about(&cancel.execution, None, None);
                span.record("trace_id", tracing::field::display(trace));
                span
            }
        }
    }
}

/// Is the queue of local work.
#[derive(Debug)]
pub(crate) struct Local {
    running_max: usize,
    waiting_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Item>,
    running: usize,
}

impl Local {
    pub(crate) fn new(running_max: usize, waiting_max: usize) -> Self {
        Self { running_max: running_max.max(1), waiting_max, state: Mutex::default() }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state().running == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is a place among the work that goes on; given back when it is dropped, even by a panic.
struct Place {
    inner: Arc<Inner>,
    is_given_back: bool,
}

impl Place {
    /// Takes the next work that waits, or gives the place back: under one lock, so that nothing waits while a place is free.
    fn next(&mut self) -> Option<Item> {
        let mut state = self.inner.local.state();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.running -= 1;
            self.is_given_back = true;
        }
        next
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_given_back {
            self.inner.local.state().running -= 1;
        }
    }
}

impl Inner {
    /// Takes up local work now, or as soon as there is a place. What finds no room is left to the sweeps.
    pub(super) fn proceed(self: &Arc<Self>, item: Item) {
        let mut state = self.local.state();
        if state.running >= self.local.running_max {
            if state.waiting.len() < self.local.waiting_max {
                state.waiting.push_back(item);
            } else {
                self.metrics.spilled.inc();
                drop(state);
                self.spill(&item);
            }
            return;
        }
        state.running += 1;
        drop(state);
        let mut place = Place { inner: self.clone(), is_given_back: false };
        self.runtime.spawn(async move {
            let mut next = Some(item);
            while let Some(item) = next {
                place.inner.work_on(item).await;
                next = place.next();
            }
        });
    }

    /// Forgets work that found no room: the sweep is not to think that it goes on here.
    fn spill(&self, item: &Item) {
        let dispatch = match item {
            Item::Queue(dispatch) | Item::Call(dispatch) => dispatch,
            Item::Fail(refused) => &refused.dispatch,
            Item::Resume { .. }
            | Item::Timer(_)
            | Item::Started(_)
            | Item::Ended(_)
            | Item::Stop { .. }
            | Item::Cancel(..) => return,
        };
        self.outgoing.closed(dispatch.partition, dispatch.item.attempt);
    }

    async fn work_on(self: &Arc<Self>, item: Item) {
        let span = item.span();
        self.try_often(item).instrument(span).await;
    }

    async fn try_often(self: &Arc<Self>, item: Item) {
        let mut backoff = Backoff::new(&self.settings);
        for _ in 0..TRIES_MAX {
            let done = match &item {
                Item::Resume { execution, branch, background } => self.resume(execution, branch, *background).await,
                Item::Timer(due) => self.fire(due).await,
                Item::Queue(dispatch) => self.queue(dispatch).await,
                Item::Call(dispatch) => self.call(dispatch).await,
                Item::Fail(refused) => self.fail_refused(refused).await,
                Item::Started(nested) => self.settle_started(nested).await,
                Item::Ended(nested) => self.answer_starter(nested).await,
                Item::Stop { by, nested, attempt } => self.stop_of_starter(by, nested, *attempt).await,
                Item::Cancel(cancel, _) => self.cancel(cancel).await,
            };
            match done {
                Ok(()) => return,
                Err(Unable::Contended) => self.back_off(&mut backoff).await,
                Err(error @ (Unable::Store(_) | Unable::Broker(_) | Unable::Broken(_))) => {
                    tracing::error!(work = item.name(), error = chain(&error), "can't go on");
                    return;
                }
            }
        }
        tracing::warn!(work = item.name(), "other coordinators are always faster; left to a sweep");
    }

    async fn resume(
        self: &Arc<Self>,
        execution: &ExecutionArn,
        path: &BranchPath,
        background: bool,
    ) -> Result<(), Unable> {
        self.metrics.continuations.inc();
        self.advance(execution, path, Trigger::Resume, background, Patience::Endless).await?;
        Ok(())
    }

    async fn fire(self: &Arc<Self>, due: &Due) -> Result<(), Unable> {
        let (execution, path) = (&due.key.execution, &due.key.branch);
        let is_stale = match timer_from_name(&due.key.name) {
            None => true,
            Some(Timer::Execution) => self.time_out(execution).await? == Ended::Before,
            Some(timer) => {
                match self.advance(execution, path, Trigger::Timer(timer), due.foreign, Patience::Endless).await? {
                    Ending::Stale | Ending::Unchanged => true,
                    Ending::Committed => false,
                    // Its coordinator sees to it, or a sweep when that lease has run out.
                    Ending::Leased => return Ok(()),
                }
            }
        };
        if !is_stale {
            self.metrics.timers_fired.inc();
            return Ok(());
        }
        self.metrics.timers_stale.inc();
        let partition = execution.partition(self.partitions);
        // It fires again if this fails, and is as stale then.
        if let Err(error) = self.store.drop_timers(partition, &[(due.key.clone(), due.due)]).await {
            tracing::debug!(%error, "can't drop a stale timer now");
        }
        Ok(())
    }

    async fn queue(&self, dispatch: &Dispatch) -> Result<(), Unable> {
        let Some(task) = activity_task(&dispatch.item) else { return Ok(()) };
        let mut backoff = Backoff::new(&self.settings);
        while !self.queue_activity(dispatch, &task).await {
            self.back_off(&mut backoff).await;
        }
        Ok(())
    }

    async fn cancel(&self, cancel: &Cancel) -> Result<(), Unable> {
        if let Err(error) = self.queue.publish_cancel(cancel).await {
            tracing::debug!(error = chain(&error), "workers don't hear of a cancel");
        }
        Ok(())
    }

    /// Fires the timers of the wheel.
    pub(super) async fn wheel_loop(self: Arc<Self>) {
        loop {
            let mut due = self.wheel.take_due(self.runtime.now()).into_iter().peekable();
            while let Some(timer) = due.next() {
                let execution = timer.key.execution.clone();
                self.proceed(Item::Timer(timer));
                // So that those of an execution begin in their order: of many tasks tokio runs the one first that was spawned last.
                if due.peek().is_some_and(|next| next.key.execution == execution) {
                    tokio::task::yield_now().await;
                }
            }
            match self.wheel.next() {
                Some(next) => tokio::select! {
                    biased;
                    () = self.wheel.changed() => {}
                    () = self.runtime.sleep_until(next) => {}
                },
                None => self.wheel.changed().await,
            }
        }
    }
}

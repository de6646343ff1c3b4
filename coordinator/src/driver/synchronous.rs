//! Executions that a caller waits for: whoever is told of their end, and how many there may be.
//!
//! ```text
//!  caller ── run ──► noted ──► started, on a task of its own ──► … ──► the commit that ends it ──► told, noted no more
//!     │                                                                                            │
//!     └──────────────────────────────── waits, or goes away ◄──────────────────────────────────────┘
//! ```
//! An execution counts from before its start to its end, whether its caller has gone away or not: what bounds memory is how many there
//! are. One that is started ends, since a timer ends it at the latest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{ExecutionArn, ExecutionEnd, Timestamp};
use tokio::sync::oneshot;
use tracing::Instrument as _;
use wire::record::ExecutionRecord;

use super::Inner;
use super::build::Plan;
use super::start::{StartError, StartOutcome, StartRequest};

/// Is an execution that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The execution.
    pub record: Arc<ExecutionRecord>,
    /// How it ended.
    pub end: ExecutionEnd,
    /// When.
    pub at: Timestamp,
}

type Waiter = oneshot::Sender<Result<Finished, StartError>>;

/// Keeps who waits for the end of which execution.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<BTreeMap<ExecutionArn, Waiter>>);

impl Waiters {
    /// Notes an execution that is about to start, unless there are so many already.
    fn note(&self, arn: &ExecutionArn, most: usize) -> Option<oneshot::Receiver<Result<Finished, StartError>>> {
        let mut waiters = self.waiters();
        if waiters.len() >= most {
            return None;
        }
        let (waiter, told) = oneshot::channel();
        waiters.insert(arn.clone(), waiter);
        Some(told)
    }

    fn take(&self, arn: &ExecutionArn) -> Option<Waiter> {
        self.waiters().remove(arn)
    }

    /// Tells whether an execution is under way here.
    pub(crate) fn has(&self, arn: &ExecutionArn) -> bool {
        self.waiters().contains_key(arn)
    }

    /// Counts the executions that are under way.
    pub(crate) fn count(&self) -> usize {
        self.waiters().len()
    }

    fn waiters(&self) -> MutexGuard<'_, BTreeMap<ExecutionArn, Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is a start that goes on; one that did not come to its end, say by a panic, counts no more.
struct Starting {
    inner: Arc<Inner>,
    arn: ExecutionArn,
    is_started: bool,
}

impl Drop for Starting {
    fn drop(&mut self) {
        if !self.is_started {
            drop(self.inner.no_longer_noted(&self.arn));
        }
    }
}

impl Inner {
    /// Runs an execution to its end, whether or not the caller waits for that.
    pub(super) async fn run_execution(self: &Arc<Self>, mut request: StartRequest) -> Result<Finished, StartError> {
        let arn = request.arn(|| self.runtime.uuid());
        let most = self.settings.express.synchronous_max;
        let Some(told) = self.waiters.note(&arn, most) else {
            self.metrics.executions_throttled.inc();
            return Err(StartError::Busy(most));
        };
        self.metrics.synchronous.add(1);
        // Apart from the caller, who may go away in the middle of it.
        let starting = Starting { inner: self.clone(), arn, is_started: false };
        self.runtime.spawn(starting.start(request).in_current_span());
        told.await.unwrap_or_else(|_| Err(StartError::Unavailable("the start met a defect".to_owned())))
    }

    fn no_longer_noted(&self, arn: &ExecutionArn) -> Option<Waiter> {
        let waiter = self.waiters.take(arn)?;
        self.metrics.synchronous.add(-1);
        Some(waiter)
    }

    /// Tells whoever waits for an execution that a commit has ended it.
    pub(super) fn tell_waiter(&self, plan: &Plan, end: (ExecutionEnd, Timestamp)) {
        let Some(waiter) = self.no_longer_noted(&plan.commit.execution) else { return };
        let (end, at) = end;
        // Who has gone away need not be told.
        let _ = waiter.send(Ok(Finished { record: plan.known.record.clone(), end, at }));
    }
}

impl Starting {
    async fn start(mut self, request: StartRequest) {
        let error = match self.inner.start_execution(request).await {
            Ok(StartOutcome::Started { .. }) => {
                self.is_started = true;
                return;
            }
            Ok(StartOutcome::Exists(head)) => {
                StartError::Unavailable(format!("the execution {} exists", head.record.arn))
            }
            Err(error) => error,
        };
        if let Some(waiter) = self.inner.no_longer_noted(&self.arn) {
            // As above.
            let _ = waiter.send(Err(error));
        }
    }
}

//! The tasks of one process.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// Says that a task or a computation ended before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("finish before the process stopped")
    }
}

impl std::error::Error for Stopped {}

/// Stands for a spawned future. Dropping it lets the future go on.
#[derive(Debug)]
pub struct Task {
    handle: tokio::task::JoinHandle<()>,
}

impl Task {
    /// Ends the future at its next await.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Tells whether the future is done or ended.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits until the future is done.
    ///
    /// # Errors
    /// `Stopped` if it was aborted, killed or panicked.
    pub async fn join(self) -> Result<(), Stopped> {
        self.handle.await.map_err(|_| Stopped)
    }
}

/// Holds what is needed to end the tasks that run; they end in the order in which they were spawned.
#[derive(Clone, Default)]
pub(crate) struct Group {
    members: Arc<Mutex<Members>>,
}

#[derive(Default)]
struct Members {
    is_killed: bool,
    last: u64,
    /// One that is about to be spawned has no handle yet.
    running: BTreeMap<u64, Option<AbortHandle>>,
}

impl Group {
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Task {
        let Some(member) = self.enter() else { return stillborn() };
        let number = member.number;
        let handle = tokio::spawn(async move {
            let _member = member;
            future.await;
        });
        let mut members = self.lock();
        if members.is_killed {
            handle.abort();
        } else if let Some(place) = members.running.get_mut(&number) {
            *place = Some(handle.abort_handle());
        }
        Task { handle }
    }

    pub(crate) fn kill(&self) {
        let running = {
            let mut members = self.lock();
            members.is_killed = true;
            std::mem::take(&mut members.running)
        };
        running.into_values().flatten().for_each(|handle| handle.abort());
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.lock().is_killed
    }

    /// Takes a number, unless the process was killed.
    fn enter(&self) -> Option<Member> {
        let mut members = self.lock();
        if members.is_killed {
            return None;
        }
        members.last += 1;
        let number = members.last;
        members.running.insert(number, None);
        Some(Member { group: self.clone(), number })
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the seam")]
fn stillborn() -> Task {
    let handle = tokio::spawn(std::future::pending());
    handle.abort();
    Task { handle }
}

/// Leaves the group when its future is done or dropped.
struct Member {
    group: Group,
    number: u64,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.group.lock().running.remove(&self.number);
    }
}

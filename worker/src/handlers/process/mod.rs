//! The kind `process`: a long-lived child, one JSON line a task, one an answer, in any order.
//!
//! ```text
//!  worker ── {"id":"7","function":"Pay","resource":…,"input":…,"deadline":…} ──► stdin
//!  worker ◄── {"id":"7","output":…} or {"id":"7","failure":{"errorType":…}} ─── stdout
//! ```
//! The page is `docs/formats/handlers.md`.

mod line;
mod session;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use model::Timestamp;
use runtime::Runtime;
use tokio::sync::Mutex;

use super::child::CommandLine;
use super::limit::{Bounds, Limit};
use super::{Answer, Call, Handler};
use crate::Failure;
use session::{Ended, Session};

/// How often a task is given to a new child because the old one was killed for the sake of another task.
const MOVES_MAX: u32 = 3;
/// How long a child that answered nothing keeps its successor waiting, doubled with each one up to the longest.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// How long a child may take to end once its stdin is closed.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// Is a child that several handlers may share; started with the first task, and again after it ended.
pub(crate) struct Child {
    line: CommandLine,
    output_bytes_max: usize,
    runtime: Runtime,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    session: Option<Arc<Session>>,
    /// How many children in a row ended without an answer.
    failures: u32,
    not_before: Timestamp,
}

impl Child {
    /// Makes one that answers and is timed within `bounds`; how long its tasks may take is each handler's own matter.
    pub(crate) fn new(line: CommandLine, bounds: &Bounds) -> Self {
        let Bounds { runtime, output_bytes_max, .. } = bounds.clone();
        Self { line, output_bytes_max, runtime, current: Mutex::default() }
    }

    /// Gives the child that is there, or starts one.
    async fn session(&self) -> Result<Arc<Session>, Failure> {
        let mut current = self.current.lock().await;
        if let Some(session) = &current.session {
            if !session.is_ended() {
                return Ok(session.clone());
            }
            let answered = session.has_answered();
            current.session = None;
            self.put_off(&mut current, answered);
        }
        self.runtime.sleep_until(current.not_before).await;
        match Session::start(&self.line, self.output_bytes_max, &self.runtime) {
            Ok(session) => {
                let session = Arc::new(session);
                current.session = Some(session.clone());
                Ok(session)
            }
            Err(error) => {
                self.put_off(&mut current, false);
                Err(self.line.not_started(&error))
            }
        }
    }

    fn put_off(&self, current: &mut Current, answered: bool) {
        current.failures = if answered { 0 } else { current.failures.saturating_add(1) };
        if let Some(doublings) = current.failures.checked_sub(1) {
            let delay = BACKOFF_FIRST.saturating_mul(1 << doublings.min(10)).min(BACKOFF_MAX);
            let millis = i64::try_from(self.runtime.jittered(delay).as_millis()).unwrap_or(i64::MAX);
            current.not_before = self.runtime.now().plus_millis(millis);
        }
    }

    async fn run(&self, call: &Call, limit: &Limit) -> Answer {
        let mut moves = 0;
        loop {
            let session = tokio::select! { biased;
                session = self.session() => match session {
                    Ok(session) => session,
                    Err(failure) => return Answer::Failed(failure),
                },
                answer = limit.passed() => return answer,
            };
            match session.call(call, limit).await {
                Ok(answer) => return answer,
                Err(Ended::Failed(failure)) => return Answer::Failed(failure),
                Err(Ended::ForAnother) if moves < MOVES_MAX => moves += 1,
                Err(Ended::ForAnother) => {
                    let message = format!("the child was killed {} times because of other tasks", moves + 1);
                    return Answer::Failed(Failure::new("Runtime.ExitError", message));
                }
            }
        }
    }

    async fn close(&self) {
        let session = self.current.lock().await.session.take();
        if let Some(session) = session {
            session.close(CLOSING_MAX, &self.runtime).await;
        }
    }
}

/// Runs the tasks of one declared handler in a child.
pub(crate) struct Process {
    pub(crate) child: Arc<Child>,
    pub(crate) bounds: Bounds,
}

impl Handler for Process {
    fn run(&self, call: Call) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let limit = self.bounds.limit(&call.context);
            self.child.run(&call, &limit).await
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.child.close())
    }
}

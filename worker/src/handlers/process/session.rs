//! One run of a child, from its start to its end, with the tasks open in it.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::JsonText;
use runtime::{Runtime, Task};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use super::super::child::{CommandLine, Group, Started, Tail, exit_text, read_tail};
use super::super::limit::{Limit, too_large};
use super::super::{Answer, Call};
use super::line::{self, Line};
use crate::{Context, Failure};

/// How much room for a line is kept from one to the next.
const LINE_KEPT: usize = 256 * 1024;
/// How long is waited for what ends late: a child that closed its stdout, a stderr held open by others.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How many lines one write to the child takes at most.
const LINES_WRITTEN_MAX: usize = 64;

/// Says why a task has no answer.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// The child broke or ended.
    Failed(Failure),
    /// It was killed because of another task, which is no fault of this one.
    ForAnother,
}

type Sender = oneshot::Sender<Result<Result<JsonText, Failure>, Ended>>;

struct OpenTask {
    answer: Sender,
    context: Context,
}

#[derive(Default)]
struct Open {
    /// The number of the last task; ids are never used twice in one session.
    last: u64,
    tasks: BTreeMap<u64, OpenTask>,
    ended: bool,
}

/// Is one run of a child. Dropping it closes the child's stdin.
pub(super) struct Session {
    shared: Arc<Shared>,
    lines: mpsc::UnboundedSender<Vec<u8>>,
    reader: Task,
}

struct Shared {
    open: Mutex<Open>,
    group: Group,
    answered: AtomicBool,
    output_bytes_max: usize,
}

impl Session {
    pub(super) fn start(line: &CommandLine, output_bytes_max: usize, runtime: &Runtime) -> io::Result<Self> {
        let mut started = line.start(&[])?;
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let stdin = started.child.stdin.take().ok_or_else(missing)?;
        let stdout = started.child.stdout.take().ok_or_else(missing)?;
        let stderr = started.child.stderr.take().ok_or_else(missing)?;
        info!(command = ?line, process = started.child.id(), "started a handler's process");
        let shared = Arc::new(Shared {
            open: Mutex::default(),
            group: started.group(),
            answered: AtomicBool::new(false),
            output_bytes_max,
        });
        // Bounded by the tasks that the worker runs at once.
        let (lines, to_write) = mpsc::unbounded_channel();
        runtime.spawn(write(stdin, to_write));
        let complaints = Complaints::of(stderr, runtime);
        let reader = runtime.spawn(shared.clone().serve(line.clone(), started, stdout, complaints));
        Ok(Self { shared, lines, reader })
    }

    pub(super) fn is_ended(&self) -> bool {
        self.shared.open().ended
    }

    pub(super) fn has_answered(&self) -> bool {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Gives the child a task and waits for its answer. At the limit the child is killed; dropping the future
    /// leaves it alone and drops its answer.
    pub(super) async fn call(&self, call: &Call, limit: &Limit) -> Result<Answer, Ended> {
        let (sender, answer) = oneshot::channel();
        let id = self.shared.begin(sender, &call.context).ok_or(Ended::ForAnother)?;
        let _forget = Forget { shared: &self.shared, id };
        let line = line::render(id, call.function.as_deref(), &call.input, &call.context);
        if self.lines.send(line).is_err() {
            debug!("the child's stdin is closed: its end is near");
        }
        tokio::select! { biased;
            answer = answer => answer.unwrap_or(Err(Ended::ForAnother)).map(Answer::from),
            answer = limit.passed() => {
                warn!(id, "a task took too long: killing its process");
                self.shared.end(|_| Ended::ForAnother);
                Ok(answer)
            }
        }
    }

    /// Closes the child's stdin and kills it if it goes on for longer than `patience`.
    pub(super) async fn close(self: Arc<Self>, patience: Duration, runtime: &Runtime) {
        let Ok(session) = Arc::try_unwrap(self) else { return };
        drop(session.lines);
        tokio::select! { biased;
            _ = session.reader.join() => {}
            () = runtime.sleep(patience) => session.shared.group.kill(),
        }
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, answer: Sender, context: &Context) -> Option<u64> {
        let mut open = self.open();
        if open.ended {
            return None;
        }
        open.last += 1;
        let id = open.last;
        open.tasks.insert(id, OpenTask { answer, context: context.clone() });
        Some(id)
    }

    /// Ends the session: no further task is begun, the child is killed, each open task learns why.
    fn end(&self, why: impl Fn(u64) -> Ended) {
        let tasks = {
            let mut open = self.open();
            open.ended = true;
            std::mem::take(&mut open.tasks)
        };
        self.group.kill();
        for (id, task) in tasks {
            // Whoever no longer waits needs no answer.
            let _ = task.answer.send(Err(why(id)));
        }
    }

    /// Serves one child until it has ended.
    async fn serve(
        self: Arc<Self>,
        line: CommandLine,
        mut started: Started,
        stdout: ChildStdout,
        complaints: Complaints,
    ) {
        self.read(stdout).await;
        // Its stdout is at its end, so nothing can come of it any more. What it says at its exit is worth a moment.
        tokio::select! { biased;
            _ = started.child.wait() => {}
            () = complaints.runtime.sleep(LAST_WORDS) => started.group().kill(),
        }
        let status = started.wait().await;
        let text = exit_text(&status, &complaints.end().await);
        let ended = exit_text(&status, &[]);
        // An orderly end is what closing its stdin asks for; tasks that it leaves without an answer fail and tell of it.
        if status.is_ok_and(|status| status.success()) {
            debug!(command = ?line, ended, "a handler's process ended");
        } else {
            warn!(command = ?line, ended, "a handler's process ended");
        }
        self.end(|_| Ended::Failed(Failure::new("Runtime.ExitError", text.clone())));
    }

    /// Reads answers until the end of stdout, or until the session is ended because of one.
    async fn read(&self, stdout: ChildStdout) {
        let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
        let mut line = Vec::new();
        while let Some(size) = read_line(&mut stdout, &mut line, self.output_bytes_max).await {
            let alive = match size {
                Size::Fits => self.take(line::read(&line)),
                Size::TooLarge => self.refuse(line::id_of_start(&line)),
            };
            if !alive {
                return;
            }
            line.clear();
            line.shrink_to(LINE_KEPT);
        }
        self.open().ended = true;
    }

    /// Takes a line; tells whether the session goes on.
    fn take(&self, line: Line) -> bool {
        match line {
            Line::Blank => true,
            Line::Heartbeat(id) => {
                if let Some(task) = self.open().tasks.get(&id) {
                    task.context.heartbeat();
                }
                true
            }
            Line::Answer(id, result) => self.answer(id, result),
            Line::Rubbish(failure) => self.broken(&failure),
        }
    }

    fn answer(&self, id: u64, result: Result<JsonText, Failure>) -> bool {
        let (task, known) = {
            let mut open = self.open();
            (open.tasks.remove(&id), (1..=open.last).contains(&id))
        };
        match task {
            Some(task) => {
                self.answered.store(true, Ordering::Relaxed);
                // Whoever no longer waits needs no answer.
                let _ = task.answer.send(Ok(result));
                true
            }
            None if known => {
                debug!(id, "dropped the answer to a task that is over");
                true
            }
            None => self.broken(&line::unknown_id(id)),
        }
    }

    fn broken(&self, failure: &Failure) -> bool {
        warn!(error = failure.error(), "a handler's process is broken: killing it");
        debug!(cause = %failure.cause(), "what it wrote");
        self.end(|_| Ended::Failed(failure.clone()));
        false
    }

    /// Ends the session because of a line that is too large. If it is known whose it is, the others are not at fault.
    fn refuse(&self, id: Option<u64>) -> bool {
        let id = id.filter(|id| self.open().tasks.contains_key(id));
        warn!(id, bytes_max = self.output_bytes_max, "a handler's process wrote too long a line: killing it");
        self.end(|open| match id {
            Some(id) if id != open => Ended::ForAnother,
            Some(_) | None => Ended::Failed(too_large(self.output_bytes_max)),
        });
        false
    }
}

/// Takes a task out of the open ones when nobody waits for it any more.
struct Forget<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.open().tasks.remove(&self.id);
    }
}

enum Size {
    Fits,
    TooLarge,
}

/// Reads a line without its end, or the last bytes before the end of the stream; nothing at the end.
async fn read_line(from: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>, bytes_max: usize) -> Option<Size> {
    loop {
        // A read error is an end: the exit status tells the rest.
        let buffer = from.fill_buf().await.unwrap_or_default();
        if buffer.is_empty() {
            return (!line.is_empty()).then_some(Size::Fits);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&buffer[..end.unwrap_or(buffer.len())]);
        let taken = end.map_or(buffer.len(), |end| end + 1);
        from.consume(taken);
        if line.len() > bytes_max {
            return Some(Size::TooLarge);
        }
        if end.is_some() {
            return Some(Size::Fits);
        }
    }
}

async fn write(mut stdin: ChildStdin, mut lines: mpsc::UnboundedReceiver<Vec<u8>>) {
    let mut batch = Vec::new();
    while lines.recv_many(&mut batch, LINES_WRITTEN_MAX).await > 0 {
        // A child that reads no more has ended or is about to: its reader sees that.
        if stdin.write_all(&batch.concat()).await.is_err() {
            return;
        }
        batch.clear();
    }
}

/// Keeps what a child writes to its stderr.
struct Complaints {
    tail: Arc<Mutex<Tail>>,
    reader: Task,
    runtime: Runtime,
}

impl Complaints {
    fn of(stderr: ChildStderr, runtime: &Runtime) -> Self {
        let tail = Arc::<Mutex<Tail>>::default();
        let kept = tail.clone();
        let reader = runtime.spawn(async move {
            read_tail(stderr, |bytes| {
                debug!(text = %String::from_utf8_lossy(bytes), "a handler's process wrote to stderr");
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
            })
            .await;
        });
        Self { tail, reader, runtime: runtime.clone() }
    }

    /// Gives the end of it once the child has ended.
    async fn end(self) -> Vec<u8> {
        tokio::select! { biased;
            _ = self.reader.join() => {}
            // What left the child's group may hold the pipe open.
            () = self.runtime.sleep(LAST_WORDS) => {}
        }
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).bytes().to_vec()
    }
}

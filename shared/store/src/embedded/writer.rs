//! The thread that writes: it takes all that waits into one transaction, so that many commits share one sync of the disk.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use redb::Database;
use runtime::watch;
use tokio::sync::oneshot;

use super::Shared;
use super::file::{ENTRIES, Opener, Place, Writing};
use crate::Error;
use crate::rules::Map;

/// How many pieces of work share one transaction: enough to make its sync cheap for each, few enough that none waits long.
const BATCH: usize = 128;
/// The first pause before a file that failed is opened again.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// The longest such pause: so late does work go on once there is room again.
const RETRY_LONGEST: Duration = Duration::from_secs(2);

/// Is what the thread is told.
pub(super) enum Message {
    /// Do this.
    Work(Box<dyn Job>),
    /// Look whether the file failed.
    Look,
    /// Close the file, and end.
    Stop(oneshot::Sender<()>),
}

/// Hands work to the thread. What waits is bounded by those who wait for its answers.
#[derive(Clone)]
pub(super) struct Queue(Sender<Message>);

impl Queue {
    /// Sends a message. One that the thread is not there for any more is dropped, which its sender sees.
    pub(super) fn send(&self, message: Message) {
        let _ = self.0.send(message);
    }
}

/// Is work that may be done again after a transaction that was given up.
pub(super) trait Job: Send {
    fn run(&mut self, map: &mut dyn Map) -> Result<(), Error>;

    /// Answers with what the last run gave, or with why it is not kept.
    fn answer(self: Box<Self>, kept: Result<(), Error>);
}

/// Is work with its answer.
pub(super) struct Work<T, F> {
    work: F,
    done: Option<T>,
    answer: oneshot::Sender<Result<T, Error>>,
}

impl<T: Send, F: Fn(&mut dyn Map) -> Result<T, Error> + Send> Work<T, F> {
    pub(super) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, Error>>) {
        let (answer, answered) = oneshot::channel();
        (Self { work, done: None, answer }, answered)
    }
}

impl<T: Send, F: Fn(&mut dyn Map) -> Result<T, Error> + Send> Job for Work<T, F> {
    fn run(&mut self, map: &mut dyn Map) -> Result<(), Error> {
        self.done = Some((self.work)(map)?);
        Ok(())
    }

    fn answer(self: Box<Self>, kept: Result<(), Error>) {
        let lost = || Error::Unavailable("the work was not done".to_owned());
        let Self { done, answer, .. } = *self;
        // A caller that went away needs no answer.
        let _ = answer.send(kept.and_then(|()| done.ok_or_else(lost)));
    }
}

/// Starts the thread. It ends when told to, or when all handles of the store are gone.
pub(super) fn start(
    place: Arc<Place>,
    opener: Opener,
    database: Arc<Shared>,
    connected: Arc<watch::Sender<bool>>,
) -> Result<Queue, Error> {
    let (sender, messages) = mpsc::channel();
    let writer = Writer { place, opener, database, connected, messages, is_full: Cell::new(false) };
    let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run());
    thread.map_err(|error| Error::Unfit(format!("start the thread that writes: {error}")))?;
    Ok(Queue(sender))
}

struct Writer {
    place: Arc<Place>,
    opener: Opener,
    database: Arc<Shared>,
    connected: Arc<watch::Sender<bool>>,
    messages: Receiver<Message>,
    /// Whether the disk had too little room the last time.
    is_full: Cell<bool>,
}

impl Writer {
    fn run(self) {
        let stopped = self.serve();
        self.connected.send_replace(false);
        self.close();
        if let Some(answer) = stopped {
            let _ = answer.send(());
        }
    }

    /// Writes until told to stop.
    fn serve(&self) -> Option<oneshot::Sender<()>> {
        while let Ok(first) = self.messages.recv() {
            let (mut jobs, mut next) = (Vec::new(), Some(first));
            let mut stopped = None;
            while let Some(message) = next.take() {
                match message {
                    Message::Work(job) => jobs.push(job),
                    Message::Look => {}
                    Message::Stop(answer) => stopped = Some(answer),
                }
                if jobs.len() < BATCH && stopped.is_none() {
                    next = self.messages.try_recv().ok();
                }
            }
            let kept = self.keep(jobs);
            if stopped.is_some() {
                return stopped;
            }
            if let Err(fault) = kept {
                stopped = self.recover(&fault);
            }
            if stopped.is_some() {
                return stopped;
            }
        }
        None
    }

    /// Does all of it in one transaction, and answers. Fails where the file failed.
    fn keep(&self, mut jobs: Vec<Box<dyn Job>>) -> Result<(), Error> {
        let room = self.place.check_room();
        self.tell_of_room(&room);
        if let Err(full) = room {
            answer_all(jobs, &Err(full));
            return Ok(());
        }
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = &*database else { return Ok(()) };
        loop {
            // redb panics on some faults of the file's content.
            let made = catch_unwind(AssertUnwindSafe(|| self.transact(database, &mut jobs)));
            let made = made.unwrap_or_else(|_| {
                Made::FileFailed(Error::Corrupt(format!("{}: it can't be read to its end", self.place.file.display())))
            });
            match made {
                Made::Kept => {
                    answer_all(jobs, &Ok(()));
                    return Ok(());
                }
                Made::JobFailed(index, error) => jobs.remove(index).answer(Err(error)),
                Made::FileFailed(fault) => {
                    answer_all(jobs, &Err(repeated(&fault)));
                    return Err(fault);
                }
            }
        }
    }

    /// Says once that there is no room, and once that there is some again.
    fn tell_of_room(&self, room: &Result<(), Error>) {
        let was_full = self.is_full.replace(room.is_err());
        match room {
            Err(error) if !was_full => tracing::error!(%error, "nothing is written until there is room"),
            Ok(()) if was_full => {
                tracing::warn!(file = %self.place.file.display(), "there is room again; the store goes on")
            }
            Ok(()) | Err(_) => {}
        }
    }

    fn transact(&self, database: &Database, jobs: &mut [Box<dyn Job>]) -> Made {
        let failed = |error: redb::Error| {
            Made::FileFailed(if let redb::Error::Io(error) = error {
                self.place.describe(error)
            } else {
                Error::Unavailable(format!("{}: {error}", self.place.file.display()))
            })
        };
        let writing = match database.begin_write() {
            Ok(writing) => writing,
            Err(error) => return failed(error.into()),
        };
        let table = match writing.open_table(ENTRIES) {
            Ok(table) => table,
            Err(error) => return failed(error.into()),
        };
        let mut entries = Writing { place: &self.place, table, has_failed: Cell::new(false), is_dirty: false };
        for (index, job) in jobs.iter_mut().enumerate() {
            match job.run(&mut entries) {
                Ok(()) => {}
                Err(error) if entries.has_failed.get() => return Made::FileFailed(error),
                // What it wrote must not be kept; the others are done again without it.
                Err(error) => return Made::JobFailed(index, error),
            }
        }
        let is_dirty = entries.is_dirty;
        drop(entries);
        let ended = if is_dirty {
            writing.commit().map_err(redb::Error::from)
        } else {
            writing.abort().map_err(redb::Error::from)
        };
        ended.map_or_else(failed, |()| Made::Kept)
    }

    /// Opens the file anew until that succeeds; what comes meanwhile is told why it is refused.
    #[expect(clippy::disallowed_methods, reason = "a thread of its own, which the simulator does not run")]
    fn recover(&self, fault: &Error) -> Option<oneshot::Sender<()>> {
        tracing::error!(error = %fault, "the store's file failed; opening it again");
        self.connected.send_replace(false);
        self.close();
        let (mut fault, mut pause) = (repeated(fault), RETRY_FIRST);
        loop {
            let until = Instant::now() + pause;
            loop {
                match self.messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(Message::Work(job)) => job.answer(Err(repeated(&fault))),
                    Ok(Message::Look) => {}
                    Ok(Message::Stop(answer)) => return Some(answer),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return None,
                }
            }
            match self.place.check_room().and_then(|()| self.place.open(&self.opener)) {
                Ok(database) => {
                    *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
                    self.connected.send_replace(true);
                    tracing::info!(file = %self.place.file.display(), "the store goes on");
                    return None;
                }
                Err(error) => {
                    tracing::debug!(%error, "the store's file can't be opened yet");
                    fault = error;
                }
            }
            pause = pause.saturating_mul(2).min(RETRY_LONGEST);
        }
    }

    /// Closes the file, after the last who reads it.
    fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
            tracing::warn!(file = %self.place.file.display(), "the store's file was not closed in order");
        }
    }
}

/// Is what became of a transaction.
enum Made {
    Kept,
    JobFailed(usize, Error),
    FileFailed(Error),
}

fn answer_all(jobs: Vec<Box<dyn Job>>, kept: &Result<(), Error>) {
    for job in jobs {
        job.answer(match kept {
            Ok(()) => Ok(()),
            Err(error) => Err(repeated(error)),
        });
    }
}

/// Says to one more caller that the store is away: whatever the fault, the work may be done later.
fn repeated(error: &Error) -> Error {
    match error {
        Error::Full(text) => Error::Full(text.clone()),
        Error::Unavailable(text) | Error::Corrupt(text) | Error::Unfit(text) => Error::Unavailable(text.clone()),
    }
}

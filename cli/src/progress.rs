//! Shows a running execution to a person: each state as it is entered and left, attempts, durations.
//!
//! On a terminal a spinner names what is open at the moment; elsewhere there are plain lines only. All of it goes to stderr.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use model::{Details, EventId, EventKind, HistoryEvent, Timestamp};

/// Are the events that begin an attempt of a Task state.
const BEGINS_ATTEMPT: [EventKind; 3] =
    [EventKind::LambdaFunctionScheduled, EventKind::TaskScheduled, EventKind::ActivityScheduled];

/// Turns history events into lines.
pub(crate) struct Progress {
    started_at: Option<Timestamp>,
    visits: BTreeMap<EventId, Visit>,
    open: BTreeMap<EventId, String>,
    spinner: Option<ProgressBar>,
}

/// Is one entry of a state, as the events that follow from it are traced back to it.
#[derive(Clone)]
struct Visit {
    entered: EventId,
    name: String,
    at: Timestamp,
    attempts: u32,
    depth: usize,
}

impl Progress {
    /// Begins to show progress.
    pub(crate) fn new() -> Self {
        let spinner = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let spinner = ProgressBar::new_spinner().with_style(style);
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        });
        Self { started_at: None, visits: BTreeMap::new(), open: BTreeMap::new(), spinner }
    }

    /// Shows an event; they must come in the order of their ids.
    pub(crate) fn show(&mut self, event: &HistoryEvent) {
        let started_at = *self.started_at.get_or_insert(event.at);
        if let Some((depth, text)) = self.follow(event) {
            let elapsed = seconds(event.at.millis_since(started_at));
            self.print(&format!("{elapsed:>9}  {:indent$}{text}", "", indent = depth * 2));
        }
        if let Some(spinner) = &self.spinner {
            let names: Vec<&str> = self.open.values().map(String::as_str).collect();
            spinner.set_message(names.join(", "));
        }
    }

    /// Ends the show with a last line.
    pub(crate) fn finish(&mut self, line: &str) {
        self.print(line);
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }

    fn print(&self, line: &str) {
        match &self.spinner {
            Some(spinner) => spinner.println(line),
            // A closed stderr must not end the execution.
            None => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }

    /// Notes what the event says of its state, and gives the line for it, if it is worth one.
    fn follow(&mut self, event: &HistoryEvent) -> Option<(usize, String)> {
        let before = self.visits.get(&event.previous).cloned();
        match &event.details {
            Details::StateEntered { name, .. } => {
                let depth = before.as_ref().map_or(0, |visit| visit.depth);
                let visit = Visit { entered: event.id, name: name.clone(), at: event.at, attempts: 0, depth };
                self.open.insert(event.id, name.clone());
                self.visits.insert(event.id, visit);
                Some((depth, format!("> {name}")))
            }
            Details::StateExited { name, .. } => {
                let (depth, took) = self.leave(event, name, before.as_ref());
                Some((depth, format!("✓ {name}  {}", seconds(took))))
            }
            Details::Failure { error, cause } | Details::TaskFailure { error, cause, .. } => {
                self.fail(event, before, error.as_deref(), cause.as_deref())
            }
            Details::MapIteration { index, .. } if event.kind == EventKind::MapIterationStarted => {
                let mut visit = before?;
                visit.depth += 1;
                let depth = visit.depth;
                self.visits.insert(event.id, visit);
                Some((depth, format!("· item {index}")))
            }
            Details::None
            | Details::ExecutionStarted { .. }
            | Details::Output { .. }
            | Details::Scheduled { .. }
            | Details::WorkerStarted { .. }
            | Details::TaskScheduled { .. }
            | Details::TaskStarted { .. }
            | Details::TaskOutput { .. }
            | Details::MapRunStarted { .. }
            | Details::MapStarted { .. }
            | Details::MapIteration { .. }
            | Details::EvaluationFailed { .. } => self.pass_on(event, before),
        }
    }

    fn pass_on(&mut self, event: &HistoryEvent, before: Option<Visit>) -> Option<(usize, String)> {
        let mut visit = before?;
        let mut line = None;
        if BEGINS_ATTEMPT.contains(&event.kind) {
            visit.attempts += 1;
            line = (visit.attempts > 1).then(|| format!("> {}  attempt {}", visit.name, visit.attempts));
        } else if event.kind == EventKind::ParallelStateStarted {
            visit.depth += 1;
        } else if event.kind == EventKind::TaskStateAborted {
            self.open.remove(&visit.entered);
            line = Some(format!("x {}  cut off", visit.name));
        } else if event.kind.is_terminal() {
            self.open.clear();
        }
        let depth = visit.depth;
        self.visits.insert(event.id, visit);
        line.map(|line| (depth, line))
    }

    fn fail(
        &mut self,
        event: &HistoryEvent,
        before: Option<Visit>,
        error: Option<&str>,
        cause: Option<&str>,
    ) -> Option<(usize, String)> {
        if event.kind.is_terminal() {
            self.open.clear();
            return None;
        }
        let visit = before?;
        let (depth, name) = (visit.depth, visit.name.clone());
        let attempt = if visit.attempts > 0 { format!("  attempt {}", visit.attempts) } else { String::new() };
        self.visits.insert(event.id, visit);
        let cause = cause.map(|cause| format!(": {}", shortened(cause))).unwrap_or_default();
        Some((depth, format!("x {name}{attempt}  {}{cause}", error.unwrap_or("failed"))))
    }

    fn leave(&mut self, event: &HistoryEvent, name: &str, before: Option<&Visit>) -> (usize, u64) {
        // The event before the exit of a Parallel or Map belongs to its last child: look for the state's own entry.
        let own = before.filter(|visit| visit.name == name).cloned();
        let visit = own.or_else(|| {
            let entered = self.open.iter().rev().find(|(_, open)| **open == name).map(|(entered, _)| *entered)?;
            self.visits.get(&entered).cloned()
        });
        let Some(visit) = visit else { return (0, 0) };
        self.open.remove(&visit.entered);
        let left = (visit.depth, event.at.millis_since(visit.at));
        self.visits.insert(event.id, visit);
        left
    }
}

/// Prints milliseconds as seconds.
pub(crate) fn seconds(millis: u64) -> String {
    format!("{}.{:03}s", millis / 1000, millis % 1000)
}

/// Is the most of a cause that a line shows: more would wrap on most terminals.
const CAUSE_CHARS_MAX: usize = 100;

/// Puts a text on one line that is not too long.
pub(crate) fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    match line.char_indices().nth(CAUSE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

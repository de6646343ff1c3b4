//! What may have made the next event of a record.

use std::collections::BTreeSet;

use model::{
    Details, EventId, EventKind, EventRef, ExecutionEnd, ExecutionStatus, HistoryEvent, JsonText, Nonce, TaskToken,
    error_name,
};

use asl::{IntegrationPattern, StateKind};

use crate::branch::{Branch, Callback, Delivery, Phase, TaskPhase};
use crate::chance;
use crate::close::{close_execution, close_full_history, timed_out};
use crate::event::{Event, Moment, NewEvent, Outcome, Timer};
use crate::replay::Replay;
use crate::turn::machine;

/// In how many events from the next one on the token of the same transition's attempt is looked for.
const AHEAD: usize = 4;

/// Is something that may have happened to a branch.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) path: model::BranchPath,
    /// In order; all but the last make no event.
    pub(super) events: Vec<Event>,
    pub(super) moment: Moment,
    /// How many children may start.
    pub(super) room: u32,
    /// Whether the last makes none either.
    pub(super) silent: bool,
}

/// Lists what may have made the next event, the likeliest first.
pub(super) fn candidates(replay: &Replay<'_>) -> Vec<Candidate> {
    let Some(next) = replay.history.get(replay.position) else { return Vec::new() };
    let concerned = replay.branches.values().filter(|branch| replay.hangs_on(branch).contains(&next.previous));
    concerned.flat_map(|branch| replay.of_branch(branch, next)).collect()
}

/// Lists the events by which the execution may have been ended from outside.
pub(super) fn closings(replay: &Replay<'_>) -> Vec<NewEvent> {
    let Some(next) = replay.history.get(replay.position) else { return Vec::new() };
    let moment = Moment { at: next.at, seed: Nonce(0) };
    let is_last = replay.position + 1 == replay.history.len();
    let end = match (&next.details, next.kind) {
        (Details::Failure { error, cause }, EventKind::ExecutionAborted) => {
            ExecutionEnd { status: ExecutionStatus::Aborted, output: None, error: error.clone(), cause: cause.clone() }
        }
        (_, EventKind::ExecutionTimedOut) => timed_out(),
        (_, EventKind::ExecutionFailed) if is_last && is_nearly_full(replay, next.id) => {
            let full = |branch| close_full_history(branch, moment, replay.limits).history;
            return replay.branches.values().flat_map(full).collect();
        }
        _ => return Vec::new(),
    };
    close_execution(end, moment).history
}

/// Tells whether a transition may have had no room in the history any more.
fn is_nearly_full(replay: &Replay<'_>, id: EventId) -> bool {
    /// The most events of a transition, about: a Map that starts its iterations.
    const TRANSITION_MAX: u64 = 200;
    replay.limits.events_max.is_some_and(|max| (max.saturating_sub(TRANSITION_MAX)..=max).contains(&id.0))
}

impl Replay<'_> {
    /// Lists the events from which the branch's next one may follow.
    fn hangs_on(&self, branch: &Branch) -> BTreeSet<EventId> {
        let mut references = vec![branch.last_event, branch.before_entered, branch.entered_event];
        if let Phase::Children(phase) = &branch.phase {
            references.extend([phase.started_event, phase.last_child_event]);
            let scope = self.scopes.get(&phase.scope);
            references.extend(scope.into_iter().flat_map(|scope| &scope.pending).map(|ended| ended.last_event));
        }
        references.into_iter().map(|reference: EventRef| reference.resolve(self.base())).collect()
    }

    fn of_branch(&self, branch: &Branch, next: &HistoryEvent) -> Vec<Candidate> {
        let candidate = |events: Vec<Event>| Candidate {
            path: branch.path.clone(),
            events,
            moment: Moment { at: next.at, seed: self.seed(branch) },
            room: u32::MAX,
            silent: false,
        };
        match &branch.phase {
            Phase::Ready => vec![candidate(vec![Event::Proceed])],
            Phase::Wait { .. } => {
                vec![candidate(vec![Event::Timer { timer: Timer::Wait { entry: branch.entry } }])]
            }
            Phase::Backoff { .. } => {
                let timer = Timer::Backoff { entry: branch.entry, retry: branch.retry_count };
                vec![candidate(vec![Event::Timer { timer }])]
            }
            Phase::Task(task) => self.of_task(branch, task, next).into_iter().map(candidate).collect(),
            Phase::Children(phase) => self.of_children(phase, next).into_iter().map(candidate).collect(),
        }
    }

    /// Lists what may have happened to an open attempt.
    fn of_task(&self, branch: &Branch, task: &TaskPhase, next: &HistoryEvent) -> Vec<Vec<Event>> {
        let attempt = task.attempt;
        let report = |outcome: Outcome, worker: Option<String>| Event::Report {
            attempt,
            started_at: Some(next.at),
            worker,
            outcome,
        };
        match (next.kind, &next.details) {
            (EventKind::ActivityStarted, Details::WorkerStarted { worker }) => {
                vec![vec![report(Outcome::Started, worker.clone())]]
            }
            (EventKind::TaskStarted | EventKind::LambdaFunctionStarted, _) => {
                vec![vec![report(Outcome::Started, None)]]
            }
            (EventKind::MapRunSucceeded, _) => {
                let results = self.results_of_map_run(branch);
                results.into_iter().flat_map(|output| self.ends(branch, task, Callback::Succeeded { output })).collect()
            }
            (EventKind::TaskSubmitted, Details::TaskOutput { output, .. }) => {
                vec![vec![report(Outcome::Submitted { output: output.clone() }, None)]]
            }
            (_, Details::TaskOutput { output, .. } | Details::Output { output }) => {
                self.ends(branch, task, Callback::Succeeded { output: output.clone() })
            }
            (EventKind::TaskTimedOut | EventKind::LambdaFunctionTimedOut | EventKind::ActivityTimedOut, _) => {
                let attempt = attempt.number;
                let timers = [Timer::Timeout { attempt }, Timer::Heartbeat { attempt }];
                timers.into_iter().map(|timer| vec![Event::Timer { timer }]).collect()
            }
            (_, Details::TaskFailure { error, cause, .. } | Details::Failure { error, cause }) => {
                let mut ways = self.ends(branch, task, Callback::Failed { error: error.clone(), cause: cause.clone() });
                if error.as_deref() == Some(error_name::DATA_LIMIT_EXCEEDED) {
                    let output = self.too_large();
                    ways.splice(0..0, self.ends(branch, task, Callback::Succeeded { output: output.clone() }));
                    ways.push(vec![report(Outcome::Submitted { output }, None)]);
                }
                ways
            }
            _ => Vec::new(),
        }
    }

    /// Lists what the results of a Map Run may have been, from what left the Map state: all of it, or what lies at its ResultPath.
    fn results_of_map_run(&self, branch: &Branch) -> Vec<JsonText> {
        let exited = self.history.iter().skip(self.position).take(AHEAD).find_map(|event| {
            let Details::StateExited { output, .. } = &event.details else { return None };
            Some(output.clone())
        });
        let state = machine(self.definition, &branch.location).ok().and_then(|it| it.state(branch.state.as_str()));
        let path = state.and_then(|state| state.flow.result_path.as_ref()).filter(|path| !path.is_root());
        let at_path = exited.as_ref().zip(path).and_then(|(output, path)| {
            path.as_path().read_text(output.as_str()).ok().map(|text| JsonText::trusted(text.as_ref()))
        });
        at_path.into_iter().chain(exited).collect()
    }

    /// Lists how an attempt may have come to its end: by its task token, by a report, or by what overtook the report.
    fn ends(&self, branch: &Branch, task: &TaskPhase, end: Callback) -> Vec<Vec<Event>> {
        let attempt = task.attempt;
        let report = |outcome| Event::Report { attempt, started_at: None, worker: None, outcome };
        let callback = Event::Callback { attempt, callback: end.clone() };
        if task.delivery == Delivery::Waiting {
            return vec![vec![callback]];
        }
        let overtaken = vec![callback, report(Outcome::Failed { error: None, cause: None })];
        let reported = match end {
            Callback::Succeeded { .. } if self.waits_for_token(branch) => return vec![overtaken],
            Callback::Succeeded { output } => Outcome::Succeeded { output },
            Callback::Failed { error, cause } => Outcome::Failed { error, cause },
        };
        vec![vec![report(reported)], overtaken]
    }

    fn waits_for_token(&self, branch: &Branch) -> bool {
        let state = machine(self.definition, &branch.location).ok().and_then(|it| it.state(branch.state.as_str()));
        match state.map(|state| &state.kind) {
            Some(StateKind::Task(task)) => task.resource.pattern() == IntegrationPattern::WaitForTaskToken,
            Some(_) | None => false,
        }
    }

    /// Makes a result that is larger than allowed: the record does not hold the one that was.
    fn too_large(&self) -> JsonText {
        let bytes = self.limits.payload_bytes_max.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        JsonText::trusted(format!("\"{}\"", "x".repeat(bytes)))
    }

    /// Finds the seed that gives the branch's next attempt the nonce of its recorded token; any, if none is recorded.
    fn seed(&self, branch: &Branch) -> Nonce {
        if !self.waits_for_token(branch) {
            return Nonce(0);
        }
        let number = branch.attempts + 1;
        let is_apart = |character: char| !(character.is_ascii_alphanumeric() || matches!(character, '-' | '_'));
        // A token may be in any text of the transition: a payload, or the cause of a failure.
        let events = self.history.iter().skip(self.position).take(AHEAD);
        let nonce = events.map(|event| format!("{:?}", event.details)).find_map(|text| {
            let mut tokens = text.split(is_apart).filter_map(TaskToken::parse);
            let ours = tokens.find(|token| token.branch == branch.path && token.attempt.number == number);
            ours.map(|token| token.attempt.nonce)
        });
        nonce.map_or(Nonce(0), |nonce| chance::seed_of(nonce, &branch.path, [number, u32::MAX]))
    }
}
